//! The model that is no language model: a fixed procedure for the questions that operators ask.
//!
//! Each turn it reads the whole conversation anew: the question says what has to be known, the results so far say what
//! is known, and the difference is what it asks for. When nothing is missing, it writes the answer.

mod account;
mod answer;
mod known;
mod place;
mod question;
mod target;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};

use self::known::Known;
use self::place::Place;
use self::question::{Question, Topic};
use self::target::Target;
use super::{ConverseRequest, Model, ModelDelta, ModelError, ToolCall};

/// Answers from the deterministic diagnosis and the tools, without a language model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Runbook;

impl Model for Runbook {
    fn id(&self) -> &str {
        "runbook"
    }

    fn converse(&self, request: ConverseRequest) -> BoxStream<'static, Result<ModelDelta, ModelError>> {
        stream::iter(turn(&request)).map(Ok).boxed()
    }
}

/// The deltas of one turn: tool calls, a question back, or the answer block by block.
fn turn(request: &ConverseRequest) -> Vec<ModelDelta> {
    let (question, known) = known::read(&request.conversation);
    let place = place::place(request, &known);
    let mut deltas = match &place {
        Place::Find(call) => calls(vec![call.clone()], &known),
        Place::Ask(question) => vec![ModelDelta::Ask(question.clone())],
        Place::Stuck(why) => vec![ModelDelta::Text(why.clone())],
        Place::Given | Place::Cluster { .. } => {
            look(request, &place::without_place(question, &place), &known, &place)
        }
    };
    deltas.push(ModelDelta::Done);
    deltas
}

/// The calls that are missing; the answer where none is.
fn look(request: &ConverseRequest, question: &Question, known: &Known<'_>, place: &Place) -> Vec<ModelDelta> {
    let offered = |name: &str| request.tools.iter().any(|tool| place::is_named(tool, name));
    let missing: Vec<Wanted> = wanted(question, known)
        .into_iter()
        .filter(|(name, _)| offered(name))
        .map(|call| place::at(place, &request.tools, call))
        .filter(|(name, arguments)| !known.has_called(name, arguments))
        .collect();
    match missing.is_empty() {
        true => answer::blocks(question, known).into_iter().map(ModelDelta::Text).collect(),
        false => calls(missing, known),
    }
}

fn calls(wanted: Vec<Wanted>, known: &Known<'_>) -> Vec<ModelDelta> {
    let numbered = wanted.into_iter().enumerate();
    let call = |(index, (name, arguments)): (usize, Wanted)| {
        let id = format!("call-{}", known.calls() + index + 1);
        ModelDelta::ToolCall(ToolCall { id, name: name.to_owned(), arguments })
    };
    numbered.map(call).collect()
}

