//! `trace_service`: the way of a request, hop by hop, and where it ends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::cluster::{ClusterError, ListQuery, trace};
use crate::diagnosis::report::{Missing, ObjectRef};
use crate::diagnosis::{Hop, HopStatus, TraceClient, TraceQuery};

use super::objects::{Presence, get, list_all, locate, name_of, namespace_of, presence};
use super::text::{plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// The kinds at which a trace may start.
const STARTS: [&str; 9] =
    ["Service", "Ingress", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"];
/// Ingresses that are looked at to find a host.
const MAX_INGRESSES: usize = 5000;
/// Where the DNS of a cluster runs, which every client needs.
const DNS_NAMESPACE: &str = "kube-system";
/// Longest line of the text, in characters.
const LINE: usize = 500;

pub(super) struct TraceService;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Where to start: a Service, an Ingress, or a workload or pod whose Services are wanted
    #[serde(default = "default_kind")]
    kind: String,
    /// Name of the object; of a Service also as clients write it: `web.shop`, `web.shop.svc.cluster.local:80`, a URL
    name: Option<String>,
    /// Namespace of the object; may be left out where the name is in one namespace only
    namespace: Option<String>,
    /// Host of a request to an Ingress; without `name` the Ingress with a rule for this host is looked for
    host: Option<String>,
    /// Path of a request to an Ingress, such as `/cart`
    path: Option<String>,
    /// Number or name of the Service's port; all ports where left out
    #[serde(default, deserialize_with = "number_or_name")]
    #[schemars(with = "Option<String>")]
    port: Option<String>,
    /// Namespace of the client: its connections are held against NetworkPolicies
    from_namespace: Option<String>,
    /// Pod that is the client; one pod of each workload of from_namespace where left out
    from_pod: Option<String>,
}

/// Callers write the number of a port as a number.
fn number_or_name<'de, D: Deserializer<'de>>(port: D) -> Result<Option<String>, D::Error> {
    match Option::<Value>::deserialize(port)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(D::Error::custom("a port is a number or a name")),
    }
}

fn default_kind() -> String {
    "Service".to_owned()
}

/// What the way is like.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// Where the trace started.
    start: ObjectRef,
    /// The worst of all hops.
    status: HopStatus,
    /// The first hop that is broken.
    broken_at: Option<Hop>,
    /// All hops, in the order of the way.
    hops: Vec<Hop>,
    /// What could not be read.
    missing: Vec<Missing>,
}

impl Tool for TraceService {
    const NAME: &'static str = "trace_service";
    const TITLE: &'static str = "Trace the way to a service";
    const DESCRIPTION: &'static str = "Follows a request hop by hop: Ingress or load balancer, Service and its DNS name, selector, pods, target ports, \
         endpoints, NetworkPolicies. Says for each hop whether requests pass and what breaks it. Use it where something \
         does not answer, answers 502 to 504, or times out; from_namespace checks policies for a client.";
    type Input = Input;
    type Output = Output;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let start = start(&input, cx).await?;
        let namespace = start.reference.namespace.clone().unwrap_or_default();
        let client = client(&input, &namespace, cx).await?;
        let mut namespaces = vec![namespace];
        if let Some(client) = &client {
            namespaces.extend([client.namespace.clone(), DNS_NAMESPACE.to_owned()]);
        }
        namespaces.sort();
        namespaces.dedup();
        let query = TraceQuery {
            start: start.reference.clone(),
            host: input.host,
            path: input.path,
            port: input.port.or(start.port),
            client,
        };
        let (hops, missing) = trace(&cx.cluster, query, namespaces).await?;
        Ok(outcome(start.reference, hops, missing)?)
    }
}

/// An object that exists, and the port that its name came with.
struct Start {
    reference: ObjectRef,
    port: Option<String>,
}

