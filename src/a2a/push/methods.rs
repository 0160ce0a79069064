//! The methods about push configurations, in both dialects, and the configuration that comes with a message.
//!
//! Whose task it is, is looked at before anything else. The credentials are told to who has just said them, and never
//! again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Push;
use super::dispatcher::{AttachError, PutError};
use super::wire::{Detail, NewPush, to_v1, to_v03};
use crate::a2a::errors::{A2aError, internal};
use crate::a2a::request::{Dialect, canonical, integer, parse};
use crate::a2a::types::TaskId;
use crate::tasks::{Owner, PushConfig, StoredPush};

/// Configurations of a page at most.
const MAX_PAGE: usize = 100;

impl Push {
    /// CreateTaskPushNotificationConfig and tasks/pushNotificationConfig/set.
    pub(in crate::a2a) async fn create(
        &self,
        params: Value,
        owner: &Owner,
        dialect: Dialect,
    ) -> Result<Value, A2aError> {
        let params = canonical(params);
        let OfTask { task_id } = parse(params.clone())?;
        self.check_owner(owner, &task_id).await?;
        let (config, place) = match dialect {
            Dialect::V1 => (params, ""),
            Dialect::V03 => (member(params, "pushNotificationConfig")?, "pushNotificationConfig"),
        };
        let new = NewPush::read(config, dialect, place, self)?;
        // Where 0.3 names none it means the one that the task has; 1.0 wants a new one.
        let id = new.id.clone().unwrap_or_else(|| match dialect {
            Dialect::V1 => uuid::Uuid::now_v7().to_string(),
            Dialect::V03 => task_id.0.clone(),
        });
        let config = new.of_task(task_id, owner.clone(), id);
        self.put(&config).await?;
        Ok(shown(&config, dialect, Detail::Echo))
    }

    /// GetTaskPushNotificationConfig and tasks/pushNotificationConfig/get.
    pub(in crate::a2a) async fn get(
        &self,
        params: Value,
        owner: &Owner,
        dialect: Dialect,
    ) -> Result<Value, A2aError> {
        let (task_id, id) = match dialect {
            Dialect::V1 => OfConfig::read(params)?,
            Dialect::V03 => OfConfigV03::read(params)?,
        };
        let all = self.of_task(owner, &task_id).await?;
        let found = match &id {
            Some(id) => all.iter().find(|stored| stored.config.id == *id),
            None => all.iter().find(|stored| stored.config.id == task_id.0).or(all.first()),
        };
        let found = found.ok_or_else(|| not_found(&task_id, id.as_deref().unwrap_or_default()))?;
        Ok(shown(&found.config, dialect, Detail::Kept))
    }

    /// ListTaskPushNotificationConfigs and tasks/pushNotificationConfig/list.
    pub(in crate::a2a) async fn list(
        &self,
        params: Value,
        owner: &Owner,
        dialect: Dialect,
    ) -> Result<Value, A2aError> {
        match dialect {
            Dialect::V1 => self.list_v1(params, owner).await,
            Dialect::V03 => {
                let OfTaskV03 { id } = parse(canonical(params))?;
                let all = self.of_task(owner, &id).await?;
                Ok(all.iter().map(|stored| to_v03(&stored.config, Detail::Kept)).collect())
            }
        }
    }

    async fn list_v1(&self, params: Value, owner: &Owner) -> Result<Value, A2aError> {
        let Page { task_id, page_size, page_token } = parse(canonical(params))?;
        let mut all = self.of_task(owner, &task_id).await?;
        let size = match page_size.unwrap_or_default() {
            0 => MAX_PAGE,
            size => usize::try_from(size)
                .map_err(|_| A2aError::params("pageSize", "must not be negative"))?
                .min(MAX_PAGE),
        };
        if let Some(token) = page_token.filter(|token| !token.is_empty()) {
            let last = read_token(&token)?;
            all.retain(|stored| stored.config.id > last);
        }
        let next = match all.get(size.saturating_sub(1)) {
            Some(last) if all.len() > size => URL_SAFE_NO_PAD.encode(&last.config.id),
            Some(_) | None => String::new(),
        };
        let configs: Vec<Value> =
            all.iter().take(size).map(|stored| to_v1(&stored.config, Detail::Kept)).collect();
        Ok(json!({ "configs": configs, "nextPageToken": next }))
    }

