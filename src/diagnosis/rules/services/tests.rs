use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Report, Severity};
use crate::diagnosis::testing::{
    deployment, diagnosed, diagnosed_with_log, finding, healthy_deployment, object, roots, service, symptoms,
    warning, with,
};

const PORTS: &str = r#"{ "ports": [{ "name": "http", "containerPort": 8080 }] }"#;

fn listening() -> Value {
    serde_json::from_str(PORTS).unwrap()
}

fn with_target(name: &str, selected: &str, target: Value) -> Value {
    let mut service = service(name, selected);
    service["spec"]["ports"][0]["targetPort"] = target;
    service
}

fn ingress_to(name: &str) -> Value {
    let backend = json!({ "service": { "name": name, "port": { "number": 80 } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let spec = json!({ "rules": [{ "host": "shop.example.com", "http": { "paths": [path] } }] });
    let status = json!({ "loadBalancer": { "ingress": [{ "hostname": "lb.example.com" }] } });
    object("networking.k8s.io/v1", "Ingress", "web", json!({ "spec": spec, "status": status }))
}

/// A healthy workload whose settings name the Service `catalog`.
fn client() -> Vec<Value> {
    healthy_deployment("ui", json!({ "env": [{ "name": "CATALOG_URL", "value": "http://catalog/today" }] }))
}

fn severity(report: &Report, rule: &str) -> Severity {
    finding(report, rule).severity
}

#[test]
fn a_service_that_selects_ready_pods_is_fine() {
    let mut objects = healthy_deployment("catalog", listening());
    objects.extend([service("catalog", "catalog"), ingress_to("catalog")]);
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn a_misspelt_selector_is_the_services_fault_and_the_fix_names_the_right_labels() {
    let mut objects = healthy_deployment("catalog", listening());
    objects.push(service("catalog", "catalgo"));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["service-selector-mismatch Service/catalog"]);
    let found = &report.findings[0];
    assert!(found.title.contains("it wants app=catalgo, the pods have app=catalog"), "{}", found.title);
    assert_eq!(found.remediation[0].command, "kubectl -n shop set selector service catalog app=catalog");
    assert_eq!(found.remediation[0].undo, "kubectl -n shop set selector service catalog app=catalgo");
}

#[test]
fn a_label_that_the_pods_lack_is_named() {
    let mut objects = healthy_deployment("catalog", listening());
    let mut wrong = service("catalog", "catalog");
    wrong["spec"]["selector"]["version"] = json!("v2");
    objects.push(wrong);
    let report = diagnosed(objects);
    assert!(
        report.findings[0].title.contains("the pods have no label version"),
        "{}",
        report.findings[0].title
    );
}

#[test]
fn a_service_without_pods_that_nobody_needs_is_only_worth_knowing() {
    let mut objects = healthy_deployment("basket", listening());
    objects.extend([service("basket", "basket"), service("leftover", "retired")]);
    let report = diagnosed(objects);
    assert_eq!(severity(&report, "service-selector-mismatch"), Severity::Info);
}

#[test]
fn labels_that_a_controller_sets_while_it_runs_may_be_missing() {
    let mut objects = healthy_deployment("db", listening());
    objects[2]["metadata"]["labels"]["role"] = json!("primary");
    let mut replicas = service("db-replicas", "db");
    replicas["spec"]["selector"]["role"] = json!("replica");
    objects.push(replicas);
    assert_eq!(severity(&diagnosed(objects), "service-selector-mismatch"), Severity::Info);
}

#[test]
fn a_service_for_the_next_revision_may_be_ahead_of_it() {
    let mut objects = healthy_deployment("web-blue", listening());
    let mut preview = service("web-preview", "web-blue");
    preview["spec"]["selector"]["track"] = json!("preview");
    objects.extend([service("web", "web-blue"), preview]);
    assert_eq!(severity(&diagnosed(objects), "service-selector-mismatch"), Severity::Info);
}

#[rstest]
#[case::no_selector(json!({ "spec": { "selector": null } }))]
#[case::external(json!({ "spec": { "type": "ExternalName", "externalName": "db.example.com" } }))]
fn endpoints_that_others_make_are_theirs(#[case] patch: Value) {
    assert_eq!(diagnosed(vec![with(service("catalog", "nobody"), patch)]).findings, []);
}

#[test]
fn endpoints_that_are_ready_contradict_an_empty_selection() {
    let slice = json!({
        "metadata": { "labels": { "kubernetes.io/service-name": "catalog" } },
        "endpoints": [{ "addresses": ["10.0.0.9"], "conditions": { "ready": true } }],
    });
    let slice = object("discovery.k8s.io/v1", "EndpointSlice", "catalog-x", slice);
    assert_eq!(diagnosed(vec![service("catalog", "nobody"), slice]).findings, []);
}

#[test]
fn a_broken_pod_is_the_cause_and_its_service_the_symptom() {
    let waiting = json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } });
    let mut objects = deployment("catalog", listening(), waiting);
    objects.extend([service("catalog", "catalog"), ingress_to("catalog")]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["image-not-found Deployment/catalog"]);
    assert_eq!(
        symptoms(&report),
        ["service-without-endpoints Service/catalog", "ingress-backend-down Ingress/web"]
    );
}

