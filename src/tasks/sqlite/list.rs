//! Listing an owner's tasks, newest status first.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::a2a::types::TaskId;

use super::super::event::Owner;
use super::super::store::{ListPosition, TaskFilter, TaskStoreError};
use super::{state_name, unavailable, unsigned};

/// The rows of a page, with what a task is read from.
pub(super) struct Page {
    pub(super) rows: Vec<SqliteRow>,
    pub(super) total: u64,
    pub(super) next: Option<ListPosition>,
}

pub(super) async fn page(
    readers: &SqlitePool,
    owner: &Owner,
    filter: &TaskFilter,
    position: Option<&ListPosition>,
    limit: u32,
) -> Result<Page, TaskStoreError> {
    let mut count = QueryBuilder::new("SELECT COUNT(*) FROM tasks");
    push_filter(&mut count, owner, filter)?;
    let total: i64 = count.build_query_scalar().fetch_one(readers).await.map_err(unavailable)?;
    let mut query =
        QueryBuilder::new("SELECT id, updated_at, snapshot, snapshot_sequence, last_sequence FROM tasks");
    push_filter(&mut query, owner, filter)?;
    if let Some(position) = position {
        query.push(" AND (updated_at, id) < (").push_bind(position.at.to_string());
        query.push(", ").push_bind(position.id.0.clone()).push(")");
    }
    // One more than is wanted tells whether there is a next page.
    query.push(" ORDER BY updated_at DESC, id DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let mut rows = query.build().fetch_all(readers).await.map_err(unavailable)?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next = match rows.last() {
        Some(last) if !is_last => Some(position_of(last)?),
        Some(_) | None => None,
    };
    Ok(Page { rows, total: unsigned(total), next })
}

fn push_filter(
    query: &mut QueryBuilder<Sqlite>,
    owner: &Owner,
    filter: &TaskFilter,
) -> Result<(), TaskStoreError> {
    query.push(" WHERE owner = ").push_bind(owner.0.clone());
    if let Some(context_id) = &filter.context_id {
        query.push(" AND context_id = ").push_bind(context_id.0.clone());
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state_name(state)?);
    }
    if let Some(since) = filter.since {
        query.push(" AND updated_at >= ").push_bind(since.to_string());
    }
    Ok(())
}

fn position_of(row: &SqliteRow) -> Result<ListPosition, TaskStoreError> {
    let at: jiff::Timestamp = row.get::<String, _>("updated_at").parse().map_err(unavailable)?;
    Ok(ListPosition { at: at.into(), id: TaskId(row.get("id")) })
}
