//! Identity: who calls (a bearer token becomes a [`Principal`]), and who we are where we call ([`TokenSource`]).
//!
//! `authenticator` is the way in and knows the modes; `bearer` reads the header, `claims` what a token says, `issuer`
//! checks it with the `keys` of who issued it, `platform` believes what stands in front. `token_source` is the way out.
//! Both talk to a `provider` and keep what it says in `cached`.

mod authenticator;
mod bearer;
mod cached;
mod claims;
mod error;
mod issuer;
mod keys;
mod platform;
mod principal;
mod provider;
mod token_source;

pub use authenticator::{Authenticator, Scopes};
pub use error::AuthError;
pub use issuer::{Issuer, IssuerSettings};
pub use principal::Principal;
pub use provider::{Metadata, ProviderError, discover};
pub use token_source::{ClientCredentials, TokenSource};

pub(crate) use provider::checked;
