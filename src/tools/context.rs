//! What tools get besides their arguments: of the caller, of the cluster, of the AWS account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::aws::{self, Aws};
use crate::cluster::{Choice, Cluster, ClusterRef, Clusters};

use super::ToolError;
use super::gate::Gate;
use super::text::shorten;

/// What a caller passes with each call.
#[derive(Clone)]
pub struct CallContext {
    /// Who calls, and what was agreed with them before.
    pub session: Session,
    /// Fires when the result is no longer wanted.
    pub cancellation: CancellationToken,
    /// Upper bound of the outcome's text and JSON, in bytes each.
    pub max_bytes: usize,
    /// Where progress goes, if anyone listens. Tools must not wait for a listener that is slow.
    pub progress: Option<mpsc::Sender<ToolProgress>>,
}

impl CallContext {
    /// A call without a deadline of its own, by this caller.
    pub fn new(session: Session, max_bytes: usize) -> Self {
        Self { session, cancellation: CancellationToken::new(), max_bytes, progress: None }
    }

    /// Tells whoever listens how far a long call is. What a slow listener cannot take is dropped.
    pub fn report(&self, done: u32, total: Option<u32>, says: impl Into<String>) {
        if let Some(progress) = &self.progress {
            let _ = progress.try_send(ToolProgress { done, total, says: says.into() });
        }
    }
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolProgress {
    /// Steps done; rises with each report.
    pub done: u32,
    /// Steps in all, where known.
    pub total: Option<u32>,
    /// What is being done.
    pub says: String,
}

/// A caller, over several calls. Cheap to clone; clones share the region.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who it is, for the audit record and to keep callers apart: `{iss}|{sub}`, or `anonymous`.
    pub caller: Arc<str>,
    /// The caller has the right to write, as far as its token says; the server has to allow it, too.
    pub may_write: bool,
    /// The caller's own token, where the operator wants it to be passed on to another server. `Debug` does not show it.
    pub bearer: Option<SecretString>,
    /// What `set_aws_region` chose. `None` where two calls cannot be known to be of the same caller.
    region: Option<Arc<Mutex<Option<String>>>>,
}

impl Session {
    /// A caller whose calls belong together.
    pub fn new(caller: &str, may_write: bool) -> Self {
        Self { caller: caller.into(), may_write, bearer: None, region: Some(Arc::default()) }
    }

    /// A caller that cannot be told from others: nothing is remembered from call to call.
    pub fn stateless(caller: &str, may_write: bool) -> Self {
        Self { caller: caller.into(), may_write, bearer: None, region: None }
    }

    /// The same, with the caller's own token.
    #[must_use]
    pub fn with_bearer(self, bearer: Option<SecretString>) -> Self {
        Self { bearer, ..self }
    }

    /// The region that this caller has chosen.
    pub fn region(&self) -> Option<String> {
        let region = self.region.as_ref()?;
        region.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a region for the calls that follow; false where nothing is remembered.
    #[must_use]
    pub fn set_region(&self, chosen: &str) -> bool {
        let Some(region) = &self.region else { return false };
        *region.lock().unwrap_or_else(PoisonError::into_inner) = Some(chosen.to_owned());
        true
    }
}

/// What the tools of a server work on.
#[derive(Clone)]
pub struct Environment {
    /// The clusters.
    pub clusters: Clusters,
    /// AWS; without it the tools that need it are not offered.
    pub aws: Option<Aws>,
    /// What may be done, and who has to approve it.
    pub gate: Arc<Gate>,
}

impl Environment {
    /// One cluster, no AWS, nothing but reading.
    pub fn of(cluster: Cluster) -> Self {
        Self { clusters: Clusters::one(cluster), aws: None, gate: Arc::new(Gate::read_only()) }
    }
}

/// What a tool that works on a cluster gets.
#[derive(Clone)]
pub struct ToolContext {
    /// The cluster.
    pub cluster: Cluster,
    /// What may be done.
    pub gate: Arc<Gate>,
    /// The caller.
    pub call: CallContext,
}

impl ToolContext {
    /// The present of the cluster: of a recording, the time at which it was made.
    pub fn now(&self) -> jiff::Timestamp {
        self.cluster.info.captured_at.unwrap_or_else(jiff::Timestamp::now)
    }
}

/// What a tool that works on an AWS account gets.
#[derive(Clone)]
pub struct AwsContext {
    /// The clients of the region and role that the caller means.
    pub aws: Arc<aws::Connection>,
    /// What may be done.
    pub gate: Arc<Gate>,
    /// The caller.
    pub call: CallContext,
}

/// How a tool comes by its context: which arguments it takes for that, and what it makes of them.
#[async_trait]
pub trait Context: Clone + Send + Sync + Sized + 'static {
    /// Which of the common arguments a tool with this context takes, besides its own.
    fn arguments(environment: &Environment) -> Vec<CommonArgument>;
    /// Takes its arguments out of those of the call, and gets ready what they name.
    async fn take(
        environment: &Environment,
        arguments: &mut Map<String, Value>,
        call: &CallContext,
    ) -> Result<Self, ToolError>;
}

/// An argument that many tools take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommonArgument {
    /// Name.
    pub name: &'static str,
    /// A call without it is refused.
    pub required: bool,
    /// For the caller.
    pub description: &'static str,
}

impl CommonArgument {
    pub(super) fn schema(&self) -> Value {
        json!({ "type": "string", "description": self.description })
    }
}

