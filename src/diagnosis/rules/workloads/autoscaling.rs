//! Autoscalers that cannot scale, and the APIs that give them metrics (FAILURES J7 to J9, L7).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, absent, advice, change, in_namespace, kubectl_name, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, Object, Read, Workload, nearest, reference};
use crate::diagnosis::report::{Confidence, Evidence, ObjectRef, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::links::Broken;
use crate::diagnosis::rules::services::Backing;

/// An autoscaler needs this long, in seconds, until its first metrics are there.
const GRACE: i64 = 180;
/// Where the older API keeps what the newer one has in `status.conditions`.
const OLD_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

pub(in crate::diagnosis::rules) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let broken = Broken::by(drafts);
    let apis: Vec<Draft> =
        facts.all("APIService").iter().filter_map(|api| unavailable(facts, *api)).collect();
    drafts.extend(apis);
    let mut deprived: BTreeMap<&'static str, Vec<Object<'_>>> = BTreeMap::new();
    for scaler in facts.all("HorizontalPodAutoscaler") {
        let Some(trouble) = Trouble::of(facts, *scaler) else { continue };
        match trouble {
            Trouble::NoApi(group) if !has_api(facts, group) => {
                deprived.entry(group).or_default().push(*scaler)
            }
            trouble => drafts.extend(draft(facts, *scaler, trouble, &broken)),
        }
    }
    drafts.extend(deprived.into_iter().map(|(group, scalers)| api_missing(group, &scalers)));
}

/// An aggregated API whose server does not answer.
fn unavailable(facts: &Facts<'_>, api: Object<'_>) -> Option<Draft> {
    let condition = api.condition("Available").filter(|condition| condition["status"] != "True")?;
    let service = api.value().pointer("/spec/service").filter(|service| service.is_object())?;
    let key = Key::new("Service", service.text("/namespace"), service.text("/name"));
    let behind = facts.get("Service", &key.namespace, &key.name).and_then(|found| Backing::of(facts, found));
    let causes = behind.map(|backing| backing.depends_on()).unwrap_or_default();
    let reason = condition.text("/reason");
    let namespace = sh(&key.namespace);
    Some(
        Draft::new(
            "api-service-unavailable",
            Severity::Warning,
            api.reference(),
            format!("APIService {} is not available ({reason}): {}", api.name(), shorten(condition.text("/message"), 160)),
        )
        .confidence(if reason == "ServiceNotFound" { Confidence::Certain } else { Confidence::Likely })
        .cause(reason)
        .summary(format!(
            "The API server hands requests for this API to Service {}/{}, which does not answer. Whatever uses it fails: autoscalers and kubectl top (metrics), discovery, the deletion of namespaces.",
            key.namespace, key.name
        ))
        .evidence(draft::condition(api, "Available"))
        .evidence(draft::field(api, "/spec/service"))
        .breaks([api.key()])
        .explained_by(causes.into_iter().chain([key]))
        .remedy(advice(
            "Repair what serves the API",
            format!("kubectl -n {namespace} get service,endpoints,deployment,pod"),
            format!("kubectl get {}", kubectl_name(&api.reference())),
        )),
    )
}

/// Why an autoscaler does not scale.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    TargetMissing,
    /// Containers state no request for this resource.
    NoRequest(String),
    /// The API of this group does not answer, or is not there.
    NoApi(&'static str),
    /// Its pods give no metrics yet.
    NoMetrics,
    Other,
}

impl Trouble {
    fn of(facts: &Facts<'_>, scaler: Object<'_>) -> Option<Self> {
        let condition = failing(facts, scaler)?;
        let message = condition.text("/message");
        let lower = message.to_lowercase();
        if condition["reason"] == "FailedGetScale" {
            let is_missing = target(facts, scaler).object.is_none();
            return Some(if is_missing { Self::TargetMissing } else { Self::Other });
        }
        let request = message.split_once("missing request for ").map(|(_, rest)| rest);
        let resource = request.and_then(|rest| rest.split_whitespace().next());
        Some(if let Some(resource) = resource {
            Self::NoRequest(resource.trim_end_matches([',', '.', ':']).to_owned())
        } else if let Some(group) = deaf_api(&lower) {
            Self::NoApi(group)
        } else if lower.contains("no metrics returned") || lower.contains("did not receive metrics") {
            Self::NoMetrics
        } else {
            Self::Other
        })
    }
}

/// The group of an API that did not answer, as the message tells.
fn deaf_api(message: &str) -> Option<&'static str> {
    let is_deaf = [
        "could not find the requested resource",
        "unable to handle the request",
        "no custom metrics api",
        "no external metrics api",
        "no matches for kind",
    ]
    .iter()
    .any(|sign| message.contains(sign));
    let groups = ["external.metrics.k8s.io", "custom.metrics.k8s.io", "metrics.k8s.io"];
    let named = groups.into_iter().find(|group| message.contains(group));
    let described = || match message {
        text if text.contains("external metrics api") || text.contains("external metric") => groups[0],
        text if text.contains("custom metrics api") || text.contains("custom metric") => groups[1],
        _ => groups[2],
    };
    is_deaf.then(|| named.unwrap_or_else(described))
}

