use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Report, Severity};
use crate::diagnosis::testing::{
    EARLIER, deployment, diagnosed, diagnosed_with_log, finding, healthy_deployment, node, object, roots,
    service, symptoms, warning, with,
};

const LONG_AGO: &str = "2026-01-01T10:00:00Z";

fn severity(report: &Report, rule: &str) -> Severity {
    finding(report, rule).severity
}

/// A Deployment whose one pod runs for long, with no probe, and is not ready.
fn unready(progressing: Value) -> Vec<Value> {
    let running = json!({ "ready": true, "state": { "running": { "startedAt": LONG_AGO } } });
    let mut objects = deployment("web", json!({}), running);
    objects[0]["status"]["conditions"] = json!([with(json!({ "type": "Progressing" }), progressing)]);
    objects
}

fn deadline_exceeded() -> Value {
    json!({ "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-abc\" has timed out progressing." })
}

#[test]
fn a_rollout_past_its_deadline_is_told_where_nothing_else_says_why() {
    let report = diagnosed(unready(deadline_exceeded()));
    assert_eq!(roots(&report), ["rollout-stalled Deployment/web"]);
    assert_eq!(report.findings[0].severity, Severity::Critical);
}

#[test]
fn a_rollout_within_its_deadline_is_no_finding() {
    let progressing = json!({ "status": "True", "reason": "ReplicaSetUpdated" });
    assert_eq!(diagnosed(unready(progressing)).findings, []);
}

#[test]
fn a_pod_that_is_about_to_be_made_is_no_stalled_rollout() {
    let mut objects = healthy_deployment("web", json!({}));
    objects[0]["spec"]["replicas"] = json!(2);
    objects[0]["metadata"]["creationTimestamp"] = json!(LONG_AGO);
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn a_deployment_that_lacks_its_pods_for_long_is_stalled() {
    let mut objects = unready(json!({ "status": "True", "reason": "ReplicaSetUpdated" }));
    objects.pop();
    let unavailable = json!({ "type": "Available", "status": "False", "lastTransitionTime": LONG_AGO });
    objects[0]["status"]["conditions"].as_array_mut().unwrap().push(unavailable);
    assert_eq!(roots(&diagnosed(objects)), ["rollout-stalled Deployment/web"]);
}

#[rstest]
#[case::by_hand(json!({}), true)]
#[case::by_an_operator(json!([{ "kind": "Prometheus", "name": "web", "uid": "p", "controller": true }]), false)]
fn changes_that_wait_for_a_deletion_are_worth_knowing(#[case] owners: Value, #[case] told: bool) {
    let spec = json!({ "replicas": 0, "updateStrategy": { "type": "OnDelete" } });
    let status = json!({ "currentRevision": "web-1", "updateRevision": "web-2" });
    let metadata = json!({ "ownerReferences": owners });
    let set = object(
        "apps/v1",
        "StatefulSet",
        "web",
        json!({ "metadata": metadata, "spec": spec, "status": status }),
    );
    let report = diagnosed(vec![set]);
    assert_eq!(roots(&report) == ["update-on-delete StatefulSet/web"], told);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Info));
}

#[test]
fn a_rollout_whose_pods_say_why_is_told_once() {
    let waiting = json!({ "reason": "ErrImagePull", "message": "not found" });
    let mut objects = unready(deadline_exceeded());
    objects[2]["status"]["containerStatuses"][0] = json!({ "name": "web", "state": { "waiting": waiting } });
    assert_eq!(diagnosed(objects).findings.len(), 1);
}

#[test]
fn a_readiness_gate_that_stays_closed_is_named() {
    let mut objects = unready(deadline_exceeded());
    let gate = "target-health.elbv2.k8s.aws/k8s-web";
    objects[2]["spec"]["readinessGates"] = json!([{ "conditionType": gate }]);
    let report = diagnosed(objects);
    assert!(report.findings[0].title.contains(gate), "{}", report.findings[0].title);
}

#[test]
fn a_deployment_that_is_complete_has_no_stale_deadline() {
    let mut objects = healthy_deployment("web", json!({}));
    objects[0]["status"]["conditions"] = json!([with(json!({ "type": "Progressing" }), deadline_exceeded())]);
    assert_eq!(diagnosed(objects).findings, []);
}

