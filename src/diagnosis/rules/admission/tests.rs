use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Confidence, Severity};
use crate::diagnosis::testing::{
    self, EARLIER, deployment, diagnosed, finding, healthy_deployment, object, roots, service, symptoms,
    warning, with,
};

const QUOTA: &str = r#"Error creating: pods "catalog-abc-x" is forbidden: exceeded quota: compute, requested: limits.cpu=500m, used: limits.cpu=1800m, limited: limits.cpu=2"#;

/// A Deployment of which no pod exists, and why.
fn refused(message: &str) -> Vec<Value> {
    let mut objects = deployment("catalog", json!({}), json!({}));
    objects.truncate(2);
    objects.push(warning("ReplicaSet", "catalog-abc", "FailedCreate", message));
    objects
}

fn quota() -> Value {
    let spec = json!({ "hard": { "limits.cpu": "2" } });
    object(
        "v1",
        "ResourceQuota",
        "compute",
        json!({ "spec": spec, "status": { "used": { "limits.cpu": "1800m" } } }),
    )
}

#[rstest]
#[case::quota(QUOTA, "quota-exceeded ResourceQuota/compute")]
#[case::quota_needs(
    r#"Error creating: pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: app"#,
    "quota-needs-resources Deployment/catalog"
)]
#[case::limit_range(
    r#"Error creating: pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"#,
    "limit-range-violated Deployment/catalog"
)]
#[case::pod_security(
    r#"Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)"#,
    "pod-security-violation Deployment/catalog"
)]
#[case::service_account(
    r#"Error creating: pods "x" is forbidden: error looking up service account shop/cart: serviceaccount "cart" not found"#,
    "service-account-missing ServiceAccount/cart"
)]
#[case::priority(
    r#"Error creating: pods "x" is forbidden: no PriorityClass with name high was found"#,
    "priority-class-missing Deployment/catalog"
)]
#[case::policy(
    r#"Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: no latest tag"#,
    "policy-denied Deployment/catalog"
)]
#[case::terminating(
    r#"Error creating: pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated"#,
    "namespace-terminating Namespace/shop"
)]
#[case::unknown_webhook(
    r#"Error creating: Internal error occurred: failed calling webhook "v.x.io": failed to call webhook: Post "https://a.b.svc:443/v": context deadline exceeded"#,
    "admission-webhook-timeout ValidatingWebhookConfiguration/v.x.io"
)]
#[case::certificate(
    r#"Error creating: Internal error occurred: failed calling webhook "v.x.io": failed to call webhook: Post "https://a.b.svc:443/v": x509: certificate signed by unknown authority"#,
    "admission-webhook-tls ValidatingWebhookConfiguration/v.x.io"
)]
#[case::other("Error creating: Timeout: request did not complete", "pod-creation-refused Deployment/catalog")]
fn each_refusal_names_what_has_to_change(#[case] message: &str, #[case] expected: &str) {
    let report = diagnosed(refused(message));
    assert_eq!(roots(&report), [expected]);
    assert_eq!(report.findings[0].severity, Severity::Critical);
    assert!(report.findings[0].title.contains("catalog"), "{}", report.findings[0].title);
    assert!(report.findings[0].evidence.iter().any(|evidence| evidence.count == Some(3)));
}

