use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::facts::reference;
use crate::diagnosis::testing::{deployment, healthy_deployment, object, service, snapshot, warning, with};

use super::*;

fn query(kind: &str, name: &str) -> TraceQuery {
    let start = reference("v1", kind, "shop", name);
    TraceQuery { start, host: None, path: None, port: None, client: None }
}

fn traced(objects: Vec<Value>, query: &TraceQuery) -> Vec<Hop> {
    trace(&snapshot(objects), query)
}

/// `step status` of every hop.
fn steps(hops: &[Hop]) -> Vec<String> {
    hops.iter().map(|hop| format!("{:?} {:?}", hop.step, hop.status)).collect()
}

fn broken(hops: &[Hop]) -> &Hop {
    hops.iter().find(|hop| hop.status == HopStatus::Broken).expect("a hop is broken")
}

fn slice(service: &str, ready: bool) -> Value {
    object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        &format!("{service}-x"),
        json!({
            "metadata": { "labels": { "kubernetes.io/service-name": service } },
            "endpoints": [{ "addresses": ["10.0.0.7"], "conditions": { "ready": ready } }],
        }),
    )
}

/// A Service, its Deployment, and its endpoint, all well.
fn shop() -> Vec<Value> {
    let mut objects =
        healthy_deployment("web", json!({ "ports": [{ "name": "http", "containerPort": 8080 }] }));
    objects.extend([service("web", "web"), slice("web", true)]);
    objects
}

fn with_service(patch: Value) -> Vec<Value> {
    let mut objects = shop();
    objects[3] = with(objects[3].clone(), patch);
    objects
}

fn ingress(rules: Value) -> Value {
    let spec = json!({ "ingressClassName": "alb", "rules": rules });
    let status = json!({ "loadBalancer": { "ingress": [{ "hostname": "lb.example" }] } });
    object("networking.k8s.io/v1", "Ingress", "front", json!({ "spec": spec, "status": status }))
}

fn to(host: &str, path: &str, service: &str, port: Value) -> Value {
    let backend = json!({ "service": { "name": service, "port": port } });
    json!({ "host": host, "http": { "paths": [{ "path": path, "pathType": "Prefix", "backend": backend }] } })
}

#[test]
fn where_all_is_well_every_hop_says_so() {
    let hops = traced(shop(), &query("Service", "web"));
    assert_eq!(
        steps(&hops),
        ["Service Ok", "Selector Ok", "Pods Ok", "Ports Ok", "Endpoints Ok", "Policies Ok"]
    );
    let says: Vec<&str> = hops.iter().map(|hop| hop.says.as_str()).collect();
    assert_eq!(
        says,
        [
            "web.shop.svc.cluster.local resolves to 10.100.0.10; ports 80 → 8080",
            "app=web selects 1 pod of Deployment web",
            "1 of 1 pod ready",
            "80 → 8080",
            "1 endpoint ready: 10.0.0.7",
            "no NetworkPolicy keeps anybody out of its pods",
        ]
    );
}

#[rstest]
#[case::selector(json!({ "spec": { "selector": { "app": "wbe" } } }), "Selector",
    "app=wbe selects no pods: it wants app=wbe, the pods have app=web (Deployment web)")]
#[case::named_port(json!({ "spec": { "ports": [{ "port": 80, "targetPort": "web" }] } }), "Ports",
    "80 → web: no container has a port of this name, they declare 8080 (http)")]
#[case::address_as_external_name(json!({ "spec": { "type": "ExternalName", "externalName": "10.1.2.3" } }), "Service",
    "ExternalName 10.1.2.3 is an address, and web.shop.svc.cluster.local can only stand for a name; use a Service without selector and an EndpointSlice")]
#[case::pending_load_balancer(json!({ "spec": { "type": "LoadBalancer" } }), "LoadBalancer",
    "pending: no controller has given it an address, and none says why")]
#[case::going_away(json!({ "metadata": { "deletionTimestamp": "2026-01-01T11:00:00Z" } }), "Service", "it is being deleted")]
fn a_service_that_is_wrong_is_broken_where_it_is_wrong(
    #[case] patch: Value,
    #[case] step: &str,
    #[case] says: &str,
) {
    let objects = match patch.pointer("/spec/selector") {
        Some(_) => {
            let mut objects = with_service(patch);
            objects.pop();
            objects
        }
        None => with_service(patch),
    };
    let hops = traced(objects, &query("Service", "web"));
    let hop = broken(&hops);
    assert_eq!((format!("{:?}", hop.step).as_str(), hop.says.as_str()), (step, says));
}