type Wanted = (&'static str, Value);

/// Everything that the question needs as far as it can be told from what is known; made calls included.
fn wanted(question: &Question, known: &Known<'_>) -> Vec<Wanted> {
    let mut calls = vec![("diagnose_cluster", diagnosis_of(&Target::asked(question)))];
    if question.names_something() {
        calls.push(("list_k8s_resources", json!({ "kind": "namespaces", "limit": 500 })));
    }
    if !known.has_looked() {
        return calls;
    }
    let target = Target::resolve(question, known);
    if let Target::Sought(names) = &target {
        calls.extend(searches(names));
        return calls;
    }
    if !target.is_cluster() {
        calls.push(("diagnose_cluster", diagnosis_of(&target)));
    }
    calls.extend(topic_calls(question.topic, &target, known));
    calls.extend(account::calls(question.topic, &target, known));
    calls
}

/// Arguments of `diagnose_cluster` for a target.
fn diagnosis_of(target: &Target) -> Value {
    match target {
        Target::Cluster | Target::Sought(_) | Target::Unknown(_) => json!({}),
        Target::Namespaces(namespaces) => json!({ "namespaces": namespaces }),
        Target::Object(object) => {
            json!({ "kind": object.kind, "name": object.name, "namespace": object.namespace })
        }
    }
}

/// Looks for the names that the question has and nothing known explains.
fn searches(names: &[String]) -> Vec<Wanted> {
    let mut calls: Vec<Wanted> = target::SEARCHED_KINDS
        .iter()
        .map(|kind| ("list_k8s_resources", json!({ "kind": kind, "limit": 500 })))
        .collect();
    calls.extend(names.iter().take(3).map(|name| {
        ("list_k8s_resources", json!({ "kind": "pods", "field_selector": format!("metadata.name={name}") }))
    }));
    calls
}

fn topic_calls(topic: Topic, target: &Target, known: &Known<'_>) -> Vec<Wanted> {
    let namespaces: Vec<Value> = match target.namespaces() {
        names if names.is_empty() => vec![Value::Null],
        names => names.into_iter().map(Value::String).collect(),
    };
    let list = |kind: &'static str| {
        let each = namespaces.iter().map(move |namespace| {
            ("list_k8s_resources", json!({ "kind": kind, "namespace": namespace, "limit": 200 }))
        });
        each.collect::<Vec<Wanted>>()
    };
    match topic {
        Topic::Health => Vec::new(),
        Topic::Pods => list("pods"),
        Topic::Nodes => vec![("list_k8s_resources", json!({ "kind": "nodes", "limit": 200 }))],
        Topic::Performance => performance(target, &namespaces),
        Topic::Rollouts => {
            let lists = ["deployments", "statefulsets", "daemonsets"].into_iter().flat_map(list);
            lists.chain(history(target)).collect()
        }
        Topic::Events => events(target, &namespaces),
        Topic::Logs => logs(target, known),
        Topic::ApiVersions => vec![("list_api_versions", json!({}))],
    }
}

/// Usage, and the way of a request to what is slow.
fn performance(target: &Target, namespaces: &[Value]) -> Vec<Wanted> {
    let usage = namespaces.iter().map(|namespace| {
        ("get_metrics", json!({ "kind": "pods", "namespace": namespace, "sort_by": "cpu", "limit": 20 }))
    });
    let mut calls: Vec<Wanted> = usage.collect();
    calls.push(("get_metrics", json!({ "kind": "nodes", "limit": 50 })));
    if let Target::Object(object) = target {
        let arguments = json!({ "kind": object.kind, "name": object.name, "namespace": object.namespace });
        calls.push(("trace_service", arguments));
    }
    calls
}

/// What changed last in a workload that rolls out.
fn history(target: &Target) -> Option<Wanted> {
    let Target::Object(object) = target else { return None };
    let rolls_out = ["Deployment", "StatefulSet", "DaemonSet"].contains(&object.kind.as_str());
    let arguments = json!({ "kind": object.kind, "name": object.name, "namespace": object.namespace });
    rolls_out.then_some(("rollout_history", arguments))
}

fn events(target: &Target, namespaces: &[Value]) -> Vec<Wanted> {
    if let Target::Object(object) = target {
        let arguments = json!({ "kind": object.kind, "name": object.name, "namespace": object.namespace });
        return vec![("get_k8s_events", arguments)];
    }
    namespaces.iter().map(|namespace| ("get_k8s_events", json!({ "namespace": namespace }))).collect()
}

/// First the pods of the target, then the log of the one that needs it most.
fn logs(target: &Target, known: &Known<'_>) -> Vec<Wanted> {
    let Target::Object(object) = target else {
        return known.suspect_container().map(|suspect| suspect.log_call()).into_iter().collect();
    };
    let mut calls =
        vec![("list_k8s_resources", json!({ "kind": "pods", "namespace": object.namespace, "limit": 500 }))];
    calls.extend(known.pod_of(object).map(|suspect| suspect.log_call()));
    calls
}

#[cfg(test)]
mod tests;