#[rstest]
#[case::changes_wait(json!({ "image": "shop/web:2" }), true)]
#[case::nothing_waits(json!({}), false)]
fn a_pause_matters_where_changes_wait(#[case] change: Value, #[case] told: bool) {
    let mut objects = healthy_deployment("web", json!({}));
    objects[0]["spec"]["paused"] = json!(true);
    let container = objects[0]["spec"]["template"]["spec"]["containers"][0].clone();
    objects[0]["spec"]["template"]["spec"]["containers"][0] = with(container, change);
    assert_eq!(roots(&diagnosed(objects)) == ["deployment-paused Deployment/web"], told);
}

/// A StatefulSet whose pod of the former revision cannot pull its image.
fn ordered() -> Vec<Value> {
    let spec =
        |image: &str| json!({ "restartPolicy": "Always", "containers": [{ "name": "db", "image": image }] });
    let set = json!({
        "spec": { "replicas": 1, "updateStrategy": { "type": "RollingUpdate" }, "template": { "spec": spec("db:2") } },
        "status": { "replicas": 1, "currentRevision": "db-old", "updateRevision": "db-new" },
    });
    let owner = json!([{ "kind": "StatefulSet", "name": "db", "uid": "StatefulSet-db", "controller": true }]);
    let waiting = json!({ "reason": "ErrImagePull", "message": "not found" });
    let pod = json!({
        "metadata": { "ownerReferences": owner, "labels": { "controller-revision-hash": "db-old" } },
        "spec": with(spec("db:1"), json!({ "nodeName": "n1" })),
        "status": { "phase": "Pending", "containerStatuses": [{ "name": "db", "state": { "waiting": waiting } }] },
    });
    vec![object("apps/v1", "StatefulSet", "db", set), object("v1", "Pod", "db-0", pod)]
}

#[test]
fn a_corrected_stateful_set_waits_for_its_broken_pod_to_be_deleted() {
    let report = diagnosed(ordered());
    assert_eq!(roots(&report), ["statefulset-update-blocked StatefulSet/db"]);
    assert_eq!(symptoms(&report), ["image-not-found StatefulSet/db"]);
    assert_eq!(report.findings[0].remediation[0].command, "kubectl -n shop delete pod db-0");
}

#[rstest]
#[case::newest_revision(json!({ "status": { "updateRevision": "db-old" } }))]
#[case::parallel(json!({ "spec": { "podManagementPolicy": "Parallel" } }))]
fn a_broken_pod_that_will_be_replaced_blocks_nothing(#[case] patch: Value) {
    let mut objects = ordered();
    objects[0] = with(objects[0].clone(), patch);
    assert_eq!(roots(&diagnosed(objects)), ["image-not-found StatefulSet/db"]);
}

fn job(name: &str, reason: &str, at: &str, rest: Value) -> Value {
    let condition = json!({ "type": "Failed", "status": "True", "reason": reason, "message": "it failed", "lastTransitionTime": at });
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "shop/seed:1" }] } });
    let spec = json!({ "template": template, "activeDeadlineSeconds": 300, "backoffLimit": 2 });
    let status = json!({ "failed": 3, "conditions": [condition] });
    with(object("batch/v1", "Job", name, json!({ "spec": spec, "status": status })), rest)
}

fn failed_pod(name: &str, of: &str, end: Value) -> Value {
    let owner = json!([{ "kind": "Job", "name": of, "uid": format!("Job-{of}"), "controller": true }]);
    let state = json!({ "terminated": with(json!({ "exitCode": 1, "reason": "Error" }), end) });
    let pod = json!({
        "metadata": { "ownerReferences": owner },
        "spec": { "nodeName": "n1", "restartPolicy": "Never", "containers": [{ "name": "main", "image": "shop/seed:1" }] },
        "status": { "phase": "Failed", "containerStatuses": [{ "name": "main", "state": state }] },
    });
    object("v1", "Pod", name, pod)
}

#[rstest]
#[case("DeadlineExceeded", "deadline of 300 s")]
#[case("BackoffLimitExceeded", "BackoffLimitExceeded, 3 failed")]
fn a_failed_job_says_how_it_failed(#[case] reason: &str, #[case] says: &str) {
    let report = diagnosed(vec![job("seed", reason, EARLIER, json!({}))]);
    assert_eq!(roots(&report), ["job-failed Job/seed"]);
    assert!(report.findings[0].title.contains(says), "{}", report.findings[0].title);
    assert!(report.findings[0].summary.contains("Its pods are gone"), "{}", report.findings[0].summary);
}

#[test]
fn what_its_last_pod_said_explains_a_failed_job() {
    let objects = vec![
        job("seed", "BackoffLimitExceeded", EARLIER, json!({})),
        failed_pod("seed-1", "seed", json!({})),
    ];
    let report =
        diagnosed_with_log(objects, "seed-1", "main", "ERROR connect to db:5432: connection refused");
    assert_eq!(roots(&report), ["app-dependency-unavailable Job/seed"]);
    assert_eq!(symptoms(&report), ["job-failed Job/seed"]);
}

