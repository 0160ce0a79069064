//! The command line as people and scripts meet it.

mod ask;
mod demo;
mod diagnose;
mod readme;
mod serve;
mod tasks;
mod usage;
