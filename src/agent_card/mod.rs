//! The agent card: data in `agent-card.json`, checked, completed with what the configuration says (where the agent is
//! reached, who may call it, what it offers), and published in the forms that 1.0 and 0.3 clients read.
//!
//! `types` is the card of 1.0, `source` reads and checks the file, `publication` says what it is completed with,
//! `complete` does it, `forms` writes the result for each kind of reader, and `published` answers HTTP requests for it.
//! `canonical`, `keys` and `signature` sign cards and verify them.

mod canonical;
mod complete;
mod conditional;
mod forms;
mod keys;
mod publication;
mod published;
mod security;
mod signature;
mod source;
pub mod types;

pub use canonical::Coverage;
pub use forms::Form;
pub use keys::KeyError;
pub use publication::{KEYS_PATH, Publication, REST_PATH};
pub use published::{DeclaredExtension, PublishedCard};
pub use security::{Issuer, Security};
pub use signature::{CardSigner, Outcome, TrustedKeys, Verified, sign, verify};
pub use source::{CardError, CardSource, load};
