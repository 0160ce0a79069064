//! The agent card: data in `agent-card.json`, checked, completed with where the agent is reached, and published in the
//! forms that 1.0 and 0.3 clients read.

mod card;
mod publish;

pub use card::{CardError, load};
pub use publish::{DeclaredExtension, PublishedCard};
