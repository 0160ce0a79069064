//! What may be wrong with a cluster's network, each note one sentence with what follows from it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::facts::{FEW_ADDRESSES, default_route, items, text};

/// What nodes need that cannot reach the internet; the name is how the service's endpoint ends.
const NEEDED: [&str; 5] = ["ecr.api", "ecr.dkr", "s3", "sts", "ec2"];

pub(super) fn about(facts: &Value) -> Vec<String> {
    [
        other_vpc(facts),
        few_addresses(facts),
        zones(facts),
        dead_routes(facts),
        gateways(facts),
        isolated(facts),
        load_balancers(facts),
        remote_networks(facts),
        open_endpoint(facts),
    ]
    .concat()
}

fn subnets_of_cluster(facts: &Value) -> impl Iterator<Item = &Value> {
    items(&facts["subnets"]).filter(|subnet| subnet["ofCluster"] == true)
}

fn other_vpc(facts: &Value) -> Vec<String> {
    let (shown, own) = (text(&facts["vpcId"]), text(&facts["clusterVpcId"]));
    let differs = !own.is_empty() && own != shown;
    differs.then(|| format!("{shown} is not the cluster's VPC, which is {own}")).into_iter().collect()
}

fn few_addresses(facts: &Value) -> Vec<String> {
    let few = items(&facts["subnets"]).filter(|subnet| subnet["hasSufficientIps"] == false);
    few.map(|subnet| {
        let (id, free) = (text(&subnet["subnetId"]), &subnet["availableIps"]);
        match subnet["ofCluster"] == true {
            true => format!(
                "{id} has {free} free addresses, fewer than {FEW_ADDRESSES}: upgrades of the control plane, new nodes and \
                 pods there may fail"
            ),
            false => format!("{id} has {free} free addresses: nodes and pods there may get none"),
        }
    })
    .collect()
}

fn zones(facts: &Value) -> Vec<String> {
    let mut notes: Vec<String> = subnets_of_cluster(facts)
        .filter(|subnet| subnet["inDisallowedZone"] == true)
        .map(|subnet| {
            let (id, zone) = (text(&subnet["subnetId"]), text(&subnet["availabilityZoneId"]));
            format!("{id} is in {zone}, where EKS has no control plane: the cluster cannot use it")
        })
        .collect();
    let zones: BTreeSet<&str> =
        subnets_of_cluster(facts).map(|subnet| text(&subnet["availabilityZone"])).collect();
    if zones.len() == 1 {
        notes.push(format!(
            "all subnets of the control plane are in one zone, {}",
            zones.into_iter().collect::<String>()
        ));
    }
    notes
}

fn dead_routes(facts: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    for table in items(&facts["routeTables"]) {
        for route in items(&table["routes"]).filter(|route| route["state"] == "blackhole") {
            notes.push(format!(
                "the route to {} in {} is a blackhole: {} is gone, and what is sent there is lost",
                text(&route["destination"]),
                text(&table["routeTableId"]),
                text(&route["targetId"]),
            ));
        }
    }
    notes
}

fn gateways(facts: &Value) -> Vec<String> {
    let failed = items(&facts["natGateways"]).filter(|gateway| gateway["state"] == "failed");
    failed
        .map(|gateway| {
            format!("{} has failed: {}", text(&gateway["natGatewayId"]), text(&gateway["failure"]))
        })
        .collect()
}

/// Subnets of the cluster that nothing leads out of, in a VPC without the endpoints that nodes need instead.
fn isolated(facts: &Value) -> Vec<String> {
    let has = |service: &&str| {
        items(&facts["vpcEndpoints"])
            .any(|found| text(&found["serviceName"]).ends_with(&format!(".{service}")))
    };
    let lacking: Vec<&str> = NEEDED.into_iter().filter(|service| !has(service)).collect();
    let leads_out = |subnet: &&Value| {
        let mut tables = items(&facts["routeTables"]);
        let table = tables.find(|table| table["routeTableId"] == subnet["routeTableId"]);
        table.and_then(default_route).is_some()
    };
    let isolated: Vec<&str> = subnets_of_cluster(facts)
        .filter(|subnet| !leads_out(subnet))
        .map(|subnet| text(&subnet["subnetId"]))
        .collect();
    if isolated.is_empty() || lacking.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "{} no route to the internet, and the VPC has no endpoint for {}: nodes there may not start or pull images",
        if isolated.len() == 1 {
            format!("{} has", isolated[0])
        } else {
            format!("{} have", isolated.join(", "))
        },
        lacking.join(", ")
    )]
}

/// Load balancers find their subnets by tags.
fn load_balancers(facts: &Value) -> Vec<String> {
    let tagged = |public: bool, tag: &str| {
        let mut some = items(&facts["subnets"]).filter(|subnet| subnet["public"] == public).peekable();
        some.peek().is_none() || some.any(|subnet| subnet["tags"].get(tag).is_some())
    };
    let mut notes = Vec::new();
    if !tagged(true, "kubernetes.io/role/elb") {
        notes.push(
            "no public subnet has the tag kubernetes.io/role/elb: internet-facing load balancers may find no subnet"
                .to_owned(),
        );
    }
    if !tagged(false, "kubernetes.io/role/internal-elb") {
        notes.push(
            "no private subnet has the tag kubernetes.io/role/internal-elb: internal load balancers may find no subnet"
                .to_owned(),
        );
    }
    notes
}

/// Hybrid nodes need a route back, and addresses of their own.
fn remote_networks(facts: &Value) -> Vec<String> {
    let net = |text: &str| text.parse::<IpNet>().ok();
    let own = std::iter::once(&facts["cidrBlock"]).chain(items(&facts["additionalCidrBlocks"]));
    let own: Vec<IpNet> = own.filter_map(|block| net(text(block))).collect();
    let all_routes = || items(&facts["routeTables"]).flat_map(|table| items(&table["routes"]));
    let leads_there = |remote: &IpNet, route: &Value| {
        let target = text(&route["targetType"]);
        let elsewhere =
            target != "local" && target != "natGateway" && !text(&route["targetId"]).starts_with("igw-");
        elsewhere && net(text(&route["destination"])).is_some_and(|to| to.contains(remote))
    };
    let mut notes = Vec::new();
    for remote in items(&facts["remoteNodeCidrBlocks"]).chain(items(&facts["remotePodCidrBlocks"])) {
        let Some(network) = net(text(remote)) else { continue };
        if own.iter().any(|own| own.contains(&network) || network.contains(own)) {
            notes.push(format!("the remote network {network} overlaps with the VPC"));
        }
        if !all_routes().any(|route| leads_there(&network, route)) {
            notes.push(format!(
                "no route leads to the remote network {network}: the control plane cannot reach hybrid nodes or pods there"
            ));
        }
    }
    notes
}

fn open_endpoint(facts: &Value) -> Vec<String> {
    let everyone = items(&facts["publicAccessCidrs"]).any(|cidr| cidr == "0.0.0.0/0");
    let open = facts["endpointPublicAccess"] == true && everyone;
    let note = "the API server can be reached from everywhere (publicAccessCidrs has 0.0.0.0/0)";
    open.then(|| note.to_owned()).into_iter().collect()
}
