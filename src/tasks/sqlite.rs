//! Tasks in a SQLite file. One writer commits what has come in the meantime as one transaction; readers do not wait for
//! it (WAL).
//!
//! `synchronous = NORMAL`: a killed process loses nothing that was acknowledged; a power cut may lose the last commits,
//! never the consistency of the file. A lock file keeps a second process from working on the same tasks.

mod list;
mod look;
mod push;
mod write;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::a2a::types::{Task, TaskId, TaskState, Timestamp};

use super::event::{Owner, StoredEntry};
use super::push::{PushConfig, PushLimits, PushProgress, PushStart, PushState, PutPush, StoredPush};
use super::state;
use super::store::{
    Created, IdempotencyKey, ListPosition, StoredTask, TaskFilter, TaskPage, TaskStore, TaskStoreError,
};
use super::subscription::is_settled;
use push::PushWrite;
use write::{EntryRow, FIND_KEY, TaskRow, Write, WriteKind, Written, write_all};

pub use look::{TaskArchive, TaskSummary};

/// Writes that may wait for the writer; further callers wait to hand theirs over.
const QUEUE: usize = 1024;
/// Connections that read.
const READERS: u32 = 4;
/// How long a read may wait for one of them: thousands of streams may want to read at once.
const PATIENCE: Duration = Duration::from_secs(120);
/// A snapshot is written after so many entries, and from then on each time the log has grown by a quarter: that bounds
/// what reading a task replays, and all snapshots of a task together stay a small multiple of its log.
const SNAPSHOT_EVERY: u64 = 64;

/// A [`TaskStore`] in a file.
#[derive(Debug)]
pub struct SqliteTaskStore {
    writes: mpsc::Sender<Write>,
    readers: SqlitePool,
    _lock: Option<File>,
}

impl SqliteTaskStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`TaskStoreError::InUse`] where another process works on it, [`TaskStoreError::Unavailable`] where it cannot be
    /// opened.
    pub async fn open(path: &Path) -> Result<Self, TaskStoreError> {
        let lock = lock(path)?;
        // SQLite gives the files that it puts beside this one the same permissions.
        private(path).map_err(unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        let mut writer = SqliteConnection::connect_with(&options).await.map_err(unavailable)?;
        sqlx::migrate!().run(&mut writer).await.map_err(unavailable)?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(PATIENCE);
        let readers = readers.connect_with(options.read_only(true));
        let readers = readers.await.map_err(unavailable)?;
        let (writes, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(writer, queue));
        Ok(Self { writes, readers, _lock: Some(lock) })
    }

    /// A store that only reads: whatever would write fails.
    fn reading(readers: SqlitePool) -> Self {
        let (writes, _) = mpsc::channel(1);
        Self { writes, readers, _lock: None }
    }

    async fn write(&self, kind: WriteKind) -> Result<Written, TaskStoreError> {
        let (done, answer) = oneshot::channel();
        self.writes.send(Write { kind, done }).await.map_err(unavailable)?;
        answer.await.map_err(unavailable)?
    }
}

fn lock(path: &Path) -> Result<File, TaskStoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private(&name).map_err(unavailable)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => TaskStoreError::InUse(path.display().to_string()),
        TryLockError::Error(error) => unavailable(error),
    })?;
    Ok(file)
}

/// Opens a file, or makes one that only its owner can read: credentials of webhooks are among what is kept.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> TaskStoreError {
    TaskStoreError::Unavailable(Box::new(error))
}

fn row_of(stored: &StoredEntry) -> Result<EntryRow, TaskStoreError> {
    Ok(EntryRow {
        sequence: number(stored.sequence),
        at: stored.at.to_string(),
        entry: serde_json::to_string(&stored.entry).map_err(unavailable)?,
    })
}

/// SQLite counts in `i64`; no task gets that far.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn task_row(stored: &StoredTask) -> Result<TaskRow, TaskStoreError> {
    let task = &stored.task;
    Ok(TaskRow {
        id: task.id.clone(),
        context_id: task.context_id.0.clone(),
        state: state_name(task.status.state)?,
        updated_at: task.status.timestamp.to_string(),
        options: serde_json::to_string(&stored.options).map_err(unavailable)?,
    })
}

