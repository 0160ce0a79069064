//! What may be done: the policy of the server, and the approval of each act.

use super::{CallContext, ToolError};

/// What the server allows, whoever calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Clusters and accounts may be changed.
    pub allow_write: bool,
    /// Logs, events and the like may be read.
    pub allow_sensitive_data: bool,
}

impl Policy {
    /// Everything that can be read, and nothing else.
    pub fn reads_all() -> Self {
        Self { allow_write: false, allow_sensitive_data: true }
    }
}

/// The policy and what is needed to hold it.
#[derive(Debug, Default)]
pub struct Gate {
    policy: Policy,
}

impl Gate {
    /// Holds this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// Lets everything be read, and nothing be changed.
    pub fn read_only() -> Self {
        Self::new(Policy::reads_all())
    }

    /// What the server allows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// True where this caller may change something.
    pub fn may_write(&self, call: &CallContext) -> bool {
        self.policy.allow_write && call.session.may_write
    }

    pub(super) fn check_sensitive(&self, tool: &str) -> Result<(), ToolError> {
        match self.policy.allow_sensitive_data {
            true => Ok(()),
            false => Err(ToolError::Refused(format!(
                "{tool} is not allowed here: it needs a server with --allow-sensitive-data"
            ))),
        }
    }

    pub(super) fn check_write(&self, tool: &str, call: &CallContext) -> Result<(), ToolError> {
        if !self.policy.allow_write {
            return Err(ToolError::Refused(format!(
                "{tool} is not allowed here: this server only reads (--allow-write changes that); changes have to be \
                 made by someone who may, for instance with kubectl"
            )));
        }
        match call.session.may_write {
            true => Ok(()),
            false => Err(ToolError::Refused(format!(
                "{tool} needs the scope for writing, which this caller lacks"
            ))),
        }
    }
}