#[rstest]
#[case::undeclared_number(json!({ "spec": { "ports": [{ "port": 80, "targetPort": 9090 }] } }), "Ports Warning",
    "80 → 9090: no container declares it, they declare 8080 (http); a program may listen there all the same")]
#[case::headless(json!({ "spec": { "clusterIP": "None" } }), "Service Ok",
    "headless: web.shop.svc.cluster.local resolves to the addresses of its pods, and clients use the pods' ports")]
#[case::external_name(json!({ "spec": { "type": "ExternalName", "externalName": "db.example" } }), "Service Ok",
    "ExternalName: web.shop.svc.cluster.local is a CNAME of db.example, which is outside of what the cluster knows; ports are not mapped, and HTTP and TLS see the name that the client used")]
#[case::no_selector(json!({ "spec": { "selector": null } }), "Endpoints Ok", "no selector; endpoints that others keep: 10.0.0.7")]
#[case::local(json!({ "spec": { "internalTrafficPolicy": "Local" } }), "Service Warning",
    "web.shop.svc.cluster.local resolves to 10.100.0.10; ports 80 → 8080")]
fn what_is_peculiar_is_told_and_not_broken(#[case] patch: Value, #[case] step: &str, #[case] says: &str) {
    let hops = traced(with_service(patch), &query("Service", "web"));
    assert!(hops.iter().all(|hop| hop.status != HopStatus::Broken), "{hops:#?}");
    let hop = hops.iter().find(|hop| format!("{:?} {:?}", hop.step, hop.status) == step);
    assert_eq!(hop.map(|hop| hop.says.as_str()), Some(says), "{hops:#?}");
}

#[test]
fn what_the_controller_of_load_balancers_says_is_told_with_what_it_means() {
    let mut objects = with_service(json!({ "spec": { "type": "LoadBalancer" } }));
    objects.push(warning("Service", "web", "FailedBuildModel", "couldn't auto-discover subnets: 0 match"));
    let hops = traced(objects, &query("Service", "web"));
    let says = &broken(&hops).says;
    assert!(says.starts_with("pending. No subnet fits") && says.ends_with("0 match"), "{says}");
    let mut objects = with_service(json!({ "spec": { "type": "LoadBalancer" } }));
    objects.push(client("shop", "front", json!({})));
    let client = TraceClient { namespace: "shop".to_owned(), pod: None };
    let hops = traced(objects, &TraceQuery { client: Some(client), ..query("Service", "web") });
    assert!(hops.iter().all(|hop| hop.status != HopStatus::Broken), "clients of the cluster do not need it");
}

#[rstest]
#[case::crashing(json!({ "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
    "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } } }),
    "web-1: container web waits: CrashLoopBackOff: back-off, last ended with 1 (Error)")]
#[case::not_ready_yet(json!({ "state": { "running": { "startedAt": "2026-01-01T11:50:00Z" } } }),
    "web-1: container web runs and is not ready yet: its probes have not succeeded")]
fn pods_that_are_not_ready_say_why(#[case] status: Value, #[case] why: &str) {
    let mut objects = deployment("web", json!({}), status);
    objects.extend([service("web", "web"), slice("web", false)]);
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!(broken(&hops).step, Step::Pods);
    assert_eq!(broken(&hops).details, [why]);
    let endpoints = hops.iter().find(|hop| hop.step == Step::Endpoints).unwrap();
    assert_eq!(endpoints.says, "no ready endpoints: connections are refused");
    assert_eq!(endpoints.details, ["1 endpoint not ready"]);
}

