use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Confidence, Report};
use crate::diagnosis::testing::{
    deployment, diagnosed, diagnosed_with_log, finding, object, roots, snapshot, symptoms, with,
};

const DENIED: &str = r#"E0101 reflector.go: failed to list *v1.Pod: pods is forbidden: User "system:serviceaccount:shop:watcher" cannot list resource "pods" in API group "" in the namespace "shop""#;

/// A Deployment that crashes.
fn crashing() -> Vec<Value> {
    let status = json!({
        "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T11:58:00Z" } },
    });
    let mut objects = deployment("watcher", json!({}), status);
    for spec in ["/0/spec/template/spec", "/2/spec"] {
        let (index, pointer) = spec[1..].split_once('/').unwrap();
        let place = objects[index.parse::<usize>().unwrap()].pointer_mut(&format!("/{pointer}")).unwrap();
        place["serviceAccountName"] = json!("watcher");
    }
    objects.push(object("v1", "ServiceAccount", "watcher", json!({})));
    objects
}

fn role(kind: &str, name: &str, resources: &[&str], verbs: &[&str]) -> Value {
    let rules = json!([{ "apiGroups": [""], "resources": resources, "verbs": verbs }]);
    object("rbac.authorization.k8s.io/v1", kind, name, json!({ "rules": rules }))
}

fn binding(kind: &str, name: &str, role: (&str, &str), subject: Value) -> Value {
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1 });
    object("rbac.authorization.k8s.io/v1", kind, name, json!({ "roleRef": role, "subjects": [subject] }))
}

fn account(namespace: &str, name: &str) -> Value {
    json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name })
}

