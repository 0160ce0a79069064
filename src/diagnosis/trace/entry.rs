//! The way in: which rule of an Ingress a request takes, and the Service that it leads to.

use crate::diagnosis::facts::{Facts, Object, Read, nearest};
use crate::diagnosis::rules::ingress::{self, Backend};

use super::{Hop, HopStatus, Step, TraceQuery, missing_service, service};

/// The hops of a request through an Ingress: one way for each backend that is meant.
pub(super) fn hops<'a>(facts: &Facts<'a>, ingress: Object<'a>, query: &TraceQuery) -> Vec<Hop> {
    let backends = meant(ingress, query);
    let mut hops = vec![entrance(facts, ingress, &backends, query)];
    let mut seen = Vec::new();
    for backend in backends {
        if seen.contains(&(backend.service, backend.port)) {
            continue;
        }
        seen.push((backend.service, backend.port));
        hops.extend(behind(facts, ingress, &backend, query));
    }
    hops
}

/// The Ingresses that send requests to a Service. What is wrong with them does not break the Service.
pub(super) fn routes_to<'a>(facts: &Facts<'a>, service: Object<'a>) -> Vec<Hop> {
    let ingresses = facts.all_in("Ingress", service.namespace());
    let leading = ingresses.filter_map(|ingress| {
        let backends: Vec<Backend<'_>> = ingress::backends(ingress)
            .into_iter()
            .filter(|backend| backend.service == service.name())
            .collect();
        let wrong = backends.iter().find(|backend| ingress::is_missing(facts, ingress, backend));
        let routes: Vec<String> = backends.iter().map(|backend| route(ingress, backend)).collect();
        let hop = match (routes.is_empty(), wrong) {
            (true, _) => return None,
            (false, Some(backend)) => Hop::new(
                Step::Ingress,
                HopStatus::Warning,
                ingress,
                format!(
                    "routes to port {} of Service {}, which it does not have; it offers {}",
                    backend.port.show(),
                    service.name(),
                    ingress::offered(service)
                ),
            ),
            (false, None) => match ingress::class_problem(facts, ingress) {
                Some((problem, _)) => Hop::new(
                    Step::Ingress,
                    HopStatus::Warning,
                    ingress,
                    format!("no controller takes it, because {problem}"),
                ),
                None => Hop::new(Step::Ingress, address_status(ingress), ingress, address(ingress)),
            },
        };
        Some(hop.with(routes))
    });
    leading.collect()
}

fn entrance<'a>(facts: &Facts<'a>, ingress: Object<'a>, backends: &[Backend<'_>], query: &TraceQuery) -> Hop {
    let routes: Vec<String> = backends.iter().map(|backend| route(ingress, backend)).collect();
    let (status, says) = if let Some((problem, _)) = ingress::class_problem(facts, ingress) {
        (HopStatus::Broken, format!("no controller takes it, because {problem}"))
    } else if backends.is_empty() {
        (HopStatus::Broken, nothing_matches(ingress, query))
    } else if let Some((event, meaning)) = crate::diagnosis::rules::load_balancers::failure(facts, ingress) {
        (HopStatus::Broken, format!("{} The controller says: {}", meaning.unwrap_or_default(), event.message))
    } else {
        (address_status(ingress), address(ingress))
    };
    Hop::new(Step::Ingress, status, ingress, says.trim()).with(routes)
}

fn address_status(ingress: Object<'_>) -> HopStatus {
    if ingress::has_address(ingress) { HopStatus::Ok } else { HopStatus::Warning }
}

fn address(ingress: Object<'_>) -> String {
    let class =
        ingress::class_name(ingress).map_or("default class".to_owned(), |class| format!("class {class}"));
    let addresses = ingress.value().list("/status/loadBalancer/ingress").iter();
    let addresses: Vec<&str> = addresses
        .filter_map(|address| address.maybe_text("/hostname").or_else(|| address.maybe_text("/ip")))
        .collect();
    match addresses.as_slice() {
        [] => format!("has no address ({class}): no controller has taken it, or it does not say so"),
        some => format!("reached at {} ({class})", some.join(", ")),
    }
}

fn nothing_matches(ingress: Object<'_>, query: &TraceQuery) -> String {
    let hosts: Vec<&str> = ingress.value().list("/spec/rules").iter().map(host).collect();
    let asked =
        format!("{}{}", query.host.as_deref().unwrap_or("*"), query.path.as_deref().unwrap_or_default());
    match query.host.is_some() || query.path.is_some() {
        true => {
            format!("no rule takes {asked}, and there is no default backend; hosts: {}", hosts.join(", "))
        }
        false => "routes to no Service".to_owned(),
    }
}

