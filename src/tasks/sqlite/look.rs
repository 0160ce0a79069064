//! Looking at a store from outside, while a server works on it or not.

use std::path::Path;
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};

use crate::a2a::types::{ContextId, TaskId, TaskState, Timestamp};

use super::super::event::{Owner, StoredEntry};
use super::super::push::{PushState, StoredPush};
use super::super::store::{StoredTask, TaskStore, TaskStoreError};
use super::{SqliteTaskStore, push, unavailable, unsigned};

/// Entries read at a time.
const PAGE: u32 = 256;

/// The tasks in a file, for who only looks: takes no lock and changes nothing.
#[derive(Debug)]
pub struct TaskArchive {
    store: SqliteTaskStore,
}

/// A task in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// Whose it is.
    pub owner: Owner,
    /// Its conversation.
    pub context_id: ContextId,
    /// Where it stands.
    pub state: TaskState,
    /// Time of its status.
    pub updated_at: Timestamp,
    /// Number of its last entry.
    pub sequence: u64,
    /// Text of its first message, if that begins with text.
    pub question: Option<String>,
}

impl TaskArchive {
    /// Opens the file.
    ///
    /// # Errors
    /// [`TaskStoreError::NotFound`] where there is no file, [`TaskStoreError::OtherVersion`] where another version of
    /// drydock wrote it, [`TaskStoreError::Unavailable`] where it cannot be read.
    pub async fn open(path: &Path) -> Result<Self, TaskStoreError> {
        if !path.exists() {
            return Err(TaskStoreError::NotFound);
        }
        let options =
            SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
        let readers = SqlitePoolOptions::new().max_connections(1).connect_with(options);
        let readers = readers.await.map_err(unavailable)?;
        let known = sqlx::migrate!().iter().map(|migration| migration.version).max();
        let written: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&readers)
            .await
            .map_err(unavailable)?;
        if written != known {
            return Err(TaskStoreError::OtherVersion(path.display().to_string()));
        }
        Ok(Self { store: SqliteTaskStore::reading(readers) })
    }

    /// Up to `limit` tasks of all owners, newest status first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn tasks(&self, limit: u32) -> Result<Vec<TaskSummary>, TaskStoreError> {
        let rows = sqlx::query(
            "SELECT id, owner, context_id, state, updated_at, last_sequence, \
             snapshot ->> '$.history[0].parts[0].text' AS question \
             FROM tasks ORDER BY updated_at DESC, id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.store.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(summary).collect()
    }

    /// A task as it is.
    ///
    /// # Errors
    /// There is no such task, or the file cannot be read.
    pub async fn task(&self, id: &TaskId) -> Result<StoredTask, TaskStoreError> {
        self.store.load(id).await
    }

    /// The whole log of a task.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn log(&self, id: &TaskId) -> Result<Vec<StoredEntry>, TaskStoreError> {
        let mut log: Vec<StoredEntry> = Vec::new();
        loop {
            let page = self.store.entries(id, log.last().map_or(0, |last| last.sequence), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            log.extend(page);
            if is_last {
                return Ok(log);
            }
        }
    }

    /// The push configurations of a task.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn pushes(&self, id: &TaskId) -> Result<Vec<StoredPush>, TaskStoreError> {
        self.store.pushes(id).await
    }

    /// Up to `limit` push configurations that were given up.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn dead_pushes(&self, limit: u32) -> Result<Vec<StoredPush>, TaskStoreError> {
        push::in_state(&self.store.readers, PushState::Dead, None, limit).await
    }
}

fn summary(row: &SqliteRow) -> Result<TaskSummary, TaskStoreError> {
    let state = serde_json::Value::String(row.get("state"));
    let updated_at: jiff::Timestamp = row.get::<String, _>("updated_at").parse().map_err(unavailable)?;
    Ok(TaskSummary {
        id: TaskId(row.get("id")),
        owner: Owner(row.get("owner")),
        context_id: ContextId(row.get("context_id")),
        state: serde_json::from_value(state).map_err(unavailable)?,
        updated_at: updated_at.into(),
        sequence: unsigned(row.get("last_sequence")),
        question: row.get("question"),
    })
}
