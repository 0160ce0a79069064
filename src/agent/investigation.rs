//! The pure state machine of one investigation: inputs in, effects out, no I/O and no clock.

use serde_json::{Value, json};

use crate::a2a::types::{Artifact, Message, Metadata, Part, TaskState};
use crate::model::{ConverseRequest, ModelDelta, ModelError, ToolCall, ToolResult, Turn};
use crate::tasks::TaskEvent;
use crate::tools::{ToolOutcome, ToolSpec};

use super::REPORT_ARTIFACT;
use super::answer::Answer;
use super::budget::{Budget, Limit, Spent};
use super::output::OutputModes;

/// What happens to an investigation.
#[derive(Debug)]
pub enum Input {
    /// A piece of the model's turn.
    ModelDelta(ModelDelta),
    /// The model failed, or its stream ended too early.
    ModelFailed(ModelError),
    /// A tool is done.
    ToolFinished {
        /// Id of the call.
        call_id: String,
        /// What came of it.
        outcome: ToolOutcome,
        /// How long it took.
        duration_ms: u64,
    },
    /// The driver's clock says that the time is up.
    TimeSpent,
    /// The caller canceled the task.
    Cancelled,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask the model; its deltas come back as inputs.
    AskModel(ConverseRequest),
    /// Call a tool; its outcome comes back as an input.
    CallTool(ToolCall),
    /// Publish an event of the task.
    Emit(TaskEvent),
    /// Stop: nothing more will follow, and running work is to be dropped.
    Finish(Outcome),
}

/// How an investigation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// With a question to the user, whose answer begins the next one.
    Asked,
    /// Without one.
    Failed,
    /// On request.
    Cancelled,
}

#[derive(Debug)]
enum Phase {
    /// The model speaks.
    Asking { text: String, calls: Vec<ToolCall>, question: Option<String> },
    /// Tools run; results keep the order of the calls.
    Calling { slots: Vec<(ToolCall, Option<ToolOutcome>)> },
    /// Over.
    Finished,
}

/// One investigation: the conversation, what it has cost and what it waits for.
#[derive(Debug)]
pub struct Investigation {
    conversation: Vec<Turn>,
    tools: Vec<ToolSpec>,
    budget: Budget,
    spent: Spent,
    limit: Option<Limit>,
    answer: Answer,
    output: OutputModes,
    phase: Phase,
}

impl Investigation {
    /// Begins with the conversation so far (its last turn is the user's), the tools on offer, and what the client accepts.
    pub fn begin(
        conversation: Vec<Turn>,
        tools: Vec<ToolSpec>,
        budget: Budget,
        output: OutputModes,
    ) -> (Self, Vec<Effect>) {
        let mut this = Self {
            conversation,
            tools,
            budget,
            spent: Spent::default(),
            limit: None,
            answer: Answer::new(output),
            output,
            phase: Phase::Finished,
        };
        let mut effects = vec![working(None, None)];
        effects.extend(this.ask_model());
        (this, effects)
    }