fn state_name(state: TaskState) -> Result<String, TaskStoreError> {
    let name = serde_json::to_value(state).map_err(unavailable)?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}

/// Entries come often and snapshots grow with them, so not every entry rewrites the snapshot.
fn wants_snapshot(after: u64, entries: &[StoredEntry], task: &Task) -> bool {
    let last = entries.last().map_or(after, |stored| stored.sequence);
    is_settled(task.status.state) || snapshots_until(after) != snapshots_until(last)
}

/// How many snapshots there are of a log of this length.
fn snapshots_until(entries: u64) -> u32 {
    let (mut snapshots, mut next) = (0, SNAPSHOT_EVERY);
    while next <= entries {
        snapshots += 1;
        next += (next / 4).max(SNAPSHOT_EVERY);
    }
    snapshots
}

#[async_trait]
impl TaskStore for SqliteTaskStore {
    async fn create(
        &self,
        new: &StoredTask,
        first: &StoredEntry,
        key: Option<&IdempotencyKey>,
    ) -> Result<Created, TaskStoreError> {
        let kind = WriteKind::Create {
            row: task_row(new)?,
            owner: new.owner.clone(),
            entry: row_of(first)?,
            snapshot: serde_json::to_string(&new.task).map_err(unavailable)?,
            key: key.cloned(),
        };
        match self.write(kind).await? {
            Written::Existing { task_id, request } => Ok(Created::Existing { task_id, request }),
            Written::Done | Written::Attempts(_) | Written::Push(_) => Ok(Created::New),
        }
    }

    async fn append(
        &self,
        after: u64,
        entries: &[StoredEntry],
        stored: &StoredTask,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), TaskStoreError> {
        let task = &stored.task;
        let snapshot = wants_snapshot(after, entries, task).then(|| serde_json::to_string(task)).transpose();
        let kind = WriteKind::Append {
            row: task_row(stored)?,
            after,
            entries: entries.iter().map(row_of).collect::<Result<_, _>>()?,
            settled: is_settled(task.status.state),
            snapshot: snapshot.map_err(unavailable)?,
            key: key.map(|key| (stored.owner.clone(), key.clone())),
        };
        self.write(kind).await.map(|_| ())
    }

    async fn find_key(&self, owner: &Owner, key: &str) -> Result<Option<(TaskId, String)>, TaskStoreError> {
        let row = sqlx::query(FIND_KEY).bind(&owner.0).bind(key).fetch_optional(&self.readers).await;
        let row = row.map_err(unavailable)?;
        Ok(row.map(|row| (TaskId(row.get("task_id")), row.get("request"))))
    }

    async fn load(&self, id: &TaskId) -> Result<StoredTask, TaskStoreError> {
        let row = sqlx::query(
            "SELECT owner, snapshot, snapshot_sequence, last_sequence, attempts, options FROM tasks WHERE id = ?",
        )
        .bind(id.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?
        .ok_or(TaskStoreError::NotFound)?;
        let (task, sequence) = self.replayed(id, &row).await?;
        let attempts = u32::try_from(row.get::<i64, _>("attempts")).unwrap_or(u32::MAX);
        let options = serde_json::from_str(row.get("options")).map_err(unavailable)?;
        Ok(StoredTask { owner: Owner(row.get("owner")), task, sequence, attempts, options })
    }

    async fn list(
        &self,
        owner: &Owner,
        filter: &TaskFilter,
        position: Option<&ListPosition>,
        limit: u32,
    ) -> Result<TaskPage, TaskStoreError> {
        let page = list::page(&self.readers, owner, filter, position, limit).await?;
        let mut tasks = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            tasks.push(self.replayed(&TaskId(row.get("id")), row).await?.0);
        }
        Ok(TaskPage { tasks, total: page.total, next: page.next })
    }

