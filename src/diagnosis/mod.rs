//! The engine, pure: facts → findings → cause graph → report. It imports nothing else of ours and does no I/O.

mod engine;
pub mod render;
pub mod report;
pub mod snapshot;

pub use engine::{diagnose, wanted_logs};
pub use snapshot::{ContainerLog, LogRef, READ_KINDS, ReadKind, Snapshot};
