//! Which Services a workload depends on: by its settings, and by what its log complains of.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::diagnosis::facts::{Container, Facts, Key, Object, Pod, Read, nearest, reference, references};
use crate::diagnosis::report::ObjectRef;

/// Values longer than this, in bytes, are not searched for addresses.
const MAX_VALUE: usize = 64 << 10;

/// `host`, `host:port`, also inside URLs and connection strings.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"([A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)(?::(\d{2,5}))?").ok());

/// A name that could not be resolved, as resolvers of several languages report it.
static UNRESOLVED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let before =
        "lookup|enotfound|eai_again|unknownhostexception:|unknown host:?|resolve host:?|translate host name";
    Regex::new(&format!(r#"(?i)(?:{before})\s+"?([a-z][a-z0-9.-]*[a-z0-9])"#)).ok()
});

/// An address that a workload uses, and the Service that it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    /// As written: `orders-db:5432`.
    pub(super) address: String,
    /// The Service; it may not exist.
    pub(super) service: ObjectRef,
    pub(super) exists: bool,
    pub(super) port: Option<u16>,
}

impl Dependency {
    pub(super) fn key(&self) -> Key {
        Key::from(&self.service)
    }

    /// Where there is no such Service: the one that was most likely meant, of a similar name or in another namespace.
    pub(super) fn meant(&self, facts: &Facts<'_>) -> Option<String> {
        if self.exists {
            return None;
        }
        let (services, wanted) = (facts.all("Service"), self.service.name.as_str());
        let is_here = |service: &&Object<'_>| Some(service.namespace()) == self.service.namespace.as_deref();
        let similar = nearest(wanted, services.iter().filter(is_here).map(|service| service.name()));
        let elsewhere = || services.iter().find(|service| service.name() == wanted);
        similar
            .map(str::to_owned)
            .or_else(|| elsewhere().map(|service| format!("{wanted}.{}", service.namespace())))
    }

    /// The ports of the Service, where it exists and the one that is asked for is none of them. Headless Services have no
    /// ports of their own.
    pub(super) fn wrong_port(&self, facts: &Facts<'_>) -> Option<Vec<i64>> {
        let service = facts.get("Service", self.service.namespace.as_deref()?, &self.service.name)?.value();
        let asked = i64::from(self.port?);
        let ports: Vec<i64> =
            service.list("/spec/ports").iter().filter_map(|port| port.int("/port")).collect();
        let is_plain =
            service.text("/spec/clusterIP") != "None" && service.text("/spec/type") != "ExternalName";
        (is_plain && !ports.is_empty() && !ports.contains(&asked)).then_some(ports)
    }
}

/// The Service that a line of a log is about. Only the first address counts that means a Service, or looks like one that
/// should exist.
pub(super) fn of_line(facts: &Facts<'_>, namespace: &str, line: &str) -> Option<Dependency> {
    let known = addresses(line).find_map(|(host, port)| resolve(facts, namespace, host, port));
    known.or_else(|| {
        let named =
            UNRESOLVED.as_ref().and_then(|pattern| pattern.captures(line)?.get(1)).map(|name| name.as_str());
        let unresolved = named.and_then(|host| missing(facts, namespace, host, None, true));
        unresolved
            .or_else(|| addresses(line).find_map(|(host, port)| missing(facts, namespace, host, port, false)))
    })
}

/// Every Service that a pod's settings name: environment, arguments, and the ConfigMaps behind them.
pub(super) fn of_pod(facts: &Facts<'_>, pod: &Pod<'_>) -> BTreeSet<Key> {
    let namespace = pod.object.namespace();
    let mut found = BTreeSet::new();
    let mut search = |text: &str| {
        if text.len() <= MAX_VALUE {
            let resolved = addresses(text).filter_map(|(host, port)| resolve(facts, namespace, host, port));
            found.extend(resolved.map(|dependency| dependency.key()));
        }
    };
    for container in &pod.containers {
        settings(container).for_each(&mut search);
    }
    for config_map in config_maps(facts, pod) {
        config_map.value().members("/data").filter_map(|(_, value)| value.as_str()).for_each(&mut search);
    }
    // A workload that names its own Service does not depend on it.
    found.retain(|key| {
        let service = facts.get("Service", &key.namespace, &key.name);
        let selector = service.and_then(|service| service.value().pointer("/spec/selector")?.as_object());
        !selector.is_some_and(|selector| {
            key.namespace == namespace
                && crate::diagnosis::facts::selector::map_matches(selector, pod.object.labels())
        })
    });
    found
}

