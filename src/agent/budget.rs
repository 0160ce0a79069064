//! How much one task may cost.

use std::fmt;
use std::time::Duration;

/// Upper bounds of one investigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Exchanges with the model.
    pub turns: usize,
    /// Tool calls in all.
    pub tool_calls: usize,
    /// Bytes of tool results given to the model in all.
    pub tool_bytes: usize,
    /// Wall-clock time.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { turns: 12, tool_calls: 40, tool_bytes: 8 << 20, time: Duration::from_secs(300) }
    }
}

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Budget::turns`].
    Turns,
    /// [`Budget::tool_calls`].
    ToolCalls,
    /// [`Budget::tool_bytes`].
    ToolBytes,
    /// [`Budget::time`].
    Time,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turns => "the limit of model turns",
            Self::ToolCalls => "the limit of tool calls",
            Self::ToolBytes => "the limit of tool output",
            Self::Time => "the time limit",
        })
    }
}

/// What an investigation has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) turns: usize,
    pub(super) tool_calls: usize,
    pub(super) tool_bytes: usize,
}

impl Spent {
    /// The bound that forbids another round of tools, if any.
    pub(super) fn reached(&self, budget: &Budget) -> Option<Limit> {
        if self.turns + 1 >= budget.turns {
            Some(Limit::Turns)
        } else if self.tool_calls >= budget.tool_calls {
            Some(Limit::ToolCalls)
        } else if self.tool_bytes >= budget.tool_bytes {
            Some(Limit::ToolBytes)
        } else {
            None
        }
    }
}
