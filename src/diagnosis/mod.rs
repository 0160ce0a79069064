//! The engine, pure: facts → findings → cause graph → report. It imports nothing else of ours and does no I/O.
//!
//! `snapshot` is what comes in, `facts` indexes it, `rules` write drafts of findings, `causes` links them, `engine` runs
//! the pass, `report` is what goes out and `render` shows it to people. `trace` follows one request through the same facts, and `access` says who may do what.

mod access;
mod causes;
mod draft;
mod engine;
mod facts;
pub mod render;
pub mod report;
mod rules;
pub mod snapshot;
#[cfg(test)]
mod testing;
mod trace;

pub use access::{ACCESS_KINDS, Access, AccessQuery, Grant, Subject, access};
pub use engine::{diagnose, wanted_logs};
pub(crate) use facts::quantity;
pub use rules::{RULES, RuleInfo};
pub use snapshot::{ContainerLog, LogRef, READ_KINDS, ReadKind, Snapshot};
pub use trace::{Hop, HopStatus, Step, TRACED_KINDS, TraceClient, TraceQuery, trace};
