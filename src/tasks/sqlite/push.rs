//! Push configurations in SQLite: what is written in the writer's transactions, and what readers ask.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use crate::a2a::types::{TaskId, Timestamp};

use super::super::event::Owner;
use super::super::push::{
    PushAuthentication, PushConfig, PushFormat, PushLimits, PushProgress, PushStart, PushState, PutPush,
    Secret, StoredPush,
};
use super::super::store::TaskStoreError;
use super::write::{WriteResult, Written};
use super::{number, unavailable, unsigned};

const COLUMNS: &str = "task_id, id, owner, format, url, token, scheme, credentials, created_at, revision, \
                       cursor, state, attempts, refusals, failing_since, next_attempt_at, last_error";

/// A change to push configurations, as the writer takes it.
#[derive(Debug)]
pub(super) enum PushWrite {
    Put { config: PushConfig, start: PushStart, limits: PushLimits, at: Timestamp },
    Record { task_id: TaskId, id: String, revision: u64, progress: PushProgress },
    Remove { task_id: TaskId, id: String },
}

pub(super) async fn write(connection: &mut SqliteConnection, write: &PushWrite) -> WriteResult {
    match write {
        PushWrite::Put { config, start, limits, at } => put(connection, config, *start, *limits, *at).await,
        PushWrite::Record { task_id, id, revision, progress } => {
            record(connection, task_id, id, *revision, progress).await
        }
        PushWrite::Remove { task_id, id } => remove(connection, task_id, id).await,
    }
}

async fn put(
    connection: &mut SqliteConnection,
    config: &PushConfig,
    start: PushStart,
    limits: PushLimits,
    at: Timestamp,
) -> WriteResult {
    let last: Option<i64> = sqlx::query_scalar("SELECT last_sequence FROM tasks WHERE id = ?")
        .bind(config.task_id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(last) = last else { return Ok(Err(TaskStoreError::NotFound)) };
    if let Some(full) = full(connection, config, limits).await? {
        return Ok(Ok(Written::Push(full)));
    }
    let authentication = config.authentication.as_ref();
    let credentials = authentication.and_then(|authentication| authentication.credentials.as_ref());
    // What is replaced goes on where it had come to.
    sqlx::query(
        "INSERT INTO push_configs (task_id, id, owner, format, url, token, scheme, credentials, created_at, cursor, revision) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (task_id, id) DO UPDATE SET owner = ?3, format = ?4, url = ?5, token = ?6, scheme = ?7, \
         credentials = ?8, created_at = ?9, revision = ?11, state = 'active', attempts = 0, refusals = 0, \
         failing_since = NULL, next_attempt_at = NULL, last_error = NULL",
    )
    .bind(config.task_id.as_str())
    .bind(&config.id)
    .bind(&config.owner.0)
    .bind(config.format.version())
    .bind(&config.url)
    .bind(config.token.as_ref().map(Secret::expose))
    .bind(authentication.map(|authentication| authentication.scheme.as_str()))
    .bind(credentials.map(Secret::expose))
    .bind(at.to_string())
    .bind(match start {
        PushStart::First => 0,
        PushStart::Now => last,
    })
    .bind(new_revision())
    .execute(&mut *connection)
    .await?;
    Ok(Ok(Written::Push(PutPush::Kept)))
}

/// Never the same again, not even after a removal.
fn new_revision() -> i64 {
    let (half, _) = uuid::Uuid::new_v4().as_u64_pair();
    number(half >> 1)
}

/// Why there is no room for a configuration. One that replaces another needs none of its task's.
async fn full(
    connection: &mut SqliteConnection,
    config: &PushConfig,
    limits: PushLimits,
) -> Result<Option<PutPush>, sqlx::Error> {
    let others: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM push_configs WHERE task_id = ? AND id <> ?")
        .bind(config.task_id.as_str())
        .bind(&config.id)
        .fetch_one(&mut *connection)
        .await?;
    if others >= i64::from(limits.per_task) {
        return Ok(Some(PutPush::TaskIsFull));
    }
    let active: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM push_configs WHERE owner = ? AND state = 'active' AND NOT (task_id = ? AND id = ?)",
    )
    .bind(&config.owner.0)
    .bind(config.task_id.as_str())
    .bind(&config.id)
    .fetch_one(&mut *connection)
    .await?;
    Ok((active >= i64::from(limits.per_owner)).then_some(PutPush::OwnerIsFull))
}