#[test]
fn a_failed_pod_speaks_for_a_job_that_was_not_read() {
    let mut snapshot = crate::diagnosis::testing::snapshot(vec![failed_pod("seed-1", "seed", json!({}))]);
    snapshot.coverage.read.retain(|plural| plural != "jobs");
    let report = crate::diagnosis::diagnose(&snapshot, &crate::diagnosis::report::Scope::default());
    assert_eq!(roots(&report), ["app-crash Job/seed"]);
    assert_eq!(diagnosed(vec![failed_pod("seed-1", "seed", json!({}))]).findings, []);
}

#[test]
fn the_log_of_the_newest_failed_pod_is_asked_for() {
    let mut objects = vec![
        job("seed", "BackoffLimitExceeded", EARLIER, json!({})),
        failed_pod("seed-1", "seed", json!({})),
    ];
    let newer = with(
        failed_pod("seed-2", "seed", json!({})),
        json!({ "metadata": { "creationTimestamp": "2026-01-01T11:55:00Z" } }),
    );
    objects.push(newer);
    let wanted = crate::diagnosis::wanted_logs(&crate::diagnosis::testing::snapshot(objects), 10);
    assert_eq!(wanted.iter().map(|log| log.pod.as_str()).collect::<Vec<_>>(), ["seed-2"]);
}

#[test]
fn events_of_pods_that_are_gone_are_kept_as_evidence() {
    let created =
        with(warning("Job", "seed", "SuccessfulCreate", "Created pod: seed-1"), json!({ "type": "Normal" }));
    let failed = warning("Pod", "seed-1", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.");
    let report = diagnosed(vec![job("seed", "DeadlineExceeded", EARLIER, json!({})), created, failed]);
    let texts: Vec<&str> =
        report.findings[0].evidence.iter().filter_map(|evidence| evidence.text.as_deref()).collect();
    assert!(texts.iter().any(|text| text.contains("Insufficient cpu")), "{texts:?}");
}

#[test]
fn a_failed_attempt_of_a_job_that_still_tries_is_no_finding() {
    let trying = json!({ "status": { "failed": 1, "active": 1, "conditions": null } });
    let objects = vec![job("seed", "", EARLIER, trying), failed_pod("seed-1", "seed", json!({}))];
    assert_eq!(diagnosed(objects).findings, []);
}

fn complete(name: &str, created: &str) -> Value {
    let done = json!({ "metadata": { "creationTimestamp": created }, "status": { "conditions": [{ "type": "Complete", "status": "True" }] } });
    job(name, "", EARLIER, done)
}

#[rstest]
#[case::long_ago(vec![job("seed", "BackoffLimitExceeded", "2025-12-20T00:00:00Z", json!({}))])]
#[case::repeated_well(vec![job("seed", "BackoffLimitExceeded", EARLIER, json!({})), complete("seed-2", "2026-01-01T11:56:00Z")])]
#[case::successful(vec![complete("seed", EARLIER)])]
fn a_failure_that_is_over_is_no_finding(#[case] objects: Vec<Value>) {
    assert_eq!(diagnosed(objects).findings, []);
}

fn cron_job(rest: Value) -> Value {
    with(
        object(
            "batch/v1",
            "CronJob",
            "report",
            json!({ "spec": { "schedule": "*/5 * * * *" }, "status": {} }),
        ),
        rest,
    )
}

fn owned(job: Value) -> Value {
    let owner = json!([{ "kind": "CronJob", "name": "report", "uid": "CronJob-report", "controller": true }]);
    with(job, json!({ "metadata": { "ownerReferences": owner } }))
}

#[test]
fn the_newest_run_of_a_cron_job_decides() {
    let failed = |name: &str, created: &str| {
        let created = json!({ "metadata": { "creationTimestamp": created } });
        owned(job(name, "BackoffLimitExceeded", EARLIER, created))
    };
    let fails = vec![
        cron_job(json!({})),
        owned(complete("report-1", "2026-01-01T11:40:00Z")),
        failed("report-2", "2026-01-01T11:45:00Z"),
        failed("report-3", "2026-01-01T11:50:00Z"),
    ];
    assert_eq!(roots(&diagnosed(fails)), ["job-failed CronJob/report"]);
    let well = vec![
        cron_job(json!({})),
        failed("report-1", "2026-01-01T11:45:00Z"),
        owned(complete("report-2", "2026-01-01T11:50:00Z")),
    ];
    assert_eq!(diagnosed(well).findings, []);
}

#[test]
fn a_helper_that_runs_on_keeps_a_job_from_its_end() {
    let owner = json!([{ "kind": "Job", "name": "seed", "uid": "Job-seed", "controller": true }]);
    let done = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-01T11:00:00Z" } });
    let pod = |done: Value| {
        json!({
            "metadata": { "ownerReferences": owner },
            "spec": { "nodeName": "n1", "restartPolicy": "Never", "containers": [{ "name": "main" }, { "name": "proxy" }] },
            "status": { "phase": "Running", "containerStatuses": [
                { "name": "main", "state": done },
                { "name": "proxy", "ready": true, "state": { "running": { "startedAt": "2026-01-01T10:59:00Z" } } },
            ] },
        })
    };
    let seed = object("batch/v1", "Job", "seed", json!({ "status": { "active": 1 } }));
    let report = diagnosed(vec![seed.clone(), object("v1", "Pod", "seed-1", pod(done.clone()))]);
    assert_eq!(roots(&report), ["job-sidecar-runs-on Job/seed"]);
    let just_now = with(done, json!({ "terminated": { "finishedAt": "2026-01-01T11:59:30Z" } }));
    assert_eq!(diagnosed(vec![seed, object("v1", "Pod", "seed-1", pod(just_now))]).findings, []);
}

#[test]
fn a_suspended_cron_job_is_worth_knowing_and_no_more() {
    let report = diagnosed(vec![cron_job(json!({ "spec": { "suspend": true } }))]);
    assert_eq!(severity(&report, "cronjob-suspended"), Severity::Info);
}

#[rstest]
#[case::since_the_last_run("2026-01-01T11:30:00Z", true)]
#[case::before_the_last_run("2026-01-01T11:59:30Z", false)]
fn a_complaint_counts_until_the_next_run(#[case] last_run: &str, #[case] told: bool) {
    let message =
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    let event = warning("CronJob", "report", "TooManyMissedTimes", message);
    let report = diagnosed(vec![cron_job(json!({ "status": { "lastScheduleTime": last_run } })), event]);
    assert_eq!(roots(&report) == ["cronjob-does-not-fire CronJob/report"], told);
}

#[test]
fn a_cron_job_that_has_never_run_is_no_finding() {
    assert_eq!(
        diagnosed(vec![cron_job(json!({ "metadata": { "creationTimestamp": LONG_AGO } }))]).findings,
        []
    );
}

fn autoscaler(condition: Value) -> Value {
    let base = json!({ "type": "ScalingActive", "status": "False", "lastTransitionTime": LONG_AGO });
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
    let cpu = json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 70 } } });
    object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "web",
        json!({
            "spec": { "scaleTargetRef": target, "maxReplicas": 5, "metrics": [cpu] },
            "status": { "conditions": [with(base, condition)] },
        }),
    )
}

