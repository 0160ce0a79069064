//! The lifecycle: a task is created, worked on, watched and ended here, whatever agent does the work.
//!
//! `event` is what happens to a task, `executor` the seam behind which the work is done.

mod event;
mod executor;

pub use event::{LogEntry, Owner, StoredEntry, TaskEvent};
pub use executor::{AgentExecutor, ExecutionRequest};
