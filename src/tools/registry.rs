//! The tools of this server behind their names: schema, arguments, deadline, cancellation and bounds in one place.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tracing::Instrument;

use crate::cluster::ClusterError;

use super::add_inline_policy::AddInlinePolicy;
use super::apply_yaml::ApplyYaml;
use super::arguments;
use super::bounds::bound;
use super::can_i::CanI;
use super::context::{CallContext, Context, Environment};
use super::current_time::CurrentTime;
use super::diagnose_cluster::DiagnoseCluster;
use super::explain_finding::ExplainFinding;
use super::generate_app_manifest::GenerateAppManifest;
use super::get_cloudwatch_logs::GetCloudwatchLogs;
use super::get_cloudwatch_metrics::GetCloudwatchMetrics;
use super::get_eks_insights::GetEksInsights;
use super::get_eks_metrics_guidance::GetEksMetricsGuidance;
use super::get_eks_vpc_config::GetEksVpcConfig;
use super::get_k8s_events::GetK8sEvents;
use super::get_metrics::GetMetrics;
use super::get_pod_logs::GetPodLogs;
use super::get_policies_for_role::GetPoliciesForRole;
use super::list_api_versions::ListApiVersions;
use super::list_eks_clusters::ListEksClusters;
use super::list_k8s_resources::ListK8sResources;
use super::manage_eks_stacks::ManageEksStacks;
use super::manage_k8s_resource::ManageK8sResource;
use super::read_more::{Kept, ReadMore};
use super::rollout_history::RolloutHistory;
use super::schema::{input_schema, output_schema};
use super::search_eks_troubleshoot_guide::SearchEksTroubleshootGuide;
use super::set_aws_region::SetAwsRegion;
use super::text::{nearest, plain, shorten};
use super::trace_service::TraceService;
use super::{Annotations, Tool, ToolError, ToolOutcome, ToolSpec, Toolbox};

/// How long a call may take where nothing else is said.
const DEADLINE: Duration = Duration::from_secs(60);

/// How much of outcomes that were cut is kept for `read_more` where nothing else is said, in bytes.
const KEPT_BYTES: usize = 16 << 20;

/// Longest text of an error, in characters: it may quote what it was given.
const MAX_ERROR: usize = 2000;

/// Tools by name. A call never panics and never runs longer than the deadline.
pub struct Registry {
    environment: Environment,
    tools: Vec<Registered>,
    deadline: Duration,
    /// Whole outcomes for `read_more`, where that is offered.
    kept: Option<Arc<Kept>>,
}

type Outcome = Result<ToolOutcome, ToolError>;
type Call = dyn Fn(Map<String, Value>, CallContext) -> BoxFuture<'static, Outcome> + Send + Sync;

struct Registered {
    /// As it is offered to who may do everything.
    spec: ToolSpec,
    /// As it is offered to who may only read, if it is.
    reading: Option<ToolSpec>,
    sensitive: bool,
    call: Box<Call>,
}

impl Registered {
    fn new<T: Tool>(tool: T, environment: &Environment) -> Self {
        let (tool, environment) = (Arc::new(tool), environment.clone());
        let schema = Arc::new(input_schema::<T::Input>(&T::Context::arguments(&environment)));
        let spec = ToolSpec {
            name: T::NAME.into(),
            title: T::TITLE.into(),
            description: T::DESCRIPTION.into(),
            input_schema: Value::clone(&schema),
            output_schema: Some(output_schema::<T::Output>()),
            annotations: T::ANNOTATIONS,
        };
        let call = move |mut arguments, call: CallContext| {
            let (tool, schema, environment) = (Arc::clone(&tool), Arc::clone(&schema), environment.clone());
            async move {
                let cx = T::Context::take(&environment, &mut arguments, &call).await?;
                tool.run(arguments::parse(&schema, arguments)?, &cx).await
            }
            .boxed()
        };
        let reading = reading(&spec, T::READ_OPERATIONS);
        Self { spec, reading, sensitive: T::SENSITIVE, call: Box::new(call) }
    }

    /// As it is offered to this caller, if it is.
    fn offered(&self, may_write: bool) -> Option<&ToolSpec> {
        if may_write { Some(&self.spec) } else { self.reading.as_ref() }
    }
}

/// The tool where nothing may be changed: whole, with some operations, or not at all.
fn reading(spec: &ToolSpec, operations: &[&str]) -> Option<ToolSpec> {
    if spec.annotations.read_only_hint {
        return Some(spec.clone());
    }
    if operations.is_empty() {
        return None;
    }
    let mut spec = ToolSpec { annotations: Annotations::READS, ..spec.clone() };
    spec.input_schema["properties"]["operation"]["enum"] = operations.into();
    Some(spec)
}

