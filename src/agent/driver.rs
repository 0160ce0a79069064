//! Performs what the investigation asks for: the model's stream, the tools side by side, the clock, cancellation.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};

use crate::a2a::types::{Message, PartContent, Role, TaskState};
use crate::model::{Model, ModelDelta, ModelError, ToolCall, Turn};
use crate::tasks::{AgentExecutor, ExecutionRequest, TaskEvent};
use crate::tools::{CallContext, Session, Toolbox};

use super::budget::Budget;
use super::investigation::{Effect, Input, Investigation};
use super::output::OutputModes;
use super::scope::{self, Request};

/// The agent behind the tasks.
#[derive(Clone)]
pub struct Agent {
    model: Arc<dyn Model>,
    toolbox: Arc<dyn Toolbox>,
    cluster: Option<String>,
    budget: Budget,
}

/// Upper bound of one tool outcome, in bytes.
const TOOL_OUTCOME_BYTES: usize = 2 << 20;

impl Agent {
    /// An agent that asks `model` and works with `toolbox`, which looks at the cluster of this name, if it is only one.
    pub fn new(
        model: Arc<dyn Model>,
        toolbox: Arc<dyn Toolbox>,
        cluster: Option<String>,
        budget: Budget,
    ) -> Self {
        Self { model, toolbox, cluster, budget }
    }

    fn call(&self, call: ToolCall, cx: CallContext) -> BoxFuture<'static, Input> {
        let toolbox = Arc::clone(&self.toolbox);
        async move {
            let started = Instant::now();
            let outcome = toolbox.call(&call.name, call.arguments, &cx).await;
            let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Input::ToolFinished { call_id: call.id, outcome, duration_ms }
        }
        .boxed()
    }
}

impl AgentExecutor for Agent {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        let agent = self.clone();
        async_stream::stream! {
            let history = history(&request);
            let asked = match scope::read(&history, agent.cluster.as_deref()) {
                Request::Answer(index) => index,
                Request::Ask(question) => {
                    yield status(TaskState::InputRequired, question);
                    return;
                }
                Request::Refuse(problem) => {
                    yield status(TaskState::Rejected, problem);
                    return;
                }
            };
            // Nobody can be asked for an approval yet: the agent only reads.
            let session = Session::new(&request.owner.0, false);
            let cx = CallContext {
                cancellation: request.cancellation.child_token(),
                ..CallContext::new(session, TOOL_OUTCOME_BYTES)
            };
            let _stops_tools_when_dropped = cx.cancellation.clone().drop_guard();
            let deadline = tokio::time::sleep(agent.budget.time);
            tokio::pin!(deadline);
            let mut turn: BoxStream<'static, Input> = stream::pending().boxed();
            let mut tools = FuturesUnordered::new();
            let output = OutputModes::of(&request.options.accepted_output_modes);
            let listed = tokio::select! {
                biased;
                () = request.cancellation.cancelled() => Ok(Vec::new()),
                listed = agent.toolbox.list(&cx) => listed,
            };
            let tools_on_offer = match listed {
                Ok(tools) => tools,
                Err(problem) => {
                    yield status(TaskState::Failed, problem.to_string());
                    return;
                }
            };
            let (mut investigation, mut effects) =
                Investigation::begin(conversation(&history, asked), tools_on_offer, agent.budget, output);
            loop {
                for effect in effects {
                    match effect {
                        Effect::Emit(event) => yield event,
                        Effect::AskModel(ask) => turn = model_inputs(agent.model.converse(ask)),
                        Effect::CallTool(call) => tools.push(agent.call(call, cx.clone())),
                        Effect::Finish(_) => return,
                    }
                }
                let input = tokio::select! {
                    biased;
                    () = request.cancellation.cancelled() => Input::Cancelled,
                    () = &mut deadline => Input::TimeSpent,
                    Some(input) = tools.next(), if !tools.is_empty() => input,
                    Some(input) = turn.next() => input,
                };
                effects = investigation.handle(input);
            }
        }
        .boxed()
    }
}

/// The model's stream as inputs; an early end is a failure, and after the end of the turn nothing comes.
fn model_inputs(deltas: BoxStream<'static, Result<ModelDelta, ModelError>>) -> BoxStream<'static, Input> {
    let cut_off = ModelError::Unavailable("its answer broke off".to_owned());
    let inputs = deltas
        .map(|delta| match delta {
            Ok(delta) => Input::ModelDelta(delta),
            Err(error) => Input::ModelFailed(error),
        })
        .chain(stream::iter([Input::ModelFailed(cut_off)]));
    let until_end = inputs.scan(false, |ended, input| {
        let pass = (!*ended).then_some(input);
        *ended |= matches!(pass, Some(Input::ModelDelta(ModelDelta::Done) | Input::ModelFailed(_)));
        std::future::ready(pass)
    });
    until_end.chain(stream::pending()).boxed()
}

fn status(state: TaskState, says: String) -> TaskEvent {
    TaskEvent::Status { state, message: Some(Message::agent_text(says)), metadata: None }
}

/// The messages exchanged so far; the one to answer is among them.
fn history(request: &ExecutionRequest) -> Vec<Message> {
    let mut history = request.task.history.clone();
    if history.last().map(|last| &last.message_id) != Some(&request.message.message_id) {
        history.push(request.message.clone());
    }
    history
}

/// The messages as turns of the model's conversation, the one to answer at its end.
fn conversation(history: &[Message], asked: usize) -> Vec<Turn> {
    let others = history.iter().enumerate().filter(|(index, _)| *index != asked);
    others.map(|(_, message)| message).chain(history.get(asked)).map(turn_of).collect()
}

fn turn_of(message: &Message) -> Turn {
    match message.role {
        Role::Agent => Turn::Model { text: message.text(), tool_calls: Vec::new() },
        Role::User => Turn::User {
            text: message.text(),
            data: message
                .parts
                .iter()
                .filter_map(|part| match &part.content {
                    PartContent::Data(value) => Some(scope::completed(value.clone())),
                    PartContent::Text(_) | PartContent::Raw(_) | PartContent::Url(_) => None,
                })
                .collect(),
        },
    }
}