#[test]
fn a_refusal_is_history_once_all_pods_exist() {
    let mut objects = healthy_deployment("catalog", json!({}));
    objects.push(warning("ReplicaSet", "catalog-abc", "FailedCreate", QUOTA));
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn a_refusal_is_history_once_a_pod_was_created_since() {
    let mut objects = refused(QUOTA);
    let created = warning("ReplicaSet", "catalog-abc", "SuccessfulCreate", "Created pod: catalog-abc-2");
    objects.push(with(created, json!({ "type": "Normal", "lastTimestamp": "2026-01-01T11:59:30Z" })));
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn the_condition_of_a_replica_set_speaks_where_events_have_expired() {
    let mut objects = refused("");
    objects.pop();
    objects[1]["status"] = json!({
        "replicas": 0,
        "conditions": [{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA }],
    });
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["quota-exceeded ResourceQuota/compute"]);
    assert_eq!(report.findings[0].evidence[0].path.as_deref(), Some("$.status.conditions[0].message"));
}

#[test]
fn a_partly_filled_quota_is_a_warning_with_a_patch_that_makes_room_for_the_rest() {
    let mut objects = healthy_deployment("catalog", json!({}));
    for workload in &mut objects[..2] {
        workload["spec"]["replicas"] = json!(3);
    }
    objects.push(quota());
    objects.push(warning("ReplicaSet", "catalog-abc", "FailedCreate", QUOTA));
    let report = diagnosed(objects);
    let found = finding(&report, "quota-exceeded");
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.summary.contains("1 of its 3 pods exist"), "{}", found.summary);
    let expected = r#"kubectl -n shop patch resourcequota compute --type merge -p '{"spec":{"hard":{"limits.cpu":"2800m"}}}'"#;
    assert_eq!(found.remediation[0].command, expected);
    assert!(found.remediation[0].undo.contains(r#""limits.cpu":"2""#), "{}", found.remediation[0].undo);
    assert!(
        found.evidence.iter().any(|evidence| evidence.path.as_deref() == Some("$.status.used['limits.cpu']"))
    );
}

#[test]
fn a_revision_that_asks_for_more_is_at_fault_itself() {
    let limits = |cpu: &str| json!({ "resources": { "limits": { "cpu": cpu } } });
    let mut objects = refused(QUOTA);
    objects[0]["spec"]["template"]["spec"]["containers"][0] = limits("2");
    let former = with(
        objects[1].clone(),
        json!({ "metadata": { "name": "catalog-old", "uid": "old" }, "spec": { "replicas": 0 } }),
    );
    objects[1]["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "2" });
    objects.push(former);
    objects[3]["spec"]["template"]["spec"]["containers"][0] = limits("500m");
    assert_eq!(roots(&diagnosed(objects)), ["quota-exceeded Deployment/catalog"]);
}

#[test]
fn workloads_that_one_quota_holds_back_are_one_finding() {
    let mut objects = refused(QUOTA);
    let mut other = deployment("basket", json!({}), json!({}));
    other.truncate(2);
    objects.extend(other);
    objects.push(warning("ReplicaSet", "basket-abc", "FailedCreate", QUOTA));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["quota-exceeded ResourceQuota/compute"]);
    assert!(report.findings[0].title.contains("(and 1 more)"), "{}", report.findings[0].title);
}

#[rstest]
#[case::waiting(json!({}), true)]
#[case::suspended(json!({ "spec": { "suspend": true } }), false)]
#[case::over(json!({ "status": { "conditions": [{ "type": "Complete", "status": "True" }] } }), false)]
fn a_job_counts_while_it_wants_pods(#[case] patch: Value, #[case] counts: bool) {
    let job = object("batch/v1", "Job", "seed", json!({ "spec": { "parallelism": 1, "completions": 1 } }));
    let report = diagnosed(vec![with(job, patch), warning("Job", "seed", "FailedCreate", QUOTA)]);
    assert_eq!(report.findings.iter().any(|finding| finding.rule == "quota-exceeded"), counts);
}

#[test]
fn a_claim_of_a_stateful_set_can_exceed_a_quota_too() {
    let set = object("apps/v1", "StatefulSet", "db", json!({ "spec": { "replicas": 1 }, "status": {} }));
    let message = r#"create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: disk, requested: requests.storage=10Gi, used: requests.storage=5Gi, limited: requests.storage=10Gi"#;
    let report = diagnosed(vec![set, warning("StatefulSet", "db", "FailedCreate", message)]);
    assert_eq!(roots(&report), ["quota-exceeded ResourceQuota/disk"]);
    assert!(report.findings[0].remediation[0].command.contains(r#""requests.storage":"15Gi""#));
}

#[test]
fn defaults_of_a_limit_range_below_the_request_are_pointed_out() {
    let mut objects = refused(
        r#"Error creating: Pod "x" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 500m"#,
    );
    let limits = json!([{ "type": "Container", "default": { "cpu": "500m" } }]);
    objects.push(object("v1", "LimitRange", "defaults", json!({ "spec": { "limits": limits } })));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["limit-range-violated Deployment/catalog"]);
    assert!(report.findings[0].title.contains("LimitRange defaults"), "{}", report.findings[0].title);
}

fn webhook(policy: &str) -> Value {
    let client = json!({ "service": { "namespace": "guard", "name": "checker", "port": 443 } });
    let rules = json!([{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }]);
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "images", "uid": "images" },
        "webhooks": [{ "name": "v.images.io", "clientConfig": client, "failurePolicy": policy, "rules": rules }],
    })
}

