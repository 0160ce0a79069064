//! Services, what stands behind them, and what stands before them.

use serde_json::Value;

use super::cells::{
    Column, Row, Words, age_column, first_three, joined, labels, name_column, or, or_none, selector, shown,
    wide,
};

pub(super) fn columns(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Service" => services(),
        "Endpoints" => vec![name_column(), shown("Endpoints", endpoints), age_column()],
        "EndpointSlice" => endpoint_slices(),
        "Ingress" => ingresses(),
        "IngressClass" => ingress_classes(),
        "NetworkPolicy" => vec![
            name_column(),
            shown("Pod-Selector", |row| selector(row.object.at("spec.podSelector"))),
            age_column(),
        ],
        _ => return None,
    })
}

fn services() -> Vec<Column> {
    vec![
        name_column(),
        shown("Type", |row| row.object.text("spec.type").into()),
        shown("Cluster-IP", |row| or_none(row.object.text("spec.clusterIP"))),
        shown("External-IP", external_ip),
        shown("Port(s)", service_ports),
        age_column(),
        wide("Selector", |row| labels(row.object.at("spec.selector"))),
    ]
}

fn external_ip(row: &Row<'_>) -> Value {
    let service = row.object;
    let given = service.list("spec.externalIPs").filter_map(|ip| ip.0.as_str());
    match service.text("spec.type") {
        "ExternalName" => or_none(service.text("spec.externalName")),
        "LoadBalancer" => {
            let balanced = service.list("status.loadBalancer.ingress").map(address);
            match joined(balanced.chain(given)) {
                Value::String(none) if none == "<none>" => "<pending>".into(),
                addresses => addresses,
            }
        }
        _ => joined(given),
    }
}

fn address(ingress: Words<'_>) -> &str {
    match ingress.text("ip") {
        "" => ingress.text("hostname"),
        ip => ip,
    }
}

/// `80:30080/TCP,443/TCP`.
fn service_ports(row: &Row<'_>) -> Value {
    let ports = row.object.list("spec.ports").map(|port| {
        let protocol = if port.text("protocol").is_empty() { "TCP" } else { port.text("protocol") };
        match port.number("nodePort") {
            0 => format!("{}/{protocol}", port.number("port")),
            node_port => format!("{}:{node_port}/{protocol}", port.number("port")),
        }
    });
    or_none(&ports.collect::<Vec<_>>().join(","))
}

fn endpoints(row: &Row<'_>) -> Value {
    let mut all = Vec::new();
    for subset in row.object.list("subsets") {
        let ports: Vec<i64> = subset.list("ports").map(|port| port.number("port")).collect();
        for ip in subset.list("addresses").map(|address| address.text("ip")) {
            match ports.as_slice() {
                [] => all.push(ip.to_owned()),
                ports => all.extend(ports.iter().map(|port| host_and_port(ip, *port))),
            }
        }
    }
    // Where all addresses are not ready, kubectl shows nothing.
    first_three(&all, if row.object.list("subsets").next().is_some() { "" } else { "<none>" })
}

fn host_and_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

fn endpoint_slices() -> Vec<Column> {
    vec![
        name_column(),
        shown("AddressType", |row| row.object.text("addressType").into()),
        shown("Ports", |row| {
            let ports = row.object.list("ports").map(|port| match port.number("port") {
                0 => "*".to_owned(),
                number => number.to_string(),
            });
            first_three(&ports.collect::<Vec<_>>(), "<unset>")
        }),
        shown("Endpoints", |row| {
            let endpoints = row.object.list("endpoints");
            let addresses = endpoints.flat_map(|endpoint| endpoint.list("addresses"));
            let addresses = addresses.filter_map(|address| address.0.as_str()).map(str::to_owned);
            first_three(&addresses.collect::<Vec<_>>(), "<unset>")
        }),
        age_column(),
    ]
}

fn ingresses() -> Vec<Column> {
    vec![
        name_column(),
        shown("Class", |row| or_none(row.object.text("spec.ingressClassName"))),
        shown("Hosts", |row| {
            let hosts = row.object.list("spec.rules").map(|rule| rule.text("host").to_owned());
            first_three(&hosts.filter(|host| !host.is_empty()).collect::<Vec<_>>(), "*")
        }),
        shown("Address", |row| {
            let addresses: Vec<&str> = row.object.list("status.loadBalancer.ingress").map(address).collect();
            addresses.join(",").into()
        }),
        shown("Ports", |row| match row.object.list("spec.tls").next() {
            Some(_) => "80, 443".into(),
            None => "80".into(),
        }),
        age_column(),
    ]
}

fn ingress_classes() -> Vec<Column> {
    vec![
        name_column(),
        shown("Controller", |row| row.object.text("spec.controller").into()),
        shown("Parameters", |row| {
            let parameters = row.object.at("spec.parameters");
            let group = match parameters.text("apiGroup") {
                "" => String::new(),
                group => format!(".{group}"),
            };
            let name = match parameters.text("namespace") {
                "" => parameters.text("name").to_owned(),
                namespace => format!("{namespace}/{}", parameters.text("name")),
            };
            match parameters.text("kind") {
                "" => or("", "<none>"),
                kind => format!("{kind}{group}/{name}").into(),
            }
        }),
        age_column(),
    ]
}
