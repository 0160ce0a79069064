//! What kubectl writes in the columns READY, STATUS and RESTARTS of a pod, computed in the same way.

use serde_json::Value;

/// A pod in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// `Running`, `CrashLoopBackOff`, `Init:1/2`, `Completed`, `Terminating`, ….
    pub status: String,
    /// Containers that are ready, sidecars included.
    pub ready: usize,
    /// Containers that should be, sidecars included.
    pub containers: usize,
    /// Restarts, of the init containers while they run and of the others afterwards.
    pub restarts: u64,
    /// When the last of those restarts came: the end of the instance before, RFC 3339.
    pub last_restart: Option<String>,
}

impl PodStatus {
    /// `1/2`.
    pub fn ready_column(&self) -> String {
        format!("{}/{}", self.ready, self.containers)
    }
}

/// Reads the status of a `v1` Pod. What is not there counts as empty.
pub fn pod_status(pod: &Value) -> PodStatus {
    let sidecars = list(&pod["spec"]["initContainers"]).iter().filter(|container| is_sidecar(container));
    let mut status = PodStatus {
        status: phase_or_reason(pod),
        ready: 0,
        containers: list(&pod["spec"]["containers"]).len() + sidecars.count(),
        restarts: 0,
        last_restart: None,
    };
    let initializing = read_init_containers(pod, &mut status);
    if !initializing || has_condition(pod, "Initialized") {
        read_containers(pod, &mut status);
    }
    if is_set(&pod["metadata"]["deletionTimestamp"]) {
        if text(&pod["status"]["reason"]) == "NodeLost" {
            status.status = "Unknown".to_owned();
        } else if !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed") {
            status.status = "Terminating".to_owned();
        }
    }
    status
}

fn phase_or_reason(pod: &Value) -> String {
    let gated = |condition: &Value| {
        condition["type"] == "PodScheduled" && text(&condition["reason"]) == "SchedulingGated"
    };
    if list(&pod["status"]["conditions"]).iter().any(gated) {
        return "SchedulingGated".to_owned();
    }
    let known = [&pod["status"]["reason"], &pod["status"]["phase"]].map(text);
    known.into_iter().find(|word| !word.is_empty()).unwrap_or("Unknown").to_owned()
}