fn no_metric(message: &str) -> Value {
    autoscaler(json!({ "reason": "FailedGetResourceMetric", "message": message }))
}

const MISSING_REQUEST: &str = "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container proxy of Pod web-1";
const NO_API: &str = "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";

#[test]
fn the_container_without_a_request_is_named() {
    let mut objects = healthy_deployment("web", json!({ "resources": { "requests": { "cpu": "100m" } } }));
    let proxy = json!({ "name": "proxy", "image": "proxy:1" });
    objects[0]["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(proxy);
    objects.push(no_metric(MISSING_REQUEST));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["autoscaler-request-missing Deployment/web"]);
    let expected = "kubectl -n shop set resources deployment/web -c proxy --requests=cpu=100m";
    assert_eq!(report.findings[0].remediation[0].command, expected);
}

fn api_service(status: &str, reason: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1beta1.metrics.k8s.io", "uid": "m" },
        "spec": { "group": "metrics.k8s.io", "version": "v1beta1", "service": { "namespace": "shop", "name": "metrics-server", "port": 443 } },
        "status": { "conditions": [{ "type": "Available", "status": status, "reason": reason, "message": "no" }] },
    })
}

#[test]
fn a_metrics_api_that_was_never_installed_is_what_is_missing() {
    let mut objects = healthy_deployment("web", json!({}));
    objects.push(no_metric(NO_API));
    assert_eq!(roots(&diagnosed(objects)), ["metrics-api-missing APIService/v1beta1.metrics.k8s.io"]);
}

