//! The protocol over real HTTP, in both dialects and both bindings.

mod answers;
mod card;
mod card_extended;
mod card_security;
mod card_signed;
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
mod table;
mod wire;
