//! Columns of services and of what leads to them.

use serde_json::Value;

use super::{Column, column, list, text, texts};

pub(super) const SERVICE: &[Column] = &[
    column("type", "TYPE", |service| service["spec"]["type"].clone()),
    column("clusterIP", "CLUSTER-IP", |service| service["spec"]["clusterIP"].clone()),
    column("externalIP", "EXTERNAL-IP", external_address),
    column("ports", "PORTS", |service| texts(list(&service["spec"]["ports"]).iter().map(service_port))),
    column("selector", "SELECTOR", |service| service["spec"]["selector"].clone()),
];

pub(super) const ENDPOINTS: &[Column] = &[
    column("endpoints", "ENDPOINTS", |endpoints| {
        texts(list(&endpoints["subsets"]).iter().flat_map(ready_addresses))
    }),
    column("ready", "READY", |endpoints| count(endpoints, "addresses")),
    column("notReady", "NOT READY", |endpoints| count(endpoints, "notReadyAddresses")),
];

pub(super) const ENDPOINT_SLICE: &[Column] = &[
    column("service", "SERVICE", |slice| slice["metadata"]["labels"]["kubernetes.io/service-name"].clone()),
    column("addressType", "ADDRESSTYPE", |slice| slice["addressType"].clone()),
    column("ports", "PORTS", |slice| list(&slice["ports"]).iter().map(|port| port["port"].clone()).collect()),
    column("endpoints", "ENDPOINTS", |slice| {
        let ready = list(&slice["endpoints"]).iter().filter(|endpoint| is_ready(endpoint));
        ready.flat_map(|endpoint| list(&endpoint["addresses"])).cloned().collect()
    }),
    column("ready", "READY", |slice| {
        list(&slice["endpoints"]).iter().filter(|endpoint| is_ready(endpoint)).count().into()
    }),
    column("notReady", "NOT READY", |slice| {
        list(&slice["endpoints"]).iter().filter(|endpoint| !is_ready(endpoint)).count().into()
    }),
];

pub(super) const INGRESS: &[Column] = &[
    column("class", "CLASS", |ingress| ingress["spec"]["ingressClassName"].clone()),
    column("hosts", "HOSTS", |ingress| {
        let rules = list(&ingress["spec"]["rules"]).iter();
        texts(rules.map(|rule| rule["host"].as_str().unwrap_or("*").to_owned()))
    }),
    column("address", "ADDRESS", |ingress| texts(load_balancer(ingress))),
    column("backends", "BACKENDS", |ingress| {
        let rules = list(&ingress["spec"]["rules"]).iter();
        let paths = rules.flat_map(|rule| list(&rule["http"]["paths"]));
        let backends = paths.map(|path| &path["backend"]).chain([&ingress["spec"]["defaultBackend"]]);
        texts(backends.filter(|backend| backend["service"].is_object()).map(backend))
    }),
];

pub(super) const POLICY: &[Column] = &[
    column("podSelector", "POD-SELECTOR", |policy| {
        let selector = &policy["spec"]["podSelector"];
        let is_empty = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
        match (is_empty(selector), is_empty(&selector["matchLabels"])) {
            (true, _) => "<all pods>".into(),
            (false, false) if selector["matchExpressions"].is_null() => selector["matchLabels"].clone(),
            (false, _) => selector.to_string().into(),
        }
    }),
    column("policyTypes", "POLICY TYPES", |policy| policy["spec"]["policyTypes"].clone()),
];

fn external_address(service: &Value) -> Value {
    let spec = &service["spec"];
    let addresses: Vec<String> = list(&spec["externalIPs"])
        .iter()
        .map(|ip| text(ip).to_owned())
        .chain(load_balancer(service))
        .collect();
    match text(&spec["type"]) {
        "ExternalName" => spec["externalName"].clone(),
        "LoadBalancer" if addresses.is_empty() => "<pending>".into(),
        _ => texts(addresses),
    }
}

fn load_balancer(object: &Value) -> impl Iterator<Item = String> {
    let ingress = list(&object["status"]["loadBalancer"]["ingress"]).iter();
    ingress.filter_map(|entry| entry["hostname"].as_str().or(entry["ip"].as_str())).map(str::to_owned)
}

/// `80:30080/TCP`
fn service_port(port: &Value) -> String {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    match port["nodePort"].as_i64() {
        Some(node_port) => format!("{}:{node_port}/{protocol}", port["port"]),
        None => format!("{}/{protocol}", port["port"]),
    }
}

fn ready_addresses(subset: &Value) -> Vec<String> {
    let addresses = list(&subset["addresses"]).iter().map(|address| text(&address["ip"]));
    let ports = list(&subset["ports"]);
    addresses.flat_map(|ip| ports.iter().map(move |port| format!("{ip}:{}", port["port"]))).collect()
}

fn count(endpoints: &Value, field: &str) -> Value {
    list(&endpoints["subsets"]).iter().map(|subset| list(&subset[field]).len()).sum::<usize>().into()
}

/// An endpoint that does not say is ready.
fn is_ready(endpoint: &Value) -> bool {
    endpoint["conditions"]["ready"].as_bool().unwrap_or(true)
}

/// `web:80`
fn backend(backend: &Value) -> String {
    let service = &backend["service"];
    let port = match &service["port"]["name"] {
        Value::String(name) => name.clone(),
        _ => service["port"]["number"].to_string(),
    };
    format!("{}:{port}", text(&service["name"]))
}