/// True where a pod's settings hold one of these host names or addresses, whatever it means there. Much cheaper than
/// [`of_pod`], which tells what it means.
pub(super) fn mentions(facts: &Facts<'_>, pod: &Pod<'_>, hosts: &HashSet<&str>) -> bool {
    let is_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let holds = |text: &str| {
        let mut words = text.split(|c| !is_host(c));
        words.any(|word| hosts.contains(word) || word.split('.').any(|label| hosts.contains(label)))
    };
    pod.containers.iter().any(|container| settings(container).any(holds))
        || config_maps(facts, pod).into_iter().any(|config_map| {
            config_map.value().members("/data").filter_map(|(_, value)| value.as_str()).any(holds)
        })
}

fn settings<'a>(container: &Container<'a>) -> impl Iterator<Item = &'a str> {
    let spec = container.spec;
    let environment = spec.list("/env").iter().filter_map(|env| env.maybe_text("/value"));
    let words = spec.list("/command").iter().chain(spec.list("/args")).filter_map(Value::as_str);
    environment.chain(words)
}

/// The ConfigMaps that a pod reads.
fn config_maps<'a>(facts: &Facts<'a>, pod: &Pod<'_>) -> Vec<Object<'a>> {
    let spec = pod.value().pointer("/spec");
    let names: BTreeSet<&str> = spec
        .map(references)
        .unwrap_or_default()
        .into_iter()
        .filter(|found| found.kind == "ConfigMap")
        .map(|found| found.name)
        .collect();
    names.into_iter().filter_map(|name| facts.get("ConfigMap", pod.object.namespace(), name)).collect()
}

fn addresses(text: &str) -> impl Iterator<Item = (&str, Option<u16>)> {
    let pattern = ADDRESS.as_ref();
    pattern.into_iter().flat_map(move |pattern| pattern.captures_iter(text)).filter_map(|found| {
        let port = found.get(2).and_then(|port| port.as_str().parse().ok());
        // `lookup db on 10.100.0.10:53`: the server that was asked is not what the line is about.
        (port != Some(53)).then_some((found.get(1)?.as_str(), port))
    })
}

/// An address that means a Service of the snapshot.
fn resolve(facts: &Facts<'_>, namespace: &str, host: &str, port: Option<u16>) -> Option<Dependency> {
    let service = by_name(facts, namespace, host).or_else(|| by_address(facts, host))?;
    Some(Dependency { address: written(host, port), service: service.reference(), exists: true, port })
}

fn written(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// `db`, `db.shop`, `db.shop.svc.cluster.local`, and a pod's name before it as headless Services have it.
fn by_name<'a>(facts: &Facts<'a>, namespace: &str, host: &str) -> Option<Object<'a>> {
    let host = host.trim_end_matches('.').to_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let is_suffix = |rest: &[&str]| rest.is_empty() || rest[0] == "svc";
    let service = match labels.as_slice() {
        [name] => facts.get("Service", namespace, name),
        [name, of, rest @ ..] if is_suffix(rest) => facts.get("Service", of, name),
        _ => None,
    };
    service.or_else(|| match labels.as_slice() {
        [_, name] => facts.get("Service", namespace, name),
        [_, name, of, rest @ ..] if is_suffix(rest) => facts.get("Service", of, name),
        _ => None,
    })
}

/// A cluster IP, or the address of a pod behind a Service.
fn by_address<'a>(facts: &Facts<'a>, host: &str) -> Option<Object<'a>> {
    host.parse::<std::net::Ipv4Addr>().ok()?;
    let services = facts.all("Service");
    let own = services.iter().find(|service| service.value().text("/spec/clusterIP") == host);
    let of_pod = || {
        let pod = facts.pods().iter().find(|pod| pod.value().text("/status/podIP") == host)?;
        services.iter().find(|service| {
            let selector = service.value().pointer("/spec/selector").and_then(Value::as_object);
            service.namespace() == pod.object.namespace()
                && selector.is_some_and(|selector| {
                    crate::diagnosis::facts::selector::map_matches(selector, pod.object.labels())
                })
        })
    };
    own.or_else(of_pod).copied()
}

