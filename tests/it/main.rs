//! The one integration binary: each module is a story.

mod a2a;
mod agent;
mod bundle;
mod cli;
mod diagnosis;
mod directions;
mod tasks;
mod tools;
