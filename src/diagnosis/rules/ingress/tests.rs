use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::Severity;
use crate::diagnosis::testing::{
    diagnosed, finding, healthy_deployment, object, roots, service, warning, with,
};

fn ingress(backend: Value) -> Value {
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let spec = json!({ "ingressClassName": "nginx", "rules": [{ "http": { "paths": [path] } }] });
    object("networking.k8s.io/v1", "Ingress", "web", json!({ "spec": spec }))
}

fn to(name: &str, port: Value) -> Value {
    json!({ "service": { "name": name, "port": port } })
}

fn class(name: &str, controller: &str) -> Value {
    let metadata = json!({ "name": name, "annotations": {} });
    json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata, "spec": { "controller": controller } })
}

/// A healthy Service `api` with an Ingress, and the class `nginx`.
fn cluster(ingress: Value) -> Vec<Value> {
    let mut objects = healthy_deployment("api", json!({ "ports": [{ "containerPort": 8080 }] }));
    objects.extend([service("api", "api"), class("nginx", "k8s.io/ingress-nginx"), ingress]);
    objects
}

#[rstest]
#[case::number(to("api", json!({ "number": 80 })))]
#[case::name(to("api", json!({ "name": "http" })))]
#[case::old_shape(json!({ "serviceName": "api", "servicePort": 80 }))]
fn an_ingress_to_a_port_that_exists_is_fine(#[case] backend: Value) {
    assert_eq!(diagnosed(cluster(ingress(backend))).findings, []);
}

#[rstest]
#[case::service(to("apu", json!({ "number": 80 })), "Service apu, which does not exist")]
#[case::number(to("api", json!({ "number": 8080 })), "port 8080 of Service api")]
#[case::name(to("api", json!({ "name": "web" })), "port web of Service api")]
#[case::old_shape(json!({ "serviceName": "api", "servicePort": "web" }), "port web of Service api")]
fn a_backend_that_does_not_exist_is_the_ingresss_fault(#[case] backend: Value, #[case] says: &str) {
    let report = diagnosed(cluster(ingress(backend)));
    assert_eq!(roots(&report), ["ingress-backend-missing Ingress/web"]);
    assert!(report.findings[0].title.contains(says), "{}", report.findings[0].title);
    assert_eq!(report.findings[0].severity, Severity::Critical);
}

