//! Amounts of CPU and memory, and what they are in per cent of.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::diagnosis::quantity;
use crate::tools::objects::{name_of, namespace_of};

use super::percent;

/// CPU in cores, memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Amounts {
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<f64>,
}

impl Amounts {
    /// `{"cpu": "250m", "memory": "64Mi"}`.
    fn read(amounts: &Value) -> Self {
        Self { cpu: quantity::of(&amounts["cpu"]), memory: quantity::of(&amounts["memory"]) }
    }

    /// What is not stated adds nothing; where nobody states it, there is no sum.
    pub(super) fn sum<'s>(all: impl Iterator<Item = &'s Self>) -> Self {
        let add = |sum: Option<f64>, more: Option<f64>| match (sum, more) {
            (Some(sum), Some(more)) => Some(sum + more),
            (sum, more) => sum.or(more),
        };
        all.fold(Self::default(), |sum, more| Self {
            cpu: add(sum.cpu, more.cpu),
            memory: add(sum.memory, more.memory),
        })
    }

    /// `cpu 250m, memory 64Mi`.
    pub(super) fn shown(&self) -> String {
        format!("cpu {}, memory {}", show("cpu", self.cpu), show("memory", self.memory))
    }

    fn percent_of(&self, whole: &Self) -> Percent {
        Percent { cpu: ratio(self.cpu, whole.cpu), memory: ratio(self.memory, whole.memory) }
    }
}

/// Per cent, whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Percent {
    pub(super) cpu: Option<u64>,
    pub(super) memory: Option<u64>,
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<u64> {
    let (part, whole) = part.zip(whole.filter(|whole| *whole > 0.0))?;
    format!("{:.0}", part / whole * 100.0).parse().ok()
}

fn show(resource: &str, amount: Option<f64>) -> String {
    amount.map_or_else(|| "?".to_owned(), |amount| quantity::show(resource, amount))
}

/// What something uses, and what it is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    /// Cores and bytes.
    pub(super) used: Amounts,
    /// Of a pod: what it asks for. Of a node: what its pods ask for.
    requests: Amounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Amounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocatable: Option<Amounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_requests: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_limits: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_allocatable: Option<Percent>,
    /// Of a node: what is requested on it, in per cent of what it can allocate.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_requested: Option<Percent>,
    #[serde(skip)]
    pub(super) measured: Option<Timestamp>,
}

impl Usage {
    /// Orders what uses the same.
    pub(super) fn names(&self) -> (Option<&str>, &str, Option<&str>) {
        (self.namespace.as_deref(), &self.name, self.container.as_deref())
    }

    pub(super) fn row(&self, with_namespace: bool, kind: &str) -> Vec<String> {
        let names = [self.namespace.clone().filter(|_| with_namespace), Some(self.name.clone())];
        let container = self.container.clone().filter(|_| kind == "containers");
        let (first, second) = match kind {
            "nodes" => (self.percent_of_allocatable, self.percent_requested),
            _ => (self.percent_of_requests, self.percent_of_limits),
        };
        let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
        let amounts = [
            show("cpu", self.used.cpu),
            percent(first.cpu),
            percent(second.cpu),
            show("memory", self.used.memory),
            percent(first.memory),
            percent(second.memory),
        ];
        names.into_iter().flatten().chain(container).chain(amounts).collect()
    }
}

/// The containers that run side by side: sidecars are among the init containers.
fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    let inits = spec["initContainers"].as_array().into_iter().flatten();
    let sidecars = inits.filter(|container| container["restartPolicy"] == "Always");
    spec["containers"].as_array().into_iter().flatten().chain(sidecars)
}

fn asked(container: &Value, list: &str) -> Amounts {
    Amounts::read(&container["resources"][list])
}

/// What a pod asks for.
pub(super) fn requests(spec: &Value) -> Amounts {
    sum_of(spec, "requests")
}

fn sum_of(spec: &Value, list: &str) -> Amounts {
    let all: Vec<Amounts> = containers(spec).map(|container| asked(container, list)).collect();
    Amounts::sum(all.iter())
}

/// A pod may use without bound what one of its containers may.
fn limits(spec: &Value) -> Amounts {
    let all: Vec<Amounts> = containers(spec).map(|container| asked(container, "limits")).collect();
    let sum = Amounts::sum(all.iter());
    Amounts {
        cpu: sum.cpu.filter(|_| all.iter().all(|limit| limit.cpu.is_some())),
        memory: sum.memory.filter(|_| all.iter().all(|limit| limit.memory.is_some())),
    }
}

pub(super) fn of_pod(measured: &Value, spec: &Value) -> Usage {
    let parts: Vec<Amounts> = parts(measured).map(|part| Amounts::read(&part["usage"])).collect();
    against(measured, None, Amounts::sum(parts.iter()), requests(spec), limits(spec))
}

pub(super) fn container_usages(measured: &Value, spec: &Value) -> Vec<Usage> {
    let usage = |part: &Value| {
        let own =
            containers(spec).find(|container| container["name"] == part["name"]).unwrap_or(&Value::Null);
        let name = part["name"].as_str().unwrap_or_default();
        let used = Amounts::read(&part["usage"]);
        against(measured, Some(name), used, asked(own, "requests"), asked(own, "limits"))
    };
    parts(measured).map(usage).collect()
}

fn parts(measured: &Value) -> impl Iterator<Item = &Value> {
    measured["containers"].as_array().into_iter().flatten()
}

fn against(
    measured: &Value,
    container: Option<&str>,
    used: Amounts,
    requests: Amounts,
    limits: Amounts,
) -> Usage {
    Usage {
        namespace: Some(namespace_of(measured).to_owned()),
        container: container.map(str::to_owned),
        percent_of_requests: Some(used.percent_of(&requests)),
        percent_of_limits: Some(used.percent_of(&limits)),
        requests,
        limits: Some(limits),
        ..Usage::blank(measured, used)
    }
}

pub(super) fn of_node(measured: &Value, allocatable: &Value, requests: Amounts) -> Usage {
    let (used, allocatable) = (Amounts::read(&measured["usage"]), Amounts::read(allocatable));
    Usage {
        percent_of_allocatable: Some(used.percent_of(&allocatable)),
        percent_requested: Some(requests.percent_of(&allocatable)),
        requests,
        allocatable: Some(allocatable),
        ..Usage::blank(measured, used)
    }
}

impl Usage {
    fn blank(measured: &Value, used: Amounts) -> Self {
        Self {
            namespace: None,
            name: name_of(measured).to_owned(),
            container: None,
            used,
            requests: Amounts::default(),
            limits: None,
            allocatable: None,
            percent_of_requests: None,
            percent_of_limits: None,
            percent_of_allocatable: None,
            percent_requested: None,
            measured: measured["timestamp"].as_str().and_then(|time| time.parse().ok()),
        }
    }
}
