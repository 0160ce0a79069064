//! What is wrong with a pod: each is looked at once, in the order in which the kubelet works (FAILURES 1.1): scheduled,
//! volumes and sandbox, init containers, images, start, run, ready.

use std::collections::BTreeMap;

use crate::diagnosis::draft::{self, Draft};
use crate::diagnosis::facts::{Container, ContainerRole, Facts, Key, KubeEvent, Pod, Read, Workload};
use crate::diagnosis::report::{Evidence, Severity};
use crate::diagnosis::snapshot::LogRef;

use super::{config, crashes, images, nodes, probes, sandbox, scheduling, storage, workloads};

/// A pod that has not got beyond `ContainerCreating` is given this long, in seconds, before silence counts as trouble.
const CREATION_GRACE: i64 = 120;
/// An init container that runs this long, in seconds, waits for something.
const INIT_GRACE: i64 = 300;
/// A container that ended within this time, in seconds, and runs again is still flapping.
const RECENT: i64 = 3600;
/// Restarts below this number are not worth a finding while the container runs.
const FEW_RESTARTS: i64 = 3;

/// What kind of trouble, in the order of a pod's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No node takes it.
    Unscheduled,
    /// Volumes, network or sandbox are not ready.
    Creating,
    /// The image does not come.
    Image,
    /// The container cannot be created from its specification.
    Config,
    /// The runtime cannot start it.
    Start,
    /// It starts and ends, again and again.
    Crash,
    /// An init container does not come to its end.
    InitWaits,
    /// It runs and is not ready.
    NotReady,
    /// The kubelet evicted it.
    Evicted,
    /// The kubelet refused it when it came.
    Rejected,
    /// It is being deleted and does not go.
    Lingering,
    /// Its node does not answer; whatever its status says is old.
    NodeDown,
}

/// One pod in trouble.
#[derive(Debug, Clone)]
pub(super) struct Case<'f, 'a> {
    pub(super) trouble: Trouble,
    pub(super) pod: &'f Pod<'a>,
    /// The container in trouble; absent where the pod as a whole is.
    pub(super) container: Option<Container<'a>>,
}

/// Pods of one workload with the same trouble.
#[derive(Debug)]
pub(super) struct Group<'f, 'a> {
    pub(super) workload: &'f Workload<'a>,
    pub(super) cases: Vec<Case<'f, 'a>>,
}

/// Classifies every pod and lets the rules of each kind of trouble look.
pub(super) fn check<'a>(facts: &Facts<'a>, drafts: &mut Vec<Draft>) {
    let cases = cases(facts);
    let of = |trouble: Trouble| grouped(cases.iter().filter(|case| case.trouble == trouble).cloned());
    scheduling::check(facts, &of(Trouble::Unscheduled), drafts);
    nodes::check(facts, &of(Trouble::Evicted), &of(Trouble::Rejected), drafts);
    drafts.extend(of(Trouble::Lingering).iter().map(|group| nodes::lingering(facts, group)));
    storage::check(facts, &of(Trouble::Creating), drafts);
    config::check(facts, &of(Trouble::Config), &of(Trouble::Creating), drafts);
    drafts.extend(of(Trouble::Creating).iter().filter_map(|group| sandbox::check(facts, group)));
    drafts.extend(of(Trouble::Image).iter().map(|group| images::check(facts, group)));
    drafts.extend(of(Trouble::Start).iter().map(|group| crashes::check_start(facts, group)));
    drafts.extend(of(Trouble::Crash).iter().map(|group| crashes::check(facts, group)));
    drafts.extend(of(Trouble::InitWaits).iter().map(|group| crashes::check_init_wait(facts, group)));
    drafts.extend(of(Trouble::NotReady).iter().filter_map(|group| probes::check(facts, group)));
}

/// Containers whose logs explain their trouble, crashing ones first: of each workload's containers one pod.
pub(super) fn wanted_logs(facts: &Facts<'_>, limit: usize) -> Vec<LogRef> {
    let cases = cases(facts);
    let telling = [Trouble::Crash, Trouble::InitWaits, Trouble::NotReady];
    let groups = telling
        .into_iter()
        .flat_map(|trouble| grouped(cases.iter().filter(move |case| case.trouble == trouble).cloned()));
    let mut logs: Vec<LogRef> = groups.flat_map(|group| logs_of(group.sample())).collect();
    logs.truncate(limit);
    logs
}

