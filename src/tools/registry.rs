//! The tools of this server behind their names: schema, arguments, deadline, cancellation and bounds in one place.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tracing::Instrument;

use crate::cluster::{ClusterError, ClusterInfo};

use super::arguments;
use super::bounds::bound;
use super::current_time::CurrentTime;
use super::diagnose_cluster::DiagnoseCluster;
use super::get_k8s_events::GetK8sEvents;
use super::get_pod_logs::GetPodLogs;
use super::list_api_versions::ListApiVersions;
use super::list_k8s_resources::ListK8sResources;
use super::manage_k8s_resource::ManageK8sResource;
use super::schema::{CLUSTER_NAME, input_schema};
use super::text::{nearest, plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome, ToolSpec, Toolbox};

/// How long a call may take where nothing else is said.
const DEADLINE: Duration = Duration::from_secs(60);

/// Tools by name. A call never panics and never runs longer than the deadline.
pub struct Registry {
    tools: Vec<Registered>,
    deadline: Duration,
}

type Outcome = Result<ToolOutcome, ToolError>;
type Call = dyn Fn(Map<String, Value>, ToolContext) -> BoxFuture<'static, Outcome> + Send + Sync;

struct Registered {
    spec: ToolSpec,
    call: Box<Call>,
}

impl Registered {
    fn new<T: Tool>(tool: T) -> Self {
        let tool = Arc::new(tool);
        let schema = Arc::new(input_schema::<T::Input>());
        let spec =
            ToolSpec { name: T::NAME, description: T::DESCRIPTION, input_schema: Value::clone(&schema) };
        let call = move |arguments, cx: ToolContext| {
            let (tool, schema) = (Arc::clone(&tool), Arc::clone(&schema));
            async move { tool.run(arguments::parse(&schema, arguments)?, &cx).await }.boxed()
        };
        Self { spec, call: Box::new(call) }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { tools: Vec::new(), deadline: DEADLINE }
    }
}

impl Registry {
    /// The tools that read a Kubernetes cluster.
    pub fn kubernetes() -> Self {
        Self::default()
            .with(DiagnoseCluster)
            .with(ListK8sResources)
            .with(ManageK8sResource)
            .with(GetPodLogs)
            .with(GetK8sEvents)
            .with(ListApiVersions)
            .with(CurrentTime)
    }

    /// These tools and one more.
    #[must_use]
    pub fn with<T: Tool>(mut self, tool: T) -> Self {
        self.tools.push(Registered::new(tool));
        self
    }

    /// Another deadline for each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn find(&self, name: &str) -> Result<&Registered, ToolError> {
        self.tools.iter().find(|tool| tool.spec.name == name).ok_or_else(|| {
            let names = || self.tools.iter().map(|tool| tool.spec.name);
            let near = match nearest(name, names(), 1) {
                near if near.is_empty() => names().map(str::to_owned).collect(),
                near => near,
            };
            ToolError::UnknownTool { name: shorten(name, 60), near }
        })
    }

    async fn try_call(&self, name: &str, arguments: Value, cx: &ToolContext) -> Outcome {
        let tool = self.find(name)?;
        let mut arguments = arguments::check(&tool.spec.input_schema, arguments)?;
        check_cluster(arguments.remove(CLUSTER_NAME), &cx.cluster.info)?;
        let notes = arguments::unknown(&tool.spec.input_schema, &arguments);
        let run = AssertUnwindSafe((tool.call)(arguments, cx.clone())).catch_unwind();
        let mut outcome = tokio::select! {
            biased;
            () = cx.cancellation.cancelled() => return Err(ToolError::Canceled),
            ended = tokio::time::timeout(self.deadline, run) => match ended {
                Ok(Ok(outcome)) => outcome?,
                Ok(Err(_panic)) => return Err(ToolError::Bug),
                Err(_) => return Err(ToolError::TimedOut(self.deadline)),
            },
        };
        for note in notes {
            outcome.text.push_str(&format!("\n{note}\n"));
        }
        Ok(outcome)
    }
}

#[async_trait::async_trait]
impl Toolbox for Registry {
    fn list(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec.clone()).collect()
    }

    async fn call(&self, name: &str, arguments: Value, cx: &ToolContext) -> ToolOutcome {
        let span = tracing::info_span!("tool", tool.name = name);
        let called = async {
            let outcome = self.try_call(name, arguments, cx).await;
            outcome.unwrap_or_else(|error| failed(&error))
        };
        bound(called.instrument(span).await, cx.max_bytes)
    }
}

fn failed(error: &ToolError) -> ToolOutcome {
    if let ToolError::Cluster(ClusterError::Unreachable(_)) = error {
        tracing::warn!(%error, "the cluster did not answer a tool");
    } else if matches!(error, ToolError::Bug) {
        tracing::error!("a tool panicked");
    }
    let text = plain(&error.to_string());
    ToolOutcome { is_error: true, structured: json!({ "error": text }), text, truncated: false }
}

/// A tool works on one cluster. Callers may name it by any part of what it is called: `prod` for
/// `arn:aws:eks:eu-west-1:111122223333:cluster/prod` or `admin@prod.eu-west-1.eksctl.io`, or the other way round.
fn check_cluster(given: Option<Value>, cluster: &ClusterInfo) -> Result<(), ToolError> {
    let Some(given) = given else { return Ok(()) };
    let given = given.as_str().map_or_else(|| given.to_string(), |name| name.trim().to_owned());
    let is_part = |part: &str, whole: &str| {
        part.eq_ignore_ascii_case(whole)
            || whole.split(['/', '@', ':', '.']).any(|segment| segment.eq_ignore_ascii_case(part))
    };
    if given.is_empty() || is_part(&given, &cluster.name) || is_part(&cluster.name, &given) {
        return Ok(());
    }
    Err(ToolError::InvalidInput(format!(
        "cluster_name {:?} is not the cluster of this server: it works on {:?}; leave cluster_name out or name that one",
        shorten(&given, 60),
        cluster.name
    )))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(None, true)]
    #[case::empty(Some(""), true)]
    #[case::its_arn(Some("arn:aws:eks:eu-west-1:111122223333:cluster/prod"), true)]
    #[case::its_name(Some("prod"), true)]
    #[case::in_other_letters(Some("Prod"), true)]
    #[case::another(Some("prod-2"), false)]
    #[case::a_piece_of_it(Some("pro"), false)]
    fn a_cluster_is_known_by_the_parts_of_its_name(#[case] given: Option<&str>, #[case] fits: bool) {
        let name = "arn:aws:eks:eu-west-1:111122223333:cluster/prod".to_owned();
        let info = ClusterInfo { name, version: None, recorded: false, captured_at: None };
        assert_eq!(check_cluster(given.map(Value::from), &info).is_ok(), fits);
    }

    #[test]
    fn an_arn_names_a_cluster_that_is_known_by_its_short_name() {
        let info = ClusterInfo { name: "prod".to_owned(), version: None, recorded: true, captured_at: None };
        let arn = Value::from("arn:aws:eks:eu-west-1:111122223333:cluster/prod");
        assert!(check_cluster(Some(arn), &info).is_ok());
        let refused = check_cluster(Some(Value::from("test")), &info).unwrap_err().to_string();
        assert!(refused.contains("it works on \"prod\""), "{refused}");
    }
}
