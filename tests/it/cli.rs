//! The command line as people and scripts meet it.

mod ask;
mod card;
mod demo;
mod diagnose;
mod readme;
mod serve;
mod tasks;
mod usage;