const CLUSTER_NAME: &str = "cluster_name";
const REGION: CommonArgument = CommonArgument {
    name: "region",
    required: false,
    description: "AWS region such as eu-west-1; the one of set_aws_region, or of the server, where left out",
};
const ROLE_ARN: CommonArgument = CommonArgument {
    name: "role_arn",
    required: false,
    description: "ARN of an IAM role to assume, to work in another account",
};

#[async_trait]
impl Context for CallContext {
    fn arguments(_: &Environment) -> Vec<CommonArgument> {
        Vec::new()
    }

    async fn take(
        _: &Environment,
        _: &mut Map<String, Value>,
        call: &CallContext,
    ) -> Result<Self, ToolError> {
        Ok(call.clone())
    }
}

#[async_trait]
impl Context for ToolContext {
    fn arguments(environment: &Environment) -> Vec<CommonArgument> {
        let choice = environment.clusters.choice();
        let description = match choice {
            Choice::One => "Name of the cluster. May be left out: this server works on one cluster.",
            Choice::Contexts { default: false } => {
                "Name of the cluster: a context of the kubeconfig, or the name of its cluster. May be left out where there \
                 is only one."
            }
            Choice::Contexts { default: true } => {
                "Name of the cluster: a context of the kubeconfig, or the name of its cluster; the server's own where left \
                 out"
            }
            Choice::Eks { default: false } => {
                "Name of the EKS cluster, as list_eks_clusters gives it, or its ARN. May be left out where the region has \
                 only one."
            }
            Choice::Eks { default: true } => {
                "Name of the EKS cluster, as list_eks_clusters gives it, or its ARN; the server's own where left out"
            }
        };
        let cluster = CommonArgument { name: CLUSTER_NAME, required: false, description };
        let aws = if matches!(choice, Choice::Eks { .. }) { vec![REGION, ROLE_ARN] } else { Vec::new() };
        [vec![cluster], aws].concat()
    }

    async fn take(
        environment: &Environment,
        arguments: &mut Map<String, Value>,
        call: &CallContext,
    ) -> Result<Self, ToolError> {
        let name = text(arguments, CLUSTER_NAME)?;
        let region = text(arguments, REGION.name)?.or_else(|| call.session.region());
        let role_arn = text(arguments, ROLE_ARN.name)?;
        let wanted = ClusterRef { name, region, role_arn };
        let cluster = environment.clusters.find(&wanted).await?;
        Ok(Self { cluster, gate: Arc::clone(&environment.gate), call: call.clone() })
    }
}

#[async_trait]
impl Context for AwsContext {
    fn arguments(_: &Environment) -> Vec<CommonArgument> {
        vec![REGION, ROLE_ARN]
    }

    async fn take(
        environment: &Environment,
        arguments: &mut Map<String, Value>,
        call: &CallContext,
    ) -> Result<Self, ToolError> {
        let aws = environment.aws.as_ref().ok_or_else(|| {
            ToolError::Refused("this server has no access to AWS: start it with --eks".to_owned())
        })?;
        let region = text(arguments, REGION.name)?.or_else(|| call.session.region());
        let role_arn = text(arguments, ROLE_ARN.name)?;
        let aws = aws.connection(region.as_deref(), role_arn.as_deref()).await?;
        Ok(Self { aws, gate: Arc::clone(&environment.gate), call: call.clone() })
    }
}

/// Takes a text out of the arguments.
fn text(arguments: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ToolError> {
    match arguments.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(other) => Err(ToolError::InvalidInput(format!(
            "{name} must be a string, not {}",
            shorten(&other.to_string(), 60)
        ))),
    }
}

/// Sessions by key, of which only so many are remembered: the one that was used longest ago is forgotten.
#[derive(Debug, Default)]
pub struct Sessions {
    known: Mutex<HashMap<String, (u64, Session)>>,
}

/// Sessions that are remembered.
const MAX_SESSIONS: usize = 4096;

impl Sessions {
    /// The session of a key, with the rights that the caller has now.
    pub fn of(&self, key: &str, caller: &str, may_write: bool) -> Session {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let next = known.values().map(|(used, _)| *used).max().unwrap_or_default() + 1;
        if known.len() >= MAX_SESSIONS
            && !known.contains_key(key)
            && let Some(oldest) = known.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone())
        {
            known.remove(&oldest);
        }
        let fresh = || (next, Session::new(caller, may_write));
        let (used, session) = known.entry(key.to_owned()).or_insert_with(fresh);
        *used = next;
        Session { caller: caller.into(), may_write, bearer: None, region: session.region.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_remembers_its_region_and_not_that_of_another() {
        let sessions = Sessions::default();
        assert!(sessions.of("a", "alice", false).set_region("eu-west-1"));
        assert_eq!(sessions.of("a", "alice", false).region().as_deref(), Some("eu-west-1"));
        assert_eq!(sessions.of("b", "alice", false).region(), None);
    }

    #[test]
    fn a_session_that_cannot_be_told_from_others_remembers_nothing() {
        let session = Session::stateless("anonymous", false);
        assert!(!session.set_region("eu-west-1"));
        assert_eq!(session.region(), None);
    }

    #[test]
    fn the_session_used_longest_ago_is_forgotten() {
        let sessions = Sessions::default();
        for number in 0..MAX_SESSIONS {
            assert!(sessions.of(&number.to_string(), "a", false).set_region("eu-west-1"));
        }
        sessions.of("0", "a", false);
        sessions.of("new", "a", false);
        assert!(sessions.of("0", "a", false).region().is_some());
        assert_eq!(sessions.of("1", "a", false).region(), None);
    }
}