fn in_cluster(mut object: Value) -> Value {
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

fn report(rest: Vec<Value>) -> Report {
    let objects = crashing().into_iter().chain(rest).collect();
    diagnosed_with_log(objects, "watcher-1", "watcher", DENIED)
}

fn reader() -> Value {
    role("Role", "pod-reader", &["pods"], &["get", "list"])
}

#[rstest]
#[case::other_namespace(vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), account("default", "watcher"))], "rbac-wrong-subject RoleBinding/watch")]
#[case::misspelt(vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), account("shop", "wacher"))], "rbac-wrong-subject RoleBinding/watch")]
#[case::as_a_user(vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), json!({ "kind": "User", "name": "watcher" }))], "rbac-wrong-subject RoleBinding/watch")]
#[case::verb(vec![role("Role", "watch", &["pods"], &["get"]), binding("RoleBinding", "watch", ("Role", "watch"), account("shop", "watcher"))], "rbac-role-lacks Role/watch")]
#[case::resource(vec![role("Role", "watch", &["configmaps"], &["*"]), binding("RoleBinding", "watch", ("Role", "watch"), account("shop", "watcher"))], "rbac-role-lacks Role/watch")]
#[case::no_such_role(vec![binding("RoleBinding", "watch", ("Role", "pod-raeder"), account("shop", "watcher"))], "rbac-role-missing RoleBinding/watch")]
#[case::nothing(vec![], "rbac-not-bound ServiceAccount/watcher")]
#[case::bound_elsewhere(vec![with(reader(), json!({ "metadata": { "namespace": "ops" } })), with(binding("RoleBinding", "watch", ("Role", "pod-reader"), account("shop", "watcher")), json!({ "metadata": { "namespace": "ops" } }))], "rbac-wrong-scope RoleBinding/watch")]
fn what_has_to_change_is_named_and_explains_the_crash(#[case] rest: Vec<Value>, #[case] expected: &str) {
    let report = report(rest);
    assert_eq!(roots(&report), [expected]);
    assert_eq!(symptoms(&report), ["app-permission-denied Deployment/watcher"]);
    let verify = "kubectl auth can-i list pods --as=system:serviceaccount:shop:watcher -n shop";
    assert_eq!(report.findings[0].remediation[0].verify, verify);
}

#[rstest]
#[case::role(vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), account("shop", "watcher"))])]
#[case::wildcards(vec![in_cluster(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "all" }, "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }] })), in_cluster(binding("ClusterRoleBinding", "all", ("ClusterRole", "all"), account("shop", "watcher")))])]
#[case::group(vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), json!({ "kind": "Group", "name": "system:serviceaccounts:shop" }))])]
fn a_denial_that_no_longer_holds_is_history(#[case] rest: Vec<Value>) {
    assert_eq!(roots(&report(rest)), ["app-permission-denied Deployment/watcher"]);
}

#[test]
fn an_account_that_exists_is_meant_as_it_is_written() {
    let rest = vec![
        object("v1", "ServiceAccount", "watcher-admin", json!({})),
        reader(),
        binding("RoleBinding", "admin", ("Role", "pod-reader"), account("shop", "watcher-admin")),
    ];
    assert_eq!(roots(&report(rest)), ["rbac-not-bound ServiceAccount/watcher"]);
}

#[test]
fn a_role_that_kubernetes_brings_along_stays_as_it_is() {
    let view = with(
        role("ClusterRole", "view", &["pods"], &["get"]),
        json!({ "metadata": { "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } } }),
    );
    let bound = binding("RoleBinding", "watch", ("ClusterRole", "view"), account("shop", "watcher"));
    assert_eq!(roots(&report(vec![in_cluster(view), bound])), ["rbac-role-lacks RoleBinding/watch"]);
}

#[test]
fn a_role_binding_does_not_reach_the_whole_cluster() {
    let denied = DENIED.replace(r#"in the namespace "shop""#, "at the cluster scope");
    let rest =
        vec![reader(), binding("RoleBinding", "watch", ("Role", "pod-reader"), account("shop", "watcher"))];
    let objects = crashing().into_iter().chain(rest).collect();
    let report = diagnosed_with_log(objects, "watcher-1", "watcher", &denied);
    assert_eq!(roots(&report), ["rbac-wrong-scope RoleBinding/watch"]);
    let command = &report.findings[0].remediation[0].command;
    assert!(
        command.contains("create clusterrolebinding") && command.contains("create clusterrole "),
        "{command}"
    );
}

#[test]
fn pods_that_forgot_to_name_their_account_are_at_fault_themselves() {
    let denied = DENIED.replace("shop:watcher", "shop:default");
    let rest = vec![
        object("v1", "ServiceAccount", "default", json!({})),
        reader(),
        binding("RoleBinding", "watch", ("Role", "pod-reader"), account("shop", "watcher")),
    ];
    let objects = crashing().into_iter().chain(rest).collect();
    let report = diagnosed_with_log(objects, "watcher-1", "watcher", &denied);
    assert_eq!(roots(&report), ["rbac-default-account Deployment/watcher"]);
}

#[test]
fn pods_without_a_token_ask_as_nobody() {
    let denied = DENIED.replace("system:serviceaccount:shop:watcher", "system:anonymous");
    let mut objects = crashing();
    objects[2]["spec"]["automountServiceAccountToken"] = json!(false);
    let report = diagnosed_with_log(objects, "watcher-1", "watcher", &denied);
    assert_eq!(roots(&report), ["rbac-no-token Deployment/watcher"]);
    let report = diagnosed_with_log(crashing(), "watcher-1", "watcher", &denied);
    assert_eq!(roots(&report), ["app-permission-denied Deployment/watcher"]);
}

#[test]
fn a_termination_message_tells_as_well_as_a_log() {
    let mut objects = crashing();
    objects[2]["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = json!(DENIED);
    assert!(roots(&diagnosed(objects)).contains(&"rbac-not-bound ServiceAccount/watcher".to_owned()));
}

#[test]
fn a_single_denial_long_before_the_end_is_passed_over() {
    let log = format!("{DENIED}\n{}", "working\n".repeat(20));
    let report = diagnosed_with_log(crashing(), "watcher-1", "watcher", &log);
    assert!(
        report.findings.iter().all(|finding| !finding.rule.starts_with("rbac")),
        "{:#?}",
        report.findings
    );
}

/// The report of somebody who may not read this kind.
fn report_without(plural: &str, rest: Vec<Value>) -> Report {
    let mut snapshot = snapshot(crashing().into_iter().chain(rest).collect());
    snapshot.coverage.read.retain(|read| read != plural);
    let of = crate::diagnosis::LogRef {
        namespace: "shop".to_owned(),
        pod: "watcher-1".to_owned(),
        container: "watcher".to_owned(),
        previous: false,
    };
    snapshot.logs.push(crate::diagnosis::ContainerLog { of, text: DENIED.to_owned() });
    crate::diagnosis::diagnose(&snapshot, &crate::diagnosis::report::Scope::default())
}

#[test]
fn without_sight_of_bindings_the_account_is_named_as_likely() {
    let report = report_without("rolebindings", vec![]);
    assert_eq!(roots(&report), ["rbac-not-bound ServiceAccount/watcher"]);
    assert_eq!(finding(&report, "rbac-not-bound").confidence, Confidence::Likely);
}

#[test]
fn a_cluster_role_that_was_not_read_may_exist() {
    let bound = binding("RoleBinding", "watch", ("ClusterRole", "pods"), account("shop", "watcher"));
    let report = report_without("clusterroles", vec![bound]);
    assert_eq!(roots(&report), ["rbac-not-bound ServiceAccount/watcher"]);
    assert_eq!(finding(&report, "rbac-not-bound").confidence, Confidence::Likely);
}