    async fn entries(&self, id: &TaskId, after: u64, limit: u32) -> Result<Vec<StoredEntry>, TaskStoreError> {
        let rows = sqlx::query(
            "SELECT sequence, at, entry FROM entries WHERE task_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        )
        .bind(id.as_str())
        .bind(number(after))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter()
            .map(|row| {
                let at: String = row.get("at");
                let at: jiff::Timestamp = at.parse().map_err(unavailable)?;
                Ok(StoredEntry {
                    sequence: unsigned(row.get("sequence")),
                    at: at.into(),
                    entry: serde_json::from_str(row.get("entry")).map_err(unavailable)?,
                })
            })
            .collect()
    }

    async fn unfinished(&self) -> Result<Vec<TaskId>, TaskStoreError> {
        let rows = sqlx::query(
            "SELECT id FROM tasks WHERE state IN ('TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING') ORDER BY id",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(rows.iter().map(|row| TaskId(row.get("id"))).collect())
    }

    async fn begin_attempt(&self, id: &TaskId) -> Result<u32, TaskStoreError> {
        match self.write(WriteKind::BeginAttempt { id: id.clone() }).await? {
            Written::Attempts(attempts) => Ok(attempts),
            Written::Done | Written::Existing { .. } | Written::Push(_) => Ok(0),
        }
    }

    async fn put_push(
        &self,
        config: &PushConfig,
        start: PushStart,
        limits: PushLimits,
    ) -> Result<PutPush, TaskStoreError> {
        let put = PushWrite::Put { config: config.clone(), start, limits, at: Timestamp::now() };
        match self.write(WriteKind::Push(put)).await? {
            Written::Push(put) => Ok(put),
            Written::Done | Written::Existing { .. } | Written::Attempts(_) => Err(TaskStoreError::NotFound),
        }
    }

    async fn record_push(&self, stored: &StoredPush, progress: &PushProgress) -> Result<(), TaskStoreError> {
        let (task_id, id) = (stored.config.task_id.clone(), stored.config.id.clone());
        let record = PushWrite::Record { task_id, id, revision: stored.revision, progress: progress.clone() };
        self.write(WriteKind::Push(record)).await.map(|_| ())
    }

    async fn remove_push(&self, task_id: &TaskId, id: &str) -> Result<(), TaskStoreError> {
        let remove = PushWrite::Remove { task_id: task_id.clone(), id: id.to_owned() };
        self.write(WriteKind::Push(remove)).await.map(|_| ())
    }

    async fn pushes(&self, task_id: &TaskId) -> Result<Vec<StoredPush>, TaskStoreError> {
        push::of_task(&self.readers, task_id).await
    }

    async fn active_pushes(&self, owner: &Owner) -> Result<u64, TaskStoreError> {
        push::active_of(&self.readers, owner).await
    }

    async fn pushes_in_state(
        &self,
        state: PushState,
        after: Option<(&TaskId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredPush>, TaskStoreError> {
        push::in_state(&self.readers, state, after, limit).await
    }
}

impl SqliteTaskStore {
    /// The task of a row with its snapshot, as it is after its last entry, and the number of that.
    async fn replayed(&self, id: &TaskId, row: &SqliteRow) -> Result<(Task, u64), TaskStoreError> {
        let mut task: Task = serde_json::from_str(row.get("snapshot")).map_err(unavailable)?;
        let (mut sequence, last) =
            (unsigned(row.get("snapshot_sequence")), unsigned(row.get("last_sequence")));
        while sequence < last {
            let entries = self.entries(id, sequence, 256).await?;
            for stored in entries.iter().filter(|stored| stored.sequence <= last) {
                task = state::apply(Some(task), stored).map_err(unavailable)?;
                sequence = stored.sequence;
            }
            if entries.is_empty() {
                return Err(TaskStoreError::Unavailable("bug: the log has a gap".into()));
            }
        }
        Ok((task, sequence))
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_get_rarer_as_the_log_grows() {
        assert_eq!([0, 63, 64, 127, 128].map(snapshots_until), [0, 0, 1, 1, 2]);
        assert!(snapshots_until(20_000) < 30, "{}", snapshots_until(20_000));
        assert!(snapshots_until(1_000_000) < 50);
    }
}