fn logs_of(case: &Case<'_, '_>) -> Vec<LogRef> {
    let Some(container) = case.container else { return Vec::new() };
    let log = |previous| LogRef {
        namespace: case.pod.object.namespace().to_owned(),
        pod: case.pod.object.name().to_owned(),
        container: container.name().to_owned(),
        previous,
    };
    match container.restarts() {
        0 => vec![log(false)],
        _ => vec![log(false), log(true)],
    }
}

pub(super) fn cases<'f, 'a>(facts: &'f Facts<'a>) -> Vec<Case<'f, 'a>> {
    let mut cases = Vec::new();
    for pod in facts.pods() {
        classify(facts, pod, &mut cases);
    }
    cases
}

fn classify<'f, 'a>(facts: &'f Facts<'a>, pod: &'f Pod<'a>, cases: &mut Vec<Case<'f, 'a>>) {
    let case = |trouble, container| Case { trouble, pod, container };
    if pod.phase() == "Failed" {
        match pod.value().text("/status/reason") {
            "Evicted" => return cases.push(case(Trouble::Evicted, None)),
            reason if nodes::is_rejection(reason) => return cases.push(case(Trouble::Rejected, None)),
            _ => {}
        }
    }
    let tells_of_its_job = workloads::jobs::is_telling(facts, pod);
    if pod.object.is_terminating() {
        // On a silent node nothing goes; that is the node's trouble.
        let waits_for_node = pod.node().is_some_and(|node| is_node_silent(facts, node));
        if nodes::is_overdue(facts, pod) && !waits_for_node {
            cases.push(case(Trouble::Lingering, None));
        }
        return;
    }
    if pod.is_done() && !tells_of_its_job {
        return;
    }
    let Some(node) = pod.node().filter(|node| !is_pinned_to_nothing(facts, pod, node)) else {
        cases.push(case(Trouble::Unscheduled, None));
        return;
    };
    if !pod.is_ready() && is_node_silent(facts, node) {
        cases.push(case(Trouble::NodeDown, None));
        return;
    }
    let before = cases.len();
    for container in &pod.containers {
        if let Some(trouble) = container_trouble(facts, pod, container) {
            cases.push(case(trouble, Some(*container)));
            if container.role != ContainerRole::App {
                // Later containers only wait for this one.
                return;
            }
        }
    }
    if cases.len() > before {
        return;
    }
    // A kubelet that reports that it cannot work still reports what is wrong with its pods: that comes first.
    if !pod.is_ready() && is_node_down(facts, node) {
        cases.push(case(Trouble::NodeDown, None));
    } else if is_stuck_creating(facts, pod) {
        cases.push(case(Trouble::Creating, None));
    }
}

/// It was bound past the scheduler to a node that does not exist, and no kubelet has seen it.
fn is_pinned_to_nothing(facts: &Facts<'_>, pod: &Pod<'_>, node: &str) -> bool {
    let knows_nodes = !facts.all("Node").is_empty();
    let is_unseen = pod.containers.iter().all(|container| container.status.is_null());
    knows_nodes && is_unseen && facts.get("Node", "", node).is_none()
}

/// True where the kubelet of this node no longer reports, so that all that it said is old.
pub(super) fn is_node_silent(facts: &Facts<'_>, node: &str) -> bool {
    let node = facts.get("Node", "", node);
    node.and_then(|node| node.condition("Ready")).is_some_and(|ready| ready["status"] == "Unknown")
}

/// True where the kubelet of this node has fallen silent or says that it cannot work.
pub(in crate::diagnosis) fn is_node_down(facts: &Facts<'_>, node: &str) -> bool {
    let node = facts.get("Node", "", node);
    node.and_then(|node| node.condition("Ready")).is_some_and(|ready| ready["status"] != "True")
}