#[test]
fn a_probe_that_fails_and_a_pod_without_a_node_say_why() {
    let running = json!({ "state": { "running": { "startedAt": "2026-01-01T11:50:00Z" } } });
    let mut objects = deployment("web", json!({}), running);
    objects
        .extend([service("web", "web"), warning("Pod", "web-1", "Unhealthy", "Readiness probe failed: 503")]);
    let hops = traced(objects.clone(), &query("Service", "web"));
    assert_eq!(broken(&hops).details, ["web-1: container web: Readiness probe failed: 503"]);
    objects[2]["status"]["conditions"] =
        json!([{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available" }]);
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!(broken(&hops).details, ["web-1: not scheduled: 0/3 nodes are available"]);
}

#[test]
fn a_workload_without_pods_is_named() {
    let mut objects = shop();
    objects.remove(2);
    objects[0]["spec"]["replicas"] = 0.into();
    objects.pop();
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!(
        broken(&hops).says,
        "app=web selects the pods of Deployment web, and it has none (0 wanted): see its events, or scale it up"
    );
}

#[test]
fn ready_pods_without_endpoints_are_broken_at_the_endpoints() {
    let mut objects = shop();
    objects.pop();
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!(broken(&hops).step, Step::Endpoints);
    assert!(broken(&hops).says.starts_with("no ready endpoints although a pod is ready"));
}

#[rstest]
#[case::exact_host(Some("shop.example"), Some("/"), &["web"])]
#[case::longest_path(Some("shop.example"), Some("/cart/1"), &["cart"])]
#[case::whole_segments_only(Some("shop.example"), Some("/cartoon"), &["web"])]
#[case::wildcard(Some("a.shop.example"), None, &["star"])]
#[case::wildcard_is_one_label(Some("a.b.shop.example"), None, &["rest"])]
#[case::nothing_said(None, None, &["web", "cart", "star", "rest"])]
fn a_request_takes_the_rule_that_a_controller_would_choose(
    #[case] host: Option<&str>,
    #[case] path: Option<&str>,
    #[case] services: &[&str],
) {
    let mut front = ingress(json!([
        to("shop.example", "/", "web", json!({ "number": 80 })),
        to("shop.example", "/cart", "cart", json!({ "number": 80 })),
        to("*.shop.example", "/", "star", json!({ "number": 80 })),
    ]));
    front["spec"]["defaultBackend"] = json!({ "service": { "name": "rest", "port": { "number": 80 } } });
    let class = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": "alb" } });
    let all = ["web", "cart", "star", "rest"].map(|name| service(name, name));
    let objects = [front, class].into_iter().chain(all).collect();
    let query = TraceQuery {
        host: host.map(str::to_owned),
        path: path.map(str::to_owned),
        ..query("Ingress", "front")
    };
    let hops = traced(objects, &query);
    let reached = hops.iter().filter(|hop| hop.step == Step::Service).map(|hop| hop.object.name.as_str());
    assert_eq!(reached.collect::<Vec<_>>(), services);
}

#[rstest]
#[case::port(to("shop.example", "/", "web", json!({ "number": 81 })), Step::Service, "it has no port 81; it offers 80 (http)")]
#[case::service(to("shop.example", "/", "wbe", json!({ "number": 80 })), Step::Service,
    "there is no such Service in namespace shop; near: web")]
fn an_ingress_that_leads_nowhere_is_broken_behind_it(
    #[case] rule: Value,
    #[case] step: Step,
    #[case] says: &str,
) {
    let mut objects = shop();
    objects.push(ingress(json!([rule])));
    let hops = traced(objects, &query("Ingress", "front"));
    assert_eq!(hops[0].status, HopStatus::Ok);
    assert_eq!(hops.len(), 2, "nothing is told of what lies behind");
    assert_eq!((broken(&hops).step, broken(&hops).says.as_str()), (step, says));
}

#[test]
fn a_host_without_a_rule_and_a_class_that_is_missing_are_broken_at_the_ingress() {
    let mut objects = shop();
    objects.push(ingress(json!([to("shop.example", "/", "web", json!({ "number": 80 }))])));
    let other = TraceQuery { host: Some("other.example".to_owned()), ..query("Ingress", "front") };
    let hops = traced(objects.clone(), &other);
    assert_eq!(
        broken(&hops).says,
        "no rule takes other.example, and there is no default backend; hosts: shop.example"
    );
    objects[5]["status"] = json!({});
    let class = "no controller takes it, because its class alb does not exist";
    assert_eq!(broken(&traced(objects.clone(), &query("Ingress", "front"))).says, class);
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!((hops[0].status, hops[0].says.as_str()), (HopStatus::Warning, class));
    assert!(hops.iter().all(|hop| hop.status != HopStatus::Broken), "the Service is well");
}

fn policy(name: &str, spec: Value) -> Value {
    object("networking.k8s.io/v1", "NetworkPolicy", name, json!({ "spec": spec }))
}

fn client(namespace: &str, name: &str, labels: Value) -> Value {
    let status = json!({ "phase": "Running" });
    object(
        "v1",
        "Pod",
        name,
        json!({ "metadata": { "namespace": namespace, "labels": labels }, "status": status }),
    )
}

#[rstest]
#[case::whoever_is_let_in("web", Some("front"), HopStatus::Ok, "Pod front: let through")]
#[case::whoever_is_not(
    "web",
    Some("admin"),
    HopStatus::Broken,
    "Pod admin: port 8080 is denied by NetworkPolicy shop/only-front, which lets in only pods with app=front in namespaces with kubernetes.io/metadata.name=web on port 8080"
)]
#[case::a_namespace("web", None, HopStatus::Warning, "Pod front: let through")]
#[case::a_namespace_without_pods(
    "empty",
    None,
    HopStatus::Broken,
    "a pod without labels: port 8080 is denied by NetworkPolicy shop/only-front, which lets in only pods with app=front in namespaces with kubernetes.io/metadata.name=web on port 8080"
)]
fn policies_are_held_against_a_client(
    #[case] namespace: &str,
    #[case] pod: Option<&str>,
    #[case] status: HopStatus,
    #[case] told: &str,
) {
    let from = json!([{ "podSelector": { "matchLabels": { "app": "front" } },
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "web" } } }]);
    let spec = json!({ "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"],
        "ingress": [{ "from": from, "ports": [{ "port": 8080 }] }] });
    let mut objects = shop();
    objects.extend([
        policy("only-front", spec),
        client("web", "front", json!({ "app": "front" })),
        client("web", "admin", json!({ "app": "admin" })),
    ]);
    let client = TraceClient { namespace: namespace.to_owned(), pod: pod.map(str::to_owned) };
    let hops = traced(objects, &TraceQuery { client: Some(client), ..query("Service", "web") });
    let hop = hops.last().unwrap();
    assert_eq!((hop.step, hop.status), (Step::Policies, status));
    assert!(hop.details.iter().any(|detail| detail == told), "{:#?}", hop.details);
}

