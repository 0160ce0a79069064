//! Of what EC2 says, what matters for a cluster, put together.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Read;

/// Zones in which a control plane cannot have interfaces.
const DISALLOWED_ZONES: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];
/// Free addresses that a subnet of the control plane should have at least.
pub(super) const FEW_ADDRESSES: u64 = 16;
/// Members of a route that say where it leads, and what that is.
const TARGETS: [(&str, &str); 10] = [
    ("gatewayId", "gateway"),
    ("natGatewayId", "natGateway"),
    ("transitGatewayId", "transitGateway"),
    ("vpcPeeringConnectionId", "vpcPeeringConnection"),
    ("egressOnlyInternetGatewayId", "egressOnlyInternetGateway"),
    ("instanceId", "instance"),
    ("networkInterfaceId", "networkInterface"),
    ("localGatewayId", "localGateway"),
    ("carrierGatewayId", "carrierGateway"),
    ("coreNetworkArn", "coreNetwork"),
];

pub(super) fn of(cluster: &Value, read: &Read) -> Value {
    let tables: Vec<Value> = read.route_tables.iter().map(route_table).collect();
    let subnet = |found: &Value| subnet(found, cluster, &tables);
    let mut subnets: Vec<Value> = read.subnets.iter().map(subnet).collect();
    subnets.sort_by_key(|subnet| (subnet["ofCluster"] != true, text(&subnet["availabilityZone"]).to_owned()));
    let mut facts = cluster.clone();
    let blocks = blocks(&read.vpc);
    facts["vpcId"] = read.vpc["vpcId"].clone();
    facts["cidrBlock"] = read.vpc["cidrBlock"].clone();
    let is_additional = |block: &&String| read.vpc["cidrBlock"] != block.as_str();
    facts["additionalCidrBlocks"] = blocks.iter().filter(is_additional).cloned().collect();
    facts["subnets"] = subnets.into();
    facts["routeTables"] = tables.into();
    facts["securityGroups"] =
        read.security_groups.iter().map(|group| security_group(group, cluster)).collect();
    facts["natGateways"] = read.nat_gateways.iter().map(nat_gateway).collect();
    facts["internetGateways"] =
        read.internet_gateways.iter().map(|gateway| gateway["internetGatewayId"].clone()).collect();
    facts["vpcEndpoints"] = read.endpoints.iter().map(endpoint).collect();
    facts
}

/// A text of the API; empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list; none where the API gave an empty element.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> Option<u64> {
    text(value).parse().ok()
}

fn tags(of: &Value) -> BTreeMap<&str, &str> {
    items(&of["tagSet"]).map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

/// All address ranges that are in use, of both kinds.
fn blocks(vpc: &Value) -> Vec<String> {
    let of = |set: &str, block: &str, state: &str| {
        let used = |found: &&Value| matches!(text(&found[state]["state"]), "associated" | "");
        items(&vpc[set]).filter(used).map(|found| text(&found[block]).to_owned()).collect::<Vec<_>>()
    };
    let v4 = of("cidrBlockAssociationSet", "cidrBlock", "cidrBlockState");
    let v6 = of("ipv6CidrBlockAssociationSet", "ipv6CidrBlock", "ipv6CidrBlockState");
    [v4, v6].concat().into_iter().filter(|block| !block.is_empty()).collect()
}

fn route_table(table: &Value) -> Value {
    let associations: Vec<&Value> = items(&table["associationSet"]).collect();
    let subnets = associations.iter().map(|association| text(&association["subnetId"]));
    json!({
        "routeTableId": table["routeTableId"], "name": tags(table).get("Name"),
        "main": associations.iter().any(|association| association["main"] == "true"),
        "subnetIds": subnets.filter(|subnet| !subnet.is_empty()).collect::<Vec<_>>(),
        "routes": items(&table["routeSet"]).map(route).collect::<Vec<_>>(),
    })
}

fn route(route: &Value) -> Value {
    let destinations = ["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"];
    let destination = destinations.iter().map(|member| text(&route[*member])).find(|found| !found.is_empty());
    let target = TARGETS.iter().map(|(member, kind)| (text(&route[*member]), *kind));
    let (id, kind) = target.into_iter().find(|(id, _)| !id.is_empty()).unwrap_or(("unknown", "unknown"));
    json!({
        "destination": destination, "targetType": if id == "local" { "local" } else { kind }, "targetId": id,
        "state": route["state"],
    })
}

/// The table that says where a subnet's packets go: its own, or the main one.
fn table_of<'t>(subnet: &Value, tables: &'t [Value]) -> Option<&'t Value> {
    let own = tables.iter().find(|table| items(&table["subnetIds"]).any(|id| *id == subnet["subnetId"]));
    own.or_else(|| tables.iter().find(|table| table["main"] == true))
}