fn in_guard(object: Value) -> Value {
    with(object, json!({ "metadata": { "namespace": "guard" } }))
}

/// The message of an API server whose webhook gives no answer.
fn no_answer(what: &str) -> String {
    format!(
        r#"Error creating: Internal error occurred: failed calling webhook "v.images.io": failed to call webhook: Post "https://checker.guard.svc:443/v?timeout=10s": {what}"#
    )
}

#[test]
fn a_webhook_whose_service_is_gone_is_the_configurations_fault() {
    let mut objects = refused(&no_answer(r#"service "checker" not found"#));
    objects.push(webhook("Fail"));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["admission-webhook-unavailable ValidatingWebhookConfiguration/images"]);
    let found = &report.findings[0];
    assert_eq!(found.confidence, Confidence::Certain);
    assert!(found.remediation.iter().any(|remedy| remedy.command.contains(r#""value":"Ignore""#)));
}

#[test]
fn a_webhook_whose_pods_crash_is_explained_by_them() {
    let waiting = json!({ "reason": "ErrImagePull", "message": "" });
    let mut objects = refused(&no_answer(r#"no endpoints available for service "checker""#));
    objects.push(webhook("Fail"));
    let checker = deployment("checker", json!({}), json!({ "state": { "waiting": waiting } }));
    objects.extend(checker.into_iter().chain([service("checker", "checker")]).map(in_guard));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["image-pull-failed Deployment/checker"]);
    assert!(
        symptoms(&report)
            .contains(&"admission-webhook-unavailable ValidatingWebhookConfiguration/images".to_owned())
    );
}

#[test]
fn a_webhook_that_keeps_its_own_pods_out_is_the_beginning_of_the_circle() {
    let mut objects: Vec<Value> = refused(&no_answer(r#"no endpoints available for service "checker""#))
        .into_iter()
        .map(in_guard)
        .collect();
    objects[2]["involvedObject"]["namespace"] = json!("guard");
    objects.push(in_guard(service("checker", "catalog")));
    objects.push(webhook("Fail"));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["admission-webhook-unavailable ValidatingWebhookConfiguration/images"]);
}

#[rstest]
#[case::would_refuse("Fail", true)]
#[case::lets_in("Ignore", false)]
fn a_webhook_without_a_service_is_told_before_it_refuses(#[case] policy: &str, #[case] told: bool) {
    let report = diagnosed(vec![webhook(policy)]);
    assert_eq!(!report.findings.is_empty(), told);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn a_namespace_that_a_recording_left_out_proves_nothing() {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "guard", "creationTimestamp": EARLIER } });
    assert_eq!(diagnosed(vec![webhook("Fail"), namespace]).findings, []);
}

#[test]
fn hostile_names_stay_words_of_a_command() {
    let message = r#"Error creating: pods "x" is forbidden: exceeded quota: q; rm -rf /, requested: pods=1, used: pods=1, limited: pods=1"#;
    let report = diagnosed(refused(message));
    assert!(testing::finding(&report, "quota-exceeded").remediation[0].command.contains("'q; rm -rf /'"));
}
