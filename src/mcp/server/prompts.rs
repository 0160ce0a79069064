//! The diagnostic workflows as prompts: what to look at, in which order, with which tools.

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CacheScope, GetPromptRequestParams, GetPromptResult, ListPromptsResult, Prompt, PromptArgument,
    PromptMessage, Role,
};
use serde_json::Value;

use super::LIST_TTL;

/// Longest value of an argument, in characters: names are short.
const MAX_ARGUMENT: usize = 253;

/// A workflow.
struct Workflow {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// What is asked, before where.
    ask: &'static str,
    steps: &'static [&'static str],
}

/// An argument of all workflows.
struct Argument {
    name: &'static str,
    description: &'static str,
    /// What it is called in the question.
    says: &'static str,
}

const ARGUMENTS: &[Argument] = &[
    Argument { name: "cluster_name", description: "Name of the cluster", says: "cluster" },
    Argument { name: "region", description: "AWS region, such as eu-west-1", says: "AWS region" },
    Argument { name: "namespace", description: "Namespace to look at", says: "namespace" },
    Argument { name: "workload", description: "What is affected, such as deployment/web", says: "workload" },
];

const DISCOVERY: &str = "Where the cluster is not known, do not guess: where set_aws_region and list_eks_clusters are \
     offered, set the region (ask for it if it was not said), list the clusters, and ask which one is meant if there are \
     several.";
const DIAGNOSE: &str = "Call diagnose_cluster with the scope that is known. It names root causes with evidence; take \
     them as facts and go on from there.";
const REPORT: &str = "Answer with the root causes in the order of their severity, each with its evidence, the exact \
     repair and how to verify it. Say what could not be looked at. Change nothing without the user's approval.";

const WORKFLOWS: &[Workflow] = &[
    Workflow {
        name: "health_check",
        title: "Is the cluster healthy?",
        description: "Looks at the whole cluster: nodes, system workloads, what fails, what will fail soon",
        ask: "Check the health of the cluster",
        steps: &[
            "List what is not healthy with list_k8s_resources (nodes, and pods of all namespaces) and get_k8s_events.",
            "Where AWS tools are offered: get_eks_insights for upgrade readiness and configuration, get_eks_vpc_config \
             for free addresses, get_cloudwatch_metrics for node_cpu_utilization, node_memory_utilization and \
             cluster_failed_node_count.",
        ],
    },
    Workflow {
        name: "pod_crash",
        title: "Why does a pod crash?",
        description: "Finds out why pods restart, do not start, or stay pending",
        ask: "Find out why pods crash or do not start",
        steps: &[
            "Read the log of the failing container with get_pod_logs, and with previous=true that of the run before.",
            "Read get_k8s_events of the pod, and its owner with manage_k8s_resource (operation read).",
            "Explain each finding's rule with explain_finding; for what has no finding, ask \
             search_eks_troubleshoot_guide with the exact error text.",
            "Where get_cloudwatch_logs is offered and the pod is gone, read its last lines there.",
        ],
    },
    Workflow {
        name: "slowness",
        title: "Why is it slow?",
        description: "Finds out why an application is slow or times out",
        ask: "Find out why the application is slow",
        steps: &[
            "Compare use with requests and limits: get_metrics where it is offered, else get_cloudwatch_metrics \
             (pod_cpu_utilization_over_pod_limit, pod_memory_utilization_over_pod_limit, node_cpu_utilization).",
            "Follow the way of a request with trace_service where it is offered: ingress, service, endpoints, pods, \
             network policies.",
            "Look at the autoscaler and at restarts: list_k8s_resources for HorizontalPodAutoscaler and Pod.",
            "Read timeouts and refused connections in get_pod_logs, and follow them to the service that they name.",
        ],
    },
    Workflow {
        name: "deployment_failure",
        title: "Why did the deployment fail?",
        description: "Finds out why a rollout does not finish, and what changed",
        ask: "Find out why the deployment failed",
        steps: &[
            "See what changed last with rollout_history where it is offered, else read the Deployment and its \
             ReplicaSets with list_k8s_resources.",
            "Read get_k8s_events of the Deployment, its ReplicaSet and its new pods, and get_pod_logs of a new pod.",
            "Compare the old and the new revision: image, command, environment, probes, resources, mounted \
             configuration.",
            "Say if going back to the last good revision is safe, and the exact command for it.",
        ],
    },
];

pub(super) fn list() -> ListPromptsResult {
    let arguments = || {
        let argument = |argument: &Argument| {
            PromptArgument::new(argument.name).with_description(argument.description).with_required(false)
        };
        ARGUMENTS.iter().map(argument).collect()
    };
    let prompt = |workflow: &Workflow| {
        Prompt::new(workflow.name, Some(workflow.description), Some(arguments())).with_title(workflow.title)
    };
    let mut result = ListPromptsResult::with_all_items(WORKFLOWS.iter().map(prompt).collect());
    (result.ttl_ms, result.cache_scope) = (Some(LIST_TTL), Some(CacheScope::Public));
    result
}

pub(super) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResult, McpError> {
    let workflow = WORKFLOWS.iter().find(|workflow| workflow.name == request.name);
    let workflow = workflow.ok_or_else(|| {
        let names: Vec<&str> = WORKFLOWS.iter().map(|workflow| workflow.name).collect();
        McpError::invalid_params(format!("there is no such prompt; there are {}", names.join(", ")), None)
    })?;
    let mut question = workflow.ask.to_owned();
    for argument in ARGUMENTS {
        if let Some(value) = said(request, argument.name)? {
            question.push_str(&format!("; {}: {value}", argument.says));
        }
    }
    let steps = [&[DISCOVERY, DIAGNOSE], workflow.steps, &[REPORT]].concat();
    let steps: Vec<String> =
        steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1)).collect();
    let text = format!("{question}.\n\n{}\n", steps.join("\n"));
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
        .with_description(workflow.description))
}

/// The value of an argument, if it says something.
fn said<'a>(request: &'a GetPromptRequestParams, name: &str) -> Result<Option<&'a str>, McpError> {
    match request.arguments.as_ref().and_then(|arguments| arguments.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value.len() <= MAX_ARGUMENT && !value.contains(char::is_control) => {
            Ok(Some(value.trim()).filter(|value| !value.is_empty()))
        }
        Some(_) => {
            Err(McpError::invalid_params(format!("{name} must be a name: one short line of text"), None))
        }
    }
}