fn container_trouble<'a>(facts: &Facts<'a>, pod: &Pod<'a>, container: &Container<'a>) -> Option<Trouble> {
    match container.waiting_reason() {
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed",
        ) => Some(Trouble::Image),
        Some("CreateContainerConfigError" | "CreateContainerError") => Some(Trouble::Config),
        Some("RunContainerError" | "PostStartHookError" | "PreStartHookError") => Some(Trouble::Start),
        Some("CrashLoopBackOff") => Some(ended_trouble(container)),
        Some(_) => None,
        None => running_trouble(facts, pod, container),
    }
}

/// A container that never ran its program ends with a reason of the runtime, not of the program.
fn ended_trouble(container: &Container<'_>) -> Trouble {
    let reason = container.last_end().map_or("", |(end, _)| end.text("/reason"));
    match reason {
        "StartError" | "ContainerCannotRun" => Trouble::Start,
        _ => Trouble::Crash,
    }
}

fn running_trouble<'a>(facts: &Facts<'a>, pod: &Pod<'a>, container: &Container<'a>) -> Option<Trouble> {
    if let Some(end) = container.terminated() {
        let is_over =
            container.role == ContainerRole::Init || pod.value().text("/spec/restartPolicy") != "Always";
        return match end.int("/exitCode") {
            Some(0) if is_over => None,
            Some(_) | None => Some(ended_trouble(container)),
        };
    }
    let since = facts.seconds_since(container.running_since()?);
    if is_flapping(facts, container) {
        return Some(ended_trouble(container));
    }
    match container.role {
        ContainerRole::Init => (since > INIT_GRACE).then_some(Trouble::InitWaits),
        ContainerRole::Sidecar | ContainerRole::App => {
            (!container.is_ready() && is_probed_in_vain(facts, pod, container)).then_some(Trouble::NotReady)
        }
    }
}

/// Runs now, but ended lately and not for the first time. One kill for memory is enough.
fn is_flapping(facts: &Facts<'_>, container: &Container<'_>) -> bool {
    let Some(end) = container.status.pointer("/lastState/terminated") else { return false };
    let is_recent = end.time("/finishedAt").is_some_and(|time| facts.seconds_since(time) <= RECENT);
    let is_oom = end.text("/reason") == "OOMKilled";
    is_recent && (is_oom || container.restarts() >= FEW_RESTARTS)
}

/// It had the time that its probes grant, or has failed them already.
fn is_probed_in_vain<'a>(facts: &Facts<'a>, pod: &Pod<'a>, container: &Container<'a>) -> bool {
    let since = container.running_since().map_or(0, |time| facts.seconds_since(time));
    let seconds = |probe: &str, field: &str, default: i64| {
        container.spec.int(&format!("/{probe}/{field}")).unwrap_or(default)
    };
    let granted = |probe: &str| match container.spec.get(probe) {
        Some(_) => {
            seconds(probe, "initialDelaySeconds", 0)
                + seconds(probe, "periodSeconds", 10) * seconds(probe, "failureThreshold", 3)
        }
        None => 0,
    };
    let failed = unhealthy(facts, pod, container, "").next().is_some();
    let long_enough = since > granted("startupProbe") + granted("readinessProbe") + 10;
    long_enough || (failed && since > granted("readinessProbe"))
}

/// `Unhealthy` events of a container, of one probe (`Readiness`, `Liveness`, `Startup`) or of all where that is empty.
pub(in crate::diagnosis) fn unhealthy<'f, 'a: 'f>(
    facts: &'f Facts<'a>,
    pod: &Pod<'a>,
    container: &Container<'a>,
    probe: &'f str,
) -> impl Iterator<Item = KubeEvent<'a>> + 'f {
    events(facts, pod, container).filter(move |event| {
        event.reason == "Unhealthy" && (probe.is_empty() || event.message.starts_with(probe))
    })
}

/// Events about one container of a pod; events that name no container belong to all.
pub(super) fn events<'f, 'a: 'f>(
    facts: &'f Facts<'a>,
    pod: &Pod<'a>,
    container: &Container<'a>,
) -> impl Iterator<Item = KubeEvent<'a>> + 'f {
    let name = container.name();
    facts.events(pod.object).filter(move |event| event.container().is_none_or(|of| of == name))
}

