//! The engine, pure: facts → findings → cause graph → report. It imports nothing else of ours and does no I/O.

pub mod report;