async fn start(input: &Input, cx: &ToolContext) -> Result<Start, ToolError> {
    let Some(name) = &input.name else {
        let host = input.host.as_deref().ok_or_else(|| {
            ToolError::InvalidInput("say name, or the host of a request to an Ingress".to_owned())
        })?;
        return Ok(Start { reference: ingress_of_host(host, input, cx).await?, port: None });
    };
    let kind = cx.cluster.resolve(&input.kind, None).await?;
    if !STARTS.contains(&kind.kind.as_str()) {
        return Err(ToolError::InvalidInput(format!(
            "a trace starts at one of {}, not at {}",
            STARTS.join(", "),
            kind.kind
        )));
    }
    let address = match kind.kind.as_str() {
        "Service" => Address::read(name),
        _ => Address { name: name.rsplit('/').next().unwrap_or(name).to_owned(), ..Address::default() },
    };
    let namespace = input.namespace.clone().or(address.namespace);
    let reference = locate(cx, &kind, namespace, address.name).await?;
    Ok(Start { reference, port: address.port })
}

/// A Service as clients write it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Address {
    name: String,
    namespace: Option<String>,
    port: Option<String>,
}

impl Address {
    /// `web`, `svc/web`, `web.shop.svc:80`, `http://web.shop/path`.
    fn read(text: &str) -> Self {
        let authority = match text.split_once("://") {
            Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
            None => text.rsplit('/').next().unwrap_or_default(),
        };
        let (host, port) =
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let mut labels = host.split('.');
        let name = labels.next().unwrap_or_default().to_owned();
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self { name, namespace: labels.next().and_then(filled), port: port.and_then(filled) }
    }
}

async fn ingress_of_host(host: &str, input: &Input, cx: &ToolContext) -> Result<ObjectRef, ToolError> {
    let kind = cx.cluster.resolve("Ingress", None).await?;
    let query = ListQuery { namespace: input.namespace.clone(), ..ListQuery::default() };
    let rules = |ingress: &Value| {
        let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
        let hosts: Vec<String> =
            rules.filter_map(|rule| Some(rule["host"].as_str()?.to_lowercase())).collect();
        (namespace_of(ingress).to_owned(), name_of(ingress).to_owned(), hosts)
    };
    let (ingresses, _) = list_all(cx, &kind, query, MAX_INGRESSES, rules).await?;
    let wanted = host.to_lowercase();
    let parent = wanted.split_once('.').map(|(_, parent)| format!("*.{parent}"));
    let having = |wanted: &str| -> Vec<&(String, String, Vec<String>)> {
        ingresses.iter().filter(|(_, _, hosts)| hosts.iter().any(|host| host == wanted)).collect()
    };
    let mut found = having(&wanted);
    if found.is_empty()
        && let Some(parent) = parent
    {
        found = having(&parent);
    }
    match found.as_slice() {
        [(namespace, name, _)] => Ok(ObjectRef {
            api_version: kind.api_version(),
            kind: kind.kind.clone(),
            namespace: Some(namespace.clone()),
            name: name.clone(),
        }),
        [] => {
            let known = ingresses.iter().flat_map(|(_, _, hosts)| hosts.iter().map(String::as_str));
            let near = super::text::nearest(host, known, 5);
            Err(ToolError::NotFound(format!(
                "no Ingress has a rule for host {:?}{}",
                shorten(host, 80),
                super::text::near_names(&near)
            )))
        }
        several => {
            let names: Vec<String> =
                several.iter().map(|(namespace, name, _)| format!("{namespace}/{name}")).collect();
            Err(ToolError::InvalidInput(format!(
                "several Ingresses have rules for {host}: say kind=Ingress, namespace and name, one of {}",
                names.join(", ")
            )))
        }
    }
}

