//! Identity: who calls (a bearer token becomes a [`Principal`]), and who we are where we call.
//!
//! `bearer` reads the header, `authenticator` is the way in and knows the modes, `principal` is what comes out.

mod authenticator;
mod bearer;
mod error;
mod principal;

pub use authenticator::Authenticator;
pub use error::AuthError;
pub use principal::Principal;
