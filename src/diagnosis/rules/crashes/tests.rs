use rstest::rstest;
use serde_json::json;

use super::*;
use crate::diagnosis::testing;

/// The status of a container in CrashLoopBackOff whose last instance ended so, four seconds after its start.
fn crashed(code: i64, reason: &str, message: &str) -> Value {
    json!({
        "restartCount": 7,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container" } },
        "lastState": { "terminated": {
            "exitCode": code, "reason": reason, "message": message,
            "startedAt": "2026-01-01T11:57:00Z", "finishedAt": "2026-01-01T11:57:04Z",
        } },
    })
}

#[rstest]
#[case::reading_of_a_setting("KeyError: 'DATABASE_URL'", "app-config-error")]
#[case::panic("panic: runtime error: index out of range", "app-crash")]
#[case::external_peer("dial tcp: lookup api.example.com: no such host", "app-dependency-unavailable")]
#[case::read_only("open /data/x: read-only file system", "app-permission-denied")]
#[case::processor("exec /app: exec format error", "wrong-architecture")]
fn the_log_tells_crashes_apart(#[case] line: &str, #[case] rule: &str) {
    let objects = testing::deployment("api", json!({}), crashed(1, "Error", ""));
    let report = testing::diagnosed_with_log(objects, "api-1", "api", line);
    assert_eq!(testing::roots(&report), [format!("{rule} Deployment/api")]);
    assert_eq!(report.findings[0].evidence[0].text.as_deref(), Some(line));
}

#[test]
fn a_kill_for_memory_is_told_from_other_exits_with_137() {
    let limited = json!({ "resources": { "limits": { "memory": "256Mi" } }, "env": [{ "name": "JAVA_OPTS", "value": "-Xmx1g" }] });
    let report =
        testing::diagnosed(testing::deployment("api", limited.clone(), crashed(137, "OOMKilled", "")));
    assert_eq!(testing::roots(&report), ["oom-killed Deployment/api"]);
    assert!(report.findings[0].title.contains("256Mi"), "{}", report.findings[0].title);
    assert!(
        report.findings[0].summary.contains("-Xmx lets the heap alone grow to 1Gi"),
        "{}",
        report.findings[0].summary
    );
    let report = testing::diagnosed(testing::deployment("api", limited, crashed(137, "Error", "")));
    assert_eq!(testing::roots(&report), ["app-crash Deployment/api"]);
}

#[test]
fn a_kill_for_memory_counts_although_the_container_runs_again() {
    let mut status = crashed(137, "OOMKilled", "");
    status["state"] = json!({ "running": { "startedAt": "2026-01-01T11:57:05Z" } });
    let mut objects = testing::healthy_deployment("api", json!({}));
    objects[2]["status"]["containerStatuses"][0] =
        testing::with(objects[2]["status"]["containerStatuses"][0].clone(), status);
    let report = testing::diagnosed(objects);
    assert_eq!(testing::roots(&report), ["oom-killed Deployment/api"]);
    let summary = &report.findings[0].summary;
    assert!(summary.ends_with("It runs again for now."), "{summary}");
}

#[test]
fn old_restarts_of_a_container_that_runs_are_no_finding() {
    let status = json!({
        "restartCount": 12, "ready": true, "state": { "running": { "startedAt": "2025-12-20T00:00:00Z" } },
        "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": "2025-12-20T00:00:00Z" } },
    });
    let mut objects = testing::healthy_deployment("api", json!({}));
    objects[2]["status"]["containerStatuses"][0] =
        testing::with(objects[2]["status"]["containerStatuses"][0].clone(), status);
    assert_eq!(testing::diagnosed(objects).findings, []);
}

#[test]
fn a_program_that_ends_well_is_no_crash() {
    let report = testing::diagnosed(testing::deployment(
        "api",
        json!({ "command": ["sh"] }),
        crashed(0, "Completed", ""),
    ));
    assert_eq!(testing::roots(&report), ["container-completes Deployment/api"]);
}

#[rstest]
#[case(r#"exec: "sevrer": executable file not found in $PATH"#, "command-not-found")]
#[case("exec: \"/app/run.sh\": stat /app/run.sh: no such file or directory", "command-not-found")]
#[case("exec: \"/app/run.sh\": permission denied", "command-not-executable")]
#[case("container init was OOM-killed (memory limit too low?)", "oom-killed")]
#[case("error mounting \"x\" to rootfs: not a directory", "container-start-failed")]
fn a_container_that_never_ran_is_the_runtimes_word(#[case] message: &str, #[case] rule: &str) {
    let message = format!("failed to create containerd task: OCI runtime create failed: {message}: unknown");
    let report =
        testing::diagnosed(testing::deployment("api", json!({}), crashed(128, "StartError", &message)));
    assert_eq!(testing::roots(&report), [format!("{rule} Deployment/api")]);
}

#[test]
fn an_address_that_is_no_service_is_the_workloads_fault() {
    let objects = testing::deployment("api", json!({}), crashed(1, "Error", ""));
    let report =
        testing::diagnosed_with_log(objects, "api-1", "api", "lookup ordres-db.shop.svc: no such host");
    assert_eq!(testing::roots(&report), ["app-dependency-unavailable Deployment/api"]);
    assert!(
        report.findings[0].title.contains("there is no Service ordres-db"),
        "{}",
        report.findings[0].title
    );
}

#[test]
fn a_port_that_the_service_does_not_offer_is_named() {
    let mut objects = testing::deployment("api", json!({}), crashed(1, "Error", ""));
    objects.push(testing::service("db", "nobody-yet"));
    let report = testing::diagnosed_with_log(objects, "api-1", "api", "connect db:5432: connection refused");
    let finding = testing::finding(&report, "app-dependency-unavailable");
    assert!(finding.title.contains("uses db:5432, but Service db offers port 80"), "{}", finding.title);
}

#[test]
fn an_init_container_that_fails_is_named_and_hides_the_others() {
    let mut objects = testing::deployment(
        "api",
        json!({}),
        json!({ "state": { "waiting": { "reason": "PodInitializing" } } }),
    );
    objects[2]["spec"]["initContainers"] = json!([{ "name": "migrate", "image": "x" }]);
    objects[2]["status"]["initContainerStatuses"] =
        json!([testing::with(json!({ "name": "migrate" }), crashed(1, "Error", ""))]);
    let report = testing::diagnosed_with_log(objects, "api-1", "migrate", "error: relation users exists");
    assert_eq!(testing::roots(&report), ["init-container-fails Deployment/api"]);
    assert!(report.findings[0].title.contains("migrate"), "{}", report.findings[0].title);
}

#[test]
fn an_init_container_that_waits_says_for_what() {
    let mut objects = testing::deployment(
        "api",
        json!({}),
        json!({ "state": { "waiting": { "reason": "PodInitializing" } } }),
    );
    objects[2]["spec"]["initContainers"] = json!([{ "name": "wait", "image": "x", "command": ["sh", "-c", "until nc -z db 5432; do sleep 1; done"] }]);
    objects[2]["status"]["initContainerStatuses"] =
        json!([{ "name": "wait", "state": { "running": { "startedAt": testing::EARLIER } } }]);
    let report = testing::diagnosed_with_log(objects, "api-1", "wait", "waiting for db:5432");
    assert_eq!(testing::roots(&report), ["init-container-waits Deployment/api"]);
    assert!(report.findings[0].title.contains("waits for db:5432"), "{}", report.findings[0].title);
}
