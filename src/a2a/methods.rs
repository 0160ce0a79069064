//! The method table: each unary method of both dialects parses, calls the runner, and maps the result.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::caller::Caller;
use super::errors::{A2aError, internal};
use super::list::list_tasks;
use super::push::AttachError;
use super::request::{Dialect, HistoryLength, SendMessageRequest, TaskRequest};
use super::service::Surface;
use super::types::Task;
use super::v03;
use crate::auth::AuthError;
use crate::tasks::{Delivery, NewMessage, StartError, Subscription};

/// Methods whose answer is a stream; [`super::sse`] serves them.
pub(super) const STREAMING: [(&str, Dialect); 4] = [
    ("SendStreamingMessage", Dialect::V1),
    ("SubscribeToTask", Dialect::V1),
    ("message/stream", Dialect::V03),
    ("tasks/resubscribe", Dialect::V03),
];

type Method =
    Box<dyn Fn(Value, Arc<Surface>, Caller) -> BoxFuture<'static, Result<Value, A2aError>> + Send + Sync>;

/// The unary methods under their names, each with the dialect that the name belongs to.
#[derive(Clone)]
pub(super) struct Methods {
    surface: Arc<Surface>,
    table: Arc<HashMap<&'static str, (Dialect, Method)>>,
}

impl Methods {
    pub(super) fn new(surface: Arc<Surface>) -> Self {
        let mut table = HashMap::new();
        add(&mut table, ["SendMessage", "message/send"], send);
        add(&mut table, ["GetTask", "tasks/get"], get);
        add(&mut table, ["ListTasks", "tasks/list"], list);
        add(&mut table, ["CancelTask", "tasks/cancel"], cancel);
        add(
            &mut table,
            ["CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"],
            create_push,
        );
        add(&mut table, ["GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"], get_push);
        add(
            &mut table,
            ["ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"],
            list_pushes,
        );
        add(
            &mut table,
            ["DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"],
            delete_push,
        );
        add(&mut table, ["GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"], extended_card);
        Self { surface, table: Arc::new(table) }
    }

    /// The method for this request, or why there is none: the version and the name have to fit.
    pub(super) fn check(&self, method: &str, dialect: Dialect) -> Result<(), A2aError> {
        let unknown = || A2aError::MethodNotFound(method.chars().take(100).collect());
        let streaming = STREAMING.iter().find(|(name, _)| *name == method).map(|(_, dialect)| *dialect);
        let unary = || self.table.get(method).map(|(dialect, _)| *dialect);
        match (streaming.or_else(unary).ok_or_else(unknown)?, dialect) {
            (Dialect::V1, Dialect::V1) | (Dialect::V03, Dialect::V03) => Ok(()),
            (Dialect::V03, Dialect::V1) => Err(unknown()),
            (Dialect::V1, Dialect::V03) => Err(A2aError::VersionNotSupported {
                requested: "0.3".to_owned(),
                hint: ". This is a method of 1.0: send the header A2A-Version: 1.0",
            }),
        }
    }

    /// Calls a unary method and returns its result.
    pub(super) async fn call(&self, method: &str, params: Value, caller: Caller) -> Result<Value, A2aError> {
        let (_, run) = self
            .table
            .get(method)
            .ok_or_else(|| A2aError::MethodNotFound(method.chars().take(100).collect()))?;
        run(params, Arc::clone(&self.surface), caller).await
    }
}

/// True for a method whose answer is a stream.
pub(super) fn is_streaming(method: &str) -> bool {
    STREAMING.iter().any(|(name, _)| *name == method)
}

/// A method under its name in 1.0 and in 0.3.
fn add<F, R>(table: &mut HashMap<&'static str, (Dialect, Method)>, names: [&'static str; 2], method: F)
where
    F: Fn(Value, Arc<Surface>, Caller) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<Value, A2aError>> + Send + 'static,
{
    for (name, dialect) in names.into_iter().zip([Dialect::V1, Dialect::V03]) {
        let method: Method = Box::new(move |params, surface, caller| method(params, surface, caller).boxed());
        table.insert(name, (dialect, method));
    }
}

