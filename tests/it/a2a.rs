//! The protocol over real HTTP, in both dialects.

mod card;
mod client;
mod collaborator;
mod errors;
mod http;
mod methods;
mod streams;
