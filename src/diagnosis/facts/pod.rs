//! Pods taken apart: their containers with spec and status side by side, and the workload that they belong to.

use serde_json::Value;

use super::object::{Key, Object, Read, reference};
use crate::diagnosis::report::ObjectRef;

/// What a change has to be made to in order to change a pod: the topmost owner, or the pod itself.
#[derive(Debug, Clone)]
pub(crate) struct Workload<'a> {
    pub(crate) reference: ObjectRef,
    /// Absent where the owner was not read (a custom resource, or no permission).
    pub(crate) object: Option<Object<'a>>,
}

impl<'a> Workload<'a> {
    pub(crate) fn of(object: Object<'a>) -> Self {
        Self { reference: object.reference(), object: Some(object) }
    }

    /// The owner of `owned`, known by reference only. A ReplicaSet that was not read is seen through: its Deployment's
    /// name is its own without the hash.
    pub(crate) fn absent(owned: Object<'a>, owner: &'a Value) -> Self {
        let (name, namespace) = (owner.text("/name"), owned.namespace());
        let hash = owned.label("pod-template-hash").map(|hash| format!("-{hash}"));
        let deployment =
            hash.and_then(|hash| name.strip_suffix(&hash)).filter(|_| owner["kind"] == "ReplicaSet");
        let reference = match deployment {
            Some(deployment) => reference("apps/v1", "Deployment", namespace, deployment),
            None => reference(owner.text("/apiVersion"), owner.text("/kind"), namespace, name),
        };
        Self { reference, object: None }
    }

    pub(crate) fn key(&self) -> Key {
        Key::from(&self.reference)
    }

    pub(crate) fn kind(&self) -> &str {
        &self.reference.kind
    }

    /// JSON pointer of the pod's spec in the workload: `/spec/template/spec`, or `/spec` of a bare pod.
    pub(crate) fn pod_spec_pointer(&self) -> &'static str {
        match self.kind() {
            "Pod" => "/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            _ => "/spec/template/spec",
        }
    }

    /// Desired number of pods, for kinds that have one.
    pub(crate) fn desired(&self) -> Option<i64> {
        let value = self.object?.value();
        match self.kind() {
            "DaemonSet" => value.int("/status/desiredNumberScheduled"),
            "Deployment" | "StatefulSet" | "ReplicaSet" => Some(value.int("/spec/replicas").unwrap_or(1)),
            _ => None,
        }
    }

    /// How many pods are ready, for kinds that count them.
    pub(crate) fn ready(&self) -> Option<i64> {
        let value = self.object?.value();
        match self.kind() {
            "DaemonSet" => Some(value.int("/status/numberReady").unwrap_or(0)),
            "Deployment" | "StatefulSet" | "ReplicaSet" => {
                Some(value.int("/status/readyReplicas").unwrap_or(0))
            }
            _ => None,
        }
    }
}

/// Which list of the pod's spec a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerRole {
    /// Runs to its end before the others start.
    Init,
    /// An init container with `restartPolicy: Always`: starts first, runs beside the others.
    Sidecar,
    /// An ordinary one.
    App,
}

/// A container with what the spec wants and the status says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) role: ContainerRole,
    /// Its place in `spec.containers` or `spec.initContainers`.
    pub(crate) index: usize,
    pub(crate) spec: &'a Value,
    /// `null` where the kubelet has not reported yet.
    pub(crate) status: &'a Value,
    /// Its place in the list of statuses.
    status_index: usize,
}

impl<'a> Container<'a> {
    pub(crate) fn name(&self) -> &'a str {
        self.spec.text("/name")
    }

    pub(crate) fn image(&self) -> &'a str {
        self.spec.text("/image")
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.status.flag("/ready")
    }

    pub(crate) fn restarts(&self) -> i64 {
        self.status.int("/restartCount").unwrap_or(0)
    }

    /// Why it waits, such as `CrashLoopBackOff`.
    pub(crate) fn waiting_reason(&self) -> Option<&'a str> {
        self.status.pointer("/state/waiting").map(|waiting| waiting.text("/reason"))
    }

    pub(crate) fn waiting_message(&self) -> &'a str {
        self.status.text("/state/waiting/message")
    }

    pub(crate) fn running_since(&self) -> Option<jiff::Timestamp> {
        self.status.time("/state/running/startedAt")
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status.pointer("/state/running").is_some()
    }

    /// The end of the current instance.
    pub(crate) fn terminated(&self) -> Option<&'a Value> {
        self.status.pointer("/state/terminated")
    }

    /// How the newest instance that has ended came to its end, and the JSON pointer below `status` where that stands.
    pub(crate) fn last_end(&self) -> Option<(&'a Value, &'static str)> {
        let places = ["/state/terminated", "/lastState/terminated"];
        places.into_iter().find_map(|place| Some((self.status.pointer(place)?, place)))
    }

    /// `/initContainers/0`, below the pod's spec.
    pub(crate) fn spec_pointer(&self) -> String {
        let list = match self.role {
            ContainerRole::Init | ContainerRole::Sidecar => "initContainers",
            ContainerRole::App => "containers",
        };
        format!("/{list}/{}", self.index)
    }

    /// `/status/containerStatuses/0`.
    pub(crate) fn status_pointer(&self) -> String {
        let list = match self.role {
            ContainerRole::Init | ContainerRole::Sidecar => "initContainerStatuses",
            ContainerRole::App => "containerStatuses",
        };
        format!("/status/{list}/{}", self.status_index)
    }
}

/// A pod of the snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Pod<'a> {
    pub(crate) object: Object<'a>,
    pub(crate) workload: Workload<'a>,
    /// Init containers first, in the order in which they run.
    pub(crate) containers: Vec<Container<'a>>,
}

impl<'a> Pod<'a> {
    pub(crate) fn new(object: Object<'a>, workload: Workload<'a>) -> Self {
        let value = object.value();
        let inits = containers(value, "/spec/initContainers", "/status/initContainerStatuses", |spec| {
            match spec["restartPolicy"] == "Always" {
                true => ContainerRole::Sidecar,
                false => ContainerRole::Init,
            }
        });
        let apps = containers(value, "/spec/containers", "/status/containerStatuses", |_| ContainerRole::App);
        Self { object, workload, containers: inits.chain(apps).collect() }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.object.value()
    }

    pub(crate) fn phase(&self) -> &'a str {
        self.value().text("/status/phase")
    }

    /// The node it is bound to.
    pub(crate) fn node(&self) -> Option<&'a str> {
        self.value().maybe_text("/spec/nodeName").filter(|name| !name.is_empty())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.object.condition("Ready").is_some_and(|condition| condition["status"] == "True")
    }

    /// It has run to its end, well or not.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }
}

fn containers<'a>(
    pod: &'a Value,
    specs: &str,
    statuses: &str,
    role: impl Fn(&Value) -> ContainerRole,
) -> impl Iterator<Item = Container<'a>> {
    let statuses = pod.list(statuses);
    pod.list(specs).iter().enumerate().map(move |(index, spec)| {
        let status_index = statuses.iter().position(|status| status["name"] == spec["name"]);
        let status = status_index.and_then(|index| statuses.get(index)).unwrap_or(&Value::Null);
        Container { role: role(spec), index, spec, status, status_index: status_index.unwrap_or(0) }
    })
}