async fn send(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    let request = SendMessageRequest::read(params, caller.dialect)?;
    let history = request.history_length()?;
    let delivery = request.delivery();
    let subscription = start(request, &surface, &caller, delivery).await?;
    let task = match delivery {
        Delivery::Later => subscription.task,
        _ => subscription.settled().await.map_err(|error| internal(&error))?,
    };
    Ok(match caller.dialect {
        Dialect::V1 => json!({ "task": task_value(task, history, Dialect::V1)? }),
        Dialect::V03 => task_value(task, history, Dialect::V03)?,
    })
}

/// Starts or continues a task, with the error that each dialect has for a task that has ended.
pub(super) async fn start(
    request: SendMessageRequest,
    surface: &Surface,
    caller: &Caller,
    delivery: Delivery,
) -> Result<Subscription, A2aError> {
    let config = request.configuration.task_push_notification_config.as_ref();
    let config = config.map(|config| surface.offered_push()?.read_sent(config.clone(), caller.dialect));
    let config = config.transpose()?;
    let new = NewMessage {
        options: request.options(caller.dialect, delivery),
        idempotency_key: caller.key_of(&request.message.message_id),
        message: request.message,
        metadata: request.metadata,
    };
    surface.push.start(&caller.owner, new, config).await.map_err(|error| match (caller.dialect, error) {
        (Dialect::V03, AttachError::Start(error @ StartError::TaskTerminal { .. })) => {
            A2aError::params("message.taskId", error.to_string())
        }
        (_, error) => error.into(),
    })
}

async fn get(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    let request = TaskRequest::read(params)?;
    let history = request.history_length()?;
    task_value(surface.runner.get(&caller.owner, &request.id).await?, history, caller.dialect)
}

async fn list(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    list_tasks(params, &surface.runner, &caller.owner, caller.dialect).await
}

async fn cancel(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    let request = TaskRequest::read(params)?;
    task_value(surface.push.cancel(&caller.owner, &request.id).await?, None, caller.dialect)
}

async fn create_push(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    surface.offered_push()?.create(params, &caller.owner, caller.dialect).await
}

async fn get_push(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    surface.offered_push()?.get(params, &caller.owner, caller.dialect).await
}

async fn list_pushes(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    surface.offered_push()?.list(params, &caller.owner, caller.dialect).await
}

async fn delete_push(params: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    surface.offered_push()?.delete(params, &caller.owner, caller.dialect).await
}

async fn extended_card(_: Value, surface: Arc<Surface>, caller: Caller) -> Result<Value, A2aError> {
    let card = caller.card.extended(caller.dialect.form(), &caller.principal.scopes);
    let card = card.ok_or_else(|| match caller.dialect {
        Dialect::V1 => A2aError::UnsupportedOperation("This agent has no extended agent card".to_owned()),
        Dialect::V03 => A2aError::ExtendedAgentCardNotConfigured,
    })?;
    // It is for those who say who they are, also where nobody else has to (§13.3).
    match surface.authenticator.is_anonymous() {
        true => Err(AuthError::Missing.into()),
        false => Ok(card),
    }
}

/// A task on the wire, with the newest `history` messages.
pub(super) fn task_value(
    mut task: Task,
    history: HistoryLength,
    dialect: Dialect,
) -> Result<Value, A2aError> {
    shorten_history(&mut task, history);
    let task = serde_json::to_value(task).map_err(|error| internal(&error))?;
    Ok(match dialect {
        Dialect::V1 => task,
        Dialect::V03 => v03::task_to_v03(task),
    })
}

pub(super) fn shorten_history(task: &mut Task, history: HistoryLength) {
    if let Some(length) = history {
        let surplus = task.history.len().saturating_sub(length);
        task.history.drain(..surplus);
    }
}