    /// DeleteTaskPushNotificationConfig and tasks/pushNotificationConfig/delete.
    pub(in crate::a2a) async fn delete(
        &self,
        params: Value,
        owner: &Owner,
        dialect: Dialect,
    ) -> Result<Value, A2aError> {
        let ((task_id, id), field, deleted) = match dialect {
            Dialect::V1 => (OfConfig::read(params)?, "id", json!({})),
            Dialect::V03 => (OfConfigV03::read(params)?, "pushNotificationConfigId", Value::Null),
        };
        let id = id.ok_or_else(|| A2aError::params(field, "must not be empty"))?;
        self.check_owner(owner, &task_id).await?;
        self.remove(&task_id, &id).await.map_err(|error| internal(&error))?;
        Ok(deleted)
    }

    /// The configuration that comes with a message.
    pub(in crate::a2a) fn read_sent(&self, config: Value, dialect: Dialect) -> Result<NewPush, A2aError> {
        let place = match dialect {
            Dialect::V1 => "configuration.taskPushNotificationConfig",
            Dialect::V03 => "configuration.pushNotificationConfig",
        };
        NewPush::read(config, dialect, place, self)
    }

    pub(super) fn check_url(&self, url: &str) -> Result<(), String> {
        self.inner.sender.guard.check(url).map(|_| ())
    }

    pub(super) fn can_sign(&self) -> bool {
        self.inner.sender.signer.is_some()
    }

    async fn check_owner(&self, owner: &Owner, task_id: &TaskId) -> Result<(), A2aError> {
        self.inner.runner.get(owner, task_id).await?;
        Ok(())
    }

    async fn of_task(&self, owner: &Owner, task_id: &TaskId) -> Result<Vec<StoredPush>, A2aError> {
        self.check_owner(owner, task_id).await?;
        self.inner.store.pushes(task_id).await.map_err(|error| internal(&error))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTask {
    task_id: TaskId,
}

#[derive(Deserialize)]
struct OfTaskV03 {
    id: TaskId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfConfig {
    task_id: TaskId,
    id: String,
}

impl OfConfig {
    fn read(params: Value) -> Result<(TaskId, Option<String>), A2aError> {
        let Self { task_id, id } = parse(canonical(params))?;
        Ok((task_id, Some(id)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfConfigV03 {
    id: TaskId,
    push_notification_config_id: Option<String>,
}

impl OfConfigV03 {
    fn read(params: Value) -> Result<(TaskId, Option<String>), A2aError> {
        let Self { id, push_notification_config_id } = parse(canonical(params))?;
        Ok((id, push_notification_config_id.filter(|id| !id.is_empty())))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    task_id: TaskId,
    #[serde(default, deserialize_with = "integer")]
    page_size: Option<i64>,
    page_token: Option<String>,
}

fn member(mut params: Value, name: &str) -> Result<Value, A2aError> {
    match params.get_mut(name).map(Value::take) {
        Some(value @ Value::Object(_)) => Ok(value),
        Some(_) => Err(A2aError::params(name, "must be an object")),
        None => Err(A2aError::params(name, "is missing")),
    }
}

fn read_token(token: &str) -> Result<String, A2aError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        A2aError::params("pageToken", "is none of this server's; send nextPageToken of the page before")
    })
}

fn not_found(task_id: &TaskId, id: &str) -> A2aError {
    A2aError::TaskNotFound(TaskId(format!("{task_id}/pushNotificationConfigs/{id}")))
}

fn shown(config: &PushConfig, dialect: Dialect, detail: Detail) -> Value {
    match dialect {
        Dialect::V1 => to_v1(config, detail),
        Dialect::V03 => to_v03(config, detail),
    }
}

impl From<PutError> for A2aError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::TaskIsFull(_) => Self::params("taskId", error.to_string()),
            PutError::OwnerIsFull(_) => Self::TooManyRequests { problem: error.to_string(), retry_after: 60 },
            PutError::Store(error) => internal(&error),
        }
    }
}

impl From<AttachError> for A2aError {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Start(error) => error.into(),
            AttachError::Task(error) => error.into(),
            AttachError::Put(error) => error.into(),
        }
    }
}
