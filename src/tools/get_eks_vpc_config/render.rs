//! The network as text.

use serde_json::Value;

use super::super::table::{cell, table};
use super::super::text::plain;
use super::facts::{items, text as words};

pub(super) fn text(facts: &Value) -> String {
    let mut out = head(facts);
    listed(&mut out, "Notes", &facts["notes"]);
    listed(&mut out, "Could not be read", &facts["missing"]);
    let titles = ["SUBNET", "NAME", "ZONE", "CIDR", "FREE", "PUBLIC", "ROUTE TABLE", "CLUSTER", "TAGS"];
    section(&mut out, "Subnets", &titles, subnets(facts));
    section(&mut out, "Routes", &["TABLE", "DESTINATION", "TARGET", "STATE"], routes(facts));
    let titles = ["GROUP", "ROLE", "WAY", "PROTOCOL", "PORTS", "PEERS"];
    section(&mut out, "Security groups of the control plane", &titles, rules(facts));
    let members = ["natGatewayId", "subnetId", "state", "publicIp"];
    let gateways = rows(&facts["natGateways"], &members);
    section(&mut out, "NAT gateways", &["NAT GATEWAY", "SUBNET", "STATE", "PUBLIC IP"], gateways);
    let members = ["vpcEndpointId", "serviceName", "type", "state"];
    let endpoints = rows(&facts["vpcEndpoints"], &members);
    section(&mut out, "VPC endpoints", &["ENDPOINT", "SERVICE", "TYPE", "STATE"], endpoints);
    out
}

fn head(facts: &Value) -> String {
    let public = format!("public for {}", cell(&facts["publicAccessCidrs"]));
    let access = match (facts["endpointPublicAccess"] == true, facts["endpointPrivateAccess"] == true) {
        (true, true) => format!("{public}, and private"),
        (true, false) => public,
        (false, _) => "private".to_owned(),
    };
    let lines = [
        ("VPC", format!("{} {}", cell(&facts["vpcId"]), cell(&facts["cidrBlock"]))),
        ("Further ranges", cell(&facts["additionalCidrBlocks"])),
        ("Services", format!("{} {}", words(&facts["serviceIpv4Cidr"]), words(&facts["serviceIpv6Cidr"]))),
        ("API server", access),
        ("Internet gateways", cell(&facts["internetGateways"])),
        ("Remote nodes", cell(&facts["remoteNodeCidrBlocks"])),
        ("Remote pods", cell(&facts["remotePodCidrBlocks"])),
    ];
    let mut out = format!("Network of {}\n", cell(&facts["clusterName"]));
    for (title, line) in lines.iter().filter(|(_, line)| line != "<none>" && !line.trim().is_empty()) {
        out.push_str(&format!("{title}: {}\n", plain(line.trim())));
    }
    out
}

fn listed(out: &mut String, title: &str, lines: &Value) {
    let mut lines = items(lines).peekable();
    if lines.peek().is_some() {
        out.push_str(&format!("\n{title}\n"));
    }
    out.extend(lines.map(|line| format!("- {}\n", plain(words(line)))));
}

fn section(out: &mut String, title: &str, titles: &[&str], rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        out.push_str(&format!("\n{title}\n{}", table(titles, &rows)));
    }
}

fn rows(list: &Value, members: &[&str]) -> Vec<Vec<String>> {
    items(list).map(|item| members.iter().map(|member| cell(&item[*member])).collect()).collect()
}

fn yes(value: &Value) -> String {
    if *value == true { "yes" } else { "no" }.to_owned()
}

fn subnets(facts: &Value) -> Vec<Vec<String>> {
    let row = |subnet: &Value| {
        let main = if subnet["routeTableIsMain"] == true { " (main)" } else { "" };
        vec![
            cell(&subnet["subnetId"]),
            cell(&subnet["name"]),
            format!("{} ({})", words(&subnet["availabilityZone"]), words(&subnet["availabilityZoneId"])),
            cell(&subnet["cidrBlock"]),
            cell(&subnet["availableIps"]),
            yes(&subnet["public"]),
            format!("{}{main}", cell(&subnet["routeTableId"])),
            yes(&subnet["ofCluster"]),
            cell(&subnet["tags"]),
        ]
    };
    items(&facts["subnets"]).map(row).collect()
}

fn routes(facts: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for table in items(&facts["routeTables"]) {
        let main = if table["main"] == true { " (main)" } else { "" };
        rows.extend(items(&table["routes"]).map(|route| {
            vec![
                format!("{}{main}", cell(&table["routeTableId"])),
                cell(&route["destination"]),
                cell(&route["targetId"]),
                cell(&route["state"]),
            ]
        }));
    }
    rows
}

fn rules(facts: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for group in items(&facts["securityGroups"]) {
        for way in ["inbound", "outbound"] {
            rows.extend(items(&group[way]).map(|rule| {
                let [protocol, ports, peers] =
                    ["protocol", "ports", "peers"].map(|member| cell(&rule[member]));
                vec![cell(&group["groupId"]), cell(&group["role"]), way.to_owned(), protocol, ports, peers]
            }));
        }
    }
    rows
}