impl Registry {
    /// No tools yet.
    pub fn empty(environment: Environment) -> Self {
        Self { environment, tools: Vec::new(), deadline: DEADLINE, kept: None }
    }

    /// Everything that can be done in this environment.
    pub fn standard(environment: Environment) -> Self {
        let cluster = environment.clusters.only().map(|cluster| cluster.info.clone());
        let aws = environment.aws.is_some();
        let tools = Self::empty(environment)
            .with(DiagnoseCluster)
            .with(ListK8sResources)
            .with(ManageK8sResource)
            .with(ApplyYaml)
            .with(GetPodLogs)
            .with(GetK8sEvents)
            .with(GetMetrics)
            .with(ListApiVersions)
            .with(TraceService)
            .with(RolloutHistory)
            .with(CanI)
            .with(SearchEksTroubleshootGuide::default())
            .with(ExplainFinding)
            .with(GetEksMetricsGuidance)
            .with(GenerateAppManifest)
            .with(CurrentTime { cluster })
            .keeping(KEPT_BYTES);
        if aws { tools.with_account() } else { tools }
    }

    /// These tools and those of an AWS account.
    fn with_account(self) -> Self {
        self.with(SetAwsRegion)
            .with(ListEksClusters)
            .with(GetEksInsights)
            .with(GetEksVpcConfig)
            .with(GetPoliciesForRole)
            .with(AddInlinePolicy)
            .with(GetCloudwatchLogs)
            .with(GetCloudwatchMetrics)
            .with(ManageEksStacks)
    }

    /// These tools and one more.
    #[must_use]
    pub fn with<T: Tool>(mut self, tool: T) -> Self {
        self.tools.push(Registered::new(tool, &self.environment));
        self
    }

    /// Keeps what was cut of outcomes, at most so many bytes of it, and offers `read_more`. A second call replaces the
    /// room of the first.
    #[must_use]
    pub fn keeping(mut self, max_bytes: usize) -> Self {
        self.tools.retain(|tool| tool.spec.name != ReadMore::NAME);
        let kept = Arc::new(Kept::new(max_bytes));
        self.kept = Some(Arc::clone(&kept));
        self.with(ReadMore { kept })
    }

    /// Another deadline for each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn find(&self, name: &str, may_write: bool) -> Result<&Registered, ToolError> {
        self.tools.iter().find(|tool| tool.spec.name == name).ok_or_else(|| {
            let offered = || self.tools.iter().filter_map(|tool| tool.offered(may_write));
            let names = || offered().map(|spec| &*spec.name);
            let near = match nearest(name, names(), 1) {
                near if near.is_empty() => names().map(str::to_owned).collect(),
                near => near,
            };
            ToolError::UnknownTool { name: shorten(name, 60), near }
        })
    }

    async fn try_call(&self, name: &str, arguments: Value, cx: &CallContext) -> Outcome {
        let gate = &self.environment.gate;
        let may_write = gate.may_write(cx);
        let tool = self.find(name, may_write)?;
        let mut arguments = arguments::object(arguments)?;
        let Some(offered) = tool.offered(may_write) else {
            gate.check_write(name, cx)?;
            return Err(ToolError::Bug);
        };
        if !may_write && !tool.spec.annotations.read_only_hint {
            let asked = arguments.get("operation").and_then(Value::as_str).unwrap_or_default();
            let choices = |spec: &ToolSpec| spec.input_schema["properties"]["operation"]["enum"].clone();
            if arguments::is_choice(&choices(&tool.spec), asked)
                && !arguments::is_choice(&choices(offered), asked)
            {
                gate.check_write(&format!("the operation {asked} of {name}"), cx)?;
            }
        }
        if tool.sensitive {
            gate.check_sensitive(name)?;
        }
        arguments::check(&offered.input_schema, &mut arguments)?;
        let notes = arguments::unknown(&offered.input_schema, &arguments);
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
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        let may_write = self.environment.gate.may_write(cx);
        Ok(self.tools.iter().filter_map(|tool| tool.offered(may_write)).cloned().collect())
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        let span = tracing::info_span!("tool", tool.name = name);
        let called = async {
            let outcome = self.try_call(name, arguments, cx).await;
            outcome.unwrap_or_else(|error| failed(&error))
        };
        let outcome = called.instrument(span).await;
        let handle = self.kept.as_ref().and_then(|kept| kept.keep(&outcome, cx));
        bound(outcome, cx.max_bytes, handle.as_deref())
    }
}

fn failed(error: &ToolError) -> ToolOutcome {
    if let ToolError::Cluster(ClusterError::Unreachable(_)) = error {
        tracing::warn!(%error, "the cluster did not answer a tool");
    } else if matches!(error, ToolError::Bug) {
        tracing::error!("a tool panicked");
    }
    ToolOutcome::failed(shorten(&plain(&error.to_string()), MAX_ERROR))
}