/// The client, made sure of.
async fn client(input: &Input, namespace: &str, cx: &ToolContext) -> Result<Option<TraceClient>, ToolError> {
    if let Some(pod) = &input.from_pod {
        let of = input.from_namespace.as_deref().unwrap_or(namespace);
        let pod = pod.rsplit('/').next().unwrap_or(pod);
        get(cx, &cx.cluster.resolve("Pod", Some("v1")).await?, Some(of), pod).await?;
        return Ok(Some(TraceClient { namespace: of.to_owned(), pod: Some(pod.to_owned()) }));
    }
    let Some(of) = &input.from_namespace else { return Ok(None) };
    match presence(cx, of).await {
        Presence::Missing(missing) => Err(ToolError::NotFound(missing)),
        Presence::Exists | Presence::Unknown => Ok(Some(TraceClient { namespace: of.clone(), pod: None })),
    }
}

fn outcome(start: ObjectRef, hops: Vec<Hop>, missing: Vec<Missing>) -> Result<ToolOutcome, ClusterError> {
    if hops.is_empty() {
        let message = format!("{} {} could not be read again: try once more", start.kind, start.name);
        return Err(ClusterError::NotFound(message));
    }
    let status = worst(&hops);
    let broken_at = hops.iter().find(|hop| hop.status == HopStatus::Broken).cloned();
    let mut text = match &broken_at {
        Some(hop) => format!("Broken at {}: {}\n\n", named(&hop.object), one_line(&hop.says)),
        None => format!("{}\n\n", summary(status)),
    };
    for hop in &hops {
        text.push_str(&line(hop));
    }
    text.push_str(&unread(&missing));
    let output = Output { start, status, broken_at, hops, missing };
    let structured = serde_json::to_value(&output).map_err(|error| {
        tracing::error!(%error, "bug: a trace cannot be written as JSON");
        ClusterError::Invalid("the trace could not be written".to_owned())
    })?;
    Ok(ToolOutcome::new(structured, text))
}

/// What could not be read, one line for each reason.
fn unread(missing: &[Missing]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for missing in missing {
        by_reason.entry(&missing.why).or_default().push(&missing.what);
    }
    let lines =
        by_reason.iter().map(|(why, what)| format!("\nNot read ({}): {}\n", one_line(why), what.join(", ")));
    lines.collect()
}

fn worst(hops: &[Hop]) -> HopStatus {
    let order = [HopStatus::Broken, HopStatus::Unknown, HopStatus::Warning];
    let has = |status: &HopStatus| hops.iter().any(|hop| hop.status == *status);
    order.into_iter().find(has).unwrap_or(HopStatus::Ok)
}

fn summary(status: HopStatus) -> &'static str {
    match status {
        HopStatus::Ok => "Requests should pass: every hop is well, as far as objects tell.",
        HopStatus::Warning => "Nothing is broken for sure; see the warnings.",
        HopStatus::Broken => "Broken.",
        HopStatus::Unknown => "Nothing that could be read is broken; see what could not.",
    }
}

fn line(hop: &Hop) -> String {
    let status = match hop.status {
        HopStatus::Ok => "ok     ",
        HopStatus::Warning => "warning",
        HopStatus::Broken => "BROKEN ",
        HopStatus::Unknown => "unknown",
    };
    let details = hop.details.iter().map(|detail| format!("          - {}\n", one_line(detail)));
    let first = format!("{status}   {}: {}\n", named(&hop.object), one_line(&hop.says));
    std::iter::once(first).chain(details).collect()
}

fn one_line(text: &str) -> String {
    shorten(&plain(text), LINE)
}

/// `Service shop/web`.
fn named(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web", "web", None, None)]
    #[case("svc/web", "web", None, None)]
    #[case("web.shop", "web", Some("shop"), None)]
    #[case("web.shop.svc.cluster.local:8080", "web", Some("shop"), Some("8080"))]
    #[case("http://web.shop.svc/cart?x=1", "web", Some("shop"), None)]
    fn a_service_is_known_as_clients_write_it(
        #[case] text: &str,
        #[case] name: &str,
        #[case] namespace: Option<&str>,
        #[case] port: Option<&str>,
    ) {
        let expected = Address {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            port: port.map(str::to_owned),
        };
        assert_eq!(Address::read(text), expected);
    }
}