#[test]
fn the_patch_names_the_only_port_and_can_be_taken_back() {
    let report = diagnosed(cluster(ingress(to("api", json!({ "number": 8080 })))));
    let remedy = &report.findings[0].remediation[0];
    let path = r#""path":"/spec/rules/0/http/paths/0/backend/service/port""#;
    assert!(
        remedy.command.contains(path) && remedy.command.contains(r#"{"number":80}"#),
        "{}",
        remedy.command
    );
    assert!(remedy.undo.contains(r#"{"number":8080}"#), "{}", remedy.undo);
}

#[test]
fn names_of_the_aws_controllers_own_actions_are_no_services() {
    let mut redirect = ingress(to("ssl-redirect", json!({ "name": "use-annotation" })));
    let api = json!({ "path": "/api", "pathType": "Prefix", "backend": to("api", json!({ "number": 80 })) });
    redirect["spec"]["rules"][0]["http"]["paths"].as_array_mut().unwrap().push(api);
    assert_eq!(diagnosed(cluster(redirect)).findings, []);
}

#[rstest]
#[case::unknown(json!({ "spec": { "ingressClassName": "ngnix" } }), true)]
#[case::none(json!({ "spec": { "ingressClassName": null } }), true)]
#[case::unknown_but_served(json!({ "spec": { "ingressClassName": "ngnix" }, "status": { "loadBalancer": { "ingress": [{ "ip": "10.1.1.1" }] } } }), false)]
#[case::annotation(json!({ "spec": { "ingressClassName": null }, "metadata": { "annotations": { "kubernetes.io/ingress.class": "nginx" } } }), false)]
fn a_class_that_nobody_serves_is_told(#[case] patch: Value, #[case] told: bool) {
    let report = diagnosed(cluster(with(ingress(to("api", json!({ "number": 80 }))), patch)));
    assert_eq!(roots(&report) == ["ingress-class-missing Ingress/web"], told, "{:#?}", report.findings);
    if told {
        let command = &report.findings[0].remediation[0].command;
        assert!(command.contains(r#"{"spec":{"ingressClassName":"nginx"}}"#), "{command}");
    }
}

#[test]
fn a_default_class_takes_an_ingress_without_one() {
    let mut objects = cluster(with(
        ingress(to("api", json!({ "number": 80 }))),
        json!({ "spec": { "ingressClassName": null } }),
    ));
    objects[4]["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] = json!("true");
    assert_eq!(diagnosed(objects).findings, []);
}

fn with_tls() -> Value {
    let tls = json!([{ "hosts": ["shop.example.com"], "secretName": "shop-tls" }]);
    with(ingress(to("api", json!({ "number": 80 }))), json!({ "spec": { "tls": tls } }))
}

#[test]
fn a_certificate_that_does_not_exist_is_named() {
    let report = diagnosed(cluster(with_tls()));
    assert_eq!(roots(&report), ["ingress-tls-secret-missing Secret/shop-tls"]);
    assert!(report.findings[0].title.contains("Ingress web"), "{}", report.findings[0].title);
}

#[rstest]
#[case::complete(json!({ "tls.crt": "", "tls.key": "" }), true)]
#[case::no_key(json!({ "tls.crt": "" }), false)]
fn a_secret_has_to_hold_a_certificate_and_its_key(#[case] data: Value, #[case] fine: bool) {
    let mut objects = cluster(with_tls());
    objects.push(object("v1", "Secret", "shop-tls", json!({ "type": "kubernetes.io/tls", "data": data })));
    assert_eq!(diagnosed(objects).findings.is_empty(), fine);
}

#[test]
fn an_alb_takes_its_certificates_from_elsewhere() {
    let mut objects = cluster(with(with_tls(), json!({ "spec": { "ingressClassName": "alb" } })));
    objects.push(class("alb", "ingress.k8s.aws/alb"));
    assert_eq!(diagnosed(objects).findings, []);
}

fn reconciled(time: &str) -> Value {
    let event = warning("Ingress", "web", "SuccessfullyReconciled", "Successfully reconciled");
    with(event, json!({ "type": "Normal", "lastTimestamp": time }))
}

#[rstest]
#[case::never(vec![], true)]
#[case::before(vec![reconciled("2026-01-01T11:51:00Z")], true)]
#[case::since(vec![reconciled("2026-01-01T11:59:30Z")], false)]
fn a_load_balancer_that_failed_is_told_until_it_succeeds(#[case] rest: Vec<Value>, #[case] told: bool) {
    let message = "Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet. Evaluated 0 subnets";
    let mut objects = cluster(ingress(to("api", json!({ "number": 80 }))));
    objects.push(warning("Ingress", "web", "FailedBuildModel", message));
    objects.extend(rest);
    let report = diagnosed(objects);
    assert_eq!(roots(&report) == ["load-balancer-failed Ingress/web"], told, "{:#?}", report.findings);
    if told {
        assert!(finding(&report, "load-balancer-failed").summary.contains("kubernetes.io/role/elb"));
    }
}

#[test]
fn a_load_balancer_that_fails_for_a_missing_backend_is_told_once() {
    let mut objects = cluster(ingress(to("apu", json!({ "number": 80 }))));
    objects.push(warning(
        "Ingress",
        "web",
        "FailedBuildModel",
        r#"ingress: shop/web: services "apu" not found"#,
    ));
    assert_eq!(roots(&diagnosed(objects)), ["ingress-backend-missing Ingress/web"]);
}