/// The condition that says that it cannot scale, once it is no longer new.
fn failing(facts: &Facts<'_>, scaler: Object<'_>) -> Option<Value> {
    let old =
        || scaler.annotation(OLD_CONDITIONS).and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
    let conditions = match scaler.value().list("/status/conditions") {
        [] => old().unwrap_or_default(),
        conditions => conditions.to_vec(),
    };
    conditions.into_iter().find(|condition| {
        let is_about_scaling = matches!(condition.text("/type"), "AbleToScale" | "ScalingActive");
        let is_lasting =
            condition.time("/lastTransitionTime").is_none_or(|time| facts.seconds_since(time) > GRACE);
        is_about_scaling
            && condition["status"] == "False"
            && condition["reason"] != "ScalingDisabled"
            && !condition.text("/reason").starts_with("Backoff")
            && is_lasting
    })
}

fn condition_evidence(facts: &Facts<'_>, scaler: Object<'_>) -> Option<Evidence> {
    let condition = failing(facts, scaler)?;
    draft::condition(scaler, condition.text("/type")).or_else(|| {
        draft::field(scaler, &format!("/metadata/annotations/{}", draft::pointer_token(OLD_CONDITIONS)))
    })
}

/// What the autoscaler scales; its object is absent where it does not exist.
fn target<'a>(facts: &Facts<'a>, scaler: Object<'a>) -> Workload<'a> {
    let of = |member: &str| scaler.value().text(&format!("/spec/scaleTargetRef/{member}"));
    let object = facts.get(of("kind"), scaler.namespace(), of("name"));
    Workload { reference: reference(of("apiVersion"), of("kind"), scaler.namespace(), of("name")), object }
}

fn has_api(facts: &Facts<'_>, group: &str) -> bool {
    !facts.was_read("APIService")
        || facts.all("APIService").iter().any(|api| api.value().text("/spec/group") == group)
}

fn draft(facts: &Facts<'_>, scaler: Object<'_>, trouble: Trouble, broken: &Broken) -> Option<Draft> {
    match trouble {
        Trouble::TargetMissing => target_missing(facts, scaler),
        Trouble::NoRequest(resource) => Some(no_request(facts, scaler, &resource)),
        Trouble::NoApi(group) => Some(no_api(facts, scaler, group)),
        Trouble::NoMetrics => no_metrics(facts, scaler, broken),
        Trouble::Other => Some(other(facts, scaler)),
    }
}

fn base(facts: &Facts<'_>, scaler: Object<'_>, rule: &'static str, object: ObjectRef, why: &str) -> Draft {
    let title = format!("HorizontalPodAutoscaler {} cannot scale: {why}", scaler.name());
    Draft::new(rule, Severity::Warning, object, title)
        .evidence(condition_evidence(facts, scaler))
        .breaks([scaler.key()])
}

fn target_missing(facts: &Facts<'_>, scaler: Object<'_>) -> Option<Draft> {
    let target = target(facts, scaler).reference;
    // Custom resources are not read, so that one of them is missing is not known.
    if !["Deployment", "StatefulSet", "ReplicaSet"].contains(&target.kind.as_str())
        || !facts.was_read(&target.kind)
    {
        return Some(other(facts, scaler));
    }
    let names = facts.all_in(&target.kind, scaler.namespace()).map(|object| object.name());
    let hint = nearest(&target.name, names)
        .map_or(String::new(), |name| format!(" There is a {} {name}, which may be meant.", target.kind));
    let missing = format!("there is no {} {} in namespace {}", target.kind, target.name, scaler.namespace());
    Some(
        base(
            facts,
            scaler,
            "autoscaler-target-missing",
            scaler.reference(),
            &format!("its target {} {} does not exist", target.kind, target.name),
        )
        .cause(target.name.clone())
        .summary(format!("scaleTargetRef names a {} that is not there.{hint}", target.kind))
        .evidence(draft::field(scaler, "/spec/scaleTargetRef"))
        .evidence([absent(target, missing)])
        .remedy(edit(scaler)),
    )
}

fn edit(scaler: Object<'_>) -> Remediation {
    let object = scaler.reference();
    change(
        "Correct the autoscaler",
        kubectl::describe(&object),
        kubectl::edit(&object),
        format!("apply the former manifest of {} again", kubectl_name(&object)),
        kubectl::describe(&object),
        Risk::Low,
    )
}

