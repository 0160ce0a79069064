//! The one writer: commits what has come in the meantime as one transaction.

use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::a2a::types::TaskId;

use super::super::event::Owner;
use super::super::push::PutPush;
use super::super::store::{IdempotencyKey, TaskStoreError};
use super::number;
use super::push::{self, PushWrite};

/// Writes in one transaction at most.
const BATCH: usize = 256;
#[derive(Debug)]
pub(super) struct Write {
    pub(super) kind: WriteKind,
    pub(super) done: oneshot::Sender<Result<Written, TaskStoreError>>,
}

#[derive(Debug)]
pub(super) enum WriteKind {
    Create {
        row: TaskRow,
        owner: Owner,
        entry: EntryRow,
        snapshot: String,
        key: Option<IdempotencyKey>,
    },
    Append {
        row: TaskRow,
        after: u64,
        entries: Vec<EntryRow>,
        settled: bool,
        snapshot: Option<String>,
        key: Option<(Owner, IdempotencyKey)>,
    },
    BeginAttempt {
        id: TaskId,
    },
    Push(PushWrite),
}

/// What of a task stands in columns of its own.
#[derive(Debug)]
pub(super) struct TaskRow {
    pub(super) id: TaskId,
    pub(super) context_id: String,
    pub(super) state: String,
    pub(super) updated_at: String,
    pub(super) options: String,
}

/// A log entry as its row.
#[derive(Debug)]
pub(super) struct EntryRow {
    pub(super) sequence: i64,
    pub(super) at: String,
    pub(super) entry: String,
}

#[derive(Debug)]
pub(super) enum Written {
    Done,
    Existing { task_id: TaskId, request: String },
    Attempts(u32),
    Push(PutPush),
}

/// Takes writes until nobody can send any more.
pub(super) async fn write_all(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (kinds, waiting): (Vec<WriteKind>, Vec<_>) =
            batch.drain(..).map(|write| (write.kind, write.done)).unzip();
        match commit(&mut connection, &kinds).await {
            Ok(results) => {
                for (done, result) in waiting.into_iter().zip(results) {
                    let _ = done.send(result);
                }
            }
            Err(error) => {
                tracing::error!(%error, writes = kinds.len(), "the task store could not commit");
                for done in waiting {
                    let _ = done.send(Err(TaskStoreError::Unavailable(error.to_string().into())));
                }
            }
        }
    }
}

/// One transaction. A write that does not fit what is there changes nothing and does not disturb the others.
async fn commit(
    connection: &mut SqliteConnection,
    kinds: &[WriteKind],
) -> Result<Vec<Result<Written, TaskStoreError>>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut results = Vec::with_capacity(kinds.len());
    for kind in kinds {
        results.push(match kind {
            WriteKind::Create { .. } => create(&mut transaction, kind).await?,
            WriteKind::Append { .. } => append(&mut transaction, kind).await?,
            WriteKind::BeginAttempt { id } => begin_attempt(&mut transaction, id).await?,
            WriteKind::Push(write) => push::write(&mut transaction, write).await?,
        });
    }
    transaction.commit().await?;
    Ok(results)
}

pub(super) type WriteResult = Result<Result<Written, TaskStoreError>, sqlx::Error>;

async fn create(connection: &mut SqliteConnection, kind: &WriteKind) -> WriteResult {
    let WriteKind::Create { row, owner, entry, snapshot, key } = kind else { return Ok(Ok(Written::Done)) };
    if let Some(key) = key {
        let taken =
            sqlx::query(FIND_KEY).bind(&owner.0).bind(&key.key).fetch_optional(&mut *connection).await?;
        if let Some(row) = taken {
            return Ok(Ok(Written::Existing {
                task_id: TaskId(row.get("task_id")),
                request: row.get("request"),
            }));
        }
    }
    sqlx::query(
        "INSERT INTO tasks (id, owner, state, last_sequence, snapshot, snapshot_sequence, context_id, updated_at, options) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6, ?7, ?8)",
    )
    .bind(row.id.as_str())
    .bind(&owner.0)
    .bind(&row.state)
    .bind(entry.sequence)
    .bind(snapshot)
    .bind(&row.context_id)
    .bind(&row.updated_at)
    .bind(&row.options)
    .execute(&mut *connection)
    .await?;
    insert_entry(connection, &row.id, entry).await?;
    if let Some(key) = key {
        insert_key(connection, owner, key, &row.id).await?;
    }
    Ok(Ok(Written::Done))
}

pub(super) const FIND_KEY: &str = "SELECT task_id, request FROM idempotency_keys WHERE owner = ? AND key = ?";

async fn insert_key(
    connection: &mut SqliteConnection,
    owner: &Owner,
    key: &IdempotencyKey,
    task_id: &TaskId,
) -> Result<(), sqlx::Error> {
    // A key that the same owner used in the meantime stays with its first request.
    let insert = "INSERT INTO idempotency_keys (owner, key, request, task_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    sqlx::query(insert)
        .bind(&owner.0)
        .bind(&key.key)
        .bind(&key.request)
        .bind(task_id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

async fn append(connection: &mut SqliteConnection, kind: &WriteKind) -> WriteResult {
    let WriteKind::Append { row, after, entries, settled, snapshot, key } = kind else {
        return Ok(Ok(Written::Done));
    };
    let Some(last) = entries.last() else { return Ok(Ok(Written::Done)) };
    let updated = sqlx::query(
        "UPDATE tasks SET state = ?1, last_sequence = ?2, snapshot = COALESCE(?3, snapshot), \
         snapshot_sequence = CASE WHEN ?3 IS NULL THEN snapshot_sequence ELSE ?2 END, \
         attempts = CASE WHEN ?6 THEN 0 ELSE attempts END, updated_at = ?7, options = ?8 \
         WHERE id = ?4 AND last_sequence = ?5",
    )
    .bind(&row.state)
    .bind(last.sequence)
    .bind(snapshot)
    .bind(row.id.as_str())
    .bind(number(*after))
    .bind(settled)
    .bind(&row.updated_at)
    .bind(&row.options)
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Err(TaskStoreError::Conflict));
    }
    for entry in entries {
        insert_entry(connection, &row.id, entry).await?;
    }
    if let Some((owner, key)) = key {
        insert_key(connection, owner, key, &row.id).await?;
    }
    Ok(Ok(Written::Done))
}

async fn insert_entry(
    connection: &mut SqliteConnection,
    id: &TaskId,
    entry: &EntryRow,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO entries (task_id, sequence, at, entry) VALUES (?, ?, ?, ?)")
        .bind(id.as_str())
        .bind(entry.sequence)
        .bind(&entry.at)
        .bind(&entry.entry)
        .execute(connection)
        .await?;
    Ok(())
}

async fn begin_attempt(connection: &mut SqliteConnection, id: &TaskId) -> WriteResult {
    let row = sqlx::query("UPDATE tasks SET attempts = attempts + 1 WHERE id = ? RETURNING attempts")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(row.map_or(Err(TaskStoreError::NotFound), |row| {
        Ok(Written::Attempts(u32::try_from(row.get::<i64, _>("attempts")).unwrap_or(u32::MAX)))
    }))
}
