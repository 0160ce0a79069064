//! What to do next: a [`Model`] reads the conversation so far and answers with text or tool calls.
//!
//! `runbook` needs no language model: it understands the questions that operators ask and follows a fixed procedure.
//! `scripted` plays a written conversation, for tests.

mod runbook;
mod scripted;

use futures::stream::BoxStream;
use serde_json::Value;

pub use runbook::Runbook;
pub use scripted::{Scripted, ScriptedTurn};

use crate::tools::{ToolOutcome, ToolSpec};

/// Decides the next step of an investigation. Holds no state of a conversation: everything is in the request.
pub trait Model: Send + Sync + 'static {
    /// Name for logs and metadata, such as `runbook`.
    fn id(&self) -> &str;

    /// Streams one turn. The stream ends after [`ModelDelta::Done`] or an error; dropping it stops the model.
    fn converse(&self, request: ConverseRequest) -> BoxStream<'static, Result<ModelDelta, ModelError>>;
}

/// The conversation so far and what the model may use.
#[derive(Debug, Clone)]
pub struct ConverseRequest {
    /// Oldest first; begins with the user.
    pub conversation: Vec<Turn>,
    /// The tools it may call; empty means that it has to answer now.
    pub tools: Vec<ToolSpec>,
}

/// One exchange of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// What the caller wrote.
    User {
        /// The text parts.
        text: String,
        /// The data parts.
        data: Vec<Value>,
    },
    /// What the model answered.
    Model {
        /// Its text.
        text: String,
        /// The tools it wants called.
        tool_calls: Vec<ToolCall>,
    },
    /// What came of the calls of the turn before, in their order.
    Tools(Vec<ToolResult>),
}

/// A wish of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Made by the model, unique in the conversation.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// With what.
    pub arguments: Value,
}

/// A call and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The call.
    pub call: ToolCall,
    /// What came of it.
    pub outcome: ToolOutcome,
}

/// A piece of a model's turn.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelDelta {
    /// More text.
    Text(String),
    /// A complete tool call.
    ToolCall(ToolCall),
    /// A question to the user, without whose answer it cannot go on. Counts only in a turn without tool calls.
    Ask(String),
    /// The turn is over.
    Done,
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The model is not to be had; trying later may help.
    #[error("the model is not available: {0}")]
    Unavailable(String),
}
