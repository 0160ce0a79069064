//! The troubleshooting guide: articles of our own, one per family of failures, and their search. It works without a
//! network and knows nothing of the rest of the program.
//!
//! An article is a markdown file in `articles/`: lines `key: value` between two `---`, then the five [`Section`]s. Its
//! name without `.md` is its slug. Lists are separated by `;`; the first item of `ko` is the Korean title.

mod article;
mod search;
mod words;

pub use article::{Article, Section};
pub use search::{Guide, GuideError, Hit};