#[test]
fn a_metrics_server_that_crashes_explains_the_api_and_the_autoscaler() {
    let waiting = json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } });
    let mut objects = deployment("metrics-server", json!({}), waiting);
    objects.extend(healthy_deployment("web", json!({})));
    objects.extend([
        service("metrics-server", "metrics-server"),
        api_service("False", "MissingEndpoints"),
        no_metric(NO_API),
    ]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["image-not-found Deployment/metrics-server"]);
    let expected = [
        "service-without-endpoints Service/metrics-server",
        "api-service-unavailable APIService/v1beta1.metrics.k8s.io",
        "autoscaler-no-metrics HorizontalPodAutoscaler/web",
    ];
    assert_eq!(symptoms(&report), expected);
}

#[rstest]
#[case::available("True", "Passed", false)]
#[case::gone("False", "ServiceNotFound", true)]
fn an_aggregated_api_has_to_be_available(#[case] status: &str, #[case] reason: &str, #[case] told: bool) {
    let report = diagnosed(vec![api_service(status, reason)]);
    assert_eq!(roots(&report) == ["api-service-unavailable APIService/v1beta1.metrics.k8s.io"], told);
}

#[rstest]
#[case::backing_off(json!({ "type": "AbleToScale", "reason": "BackoffDownscale", "message": "the time since the previous scale is still within the downscale forbidden window" }))]
#[case::disabled(json!({ "reason": "ScalingDisabled", "message": "scaling is disabled since the replica count of the target is zero" }))]
#[case::new(json!({ "reason": "FailedGetResourceMetric", "message": NO_API, "lastTransitionTime": "2026-01-01T11:59:00Z" }))]
#[case::young_pods(json!({ "reason": "FailedGetResourceMetric", "message": "failed to get cpu utilization: did not receive metrics for any ready pods" }))]
#[case::active(json!({ "status": "True", "reason": "ValidMetricFound" }))]
fn an_autoscaler_may_pause_for_good_reasons(#[case] condition: Value) {
    let mut objects = healthy_deployment("web", json!({}));
    objects.push(autoscaler(condition));
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn an_autoscaler_of_the_older_api_keeps_its_conditions_in_an_annotation() {
    let conditions = json!([{ "type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": MISSING_REQUEST }]);
    let mut old = no_metric("");
    old["status"] = json!({});
    old["metadata"]["annotations"] =
        json!({ "autoscaling.alpha.kubernetes.io/conditions": conditions.to_string() });
    let mut objects = healthy_deployment("web", json!({}));
    objects.push(old);
    assert_eq!(roots(&diagnosed(objects)), ["autoscaler-request-missing Deployment/web"]);
}

#[test]
fn a_target_that_does_not_exist_is_the_autoscalers_fault() {
    let condition = json!({ "type": "AbleToScale", "reason": "FailedGetScale", "message": "deployments.apps \"web\" not found" });
    let mut objects = healthy_deployment("webs", json!({}));
    objects.push(autoscaler(condition));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["autoscaler-target-missing HorizontalPodAutoscaler/web"]);
    assert!(report.findings[0].summary.contains("webs"), "{}", report.findings[0].summary);
}

fn budget(limits: Value) -> Value {
    let selector = json!({ "selector": { "matchLabels": { "app": "web" } } });
    let status = json!({ "expectedPods": 1, "currentHealthy": 1, "disruptionsAllowed": 0 });
    object(
        "policy/v1",
        "PodDisruptionBudget",
        "web",
        json!({ "spec": with(selector, limits), "status": status }),
    )
}

#[rstest]
#[case::all(json!({ "minAvailable": 1 }), true)]
#[case::all_in_percent(json!({ "minAvailable": "100%" }), true)]
#[case::none_may_go(json!({ "maxUnavailable": 0 }), true)]
#[case::a_share(json!({ "maxUnavailable": "25%" }), false)]
#[case::one_may_go(json!({ "maxUnavailable": 1 }), false)]
fn a_budget_that_never_allows_a_disruption_is_worth_knowing(#[case] limits: Value, #[case] told: bool) {
    let mut objects = healthy_deployment("web", json!({}));
    objects.push(budget(limits));
    let report = diagnosed(objects);
    assert_eq!(!report.findings.is_empty(), told);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Info));
}

#[test]
fn a_budget_that_holds_up_a_drain_is_a_warning() {
    let mut objects = healthy_deployment("web", json!({}));
    objects.extend([
        budget(json!({ "minAvailable": 1 })),
        node("n1", json!({ "spec": { "unschedulable": true } })),
    ]);
    assert_eq!(severity(&diagnosed(objects), "disruption-budget-blocks"), Severity::Warning);
}