async fn record(
    connection: &mut SqliteConnection,
    task_id: &TaskId,
    id: &str,
    revision: u64,
    progress: &PushProgress,
) -> WriteResult {
    let updated = sqlx::query(
        "UPDATE push_configs SET cursor = ?, state = ?, attempts = ?, refusals = ?, failing_since = ?, \
         next_attempt_at = ?, last_error = ? WHERE task_id = ? AND id = ? AND revision = ?",
    )
    .bind(number(progress.cursor))
    .bind(progress.state.name())
    .bind(progress.attempts)
    .bind(progress.refusals)
    .bind(progress.failing_since.map(|at| at.to_string()))
    .bind(progress.next_attempt_at.map(|at| at.to_string()))
    .bind(&progress.last_error)
    .bind(task_id.as_str())
    .bind(id)
    .bind(number(revision))
    .execute(connection)
    .await?;
    Ok(match updated.rows_affected() {
        0 => Err(TaskStoreError::Conflict),
        _ => Ok(Written::Done),
    })
}

async fn remove(connection: &mut SqliteConnection, task_id: &TaskId, id: &str) -> WriteResult {
    sqlx::query("DELETE FROM push_configs WHERE task_id = ? AND id = ?")
        .bind(task_id.as_str())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(Ok(Written::Done))
}

pub(super) async fn of_task(
    readers: &SqlitePool,
    task_id: &TaskId,
) -> Result<Vec<StoredPush>, TaskStoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM push_configs WHERE task_id = ? ORDER BY id"
    )))
    .bind(task_id.as_str())
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(stored_push).collect()
}

pub(super) async fn active_of(readers: &SqlitePool, owner: &Owner) -> Result<u64, TaskStoreError> {
    let active = sqlx::query_scalar("SELECT COUNT(*) FROM push_configs WHERE owner = ? AND state = 'active'");
    active.bind(&owner.0).fetch_one(readers).await.map(unsigned).map_err(unavailable)
}

/// Those of a state that come after the last one of the page before.
pub(super) async fn in_state(
    readers: &SqlitePool,
    state: PushState,
    after: Option<(&TaskId, &str)>,
    limit: u32,
) -> Result<Vec<StoredPush>, TaskStoreError> {
    let (task_id, id) = after.map_or(("", ""), |(task_id, id)| (task_id.as_str(), id));
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM push_configs WHERE state = ? AND (task_id, id) > (?, ?) ORDER BY task_id, id LIMIT ?"
    )))
    .bind(state.name())
    .bind(task_id)
    .bind(id)
    .bind(limit)
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(stored_push).collect()
}

fn stored_push(row: &SqliteRow) -> Result<StoredPush, TaskStoreError> {
    let scheme: Option<String> = row.get("scheme");
    let secret = |name| row.get::<Option<String>, _>(name).map(Secret::new);
    let count = |name| u32::try_from(row.get::<i64, _>(name)).unwrap_or(u32::MAX);
    let config = PushConfig {
        task_id: TaskId(row.get("task_id")),
        id: row.get("id"),
        owner: Owner(row.get("owner")),
        format: PushFormat::of_version(row.get("format")),
        url: row.get("url"),
        token: secret("token"),
        authentication: scheme
            .map(|scheme| PushAuthentication { scheme, credentials: secret("credentials") }),
    };
    let progress = PushProgress {
        cursor: unsigned(row.get("cursor")),
        state: PushState::of_name(row.get("state")),
        attempts: count("attempts"),
        refusals: count("refusals"),
        failing_since: time(row.get("failing_since"))?,
        next_attempt_at: time(row.get("next_attempt_at"))?,
        last_error: row.get("last_error"),
    };
    Ok(StoredPush {
        config,
        revision: unsigned(row.get("revision")),
        created_at: time(row.get("created_at"))?.unwrap_or_else(Timestamp::now),
        progress,
    })
}

fn time(text: Option<String>) -> Result<Option<Timestamp>, TaskStoreError> {
    let time = text.map(|text| text.parse::<jiff::Timestamp>()).transpose();
    time.map(|time| time.map(Timestamp::from)).map_err(unavailable)
}