    /// Takes one input. After the end every input is ignored.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        if matches!(self.phase, Phase::Finished) {
            return Vec::new();
        }
        match input {
            Input::ModelDelta(ModelDelta::Text(text)) => self.on_text(&text),
            Input::ModelDelta(ModelDelta::ToolCall(call)) => self.on_tool_call(call),
            Input::ModelDelta(ModelDelta::Ask(question)) => self.on_question(question),
            Input::ModelDelta(ModelDelta::Done) => self.on_turn_done(),
            Input::ModelFailed(error) => self.on_model_failed(&error),
            Input::ToolFinished { call_id, outcome, duration_ms } => {
                self.on_tool_finished(&call_id, outcome, duration_ms)
            }
            Input::TimeSpent => self.on_time_spent(),
            Input::Cancelled => self.finish(Outcome::Cancelled, TaskState::Canceled, None),
        }
    }

    fn ask_model(&mut self) -> Vec<Effect> {
        self.limit = self.spent.reached(&self.budget);
        self.spent.turns += 1;
        self.phase = Phase::Asking { text: String::new(), calls: Vec::new(), question: None };
        let tools = if self.limit.is_some() { Vec::new() } else { self.tools.clone() };
        vec![Effect::AskModel(ConverseRequest { conversation: self.conversation.clone(), tools })]
    }

    fn on_text(&mut self, delta: &str) -> Vec<Effect> {
        if let Phase::Asking { text, .. } = &mut self.phase {
            text.push_str(delta);
        }
        self.answer.push(delta).map(Effect::Emit).into_iter().collect()
    }

    fn on_tool_call(&mut self, call: ToolCall) -> Vec<Effect> {
        if let Phase::Asking { calls, .. } = &mut self.phase {
            calls.push(call);
        }
        Vec::new()
    }

    fn on_question(&mut self, asked: String) -> Vec<Effect> {
        if let Phase::Asking { question, .. } = &mut self.phase {
            *question = Some(asked);
        }
        Vec::new()
    }

    fn on_turn_done(&mut self) -> Vec<Effect> {
        let Phase::Asking { text, calls, question } = std::mem::replace(&mut self.phase, Phase::Finished)
        else {
            return self.fail("bug: a model turn ended that had not begun");
        };
        if let Some(question) = question.filter(|_| calls.is_empty()) {
            return self.finish(Outcome::Asked, TaskState::InputRequired, Some(question));
        }
        if calls.is_empty() || self.limit.is_some() {
            return self.on_answer();
        }
        self.conversation.push(Turn::Model { text, tool_calls: calls.clone() });
        self.call_tools(calls)
    }

    fn on_answer(&mut self) -> Vec<Effect> {
        if self.answer.is_empty() {
            let reason = match self.limit {
                Some(limit) => format!("{limit} was reached before there was an answer"),
                None => "the model gave no answer".to_owned(),
            };
            return self.fail(&reason);
        }
        let note =
            self.limit.map(|limit| format!("The answer rests on what was read before {limit} was reached."));
        self.finish(Outcome::Answered, TaskState::Completed, note)
    }

    fn call_tools(&mut self, calls: Vec<ToolCall>) -> Vec<Effect> {
        let left = self.budget.tool_calls.saturating_sub(self.spent.tool_calls);
        let mut slots = Vec::with_capacity(calls.len());
        let mut effects = Vec::new();
        for (index, call) in calls.into_iter().enumerate() {
            if index < left {
                self.spent.tool_calls += 1;
                effects.push(Effect::Emit(tool_started(&call)));
                effects.push(Effect::CallTool(call.clone()));
                slots.push((call, None));
            } else {
                slots.push((call, Some(not_called(Limit::ToolCalls))));
            }
        }
        self.phase = Phase::Calling { slots };
        if effects.is_empty() {
            return self.on_all_tools_finished();
        }
        effects
    }

    fn on_tool_finished(&mut self, call_id: &str, outcome: ToolOutcome, duration_ms: u64) -> Vec<Effect> {
        let Phase::Calling { slots } = &mut self.phase else { return Vec::new() };
        let Some((call, slot)) = slots.iter_mut().find(|(call, slot)| call.id == call_id && slot.is_none())
        else {
            return Vec::new();
        };
        self.spent.tool_bytes += outcome.text.len();
        let mut effects = vec![Effect::Emit(tool_finished(call, &outcome, duration_ms))];
        effects.extend(report_artifact(&outcome).filter(|_| self.output.data).map(Effect::Emit));
        *slot = Some(outcome);
        if slots.iter().all(|(_, slot)| slot.is_some()) {
            effects.extend(self.on_all_tools_finished());
        }
        effects
    }

    fn on_all_tools_finished(&mut self) -> Vec<Effect> {
        if let Phase::Calling { slots } = std::mem::replace(&mut self.phase, Phase::Finished) {
            let results = slots
                .into_iter()
                .filter_map(|(call, outcome)| outcome.map(|outcome| ToolResult { call, outcome }))
                .collect();
            self.conversation.push(Turn::Tools(results));
        }
        self.ask_model()
    }

    fn on_model_failed(&mut self, error: &ModelError) -> Vec<Effect> {
        self.fail(&error.to_string())
    }

    fn on_time_spent(&mut self) -> Vec<Effect> {
        self.limit = Some(Limit::Time);
        self.fail("the time limit was reached; ask about one namespace or one object")
    }

    fn fail(&mut self, reason: &str) -> Vec<Effect> {
        self.finish(Outcome::Failed, TaskState::Failed, Some(reason.to_owned()))
    }

    fn finish(&mut self, outcome: Outcome, state: TaskState, says: Option<String>) -> Vec<Effect> {
        self.phase = Phase::Finished;
        let mut effects: Vec<Effect> = self.answer.finish().map(Effect::Emit).into_iter().collect();
        let usage = object(json!({ "turns": self.spent.turns, "toolCalls": self.spent.tool_calls }));
        effects.push(Effect::Emit(TaskEvent::Status {
            state,
            message: says.map(Message::agent_text),
            metadata: Some(object(json!({ "usage": usage }))),
        }));
        effects.push(Effect::Finish(outcome));
        effects
    }
}

