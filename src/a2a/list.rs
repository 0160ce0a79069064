//! ListTasks: filters, pages and what of each task is shown (specification §3.1.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{A2aError, internal};
use super::methods::task_value;
use super::request::{Dialect, HistoryLength, boolean, canonical, history_length, integer, parse};
use super::types::{ContextId, Task, TaskId, TaskState, Timestamp};
use super::v03;
use crate::tasks::{ListPosition, Owner, TaskFilter, TaskRunner};

/// Most tasks of a page.
const MAX_PAGE: i64 = 100;
/// Tasks of a page where the client does not say.
const DEFAULT_PAGE: i64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    context_id: Option<ContextId>,
    status: Option<Value>,
    #[serde(deserialize_with = "integer")]
    page_size: Option<i64>,
    page_token: Option<String>,
    #[serde(deserialize_with = "integer")]
    history_length: Option<i64>,
    status_timestamp_after: Option<Timestamp>,
    /// 0.3's name for it, in milliseconds since 1970.
    #[serde(deserialize_with = "integer")]
    last_updated_after: Option<i64>,
    #[serde(deserialize_with = "boolean")]
    include_artifacts: bool,
}

/// What is asked for, checked.
#[derive(Debug, PartialEq)]
struct ListTasksRequest {
    filter: TaskFilter,
    position: Option<ListPosition>,
    page_size: u32,
    history: HistoryLength,
    include_artifacts: bool,
}

impl ListTasksRequest {
    fn read(params: Value) -> Result<Self, A2aError> {
        let params = if params.is_null() { json!({}) } else { params };
        let read: Parameters = parse(canonical(params))?;
        let page_size = read.page_size.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&page_size) {
            return Err(A2aError::params("pageSize", format!("must lie between 1 and {MAX_PAGE}")));
        }
        let old_since = read.last_updated_after.map(time_of).transpose()?;
        let token = read.page_token.filter(|token| !token.is_empty());
        Ok(Self {
            filter: TaskFilter {
                context_id: read.context_id,
                state: read.status.map(state).transpose()?.flatten(),
                since: read.status_timestamp_after.or(old_since),
            },
            position: token.map(|token| position_of(&token)).transpose()?,
            page_size: u32::try_from(page_size).unwrap_or_default(),
            history: history_length(read.history_length, "historyLength")?,
            include_artifacts: read.include_artifacts,
        })
    }
}

fn time_of(milliseconds: i64) -> Result<Timestamp, A2aError> {
    let time = jiff::Timestamp::from_millisecond(milliseconds);
    time.map(Timestamp::from).map_err(|_| A2aError::params("lastUpdatedAfter", "is no point in time"))
}

/// A state by its name in either dialect, or by its number in the protocol buffer. The unspecified one filters nothing.
fn state(value: Value) -> Result<Option<TaskState>, A2aError> {
    const NAMES: [&str; 9] = [
        "unspecified",
        "submitted",
        "working",
        "completed",
        "failed",
        "canceled",
        "input-required",
        "rejected",
        "auth-required",
    ];
    let numbered = value.as_u64().and_then(|number| NAMES.get(usize::try_from(number).ok()?)).copied();
    let name = numbered.or_else(|| value.as_str()).unwrap_or_default();
    let name = match name.starts_with("TASK_STATE_") {
        true => name.to_owned(),
        false => v03::state_from_v03(name),
    };
    if name == "TASK_STATE_UNSPECIFIED" {
        return Ok(None);
    }
    let unknown = |_| A2aError::params("status", "is no state of a task, such as TASK_STATE_WORKING");
    serde_json::from_value(Value::String(name)).map(Some).map_err(unknown)
}

/// A position as a client carries it from page to page.
#[derive(Serialize, Deserialize)]
struct PageToken {
    at: Timestamp,
    id: TaskId,
}

fn token_of(position: ListPosition) -> Result<String, A2aError> {
    let token = PageToken { at: position.at, id: position.id };
    let token = serde_json::to_vec(&token).map_err(|error| internal(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(token))
}

fn position_of(token: &str) -> Result<ListPosition, A2aError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let token: Option<PageToken> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let token = token.ok_or_else(|| {
        A2aError::params("pageToken", "is none of this server's; send nextPageToken of the page before")
    })?;
    Ok(ListPosition { at: token.at, id: token.id })
}