#[test]
fn pods_that_were_refused_are_the_cause_and_the_selector_is_not() {
    let mut objects = deployment("catalog", listening(), json!({}));
    objects.truncate(2);
    let message = r#"Error creating: pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"#;
    objects.extend([
        service("catalog", "catalog"),
        warning("ReplicaSet", "catalog-abc", "FailedCreate", message),
    ]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["quota-exceeded ResourceQuota/q"]);
    assert_eq!(symptoms(&report), ["service-without-endpoints Service/catalog"]);
}

#[test]
fn a_pod_that_has_just_been_started_is_no_finding() {
    let running = json!({ "state": { "running": { "startedAt": "2026-01-01T11:59:50Z" } } });
    let mut objects = deployment("catalog", listening(), running);
    objects[2]["metadata"]["creationTimestamp"] = json!("2026-01-01T11:59:45Z");
    objects.push(service("catalog", "catalog"));
    assert_eq!(diagnosed(objects).findings, []);
}

/// `catalog`, scaled to zero, with its Service.
fn scaled_away() -> Vec<Value> {
    let mut objects = healthy_deployment("catalog", listening());
    objects.truncate(2);
    for workload in &mut objects {
        workload["spec"]["replicas"] = json!(0);
        workload["status"] = json!({});
    }
    objects.push(service("catalog", "catalog"));
    objects
}

#[rstest]
#[case::unused(vec![], Severity::Info)]
#[case::routed(vec![ingress_to("catalog")], Severity::Critical)]
#[case::known_to_a_client(client(), Severity::Warning)]
fn a_workload_at_zero_is_as_bad_as_somebody_needs_it(#[case] rest: Vec<Value>, #[case] expected: Severity) {
    let report = diagnosed(scaled_away().into_iter().chain(rest).collect());
    assert_eq!(roots(&report), ["scaled-to-zero Deployment/catalog"]);
    assert_eq!(severity(&report, "scaled-to-zero"), expected);
    assert!(
        symptoms(&report).iter().all(|symptom| symptom.starts_with("ingress")),
        "{:?}",
        symptoms(&report)
    );
}

#[test]
fn a_client_that_complains_makes_it_critical_and_its_line_is_evidence() {
    let objects = scaled_away().into_iter().chain(client()).collect();
    let line = "ERROR GET http://catalog/today: connect: connection refused";
    let report = diagnosed_with_log(objects, "ui-1", "ui", line);
    let found = finding(&report, "scaled-to-zero");
    assert_eq!(found.severity, Severity::Critical);
    assert!(
        found.evidence.iter().any(|evidence| evidence.text.as_deref() == Some(line)),
        "{:#?}",
        found.evidence
    );
}

#[test]
fn the_logs_of_clients_are_asked_for_where_a_service_reaches_nobody() {
    let snapshot = crate::diagnosis::testing::snapshot(scaled_away().into_iter().chain(client()).collect());
    let wanted = crate::diagnosis::wanted_logs(&snapshot, 10);
    assert_eq!(wanted.iter().map(|log| log.pod.as_str()).collect::<Vec<_>>(), ["ui-1"]);
}