/// Where everything else goes: the type and id of the target.
pub(super) fn default_route(table: &Value) -> Option<(&str, &str)> {
    let is_default = |route: &&Value| matches!(text(&route["destination"]), "0.0.0.0/0" | "::/0");
    let mut routes = items(&table["routes"]).filter(is_default);
    // Of the two kinds of addresses the older one is what nodes need.
    let first = routes.next()?;
    let route = if first["destination"] == "0.0.0.0/0" { first } else { routes.next().unwrap_or(first) };
    Some((text(&route["targetType"]), text(&route["targetId"])))
}

fn subnet(subnet: &Value, cluster: &Value, tables: &[Value]) -> Value {
    let table = table_of(subnet, tables);
    let internet = table.and_then(default_route).map(|(_, id)| id).unwrap_or_default();
    let tags = tags(subnet);
    let zone_id = text(&subnet["availabilityZoneId"]);
    let free = number(&subnet["availableIpAddressCount"]);
    let kubernetes = |(key, value): (&&str, &&str)| {
        (key.starts_with("kubernetes.io/") || key.starts_with("karpenter.sh/"))
            .then(|| ((*key).to_owned(), Value::from(*value)))
    };
    json!({
        "subnetId": subnet["subnetId"], "name": tags.get("Name"), "cidrBlock": subnet["cidrBlock"],
        "ipv6CidrBlocks": items(&subnet["ipv6CidrBlockAssociationSet"])
            .map(|block| block["ipv6CidrBlock"].clone()).collect::<Vec<_>>(),
        "availabilityZone": subnet["availabilityZone"], "availabilityZoneId": zone_id,
        "availableIps": free, "hasSufficientIps": free.is_some_and(|free| free >= FEW_ADDRESSES),
        "public": internet.starts_with("igw-"), "mapPublicIpOnLaunch": subnet["mapPublicIpOnLaunch"] == "true",
        "assignIpv6AddressOnCreation": subnet["assignIpv6AddressOnCreation"] == "true",
        "inDisallowedZone": DISALLOWED_ZONES.contains(&zone_id),
        "routeTableId": table.map(|table| table["routeTableId"].clone()),
        "routeTableIsMain": table.is_some_and(|table| table["main"] == true),
        "ofCluster": items(&cluster["subnetIds"]).any(|id| *id == subnet["subnetId"]),
        "tags": tags.iter().filter_map(kubernetes).collect::<Map<_, _>>(),
    })
}

fn security_group(group: &Value, cluster: &Value) -> Value {
    let of_cluster = group["groupId"] == cluster["clusterSecurityGroupId"];
    let rules = |member: &str| items(&group[member]).map(rule).collect::<Vec<_>>();
    json!({
        "groupId": group["groupId"], "groupName": group["groupName"],
        "role": if of_cluster { "cluster" } else { "additional" },
        "inbound": rules("ipPermissions"), "outbound": rules("ipPermissionsEgress"),
    })
}

fn rule(rule: &Value) -> Value {
    let peers = [
        ("groups", "groupId"),
        ("ipRanges", "cidrIp"),
        ("ipv6Ranges", "cidrIpv6"),
        ("prefixListIds", "prefixListId"),
    ];
    let peers = peers.iter().flat_map(|(set, member)| items(&rule[*set]).map(|peer| text(&peer[*member])));
    let protocol = match text(&rule["ipProtocol"]) {
        "-1" => "all",
        protocol => protocol,
    };
    let ports = match (text(&rule["fromPort"]), text(&rule["toPort"])) {
        ("" | "-1", _) | ("0", "65535") => "all".to_owned(),
        (from, to) if from == to => from.to_owned(),
        (from, to) => format!("{from}-{to}"),
    };
    json!({ "protocol": protocol, "ports": ports, "peers": peers.collect::<Vec<_>>() })
}

fn nat_gateway(gateway: &Value) -> Value {
    let address = items(&gateway["natGatewayAddressSet"]).next();
    json!({
        "natGatewayId": gateway["natGatewayId"], "subnetId": gateway["subnetId"], "state": gateway["state"],
        "publicIp": address.map(|address| address["publicIp"].clone()), "failure": gateway["failureMessage"],
    })
}

fn endpoint(endpoint: &Value) -> Value {
    json!({
        "vpcEndpointId": endpoint["vpcEndpointId"], "serviceName": endpoint["serviceName"],
        "type": endpoint["vpcEndpointType"], "state": endpoint["state"],
        "privateDnsEnabled": endpoint["privateDnsEnabled"] == "true",
        "subnetIds": items(&endpoint["subnetIdSet"]).collect::<Vec<_>>(),
        "routeTableIds": items(&endpoint["routeTableIdSet"]).collect::<Vec<_>>(),
    })
}