#[test]
fn without_a_client_it_is_told_whom_policies_let_in() {
    let mut objects = shop();
    objects.push(policy("deny", json!({ "podSelector": {}, "policyTypes": ["Ingress"] })));
    let hops = traced(objects.clone(), &query("Service", "web"));
    assert_eq!(broken(&hops).details, ["NetworkPolicy deny lets nobody in by itself"]);
    objects.push(policy(
        "allow",
        json!({ "podSelector": {}, "ingress": [{ "from": [{ "podSelector": {} }] }] }),
    ));
    let hops = traced(objects, &query("Service", "web"));
    assert_eq!(hops.last().unwrap().status, HopStatus::Ok);
    assert_eq!(hops.last().unwrap().details[1], "NetworkPolicy allow lets in all pods of its namespace");
}

#[test]
fn egress_that_does_not_allow_dns_is_told_apart() {
    let dns = client("kube-system", "coredns", json!({ "k8s-app": "kube-dns" }));
    let policy = policy(
        "out",
        json!({ "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{ "to": [{ "podSelector": { "matchLabels": { "app": "web" } } }] }] }),
    );
    let mut objects = shop();
    objects.extend([dns, policy, client("shop", "front", json!({}))]);
    let client = TraceClient { namespace: "shop".to_owned(), pod: Some("front".to_owned()) };
    let hops = traced(objects, &TraceQuery { client: Some(client), ..query("Service", "web") });
    assert_eq!(
        broken(&hops).details[0],
        "Pod front: NetworkPolicy shop/out keeps it from the DNS of the cluster (UDP port 53)"
    );
}

#[test]
fn a_workload_leads_to_the_services_that_select_it() {
    let hops = traced(shop(), &query("Deployment", "web"));
    assert_eq!(hops[0].object.name, "web");
    assert_eq!(steps(&hops)[0], "Service Ok");
    let mut alone = shop();
    alone.remove(3);
    let hops = traced(alone, &query("Deployment", "web"));
    assert_eq!(
        broken(&hops).says,
        "no Service of namespace shop selects its pods (labels app=web): nothing leads to it by name"
    );
}

#[test]
fn what_was_not_read_is_unknown() {
    let mut snapshot = snapshot(shop().into_iter().filter(|object| object["kind"] == "Service").collect());
    snapshot.coverage.read.retain(|kind| kind == "services");
    let hops = trace(&snapshot, &query("Service", "web"));
    assert_eq!(steps(&hops), ["Service Ok", "Selector Unknown", "Endpoints Unknown"]);
}
