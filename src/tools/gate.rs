//! What may be done: the policy of the server, and the approval of each act.

mod audit;
mod plan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use audit::Audit;
use plan::Plans;

use super::text::{plain, shorten};
use super::{CallContext, PendingAct, ToolError, ToolOutcome};

pub use audit::Approved;

/// What the server allows, whoever calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Clusters and accounts may be changed.
    pub allow_write: bool,
    /// Logs, events and the like may be read.
    pub allow_sensitive_data: bool,
    /// Who has to approve an act.
    pub approval: Approval,
    /// What may not be changed, whoever approves it.
    pub denied: Vec<Denied>,
    /// The one folder of this machine from which callers may have files read (`yaml_path`). None: no file is read.
    pub yaml_folder: Option<PathBuf>,
}

/// Who has to approve an act before it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Approval {
    /// The caller, who is shown the plan first and calls again with its token.
    #[default]
    Ask,
    /// Nobody.
    None,
}

/// Something that may not be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// Objects of this kind, such as `Secret` or `ClusterRoleBinding`; in any letters.
    Kind(String),
    /// This namespace and everything in it.
    Namespace(String),
}

impl Policy {
    /// Everything that can be read, and nothing else.
    pub fn reads_all() -> Self {
        Self { allow_sensitive_data: true, ..Self::default() }
    }
}

/// Something that a tool is about to do. Everything in it is free of secrets, but for `arguments` and `state`, which are
/// only digested.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// The tool.
    pub tool: &'a str,
    /// What is done, in one line: `delete Deployment shop/web`.
    pub summary: &'a str,
    /// Where: `cluster prod`.
    pub place: &'a str,
    /// What would change: a diff, a list.
    pub preview: &'a str,
    /// The arguments of the call; `plan_token` in them does not count.
    pub arguments: &'a Value,
    /// What the plan rests on, such as the object's resourceVersion: if it changes, the plan is void.
    pub state: &'a Value,
}

/// What is to be done about an act.
#[derive(Debug)]
pub enum Decision {
    /// Do it, then [`Gate::record`] what came of it.
    Act(Approved),
    /// Do nothing, and answer this: the plan, and how it is approved.
    Ask(ToolOutcome),
}

/// The policy and what is needed to hold it.
#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    plans: Plans,
    audit: Arc<Audit>,
}

impl Gate {
    /// Holds this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, plans: Plans::default(), audit: Arc::default() }
    }

    /// Holds this policy, and appends what is done to this file, one JSON object per line.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn with_audit_file(policy: Policy, path: &Path) -> std::io::Result<Self> {
        Ok(Self { audit: Arc::new(Audit::append_to(path)?), ..Self::new(policy) })
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

    /// Refuses what may not be changed: an object of this kind, in this namespace or, for a namespace, of this name.
    ///
    /// # Errors
    /// It is on the server's list.
    pub fn check_target(&self, kind: &str, namespace: Option<&str>, name: &str) -> Result<(), ToolError> {
        let place = if kind == "Namespace" { Some(name) } else { namespace };
        let said = |denied: &Denied| match denied {
            Denied::Kind(denied) if denied.eq_ignore_ascii_case(kind) => {
                Some(format!("objects of kind {kind}"))
            }
            Denied::Namespace(denied) if Some(denied.as_str()) == place => {
                Some(format!("the namespace {denied}"))
            }
            Denied::Kind(_) | Denied::Namespace(_) => None,
        };
        match self.policy.denied.iter().find_map(said) {
            None => Ok(()),
            Some(what) => Err(ToolError::Refused(format!(
                "this server does not change {what}; that has to be done by someone who may, for instance with kubectl"
            ))),
        }
    }

    /// Whether an act is done now. Without a token it is shown first, unless nobody has to approve it.
    ///
    /// # Errors
    /// The caller may not write, or the token is not of this plan, too old, or used.
    pub fn decide(
        &self,
        call: &CallContext,
        plan_token: Option<&str>,
        act: &Act<'_>,
    ) -> Result<Decision, ToolError> {
        self.check_write(act.tool, call)?;
        let now = jiff::Timestamp::now().as_second();
        match (self.policy.approval, plan_token) {
            (Approval::None, _) => {}
            (Approval::Ask, None) => {
                let token = self.plans.issue(&call.session.caller, act, now)?;
                return Ok(Decision::Ask(asked(act, token)));
            }
            (Approval::Ask, Some(token)) => self.plans.redeem(token, &call.session.caller, act, now)?,
        }
        let begun = self.audit.begin(&call.session.caller, act, self.policy.approval);
        begun.map(Decision::Act).map_err(|error| {
            tracing::error!(%error, "the audit file cannot be written: changes are refused");
            ToolError::Refused(
                "nothing was changed, because it could not be recorded: the server's audit file cannot be written".to_owned(),
            )
        })
    }

    /// Writes down what came of an act.
    pub fn record<T>(&self, approved: Approved, result: &Result<T, ToolError>) {
        approved.end(&match result {
            Ok(_) => "done".to_owned(),
            Err(error) => format!("failed: {}", shorten(&plain(&error.to_string()), 500)),
        });
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

/// Says what would be done, and how to have it done; the preview comes last, because a long text loses its end.
fn asked(act: &Act<'_>, plan_token: String) -> ToolOutcome {
    let question = format!("{} on {}?", plain(act.summary), plain(act.place));
    let text = format!(
        "Nothing was changed yet. Plan: {} on {}.\nTo have it done, call {} again with the same arguments and \
         plan_token={plan_token} (within {} minutes, once), after whoever is responsible has agreed.\n\n{}\n",
        plain(act.summary),
        plain(act.place),
        act.tool,
        plan::LIFETIME / 60,
        act.preview.trim_end(),
    );
    let structured = serde_json::json!({
        "planned": act.summary, "place": act.place, "preview": act.preview, "planToken": plan_token,
    });
    ToolOutcome { pending: Some(PendingAct { question, plan_token }), ..ToolOutcome::new(structured, text) }
}

#[cfg(test)]
mod tests;