fn working(message: Option<String>, metadata: Option<Metadata>) -> Effect {
    Effect::Emit(TaskEvent::Status {
        state: TaskState::Working,
        message: message.map(Message::agent_text),
        metadata,
    })
}

fn tool_started(call: &ToolCall) -> TaskEvent {
    TaskEvent::Status {
        state: TaskState::Working,
        message: Some(Message::agent_text(format!("{}{}", call.name, arguments_summary(&call.arguments)))),
        metadata: Some(object(json!({ "tool": {
            "name": call.name, "callId": call.id, "phase": "started", "arguments": call.arguments,
        }}))),
    }
}

fn tool_finished(call: &ToolCall, outcome: &ToolOutcome, duration_ms: u64) -> TaskEvent {
    let outcome = if outcome.is_error { "error" } else { "ok" };
    TaskEvent::Status {
        state: TaskState::Working,
        message: Some(Message::agent_text(format!("{}: {outcome}, {duration_ms} ms", call.name))),
        metadata: Some(object(json!({ "tool": {
            "name": call.name, "callId": call.id, "phase": "finished", "outcome": outcome, "durationMs": duration_ms,
        }}))),
    }
}

/// `namespace=shop kind=pods`, in the order in which the arguments stand, without empty ones.
fn arguments_summary(arguments: &Value) -> String {
    let mut summary = String::new();
    for (name, value) in arguments.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => summary.push_str(&format!(" {name}={text}")),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                summary.push_str(&format!(" {name}={value}"));
            }
        }
    }
    summary
}

/// A tool outcome that is a `drydock.report/v1` becomes an artifact of its own.
fn report_artifact(outcome: &ToolOutcome) -> Option<TaskEvent> {
    let schema = outcome.structured.get("schema").and_then(Value::as_str);
    if outcome.is_error || schema != Some(crate::diagnosis::report::SCHEMA) {
        return None;
    }
    Some(TaskEvent::Artifact {
        artifact: Artifact {
            artifact_id: REPORT_ARTIFACT.to_owned(),
            name: Some(REPORT_ARTIFACT.to_owned()),
            description: Some("Findings with evidence and remediation (drydock.report/v1)".to_owned()),
            parts: vec![Part::data(outcome.structured.clone())],
            metadata: None,
            extensions: Vec::new(),
        },
        append: false,
        last_chunk: true,
    })
}

fn not_called(limit: Limit) -> ToolOutcome {
    ToolOutcome::failed(format!("not called: {limit} is reached"))
}

fn object(value: Value) -> Metadata {
    match value {
        Value::Object(map) => map,
        other => Metadata::from_iter([("value".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests;