/// A page of the owner's tasks.
pub(super) async fn list_tasks(
    params: Value,
    runner: &TaskRunner,
    owner: &Owner,
    dialect: Dialect,
) -> Result<Value, A2aError> {
    let request = ListTasksRequest::read(params)?;
    let page = runner.list(owner, &request.filter, request.position.as_ref(), request.page_size).await;
    let page = page.map_err(|error| internal(&error))?;
    let tasks: Result<Vec<Value>, A2aError> =
        page.tasks.into_iter().map(|task| shown(task, &request, dialect)).collect();
    let tasks = tasks?;
    // 1.0 says how many were asked for, the lists of 0.3's peers how many there are.
    let page_size = match dialect {
        Dialect::V1 => request.page_size as usize,
        Dialect::V03 => tasks.len(),
    };
    Ok(json!({
        "tasks": tasks,
        "nextPageToken": page.next.map(token_of).transpose()?.unwrap_or_default(),
        "pageSize": page_size,
        "totalSize": page.total,
    }))
}

fn shown(mut task: Task, request: &ListTasksRequest, dialect: Dialect) -> Result<Value, A2aError> {
    if !request.include_artifacts {
        task.artifacts.clear();
    }
    task_value(task, request.history, dialect)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_page_of_none(json!({ "pageSize": 0 }), "pageSize")]
    #[case::too_large_a_page(json!({ "pageSize": 101 }), "pageSize")]
    #[case::a_word_as_size(json!({ "pageSize": "many" }), "pageSize")]
    #[case::a_token_of_elsewhere(json!({ "pageToken": "MTA" }), "pageToken")]
    #[case::no_token_at_all(json!({ "pageToken": "§" }), "pageToken")]
    #[case::a_negative_history(json!({ "historyLength": -1 }), "historyLength")]
    #[case::no_state(json!({ "status": "TASK_STATE_BORED" }), "status")]
    #[case::no_number_of_a_state(json!({ "status": 99 }), "status")]
    #[case::no_time(json!({ "statusTimestampAfter": "yesterday" }), "statusTimestampAfter")]
    #[case::the_end_of_time(json!({ "lastUpdatedAfter": i64::MAX }), "lastUpdatedAfter")]
    #[case::an_array(json!([]), "params")]
    fn a_wrong_parameter_is_named(#[case] params: Value, #[case] named: &str) {
        let error = ListTasksRequest::read(params).unwrap_err();
        assert!(error.code() == -32602 && error.to_string().contains(named), "{error}");
    }

    #[rstest]
    #[case::nothing(Value::Null)]
    #[case::empty(json!({}))]
    #[case::an_empty_token(json!({ "pageToken": "", "contextId": "", "status": "TASK_STATE_UNSPECIFIED" }))]
    fn without_parameters_all_tasks_are_listed(#[case] params: Value) {
        let request = ListTasksRequest::read(params).unwrap();
        assert_eq!((request.filter, request.page_size, request.position), (TaskFilter::default(), 50, None));
    }

    #[rstest]
    #[case::by_name(json!("TASK_STATE_INPUT_REQUIRED"))]
    #[case::in_the_old_dialect(json!("input-required"))]
    #[case::by_number(json!(6))]
    fn a_state_has_several_spellings(#[case] status: Value) {
        let request = ListTasksRequest::read(json!({ "status": status })).unwrap();
        assert_eq!(request.filter.state, Some(TaskState::InputRequired));
    }

    #[test]
    fn query_parameters_are_texts() {
        let params = json!({ "pageSize": "7", "includeArtifacts": "true", "historyLength": "0" });
        let request = ListTasksRequest::read(params).unwrap();
        assert_eq!((request.page_size, request.include_artifacts, request.history), (7, true, Some(0)));
    }

    #[test]
    fn a_token_brings_back_its_position() {
        let position = ListPosition { at: Timestamp::now(), id: TaskId::generate() };
        assert_eq!(position_of(&token_of(position.clone()).unwrap()), Ok(position));
    }
}