/// True where an init container has not done its work yet; its state is then the pod's.
fn read_init_containers(pod: &Value, status: &mut PodStatus) -> bool {
    let specs = list(&pod["spec"]["initContainers"]);
    for (index, container) in list(&pod["status"]["initContainerStatuses"]).iter().enumerate() {
        add_restarts(container, status);
        let terminated = &container["state"]["terminated"];
        if is_set(terminated) && exit_code(terminated) == 0 {
            continue;
        }
        if is_sidecar_status(pod, container) && container["started"] == true {
            status.ready += usize::from(container["ready"] == true);
            continue;
        }
        let waiting = text(&container["state"]["waiting"]["reason"]);
        status.status = if is_set(terminated) {
            format!("Init:{}", end_of(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", specs.len())
        };
        return true;
    }
    false
}

/// The first container that is not running gives the status.
fn read_containers(pod: &Value, status: &mut PodStatus) {
    (status.restarts, status.last_restart) = (0, None);
    let sidecars = list(&pod["status"]["initContainerStatuses"]).iter();
    for sidecar in sidecars.filter(|container| is_sidecar_status(pod, container)) {
        add_restarts(sidecar, status);
    }
    let mut some_run = false;
    for container in list(&pod["status"]["containerStatuses"]).iter().rev() {
        add_restarts(container, status);
        let (waiting, terminated) = (&container["state"]["waiting"], &container["state"]["terminated"]);
        if !text(&waiting["reason"]).is_empty() {
            status.status = text(&waiting["reason"]).to_owned();
        } else if is_set(terminated) {
            status.status = end_of(terminated);
        } else if container["ready"] == true && is_set(&container["state"]["running"]) {
            some_run = true;
            status.ready += 1;
        }
    }
    if some_run && status.status == "Completed" {
        status.status = if has_condition(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
}

fn add_restarts(container: &Value, status: &mut PodStatus) {
    status.restarts += container["restartCount"].as_u64().unwrap_or(0);
    let ended = text(&container["lastState"]["terminated"]["finishedAt"]);
    // RFC 3339 in UTC, as the API writes it, sorts as text.
    if !ended.is_empty() && status.last_restart.as_deref().is_none_or(|known| known < ended) {
        status.last_restart = Some(ended.to_owned());
    }
}

/// How a container ended: the reason, or else the signal or the exit code.
fn end_of(terminated: &Value) -> String {
    let signal = terminated["signal"].as_i64().unwrap_or(0);
    match text(&terminated["reason"]) {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", exit_code(terminated)),
        reason => reason.to_owned(),
    }
}

fn exit_code(terminated: &Value) -> i64 {
    terminated["exitCode"].as_i64().unwrap_or(0)
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

fn is_sidecar_status(pod: &Value, status: &Value) -> bool {
    let mut specs = list(&pod["spec"]["initContainers"]).iter();
    specs.any(|container| container["name"] == status["name"] && is_sidecar(container))
}

fn has_condition(pod: &Value, kind: &str) -> bool {
    let mut conditions = list(&pod["status"]["conditions"]).iter();
    conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_set(value: &Value) -> bool {
    !value.is_null()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn running(ready: bool) -> Value {
        json!({ "name": "app", "ready": ready, "restartCount": 0, "state": { "running": {} } })
    }

    fn in_state(state: Value) -> Value {
        json!({ "name": "app", "ready": false, "restartCount": 3, "state": state })
    }

    /// A pod with as many containers as statuses.
    fn pod(phase: &str, statuses: &[Value]) -> Value {
        let containers: Vec<Value> = statuses.iter().map(|_| json!({ "name": "app" })).collect();
        json!({
            "metadata": {}, "spec": { "containers": containers },
            "status": { "phase": phase, "containerStatuses": statuses },
        })
    }

    /// A pod with three init containers, of which these have a status.
    fn initializing(statuses: &[Value]) -> Value {
        json!({
            "spec": {
                "containers": [{ "name": "app" }],
                "initContainers": [{ "name": "a" }, { "name": "b" }, { "name": "c" }],
            },
            "status": { "phase": "Pending", "initContainerStatuses": statuses, "containerStatuses": [
                { "name": "app", "restartCount": 0, "state": { "waiting": { "reason": "PodInitializing" } } },
            ] },
        })
    }

    fn init(name: &str, state: Value) -> Value {
        json!({ "name": name, "restartCount": 1, "state": state })
    }

    fn done() -> Value {
        json!({ "terminated": { "exitCode": 0, "reason": "Completed" } })
    }

    #[rstest]
    #[case::all_well("Running", &[running(true)], "Running", "1/1")]
    #[case::not_ready_yet("Running", &[running(false), running(true)], "Running", "1/2")]
    #[case::not_scheduled("Pending", &[], "Pending", "0/0")]
    #[case::waiting("Running", &[in_state(json!({ "waiting": { "reason": "CrashLoopBackOff" } }))],
        "CrashLoopBackOff", "0/1")]
    #[case::waiting_without_a_reason("Pending", &[in_state(json!({ "waiting": {} }))], "Pending", "0/1")]
    #[case::completed("Succeeded", &[in_state(done())], "Completed", "0/1")]
    #[case::failed("Failed", &[in_state(json!({ "terminated": { "exitCode": 1, "reason": "Error" } }))],
        "Error", "0/1")]
    #[case::exit_code("Failed", &[in_state(json!({ "terminated": { "exitCode": 7 } }))], "ExitCode:7", "0/1")]
    #[case::signal("Failed", &[in_state(json!({ "terminated": { "exitCode": 137, "signal": 9 } }))],
        "Signal:9", "0/1")]
    #[case::first_in_trouble_counts("Running", &[
        in_state(json!({ "waiting": { "reason": "ImagePullBackOff" } })),
        in_state(json!({ "waiting": { "reason": "CrashLoopBackOff" } })),
    ], "ImagePullBackOff", "0/2")]
    #[case::one_done_one_runs("Running", &[in_state(done()), running(true)], "NotReady", "1/2")]
    fn containers(
        #[case] phase: &str,
        #[case] statuses: &[Value],
        #[case] status: &str,
        #[case] ready: &str,
    ) {
        let found = pod_status(&pod(phase, statuses));
        assert_eq!((found.status.as_str(), found.ready_column().as_str()), (status, ready));
    }

    #[rstest]
    #[case::first_runs(&[init("a", json!({ "running": {} }))], "Init:0/3")]
    #[case::second_waits_its_turn(
        &[init("a", done()), init("b", json!({ "waiting": { "reason": "PodInitializing" } }))], "Init:1/3")]
    #[case::crash_loop(
        &[init("a", done()), init("b", json!({ "waiting": { "reason": "CrashLoopBackOff" } }))],
        "Init:CrashLoopBackOff")]
    #[case::error(&[init("a", json!({ "terminated": { "exitCode": 1, "reason": "Error" } }))], "Init:Error")]
    #[case::exit_code(&[init("a", json!({ "terminated": { "exitCode": 2 } }))], "Init:ExitCode:2")]
    #[case::signal(&[init("a", json!({ "terminated": { "exitCode": 2, "signal": 15 } }))], "Init:Signal:15")]
    #[case::all_done(&[init("a", done()), init("b", done()), init("c", done())], "PodInitializing")]
    fn init_containers(#[case] statuses: &[Value], #[case] status: &str) {
        assert_eq!(pod_status(&initializing(statuses)).status, status);
    }

    #[rstest]
    #[case::deleted("Running", Value::Null, "Terminating")]
    #[case::deleted_on_a_lost_node("Running", json!("NodeLost"), "Unknown")]
    #[case::deleted_after_its_end("Succeeded", Value::Null, "Succeeded")]
    #[case::evicted_and_deleted("Failed", json!("Evicted"), "Evicted")]
    fn deleted_pods(#[case] phase: &str, #[case] reason: Value, #[case] status: &str) {
        let pod = json!({
            "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": phase, "reason": reason },
        });
        assert_eq!(pod_status(&pod).status, status);
    }

    #[test]
    fn a_gated_pod_says_so() {
        let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "SchedulingGated" });
        let pod = json!({ "status": { "phase": "Pending", "conditions": [condition] } });
        assert_eq!(pod_status(&pod).status, "SchedulingGated");
    }

    #[test]
    fn a_done_container_beside_a_ready_one_leaves_the_pod_running() {
        let mut pod = pod("Running", &[in_state(done()), running(true)]);
        pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "True" }]);
        assert_eq!(pod_status(&pod).status, "Running");
    }

    #[test]
    fn restarts_of_init_containers_count_only_while_they_run() {
        let mut pod = initializing(&[init("a", done()), init("b", json!({ "running": {} }))]);
        assert_eq!(pod_status(&pod).restarts, 2);
        pod["status"]["initContainerStatuses"] = json!([init("a", done())]);
        pod["status"]["containerStatuses"] = json!([in_state(json!({ "running": {} }))]);
        assert_eq!(pod_status(&pod).restarts, 3);
    }

    #[test]
    fn the_last_restart_is_the_newest_end() {
        let ended = |time: &str| json!({ "name": "app", "restartCount": 1, "lastState": { "terminated": { "finishedAt": time } } });
        let pod = pod("Running", &[ended("2026-01-01T10:00:00Z"), ended("2026-01-01T09:00:00Z")]);
        assert_eq!(pod_status(&pod).last_restart.as_deref(), Some("2026-01-01T10:00:00Z"));
    }

    #[rstest]
    #[case::ready(json!({ "name": "proxy", "started": true, "ready": true, "restartCount": 4, "state": { "running": {} } }),
        "Running", "2/2")]
    #[case::not_ready(json!({ "name": "proxy", "started": true, "ready": false, "restartCount": 4 }), "Running", "1/2")]
    #[case::not_started(json!({ "name": "proxy", "started": false, "restartCount": 4 }), "Init:0/1", "0/2")]
    fn sidecars_count_as_containers(#[case] sidecar: Value, #[case] status: &str, #[case] ready: &str) {
        let pod = json!({
            "spec": {
                "containers": [{ "name": "app" }],
                "initContainers": [{ "name": "proxy", "restartPolicy": "Always" }],
            },
            "status": { "phase": "Running", "initContainerStatuses": [sidecar], "containerStatuses": [running(true)] },
        });
        let found = pod_status(&pod);
        assert_eq!((found.status.as_str(), found.ready_column().as_str()), (status, ready));
        assert_eq!(found.restarts, 4);
    }
}