fn host(rule: &serde_json::Value) -> &str {
    rule.maybe_text("/host").filter(|host| !host.is_empty()).unwrap_or("*")
}

/// `shop.example/cart → Service cart port 80`.
fn route(ingress: Object<'_>, backend: &Backend<'_>) -> String {
    let to = format!("Service {} port {}", backend.service, backend.port.show());
    match rule_and_path(ingress, backend) {
        Some((rule, path)) => format!("{}{} → {to}", host(rule), path.maybe_text("/path").unwrap_or("/")),
        None => format!("everything else → {to}"),
    }
}

/// Where a backend stands; `None` for the default one.
fn rule_and_path<'a>(
    ingress: Object<'a>,
    backend: &Backend<'_>,
) -> Option<(&'a serde_json::Value, &'a serde_json::Value)> {
    let path = backend.pointer.strip_suffix("/backend").filter(|path| path.contains("/rules/"))?;
    let (rule, _) = path.split_once("/http/")?;
    Some((ingress.value().pointer(rule)?, ingress.value().pointer(path)?))
}

/// The backends that a request for this host and path may take: all of a host where no path is said. The default one
/// takes what nothing else does.
fn meant<'a>(ingress: Object<'a>, query: &TraceQuery) -> Vec<Backend<'a>> {
    let all = ingress::backends(ingress);
    let (default, ruled): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|backend| rule_and_path(ingress, backend).is_none());
    let hosts = |backend: &Backend<'_>| {
        rule_and_path(ingress, backend).map_or(0, |(rule, _)| host_rank(host(rule), query.host.as_deref()))
    };
    let best = ruled.iter().map(hosts).max().unwrap_or(0);
    let of_host: Vec<Backend<'a>> = ruled
        .into_iter()
        .filter(|backend| hosts(backend) > 0 && (query.host.is_none() || hosts(backend) == best))
        .collect();
    let Some(path) = query.path.as_deref() else {
        let takes_all = query.host.is_none() || of_host.is_empty();
        return of_host.into_iter().chain(default.into_iter().filter(|_| takes_all)).collect();
    };
    let length =
        |backend: &Backend<'_>| rule_and_path(ingress, backend).map_or(0, |(_, at)| path_rank(at, path));
    let best = of_host.iter().map(length).max().unwrap_or(0);
    let matching: Vec<Backend<'a>> =
        of_host.into_iter().filter(|backend| length(backend) == best && best > 0).take(1).collect();
    if matching.is_empty() { default } else { matching }
}

/// 0: another host; the more exact a match, the higher.
fn host_rank(rule: &str, asked: Option<&str>) -> usize {
    let Some(asked) = asked else { return 1 };
    let is_below = |domain: &str| {
        let label = asked.strip_suffix(domain);
        label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    };
    match rule.strip_prefix('*') {
        _ if rule.eq_ignore_ascii_case(asked) => 3,
        Some("") => 1,
        Some(domain) if is_below(domain) => 2,
        Some(_) | None => 0,
    }
}

/// 0: another path; else its length, an exact one before a prefix.
fn path_rank(rule: &serde_json::Value, asked: &str) -> usize {
    let path = rule.maybe_text("/path").unwrap_or("/");
    if rule.text("/pathType") == "Exact" {
        return if path == asked { 2 * path.len() + 2 } else { 0 };
    }
    let prefix = path.trim_end_matches('/');
    let rest = asked.strip_prefix(prefix);
    let is_prefix = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_prefix { 2 * prefix.len() + 1 } else { 0 }
}

fn behind<'a>(facts: &Facts<'a>, ingress: Object<'a>, backend: &Backend<'_>, query: &TraceQuery) -> Vec<Hop> {
    let namespace = ingress.namespace();
    match facts.get("Service", namespace, backend.service) {
        Some(service) => service::hops(facts, service, backend.port, query),
        None if !ingress::is_missing(facts, ingress, backend) => Vec::new(),
        None => {
            let names = facts.all_in("Service", namespace).map(|service| service.name());
            let near = nearest(backend.service, names).map(|near| format!("; near: {near}"));
            let says =
                format!("there is no such Service in namespace {namespace}{}", near.unwrap_or_default());
            vec![missing_service(namespace, backend.service, says)]
        }
    }
}
