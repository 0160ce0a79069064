//! The one integration binary: each module is a story.

mod a2a;
mod agent;
mod bundle;
mod cli;
mod diagnosis;
mod directions;
mod support;
mod tasks;
mod tools;
