//! The containers of a pod, and which of them has the log that tells most.

use serde_json::Value;

/// A container with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) restarts: u64,
    /// Why it does not run: reason and message.
    pub(super) waiting: Option<String>,
    role: Role,
    has_failed: bool,
    has_ended: bool,
    is_running: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    Init,
    Ephemeral,
}

/// The containers proper, then those that initialize, then those for debugging.
pub(super) fn containers(pod: &Value) -> Vec<Container> {
    let lists = [
        ("containers", "containerStatuses", Role::Main),
        ("initContainers", "initContainerStatuses", Role::Init),
        ("ephemeralContainers", "ephemeralContainerStatuses", Role::Ephemeral),
    ];
    let all = lists.into_iter().flat_map(|(specs, statuses, role)| {
        list(&pod["spec"][specs]).iter().map(move |spec| {
            let mut known = list(&pod["status"][statuses]).iter();
            let status = known.find(|status| status["name"] == spec["name"]);
            Container::new(spec, status.unwrap_or(&Value::Null), role)
        })
    });
    all.collect()
}

/// The container to read where none is named: of the previous instances one that ended, else the one in trouble, else
/// the pod's default or first. `None` only for a pod without containers.
pub(super) fn choose<'a>(all: &'a [Container], pod: &Value, previous: bool) -> Option<&'a Container> {
    let default = &pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"];
    let initializes = list(&pod["status"]["conditions"])
        .iter()
        .any(|condition| condition["type"] == "Initialized" && condition["status"] == "False");
    let rank = |container: &Container| {
        let rank = match container.role {
            _ if previous && container.has_ended => 5,
            _ if container.has_failed => 4,
            Role::Init if initializes && container.is_running => 3,
            Role::Main if container.restarts > 0 => 2,
            Role::Main if *default == container.name.as_str() => 1,
            Role::Main => 0,
            Role::Init | Role::Ephemeral => -1,
        };
        (rank, container.restarts)
    };
    // The first of equals: `max_by_key` takes the last.
    all.iter().rev().max_by_key(|container| rank(container))
}

impl Container {
    fn new(spec: &Value, status: &Value, role: Role) -> Self {
        let (waiting, terminated) = (&status["state"]["waiting"], &status["state"]["terminated"]);
        let reason = text(&waiting["reason"]);
        let starts = matches!(reason, "" | "ContainerCreating" | "PodInitializing");
        let ended_badly = terminated["exitCode"].as_i64().is_some_and(|code| code != 0);
        Self {
            name: text(&spec["name"]).to_owned(),
            restarts: status["restartCount"].as_u64().unwrap_or(0),
            waiting: (!waiting.is_null()).then(|| described(reason, text(&waiting["message"]))),
            role,
            has_failed: ended_badly || !starts,
            has_ended: !status["lastState"]["terminated"].is_null(),
            is_running: !status["state"]["running"].is_null(),
        }
    }
}

fn described(reason: &str, message: &str) -> String {
    match message {
        "" => reason.to_owned(),
        message => format!("{reason}: {message}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn running(name: &str, restarts: u64) -> Value {
        json!({ "name": name, "restartCount": restarts, "state": { "running": {} } })
    }

    fn waiting(name: &str, reason: &str) -> Value {
        json!({ "name": name, "restartCount": 0, "state": { "waiting": { "reason": reason } } })
    }

    fn pod(main: &[Value], init: &[Value]) -> Value {
        let specs = |statuses: &[Value]| -> Vec<Value> {
            statuses.iter().map(|status| json!({ "name": status["name"] })).collect()
        };
        json!({
            "metadata": {}, "spec": { "containers": specs(main), "initContainers": specs(init) },
            "status": { "containerStatuses": main, "initContainerStatuses": init },
        })
    }

    #[rstest]
    #[case::the_first_where_all_is_well(pod(&[running("app", 0), running("proxy", 0)], &[running("init", 0)]), "app")]
    #[case::the_one_that_restarts(pod(&[running("app", 0), running("proxy", 2)], &[]), "proxy")]
    #[case::the_one_that_restarts_most(pod(&[running("app", 1), running("proxy", 2)], &[]), "proxy")]
    #[case::the_one_that_waits(pod(&[running("app", 5), waiting("proxy", "CrashLoopBackOff")], &[]), "proxy")]
    #[case::waiting_for_its_start_is_no_trouble(
        pod(&[waiting("app", "PodInitializing"), running("proxy", 1)], &[]), "proxy")]
    #[case::an_init_container_that_fails(
        pod(&[waiting("app", "PodInitializing")], &[waiting("init", "CrashLoopBackOff")]), "init")]
    fn the_container_in_trouble_is_chosen(#[case] pod: Value, #[case] name: &str) {
        let all = containers(&pod);
        assert_eq!(choose(&all, &pod, false).map(|container| container.name.as_str()), Some(name));
    }

    #[test]
    fn the_annotation_names_the_default() {
        let mut pod = pod(&[running("proxy", 0), running("app", 0)], &[]);
        pod["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/default-container": "app" });
        assert_eq!(choose(&containers(&pod), &pod, false).map(|c| c.name.as_str()), Some("app"));
    }

    #[test]
    fn an_init_container_at_work_is_what_the_pod_waits_for() {
        let mut pod = pod(&[waiting("app", "PodInitializing")], &[running("init", 0)]);
        pod["status"]["conditions"] = json!([{ "type": "Initialized", "status": "False" }]);
        assert_eq!(choose(&containers(&pod), &pod, false).map(|c| c.name.as_str()), Some("init"));
    }

    #[test]
    fn of_previous_logs_the_one_that_exists_is_chosen() {
        let mut pod = pod(&[waiting("app", "ImagePullBackOff"), running("proxy", 1)], &[]);
        pod["status"]["containerStatuses"][1]["lastState"] = json!({ "terminated": { "exitCode": 1 } });
        assert_eq!(choose(&containers(&pod), &pod, true).map(|c| c.name.as_str()), Some("proxy"));
        assert_eq!(choose(&containers(&pod), &pod, false).map(|c| c.name.as_str()), Some("app"));
    }
}