#[test]
fn scaling_up_goes_back_to_the_replicas_from_before() {
    let mut objects = scaled_away();
    let event = warning(
        "Deployment",
        "catalog",
        "ScalingReplicaSet",
        "Scaled down replica set catalog-abc to 0 from 3",
    );
    objects.push(with(event, json!({ "type": "Normal" })));
    let report = diagnosed(objects);
    let remedy = &finding(&report, "scaled-to-zero").remediation[0];
    assert_eq!(remedy.command, "kubectl -n shop scale deployment/catalog --replicas=3");
}

#[test]
fn keda_scales_to_zero_on_purpose() {
    let mut objects = scaled_away();
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "catalog" });
    let spec = json!({ "scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3 });
    objects.push(object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "keda-hpa-catalog",
        json!({ "spec": spec }),
    ));
    objects.push(ingress_to("catalog"));
    let report = diagnosed(objects);
    assert_eq!(severity(&report, "scaled-to-zero"), Severity::Info);
    assert_eq!(symptoms(&report), [""; 0]);
}

#[test]
fn a_workload_at_zero_without_a_service_is_nobodys_business() {
    let mut objects = scaled_away();
    objects.pop();
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn a_port_name_that_no_container_has_is_the_services_fault() {
    let mut objects = healthy_deployment("catalog", listening());
    objects.push(with_target("catalog", "catalog", json!("htpp")));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["service-target-port-undefined Service/catalog"]);
    let command = &report.findings[0].remediation[0].command;
    assert!(command.contains(r#""path":"/spec/ports/0/targetPort","value":"http""#), "{command}");
}

#[test]
fn a_port_of_the_same_name_but_another_protocol_does_not_count() {
    let mut objects = healthy_deployment(
        "catalog",
        json!({ "ports": [{ "name": "dns", "containerPort": 53, "protocol": "UDP" }] }),
    );
    objects.push(with_target("catalog", "catalog", json!("dns")));
    assert_eq!(roots(&diagnosed(objects)), ["service-target-port-undefined Service/catalog"]);
}

#[test]
fn one_of_several_ports_may_be_unused() {
    let mut objects = healthy_deployment("catalog", listening());
    let mut service = with_target("catalog", "catalog", json!("http"));
    let metrics = json!({ "name": "metrics", "port": 9090, "targetPort": "metrics" });
    service["spec"]["ports"].as_array_mut().unwrap().push(metrics);
    objects.push(service);
    assert_eq!(severity(&diagnosed(objects), "service-target-port-undefined"), Severity::Info);
}

fn probed() -> Value {
    with(listening(), json!({ "readinessProbe": { "httpGet": { "path": "/", "port": "http" } } }))
}

#[rstest]
#[case::probe_elsewhere(probed(), "", Severity::Critical)]
#[case::log_elsewhere(listening(), "INFO listening on 0.0.0.0:8080", Severity::Critical)]
#[case::no_sign(listening(), "", Severity::Info)]
fn a_port_number_that_nobody_declares_needs_another_sign(
    #[case] container: Value,
    #[case] log: &str,
    #[case] expected: Severity,
) {
    let mut objects = healthy_deployment("catalog", container);
    objects.push(with_target("catalog", "catalog", json!(9376)));
    let report = diagnosed_with_log(objects, "catalog-1", "catalog", log);
    assert_eq!(roots(&report), ["service-target-port-wrong Service/catalog"]);
    assert_eq!(severity(&report, "service-target-port-wrong"), expected);
}

#[test]
fn a_client_that_is_refused_is_a_sign_too() {
    let mut objects = healthy_deployment("catalog", listening());
    objects.push(with_target("catalog", "catalog", json!(9376)));
    objects.extend(client());
    let report =
        diagnosed_with_log(objects, "ui-1", "ui", "dial tcp: connect to catalog:80: connection refused");
    assert_eq!(severity(&report, "service-target-port-wrong"), Severity::Critical);
}

#[rstest]
#[case::probed_there(with(listening(), json!({ "readinessProbe": { "tcpSocket": { "port": 9376 } } })), "")]
#[case::logged_there(listening(), "listening on :9376")]
#[case::nothing_declared(json!({}), "")]
fn a_port_that_is_not_declared_may_be_listened_on(#[case] container: Value, #[case] log: &str) {
    let mut objects = healthy_deployment("catalog", container);
    objects.push(with_target("catalog", "catalog", json!(9376)));
    assert_eq!(diagnosed_with_log(objects, "catalog-1", "catalog", log).findings, []);
}

#[test]
fn a_headless_service_forwards_to_no_port() {
    let mut objects = healthy_deployment("catalog", probed());
    let headless = json!({ "spec": { "clusterIP": "None" } });
    objects.push(with(with_target("catalog", "catalog", json!(9376)), headless));
    assert_eq!(diagnosed(objects).findings, []);
}

/// A second program behind the labels of `catalog`.
fn stranger(container: Value) -> Vec<Value> {
    let mut objects = healthy_deployment("cache", container);
    objects[2]["metadata"]["labels"]["app"] = json!("catalog");
    objects
}

#[test]
fn a_selector_that_takes_in_another_program_is_told() {
    let mut objects = healthy_deployment("catalog", listening());
    objects.extend(stranger(json!({ "ports": [{ "containerPort": 6379 }] })));
    objects.push(service("catalog", "catalog"));
    assert_eq!(roots(&diagnosed(objects)), ["service-selector-too-broad Service/catalog"]);
}

#[rstest]
#[case::canary(listening())]
#[case::declares_nothing(json!({}))]
fn two_workloads_with_the_same_port_may_share_a_service(#[case] container: Value) {
    let mut objects = healthy_deployment("catalog", listening());
    objects.extend(stranger(container));
    objects.push(service("catalog", "catalog"));
    assert_eq!(diagnosed(objects).findings, []);
}

#[test]
fn a_port_for_health_checks_alone_is_no_sign() {
    let mut container = probed();
    container["ports"][0]["name"] = json!("healthz");
    container["readinessProbe"]["httpGet"]["port"] = json!("healthz");
    let mut objects = healthy_deployment("catalog", container);
    objects.push(with_target("catalog", "catalog", json!(9443)));
    assert_eq!(severity(&diagnosed(objects), "service-target-port-wrong"), Severity::Info);
}

#[test]
fn pods_in_another_namespace_are_pointed_out() {
    let mut objects: Vec<Value> = healthy_deployment("catalog", listening())
        .into_iter()
        .map(|object| with(object, json!({ "metadata": { "namespace": "other" } })))
        .collect();
    objects.extend([service("catalog", "catalog"), ingress_to("catalog")]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["service-selector-mismatch Service/catalog"]);
    assert!(report.findings[0].summary.contains("in namespace other"), "{}", report.findings[0].summary);
}

#[test]
fn what_makes_the_pods_may_be_of_a_kind_that_was_not_read() {
    let mut snapshot = crate::diagnosis::testing::snapshot(vec![service("db", "db"), ingress_to("db")]);
    snapshot.coverage.read.retain(|plural| plural != "statefulsets");
    let report = crate::diagnosis::diagnose(&snapshot, &crate::diagnosis::report::Scope::default());
    assert_eq!(report.findings, []);
}

/// `catalog` on node n1 serves its own node only; `ui` runs on this node.
fn local(node: &str) -> Vec<Value> {
    let mut objects = healthy_deployment("catalog", listening());
    let local = json!({ "spec": { "internalTrafficPolicy": "Local" } });
    objects.push(with(service("catalog", "catalog"), local));
    let mut client = client();
    client[2]["spec"]["nodeName"] = json!(node);
    objects.extend(client);
    objects
}

#[rstest]
#[case::elsewhere("n2", "ERROR GET http://catalog/today: i/o timeout", true)]
#[case::same_node("n1", "ERROR GET http://catalog/today: i/o timeout", false)]
#[case::content("n2", "INFO GET http://catalog/today 200", false)]
fn a_service_for_its_own_nodes_fails_clients_elsewhere(
    #[case] node: &str,
    #[case] line: &str,
    #[case] told: bool,
) {
    let report = diagnosed_with_log(local(node), "ui-1", "ui", line);
    assert_eq!(roots(&report) == ["service-local-only Service/catalog"], told, "{:?}", roots(&report));
}
