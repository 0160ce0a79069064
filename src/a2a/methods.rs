//! The method table: each unary method of both dialects parses, calls the runner, and maps the result.

use std::sync::Arc;

use http::Extensions;
use jsonrpsee::RpcModule;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::{Value, json};

use super::caller::Caller;
use super::errors::{A2aError, internal};
use super::failure::Failure;
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

/// The unary methods, and which dialect each name belongs to.
#[derive(Clone)]
pub(super) struct Methods {
    module: RpcModule<Surface>,
    dialects: Arc<Vec<(&'static str, Dialect)>>,
}

impl Methods {
    pub(super) fn new(surface: Surface) -> Self {
        let mut table = Table { module: RpcModule::new(surface), dialects: STREAMING.to_vec() };
        table.add(["SendMessage", "message/send"], send);
        table.add(["GetTask", "tasks/get"], get);
        table.add(["ListTasks", "tasks/list"], list);
        table.add(["CancelTask", "tasks/cancel"], cancel);
        table.add(["CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"], create_push);
        table.add(["GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"], get_push);
        table.add(["ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"], list_pushes);
        table.add(["DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"], delete_push);
        table.add(["GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"], extended_card);
        Self { module: table.module, dialects: Arc::new(table.dialects) }
    }

    /// The method for this request, or why there is none: the version and the name have to fit.
    pub(super) fn check(&self, method: &str, dialect: Dialect) -> Result<(), A2aError> {
        let unknown = || A2aError::MethodNotFound(method.chars().take(100).collect());
        let (_, belongs_to) = self.dialects.iter().find(|(name, _)| *name == method).ok_or_else(unknown)?;
        match (belongs_to, dialect) {
            (Dialect::V1, Dialect::V1) | (Dialect::V03, Dialect::V03) => Ok(()),
            (Dialect::V03, Dialect::V1) => Err(unknown()),
            (Dialect::V1, Dialect::V03) => Err(A2aError::VersionNotSupported {
                requested: "0.3".to_owned(),
                hint: ". This is a method of 1.0: send the header A2A-Version: 1.0",
            }),
        }
    }

    /// Calls a unary method and returns its result.
    pub(super) async fn call(&self, method: &str, params: Value, caller: Caller) -> Result<Value, Failure> {
        let mut module = self.module.clone();
        module.extensions_mut().insert(caller);
        // The id stays with us: jsonrpsee knows fewer kinds of ids than JSON-RPC has.
        let request = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": [params] });
        let answer = module.raw_json_request(&request.to_string(), 1).await;
        let (answer, _) = answer.map_err(|error| internal(&error))?;
        let mut answer: Value = serde_json::from_str(answer.get()).map_err(|error| internal(&error))?;
        match answer.get_mut("error").map(Value::take) {
            Some(error) => {
                let error: ErrorObjectOwned =
                    serde_json::from_value(error).map_err(|error| internal(&error))?;
                Err(error.into())
            }
            None => Ok(answer["result"].take()),
        }
    }
}

/// True for a method whose answer is a stream.
pub(super) fn is_streaming(method: &str) -> bool {
    STREAMING.iter().any(|(name, _)| *name == method)
}

struct Table {
    module: RpcModule<Surface>,
    dialects: Vec<(&'static str, Dialect)>,
}

impl Table {
    /// A method under its name in 1.0 and in 0.3.
    fn add<F: AsyncMethod>(&mut self, names: [&'static str; 2], method: F) {
        for (name, dialect) in names.into_iter().zip([Dialect::V1, Dialect::V03]) {
            self.add_one(name, dialect, method.clone());
        }
    }

    fn add_one<F: AsyncMethod>(&mut self, name: &'static str, dialect: Dialect, method: F) {
        let added = self.module.register_async_method(
            name,
            move |params: Params<'static>, surface, extensions: Extensions| {
                let method = method.clone();
                async move {
                    let params: Value = params.one().unwrap_or(Value::Null);
                    let caller = extensions.get::<Caller>().cloned().ok_or(A2aError::Internal)?;
                    method.call(params, surface, caller).await.map_err(ErrorObjectOwned::from)
                }
            },
        );
        match added {
            Ok(_) => self.dialects.push((name, dialect)),
            Err(error) => tracing::error!(name, %error, "bug: a method is registered twice"),
        }
    }
}

/// A method as the table takes it.
trait AsyncMethod: Clone + Send + Sync + 'static {
    fn call(
        &self,
        params: Value,
        surface: Arc<Surface>,
        caller: Caller,
    ) -> impl Future<Output = Result<Value, A2aError>> + Send;
}

impl<F, R> AsyncMethod for F
where
    F: Fn(Value, Arc<Surface>, Caller) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Value, A2aError>> + Send,
{
    fn call(
        &self,
        params: Value,
        surface: Arc<Surface>,
        caller: Caller,
    ) -> impl Future<Output = Result<Value, A2aError>> + Send {
        self(params, surface, caller)
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
