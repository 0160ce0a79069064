use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::Severity;
use crate::diagnosis::testing::{
    deployment, diagnosed, diagnosed_with_log, healthy_deployment, object, roots, service, symptoms, with,
};

const TIMEOUT: &str = "ERROR dial tcp db:80: i/o timeout";
const DNS: &str = "Error: getaddrinfo EAI_AGAIN db";

fn policy(name: &str, spec: Value) -> Value {
    object("networking.k8s.io/v1", "NetworkPolicy", name, json!({ "spec": spec }))
}

fn of_db(ingress: Value) -> Value {
    policy(
        "db",
        json!({ "podSelector": { "matchLabels": { "app": "db" } }, "policyTypes": ["Ingress"], "ingress": ingress }),
    )
}

fn from(peer: Value, port: Value) -> Value {
    json!([{ "from": [peer], "ports": [{ "port": port, "protocol": "TCP" }] }])
}

/// `db` listens on 8080 behind its Service; `api` uses it and crashes.
fn cluster(policies: Vec<Value>) -> Vec<Value> {
    let crash = json!({
        "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
    });
    let mut objects = deployment("api", json!({ "env": [{ "name": "DB", "value": "http://db" }] }), crash);
    objects.extend(healthy_deployment("db", json!({ "ports": [{ "name": "http", "containerPort": 8080 }] })));
    objects.push(service("db", "db"));
    let labels = json!({ "kubernetes.io/metadata.name": "shop" });
    objects.push(
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "labels": labels } }),
    );
    objects.extend(policies);
    objects
}

