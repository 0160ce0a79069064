//! The method table: each unary method of both dialects parses, calls the runner, and maps the result.

use std::sync::Arc;

use http::Extensions;
use jsonrpsee::RpcModule;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::{Value, json};

use super::errors::{A2aError, internal};
use super::request::{Dialect, Envelope, HistoryLength, SendMessageRequest, TaskRequest};
use super::types::Task;
use super::v03;
use crate::tasks::{NewMessage, Owner, RequestOptions, StartError, Subscription, TaskRunner};

/// Methods whose answer is a stream; [`super::sse`] serves them.
pub(super) const STREAMING: [(&str, Dialect); 4] = [
    ("SendStreamingMessage", Dialect::V1),
    ("SubscribeToTask", Dialect::V1),
    ("message/stream", Dialect::V03),
    ("tasks/resubscribe", Dialect::V03),
];

const PUSH_METHODS: [(&str, Dialect); 8] = [
    ("CreateTaskPushNotificationConfig", Dialect::V1),
    ("GetTaskPushNotificationConfig", Dialect::V1),
    ("ListTaskPushNotificationConfigs", Dialect::V1),
    ("DeleteTaskPushNotificationConfig", Dialect::V1),
    ("tasks/pushNotificationConfig/set", Dialect::V03),
    ("tasks/pushNotificationConfig/get", Dialect::V03),
    ("tasks/pushNotificationConfig/list", Dialect::V03),
    ("tasks/pushNotificationConfig/delete", Dialect::V03),
];

/// Who calls, and what the request's headers say.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) owner: Owner,
    pub(super) idempotency_key: Option<String>,
    pub(super) last_event_id: Option<u64>,
}

