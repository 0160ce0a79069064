//! The agent card: data in `agent-card.json`, checked, completed with what the configuration says (where the agent is
//! reached, who may call it, what it offers), and published in the forms that 1.0 and 0.3 clients read.
//!
//! `types` is the card of 1.0, `source` reads and checks the file, `publication` says what it is completed with,
//! `forms` writes it for each kind of reader, `published` is the result and answers HTTP requests for it.

mod forms;
mod publication;
mod published;
mod security;
mod source;
pub mod types;

pub use forms::Form;
pub use publication::{Publication, REST_PATH};
pub use published::{DeclaredExtension, PublishedCard};
pub use security::{Issuer, Security};
pub use source::{CardError, CardSource, load};