fn with_dns() -> Value {
    let pod = json!({
        "metadata": { "namespace": "kube-system", "labels": { "k8s-app": "kube-dns" } },
        "spec": { "nodeName": "n1", "containers": [{ "name": "coredns" }] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    object("v1", "Pod", "coredns-1", pod)
}

#[rstest]
#[case::nobody_may(json!([]))]
#[case::another_label(from(json!({ "podSelector": { "matchLabels": { "app": "web" } } }), json!(8080)))]
#[case::another_port(from(json!({ "podSelector": {} }), json!(5432)))]
#[case::the_services_port_instead_of_the_pods(from(json!({ "podSelector": {} }), json!(80)))]
#[case::another_namespace(from(json!({ "namespaceSelector": { "matchLabels": { "team": "x" } } }), json!(8080)))]
#[case::both_selectors_have_to_match(from(json!({ "namespaceSelector": {}, "podSelector": { "matchLabels": { "app": "web" } } }), json!(8080)))]
#[case::another_network(from(json!({ "ipBlock": { "cidr": "192.168.0.0/16" } }), json!(8080)))]
fn a_policy_that_lets_the_client_not_in_explains_its_time_out(#[case] ingress: Value) {
    let report = diagnosed_with_log(cluster(vec![of_db(ingress)]), "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["network-policy-blocks NetworkPolicy/db"]);
    assert_eq!(symptoms(&report), ["app-dependency-unavailable Deployment/api"]);
    assert!(
        report.findings[0].title.contains("blocks Deployment api from Service db"),
        "{}",
        report.findings[0].title
    );
    assert_eq!(report.findings[0].severity, Severity::Critical);
}

#[rstest]
#[case::everybody(json!([{}]))]
#[case::its_label(from(json!({ "podSelector": { "matchLabels": { "app": "api" } } }), json!(8080)))]
#[case::named_port(from(json!({ "podSelector": {} }), json!("http")))]
#[case::its_namespace(from(json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "shop" } } }), json!(8080)))]
fn a_policy_that_lets_the_client_in_explains_nothing(#[case] ingress: Value) {
    let report = diagnosed_with_log(cluster(vec![of_db(ingress)]), "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
}

#[test]
fn policies_add_up() {
    let deny = policy("deny-all", json!({ "podSelector": {}, "policyTypes": ["Ingress"] }));
    let allow = of_db(from(json!({ "podSelector": { "matchLabels": { "app": "api" } } }), json!(8080)));
    let report = diagnosed_with_log(cluster(vec![deny, allow]), "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
}

#[test]
fn of_several_policies_the_one_that_should_let_it_in_is_named() {
    let deny = policy("deny-all", json!({ "podSelector": {}, "policyTypes": ["Ingress"] }));
    let allow = of_db(from(json!({ "podSelector": { "matchLabels": { "app": "apii" } } }), json!(8080)));
    let report = diagnosed_with_log(cluster(vec![deny, allow]), "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["network-policy-blocks NetworkPolicy/db"]);
}

#[rstest]
#[case("dial tcp db:80: connection refused")]
#[case("db:80: connection refused, next attempt after timeout 5s")]
fn a_refusal_does_not_come_from_a_policy(#[case] line: &str) {
    let report = diagnosed_with_log(cluster(vec![of_db(json!([]))]), "api-1", "api", line);
    assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
}

#[test]
fn a_default_deny_in_a_healthy_namespace_is_no_finding() {
    let deny = policy("deny-all", json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] }));
    let mut objects = healthy_deployment("api", json!({ "env": [{ "name": "DB", "value": "http://db" }] }));
    objects.extend(healthy_deployment("db", json!({ "ports": [{ "containerPort": 8080 }] })));
    objects.extend([service("db", "db"), deny]);
    assert_eq!(diagnosed(objects).findings, []);
}

fn egress(rules: Value) -> Value {
    policy(
        "api-egress",
        json!({ "podSelector": { "matchLabels": { "app": "api" } }, "policyTypes": ["Egress"], "egress": rules }),
    )
}

#[test]
fn an_egress_without_dns_explains_names_that_do_not_resolve() {
    let to_db = json!([{ "to": [{ "podSelector": { "matchLabels": { "app": "db" } } }] }]);
    let mut objects = cluster(vec![egress(to_db)]);
    objects.push(with_dns());
    let report = diagnosed_with_log(objects, "api-1", "api", DNS);
    assert_eq!(roots(&report), ["network-policy-blocks NetworkPolicy/api-egress"]);
    assert!(report.findings[0].title.contains("DNS"), "{}", report.findings[0].title);
    let command = &report.findings[0].remediation[0].command;
    assert!(command.contains(r#""port":53,"protocol":"UDP""#) && command.contains("kube-dns"), "{command}");
}

#[test]
fn an_egress_with_dns_does_not() {
    let dns = json!([{ "to": [{ "namespaceSelector": {} }], "ports": [{ "port": 53, "protocol": "UDP" }] }]);
    let mut objects = cluster(vec![egress(dns)]);
    objects.push(with_dns());
    let report = diagnosed_with_log(objects, "api-1", "api", DNS);
    assert!(!roots(&report).iter().any(|root| root.starts_with("network-policy")), "{:?}", roots(&report));
}

#[rstest]
#[case::inside_only(json!([{ "to": [{ "namespaceSelector": {} }] }]), true)]
#[case::everywhere(json!([{}]), false)]
#[case::that_network(json!([{ "to": [{ "ipBlock": { "cidr": "52.0.0.0/8" } }] }]), false)]
#[case::all_but_that_network(json!([{ "to": [{ "ipBlock": { "cidr": "0.0.0.0/0", "except": ["52.0.0.0/8"] } }] }]), true)]
fn an_address_outside_may_be_cut_off(#[case] rules: Value, #[case] cut: bool) {
    let line = "ERROR charge: Post \"https://pay.example.com\": dial tcp 52.1.2.3:443: i/o timeout";
    let report = diagnosed_with_log(cluster(vec![egress(rules)]), "api-1", "api", line);
    assert_eq!(
        roots(&report) == ["network-policy-blocks NetworkPolicy/api-egress"],
        cut,
        "{:?}",
        roots(&report)
    );
}

#[test]
fn a_pod_that_is_ready_and_complains_is_told_too() {
    let mut objects = healthy_deployment("api", json!({ "env": [{ "name": "DB", "value": "http://db" }] }));
    objects.extend(healthy_deployment("db", json!({ "ports": [{ "containerPort": 8080 }] })));
    objects.extend([service("db", "db"), of_db(json!([]))]);
    let wanted = crate::diagnosis::wanted_logs(&crate::diagnosis::testing::snapshot(objects.clone()), 10);
    assert_eq!(wanted.iter().map(|log| log.pod.as_str()).collect::<Vec<_>>(), ["api-1"]);
    let report = diagnosed_with_log(objects, "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["network-policy-blocks NetworkPolicy/db"]);
}

#[test]
fn a_policy_without_types_is_about_ingress_alone() {
    let isolated =
        policy("api", json!({ "podSelector": { "matchLabels": { "app": "api" } }, "ingress": [] }));
    let report = diagnosed_with_log(cluster(vec![isolated]), "api-1", "api", TIMEOUT);
    assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
}

#[test]
fn the_rule_that_is_missing_is_added_and_can_be_taken_away() {
    let ingress = from(json!({ "podSelector": { "matchLabels": { "app": "web" } } }), json!(8080));
    let report = diagnosed_with_log(cluster(vec![of_db(ingress)]), "api-1", "api", TIMEOUT);
    let remedy = &report.findings[0].remediation[0];
    assert!(remedy.command.contains(r#""path":"/spec/ingress/-""#), "{}", remedy.command);
    assert!(remedy.command.contains(r#""matchLabels":{"app":"api"}"#), "{}", remedy.command);
    assert!(remedy.undo.contains(r#""path":"/spec/ingress/1""#), "{}", remedy.undo);
}

#[test]
fn a_pod_that_says_nothing_may_suffer_from_what_cuts_off_its_settings() {
    let objects = cluster(vec![with(of_db(json!([])), json!({}))]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["network-policy-blocks NetworkPolicy/db"]);
}