/// The unary methods, and which dialect each name belongs to.
#[derive(Clone)]
pub(super) struct Methods {
    module: RpcModule<TaskRunner>,
    dialects: Arc<Vec<(&'static str, Dialect)>>,
}

impl Methods {
    pub(super) fn new(runner: TaskRunner) -> Self {
        let mut table = Table { module: RpcModule::new(runner), dialects: STREAMING.to_vec() };
        table.add("SendMessage", Dialect::V1, send_v1);
        table.add("message/send", Dialect::V03, send_v03);
        table.add("GetTask", Dialect::V1, get_v1);
        table.add("tasks/get", Dialect::V03, get_v03);
        table.add("CancelTask", Dialect::V1, cancel_v1);
        table.add("tasks/cancel", Dialect::V03, cancel_v03);
        table.add("ListTasks", Dialect::V1, async |_, _, _| {
            Err(A2aError::UnsupportedOperation("Listing tasks is not supported by this agent".to_owned()))
        });
        for (name, dialect) in PUSH_METHODS {
            table.add(name, dialect, async |_, _, _| Err(A2aError::PushNotificationNotSupported));
        }
        table.add("GetExtendedAgentCard", Dialect::V1, async |_, _, _| {
            Err(A2aError::UnsupportedOperation("This agent has no extended agent card".to_owned()))
        });
        table.add("agent/getAuthenticatedExtendedCard", Dialect::V03, async |_, _, _| {
            Err(A2aError::ExtendedAgentCardNotConfigured)
        });
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
    pub(super) async fn call(&self, envelope: &Envelope, caller: Caller) -> Result<Value, ErrorObjectOwned> {
        let mut module = self.module.clone();
        module.extensions_mut().insert(caller);
        // The id stays with us: jsonrpsee knows fewer kinds of ids than JSON-RPC has.
        let request =
            json!({ "jsonrpc": "2.0", "id": 0, "method": envelope.method, "params": [envelope.params] });
        let answer = module.raw_json_request(&request.to_string(), 1).await;
        let (answer, _) = answer.map_err(|error| internal(&error))?;
        let mut answer: Value = serde_json::from_str(answer.get()).map_err(|error| internal(&error))?;
        match answer.get_mut("error").map(Value::take) {
            Some(error) => Err(serde_json::from_value(error).map_err(|error| internal(&error))?),
            None => Ok(answer["result"].take()),
        }
    }
}

struct Table {
    module: RpcModule<TaskRunner>,
    dialects: Vec<(&'static str, Dialect)>,
}

impl Table {
    fn add<F>(&mut self, name: &'static str, dialect: Dialect, method: F)
    where
        F: AsyncMethod,
    {
        let added = self.module.register_async_method(
            name,
            move |params: Params<'static>, runner, extensions: Extensions| {
                let method = method.clone();
                async move {
                    let params: Value = params.one().unwrap_or(Value::Null);
                    let caller = extensions.get::<Caller>().cloned().ok_or(A2aError::Internal)?;
                    method.call(params, runner, caller).await.map_err(ErrorObjectOwned::from)
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
        runner: Arc<TaskRunner>,
        caller: Caller,
    ) -> impl Future<Output = Result<Value, A2aError>> + Send;
}

impl<F, R> AsyncMethod for F
where
    F: Fn(Value, Arc<TaskRunner>, Caller) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Value, A2aError>> + Send,
{
    fn call(
        &self,
        params: Value,
        runner: Arc<TaskRunner>,
        caller: Caller,
    ) -> impl Future<Output = Result<Value, A2aError>> + Send {
        self(params, runner, caller)
    }
}

async fn send_v1(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    Ok(json!({ "task": send(params, &runner, caller, Dialect::V1).await? }))
}

async fn send_v03(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    Ok(v03::task_to_v03(send(params, &runner, caller, Dialect::V03).await?))
}

async fn send(
    params: Value,
    runner: &TaskRunner,
    caller: Caller,
    dialect: Dialect,
) -> Result<Value, A2aError> {
    let request = SendMessageRequest::read(params, dialect)?;
    let history = request.history_length()?;
    let immediately = request.configuration.return_immediately;
    let subscription = start(request, runner, caller, dialect).await?;
    let task = match immediately {
        true => subscription.task,
        false => subscription.settled().await.map_err(|error| internal(&error))?,
    };
    task_value(task, history)
}

/// Starts or continues a task, with the error that each dialect has for a task that has ended.
pub(super) async fn start(
    request: SendMessageRequest,
    runner: &TaskRunner,
    caller: Caller,
    dialect: Dialect,
) -> Result<Subscription, A2aError> {
    let new = NewMessage {
        message: request.message,
        metadata: request.metadata,
        idempotency_key: caller.idempotency_key,
        options: RequestOptions::default(),
    };
    runner.start(&caller.owner, new).await.map_err(|error| match (dialect, error) {
        (Dialect::V03, error @ StartError::TaskTerminal { .. }) => {
            A2aError::params("message.taskId", error.to_string())
        }
        (_, error) => error.into(),
    })
}

async fn get_v1(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    let request = TaskRequest::read(params)?;
    let history = request.history_length()?;
    task_value(runner.get(&caller.owner, &request.id).await?, history)
}

async fn get_v03(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    get_v1(params, runner, caller).await.map(v03::task_to_v03)
}

async fn cancel_v1(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    let request = TaskRequest::read(params)?;
    task_value(runner.cancel(&caller.owner, &request.id).await?, None)
}

async fn cancel_v03(params: Value, runner: Arc<TaskRunner>, caller: Caller) -> Result<Value, A2aError> {
    cancel_v1(params, runner, caller).await.map(v03::task_to_v03)
}

/// A task on the wire, with the newest `history` messages.
fn task_value(mut task: Task, history: HistoryLength) -> Result<Value, A2aError> {
    shorten_history(&mut task, history);
    serde_json::to_value(task).map_err(|error| internal(&error))
}

pub(super) fn shorten_history(task: &mut Task, history: HistoryLength) {
    if let Some(length) = history {
        let surplus = task.history.len().saturating_sub(length);
        task.history.drain(..surplus);
    }
}