/// Utilisation is a share of the request, so every container has to state one.
fn no_request(facts: &Facts<'_>, scaler: Object<'_>, resource: &str) -> Draft {
    let workload = target(facts, scaler);
    let pods_spec = workload.object.and_then(|object| object.value().pointer(workload.pod_spec_pointer()));
    let containers = pods_spec.map_or(&[][..], |spec| spec.list("/containers"));
    let states = |container: &Value| {
        ["requests", "limits"].iter().any(|list| {
            container.pointer("/resources").is_some_and(|resources| resources[list].get(resource).is_some())
        })
    };
    let lacking: Vec<(usize, &str)> = containers
        .iter()
        .enumerate()
        .filter(|(_, container)| !states(container))
        .map(|(index, container)| (index, container.text("/name")))
        .collect();
    let condition = failing(facts, scaler).unwrap_or(Value::Null);
    let told = condition
        .text("/message")
        .split_once("in container ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let name = lacking.first().map(|(_, name)| *name).or(told).unwrap_or("its container");
    let target_name = format!("{} {}", workload.kind(), workload.reference.name);
    let why = format!("container {name} of {target_name} states no request for {resource}");
    let fields = lacking.iter().take(2).filter_map(|(index, _)| {
        draft::field(
            workload.object?,
            &format!("{}/containers/{index}/resources", workload.pod_spec_pointer()),
        )
    });
    let (namespace, target) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let amount = if resource == "memory" { "128Mi" } else { "100m" };
    base(facts, scaler, "autoscaler-request-missing", workload.reference.clone(), &why)
        .cause(format!("{name} {resource}"))
        .summary(format!(
            "It scales by {resource} utilisation, which is a share of what the pods request. As long as one container of {target_name} states no request for {resource}, there is no utilisation, and the number of pods stays as it is."
        ))
        .evidence(fields)
        .evidence(draft::field(scaler, "/spec/metrics"))
        .remedy(change(
            format!("State the request of container {name} (with an amount that fits the program)"),
            kubectl::describe(&scaler.reference()),
            format!("kubectl {namespace}set resources {target} -c {} --requests={}={amount}", sh(name), sh(resource)),
            kubectl::undo(&workload),
            kubectl::describe(&scaler.reference()),
            Risk::Medium,
        ))
}

/// The API is there and does not answer; its own finding says why.
fn no_api(facts: &Facts<'_>, scaler: Object<'_>, group: &str) -> Draft {
    let apis = facts.all("APIService").iter().filter(|api| api.value().text("/spec/group") == group);
    base(
        facts,
        scaler,
        "autoscaler-no-metrics",
        scaler.reference(),
        &format!("the API {group} does not answer"),
    )
    .confidence(Confidence::Likely)
    .cause(group)
    .summary("Without metrics the number of pods stays as it is.")
    .explained_by(apis.map(|api| api.key()))
    .remedy(advice(
        "Repair what serves the API",
        format!("kubectl get apiservices | grep {group}"),
        kubectl::describe(&scaler.reference()),
    ))
}

/// No APIService at all: the metrics server (or adapter) was never installed.
fn api_missing(group: &'static str, scalers: &[Object<'_>]) -> Draft {
    let name = format!("v1beta1.{group}");
    let object = reference("apiregistration.k8s.io/v1", "APIService", "", &name);
    let (server, check) = match group {
        "metrics.k8s.io" => ("metrics-server", "kubectl -n kube-system get deployment metrics-server"),
        _ => ("a metrics adapter (of Prometheus, KEDA or Datadog)", "kubectl get apiservices"),
    };
    let names: Vec<&str> = scalers.iter().map(|scaler| scaler.name()).take(3).collect();
    let conditions = scalers.iter().filter_map(|scaler| draft::condition(*scaler, "ScalingActive"));
    Draft::new(
        "metrics-api-missing",
        Severity::Warning,
        object.clone(),
        format!("No APIService serves {group}: autoscaler {} gets no metrics", names.join(", ")),
    )
    .summary(format!("The API {group} is given by {server}, which is not installed in this cluster. Autoscalers that use it do nothing."))
    .evidence([absent(object, format!("there is no APIService of group {group}"))])
    .evidence(conditions.take(2))
    .breaks(scalers.iter().map(|scaler| scaler.key()))
    .remedy(advice(format!("Install {server}"), check, format!("kubectl get apiservice {name}")))
}

/// Pods that are not ready give no metrics: a symptom, where that is known.
fn no_metrics(facts: &Facts<'_>, scaler: Object<'_>, broken: &Broken) -> Option<Draft> {
    let workload = target(facts, scaler);
    let key = workload.key();
    let pods = facts.pods_of(&key).map(|pod| pod.object.key());
    let causes: Vec<Key> = pods.chain([key.clone()]).collect();
    broken.has_any(&causes).then(|| {
        base(facts, scaler, "autoscaler-no-metrics", scaler.reference(), "its pods give no metrics")
            .summary("Pods that are not ready are not counted. It scales again once they are.")
            .explained_by(causes)
    })
}

fn other(facts: &Facts<'_>, scaler: Object<'_>) -> Draft {
    let condition = failing(facts, scaler).unwrap_or(Value::Null);
    let said = shorten(condition.text("/message"), 300);
    base(facts, scaler, "autoscaler-failing", scaler.reference(), condition.text("/reason"))
        .confidence(Confidence::Likely)
        .cause(condition.text("/reason"))
        .summary(format!("It says: {said}"))
        .evidence(draft::field(scaler, "/spec/metrics"))
        .remedy(edit(scaler))
}