/// No container has been created: the kubelet complains, or it has been silent for too long. A pull takes its time.
fn is_stuck_creating<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> bool {
    let waits = |container: &Container<'_>| {
        let reason = container.waiting_reason().unwrap_or("ContainerCreating");
        !container.is_running()
            && container.terminated().is_none()
            && matches!(reason, "ContainerCreating" | "PodInitializing")
    };
    if pod.containers.is_empty() || !pod.containers.iter().all(waits) {
        return false;
    }
    let complains = |event: &KubeEvent<'_>| {
        ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"]
            .contains(&event.reason)
    };
    let pulls = facts.events(pod.object).next().is_some_and(|event| event.reason == "Pulling");
    let age = pod.object.created().map_or(0, |time| facts.seconds_since(time));
    facts.events(pod.object).any(|event| complains(&event)) || (age > CREATION_GRACE && !pulls)
}

/// Groups by workload, trouble and container, in a stable order.
fn grouped<'f, 'a>(cases: impl Iterator<Item = Case<'f, 'a>>) -> Vec<Group<'f, 'a>> {
    let mut groups: BTreeMap<(Key, &str), Group<'f, 'a>> = BTreeMap::new();
    for case in cases {
        let container = case.container.map_or("", |container| container.name());
        let workload = &case.pod.workload;
        let group = groups
            .entry((workload.key(), container))
            .or_insert_with(|| Group { workload, cases: Vec::new() });
        group.cases.push(case);
    }
    groups.into_values().collect()
}

impl<'f, 'a> Group<'f, 'a> {
    /// The pod that stands for the others: the newest, because it shows what is wanted now.
    pub(super) fn sample(&self) -> &Case<'f, 'a> {
        let newest = self.cases.iter().max_by_key(|case| case.pod.object.created());
        newest.unwrap_or(&self.cases[0])
    }

    /// A draft about the workload, with what is known of every trouble: how bad it is, and what is broken by it.
    pub(super) fn draft(&self, rule: &'static str, title: String) -> Draft {
        let pods = self.cases.iter().map(|case| case.pod.object.key());
        Draft::new(rule, self.severity(), self.workload.reference.clone(), title)
            .breaks(std::iter::once(self.workload.key()).chain(pods))
    }

    /// Critical where nothing of the workload serves.
    pub(super) fn severity(&self) -> Severity {
        match (self.workload.kind(), self.workload.ready()) {
            (_, Some(0)) | ("Pod", _) => Severity::Critical,
            _ => Severity::Warning,
        }
    }

    /// `None of its 3 pods is ready.`, `2 of 3 pods are ready.`, or nothing where that is not counted.
    pub(super) fn impact(&self) -> String {
        if self.cases.iter().all(|case| case.pod.is_ready()) {
            return " It runs again for now.".to_owned();
        }
        match (self.workload.ready(), self.workload.desired()) {
            (Some(0), Some(1)) => " Its only pod is not ready.".to_owned(),
            (Some(0), Some(desired)) if desired > 1 => format!(" None of its {desired} pods is ready."),
            (Some(ready), Some(desired)) if ready >= desired && desired > 0 => {
                format!(" The pods from before the change still serve ({ready} of {desired} ready).")
            }
            (Some(ready), Some(desired)) if desired > 0 => format!(" {ready} of {desired} pods are ready."),
            _ => String::new(),
        }
    }

    /// A field of the pod's specification, cited from the workload where that says the same, else from the pod. The
    /// pointer begins below the pod's spec.
    pub(super) fn spec_field(&self, pointer: &str) -> Option<Evidence> {
        let pod = self.sample().pod.object;
        let in_pod = format!("/spec{pointer}");
        let in_workload = format!("{}{pointer}", self.workload.pod_spec_pointer());
        let workload = self.workload.object.filter(|object| {
            let wanted = object.value().pointer(&in_workload);
            wanted.is_some() && wanted == pod.value().pointer(&in_pod)
        });
        match workload {
            Some(workload) => draft::field(workload, &in_workload),
            None => draft::field(pod, &in_pod),
        }
    }

    /// A field of the sample container's status.
    pub(super) fn status_field(&self, pointer: &str) -> Option<Evidence> {
        let case = self.sample();
        let container = case.container?;
        draft::field(case.pod.object, &format!("{}{pointer}", container.status_pointer()))
    }

    /// `Deployment catalog`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.workload.kind(), self.workload.reference.name)
    }
}