/// An address in the form of a cluster name that means nothing: `db.shop.svc`, or a bare name with a port. A name that a
/// resolver reports needs no port.
fn missing(
    facts: &Facts<'_>,
    namespace: &str,
    host: &str,
    port: Option<u16>,
    is_name: bool,
) -> Option<Dependency> {
    if !facts.was_read("Service") || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let host = host.to_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &str| {
        label.len() > 1
            && label.starts_with(|c: char| c.is_ascii_lowercase())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (name, of) = match labels.as_slice() {
        [name] if (is_name || port.is_some()) && is_label(name) && *name != "localhost" => (*name, namespace),
        [name, of, "svc", ..] if is_label(name) => (*name, *of),
        [name, of] if is_name && is_label(name) && facts.get("Namespace", "", of).is_some() => (*name, *of),
        _ => return None,
    };
    let service = reference("v1", "Service", of, name);
    Some(Dependency { address: written(&host, port), service, exists: false, port })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    #[rstest]
    #[case("connect to db:5432: connection refused", Some(("db", true)))]
    #[case("dial tcp 10.100.0.10:5432: i/o timeout", Some(("db", true)))]
    #[case("postgres://app:x@db.shop.svc.cluster.local:5432/app", Some(("db", true)))]
    #[case("lookup db.shop.svc.cluster.local on 10.100.0.10:53: no such host", Some(("db", true)))]
    #[case("db-0.db:5432 refused", Some(("db", true)))]
    #[case("getaddrinfo ENOTFOUND chache:6379", Some(("chache", false)))]
    #[case("lookup orders.sales.svc.cluster.local: no such host", Some(("orders", false)))]
    #[case("dial tcp: lookup orders-db on 10.100.0.99:53: no such host", Some(("orders-db", false)))]
    #[case("dial tcp: lookup orders-db on 10.100.0.10:53: no such host", Some(("orders-db", false)))]
    #[case("Error: getaddrinfo EAI_AGAIN redis", Some(("redis", false)))]
    #[case("GET https://api.example.com/v1: 503", None)]
    #[case("2026-01-01T11:50:00.182Z ERROR giving up", None)]
    #[case("127.0.0.1:5432 refused", None)]
    fn a_line_names_the_service_behind_the_trouble(
        #[case] line: &str,
        #[case] expected: Option<(&str, bool)>,
    ) {
        let snapshot = testing::snapshot(vec![testing::service("db", "db")]);
        let found = of_line(&Facts::new(&snapshot), "shop", line);
        assert_eq!(found.as_ref().map(|found| (found.service.name.as_str(), found.exists)), expected);
    }

    #[rstest]
    #[case("lookup order-db: no such host", Some("orders-db"))]
    #[case("lookup cache: no such host", Some("cache.other"))]
    #[case("lookup mail: no such host", None)]
    fn the_service_that_was_meant_is_similar_or_elsewhere(#[case] line: &str, #[case] meant: Option<&str>) {
        let mut elsewhere = testing::service("cache", "cache");
        elsewhere["metadata"]["namespace"] = json!("other");
        let snapshot = testing::snapshot(vec![testing::service("orders-db", "orders-db"), elsewhere]);
        let facts = Facts::new(&snapshot);
        let found = of_line(&facts, "shop", line).unwrap();
        assert_eq!(found.meant(&facts).as_deref(), meant);
    }

    #[rstest]
    #[case("db", true)]
    #[case("10.100.0.7", true)]
    #[case("shop", true)]
    #[case("d", false)]
    fn settings_mention_hosts(#[case] host: &str, #[case] mentioned: bool) {
        let env = json!([{ "name": "DB", "value": "postgres://db.shop:5432" }, { "name": "C", "value": "10.100.0.7:1" }]);
        let snapshot = testing::snapshot(testing::deployment("api", json!({ "env": env }), json!({})));
        let facts = Facts::new(&snapshot);
        assert_eq!(mentions(&facts, &facts.pods()[0], &HashSet::from([host])), mentioned);
    }

    #[test]
    fn settings_name_services_directly_and_through_configmaps() {
        let container = json!({
            "env": [{ "name": "DB", "value": "postgres://db/app" }],
            "envFrom": [{ "configMapRef": { "name": "settings" } }],
        });
        let mut objects = testing::deployment("api", container, json!({}));
        objects.push(testing::object(
            "v1",
            "ConfigMap",
            "settings",
            json!({ "data": { "CACHE": "cache:6379" } }),
        ));
        objects.extend(["api", "db", "cache", "other"].map(|name| testing::service(name, name)));
        let snapshot = testing::snapshot(objects);
        let facts = Facts::new(&snapshot);
        let names: Vec<String> = of_pod(&facts, &facts.pods()[0]).into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["cache", "db"]);
    }
}
