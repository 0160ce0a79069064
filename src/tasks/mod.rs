//! The lifecycle: a task is created, worked on, watched and ended here, whatever agent does the work.
//!
//! `event` is what happens to a task, `state` what that makes of it (pure), `executor` the seam behind which the work is
//! done, `runner` starts and ends it, `store` keeps it, `push` is where its entries are to be delivered.

mod claims;
mod errors;
mod event;
mod execution;
mod executor;
mod push;
mod runner;
mod sqlite;
mod state;
mod store;
mod subscription;

pub use errors::{StartError, TaskError};
pub use event::{Delivery, LogEntry, Owner, RequestOptions, StoredEntry, TaskEvent};
pub use executor::{AgentExecutor, ExecutionRequest};
pub use push::{
    PushAuthentication, PushConfig, PushFormat, PushLimits, PushProgress, PushStart, PushState, PutPush,
    Secret, StoredPush,
};
pub use runner::{NewMessage, Recovered, RunnerLimits, TaskRunner};
pub use sqlite::{SqliteTaskStore, TaskArchive, TaskSummary};
pub use state::{IllegalEvent, apply};
pub use store::{
    Created, IdempotencyKey, ListPosition, StoredTask, TaskFilter, TaskPage, TaskStore, TaskStoreError,
};
pub use subscription::{Subscription, Until};
