//! The protocol over real HTTP, in both dialects and both bindings.

mod card;
mod client;
mod collaborator;
mod errors;
mod http;
mod kits;
mod lists;
mod methods;
mod reception;
mod rest;
mod streams;
