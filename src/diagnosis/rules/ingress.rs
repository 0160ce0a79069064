//! Ingresses that no controller takes, or that lead nowhere (FAILURES G15, G16, G18).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, absent, advice, change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Facts, Key, Object, Read, nearest, reference};
use crate::diagnosis::report::{Confidence, Remediation, Risk, Severity};

use super::kubectl;
use super::links::Broken;

/// Who makes AWS load balancers; it takes certificates from ACM, not from Secrets.
const ALB_CONTROLLERS: [&str; 2] = ["ingress.k8s.aws/alb", "eks.amazonaws.com/alb"];
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

/// The port of a Service that an Ingress names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diagnosis) enum BackendPort<'a> {
    Number(i64),
    Name(&'a str),
    Unknown,
}

impl BackendPort<'_> {
    /// True for this entry of a Service's `spec.ports`.
    pub(in crate::diagnosis) fn is(self, port: &Value) -> bool {
        match self {
            Self::Number(number) => port.int("/port") == Some(number),
            Self::Name(name) => port["name"] == name,
            Self::Unknown => true,
        }
    }

    pub(in crate::diagnosis) fn show(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.to_owned(),
            Self::Unknown => "?".to_owned(),
        }
    }
}

/// Where an Ingress sends requests.
#[derive(Debug, Clone)]
pub(in crate::diagnosis) struct Backend<'a> {
    pub(in crate::diagnosis) service: &'a str,
    pub(in crate::diagnosis) port: BackendPort<'a>,
    /// JSON pointer of the backend.
    pub(in crate::diagnosis) pointer: String,
}

/// Every Service that an Ingress names, in the shapes of both API versions.
pub(in crate::diagnosis) fn backends(ingress: Object<'_>) -> Vec<Backend<'_>> {
    let value = ingress.value();
    let mut pointers = vec!["/spec/defaultBackend".to_owned(), "/spec/backend".to_owned()];
    for (rule, content) in value.list("/spec/rules").iter().enumerate() {
        let paths = content.list("/http/paths").len();
        pointers.extend((0..paths).map(|path| format!("/spec/rules/{rule}/http/paths/{path}/backend")));
    }
    pointers.into_iter().filter_map(|pointer| backend(value, pointer)).collect()
}

fn backend(value: &Value, pointer: String) -> Option<Backend<'_>> {
    let backend = value.pointer(&pointer)?;
    let service = backend.maybe_text("/service/name").or_else(|| backend.maybe_text("/serviceName"))?;
    let ports = ["/service/port/number", "/service/port/name", "/servicePort"];
    let port = match ports.iter().find_map(|pointer| backend.pointer(pointer)) {
        Some(Value::Number(number)) => BackendPort::Number(number.as_i64().unwrap_or(0)),
        Some(Value::String(name)) => BackendPort::Name(name),
        _ => BackendPort::Unknown,
    };
    Some(Backend { service, port, pointer })
}

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let broken = Broken::by(drafts);
    for ingress in facts.all("Ingress").iter().filter(|ingress| !ingress.is_terminating()) {
        drafts.extend(class(facts, *ingress));
        drafts.extend(missing_backends(facts, *ingress));
        drafts.extend(secrets(facts, *ingress));
        drafts.extend(symptom(*ingress, &broken));
    }
}

/// A controller has given the Ingress (or Service) an address.
pub(in crate::diagnosis) fn has_address(ingress: Object<'_>) -> bool {
    !ingress.value().list("/status/loadBalancer/ingress").is_empty()
}

pub(in crate::diagnosis) fn class_name(ingress: Object<'_>) -> Option<&str> {
    ingress.value().maybe_text("/spec/ingressClassName").or_else(|| ingress.annotation(OLD_CLASS))
}

/// Why no controller takes an Ingress that has no address, and how sure that is.
pub(in crate::diagnosis) fn class_problem(
    facts: &Facts<'_>,
    ingress: Object<'_>,
) -> Option<(String, Confidence)> {
    if !facts.was_read("IngressClass") || has_address(ingress) {
        return None;
    }
    let classes = facts.all("IngressClass");
    let is_default = |class: &Object<'_>| class.annotation(DEFAULT_CLASS) == Some("true");
    match class_name(ingress) {
        Some(name) if classes.iter().any(|class| class.name() == name) => None,
        Some(name) => {
            // An annotation is free text that a controller may know without an object.
            let is_field = ingress.value().pointer("/spec/ingressClassName").is_some();
            let confidence = if is_field { Confidence::Certain } else { Confidence::Likely };
            Some((format!("its class {name} does not exist"), confidence))
        }
        None if classes.iter().any(is_default) => None,
        None => Some(("it names no class, and no class is the default".to_owned(), Confidence::Likely)),
    }
}

fn class(facts: &Facts<'_>, ingress: Object<'_>) -> Option<Draft> {
    let (problem, confidence) = class_problem(facts, ingress)?;
    let known: Vec<&str> = facts.all("IngressClass").iter().map(|class| class.name()).collect();
    let meant = class_name(ingress).and_then(|name| nearest(name, known.iter().copied()));
    let meant = meant.or(if let [only] = known.as_slice() { Some(*only) } else { None });
    let existing = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let title = format!("Ingress {}: no controller takes it, because {problem}", ingress.name());
    Some(
        Draft::new("ingress-class-missing", Severity::Critical, ingress.reference(), title)
            .confidence(confidence)
            .cause(class_name(ingress).unwrap_or_default())
            .summary(format!(
                "Without a class that a controller serves, an Ingress gets no address and no traffic. IngressClasses of this cluster: {existing}."
            ))
            .evidence(draft::field(ingress, "/spec/ingressClassName"))
            .evidence([absent(ingress.reference(), format!("IngressClasses: {existing}"))])
            .breaks([ingress.key()])
            .remedies(meant.map(|meant| set_class(ingress, meant))),
    )
}

fn set_class(ingress: Object<'_>, class: &str) -> Remediation {
    let object = ingress.reference();
    let (namespace, name) = (in_namespace(&object), kubectl_name(&object));
    let patch = |class: &Value| {
        let patch = serde_json::json!({ "spec": { "ingressClassName": class } });
        format!("kubectl {namespace}patch {name} --type merge -p {}", sh(&patch.to_string()))
    };
    let former = ingress.value().pointer("/spec/ingressClassName").cloned().unwrap_or(Value::Null);
    change(
        format!("Set the class {class}"),
        "kubectl get ingressclasses",
        patch(&class.into()),
        patch(&former),
        kubectl::get(&object, ""),
        Risk::Low,
    )
}

/// Services and ports that an Ingress names and that do not exist: one finding for each Service.
fn missing_backends(facts: &Facts<'_>, ingress: Object<'_>) -> Vec<Draft> {
    if !facts.was_read("Service") {
        return Vec::new();
    }
    let all = backends(ingress);
    let broken: Vec<&Backend<'_>> =
        all.iter().filter(|backend| is_missing(facts, ingress, backend)).collect();
    let severity = if broken.len() == all.len() { Severity::Critical } else { Severity::Warning };
    let by_service: BTreeMap<&str, &Backend<'_>> =
        broken.into_iter().map(|backend| (backend.service, backend)).collect();
    by_service.into_values().map(|backend| missing_backend(facts, ingress, backend, severity)).collect()
}

pub(in crate::diagnosis) fn is_missing(
    facts: &Facts<'_>,
    ingress: Object<'_>,
    backend: &Backend<'_>,
) -> bool {
    // The AWS controller takes such names for actions of its own.
    let action = format!("alb.ingress.kubernetes.io/actions.{}", backend.service);
    if ingress.annotation(&action).is_some() || backend.port == BackendPort::Name("use-annotation") {
        return false;
    }
    match facts.get("Service", ingress.namespace(), backend.service) {
        Some(service) => !service.value().list("/spec/ports").iter().any(|port| backend.port.is(port)),
        None => true,
    }
}

fn missing_backend(
    facts: &Facts<'_>,
    ingress: Object<'_>,
    backend: &Backend<'_>,
    severity: Severity,
) -> Draft {
    let name = backend.service;
    let service = facts.get("Service", ingress.namespace(), name);
    let names = facts.all_in("Service", ingress.namespace()).map(|service| service.name());
    let similar = nearest(name, names);
    let (what, hint) = match (service, similar) {
        (Some(service), _) => (
            format!("port {} of Service {name}, which it does not have", backend.port.show()),
            format!(" The Service offers {}.", offered(service)),
        ),
        (None, Some(similar)) => (
            format!("Service {name}, which does not exist"),
            format!(" There is a Service {similar}, which may be meant."),
        ),
        (None, None) => (format!("Service {name}, which does not exist"), String::new()),
    };
    let missing = service.is_none().then(|| {
        let object = reference("v1", "Service", ingress.namespace(), name);
        absent(object, format!("there is no Service {name} in namespace {}", ingress.namespace()))
    });
    Draft::new(
        "ingress-backend-missing",
        severity,
        ingress.reference(),
        format!("Ingress {} routes to {what}", ingress.name()),
    )
    .cause(format!("{name} {}", backend.port.show()))
    .summary(format!(
        "Requests that this backend should answer get an error (mostly 503) from the ingress controller, or the whole Ingress is not set up.{hint}"
    ))
    .evidence(draft::field(ingress, &backend.pointer))
    .evidence(missing)
    .evidence(service.and_then(|service| draft::field(service, "/spec/ports")))
    .evidence(facts.events(ingress).filter(|event| event.is_warning).take(1).map(|event| draft::event(&event)))
    .breaks([ingress.key()])
    .remedy(correct_backend(ingress, backend, service, similar))
}

/// `80 (http), 443`.
pub(in crate::diagnosis) fn offered(service: Object<'_>) -> String {
    let ports = service.value().list("/spec/ports").iter().map(|port| {
        let number = port.int("/port").unwrap_or(0);
        port.maybe_text("/name").map_or_else(|| number.to_string(), |name| format!("{number} ({name})"))
    });
    ports.collect::<Vec<_>>().join(", ")
}

fn correct_backend(
    ingress: Object<'_>,
    backend: &Backend<'_>,
    service: Option<Object<'_>>,
    similar: Option<&str>,
) -> Remediation {
    let object = ingress.reference();
    let (namespace, name) = (in_namespace(&object), kubectl_name(&object));
    let only_port = service.and_then(|service| match service.value().list("/spec/ports") {
        [only] => only.get("port").cloned(),
        _ => None,
    });
    let is_new = ingress.value().pointer(&format!("{}/service", backend.pointer)).is_some();
    let (path, right) = match (only_port, similar) {
        (Some(number), _) => ("service/port", Some(serde_json::json!({ "number": number }))),
        (None, Some(similar)) if service.is_none() => ("service/name", Some(Value::from(similar))),
        (None, _) => ("", None),
    };
    let path = format!("{}/{path}", backend.pointer);
    let patch = |value: &Value| {
        let operation = serde_json::json!([{ "op": "replace", "path": path, "value": value }]);
        format!("kubectl {namespace}patch {name} --type json -p {}", sh(&operation.to_string()))
    };
    let former = ingress.value().pointer(&path).cloned().unwrap_or(Value::Null);
    let (command, undo) = match right.filter(|_| is_new) {
        Some(right) => (patch(&right), patch(&former)),
        None => (kubectl::edit(&object), format!("apply the former manifest of {name} again")),
    };
    change(
        "Route to a Service and port that exist, or make them",
        format!("kubectl {namespace}get services"),
        command,
        undo,
        format!("kubectl {namespace}describe {name}"),
        Risk::Low,
    )
}

/// TLS secrets that are missing or hold no certificate.
fn secrets(facts: &Facts<'_>, ingress: Object<'_>) -> Vec<Draft> {
    let class = class_name(ingress).and_then(|name| facts.get("IngressClass", "", name));
    let is_alb = class.is_some_and(|class| ALB_CONTROLLERS.contains(&class.value().text("/spec/controller")));
    if !facts.was_read("Secret") || is_alb {
        return Vec::new();
    }
    let entries = ingress.value().list("/spec/tls").iter().enumerate();
    let named = entries.filter_map(|(index, tls)| Some((index, tls.maybe_text("/secretName")?)));
    named.filter_map(|(index, name)| secret(facts, ingress, index, name)).collect()
}

fn secret(facts: &Facts<'_>, ingress: Object<'_>, index: usize, name: &str) -> Option<Draft> {
    let namespace = ingress.namespace();
    let object = reference("v1", "Secret", namespace, name);
    let problem = match facts.get("Secret", namespace, name) {
        None => "does not exist".to_owned(),
        Some(secret) => {
            let data = secret.value().get("data")?.as_object()?;
            let lacking: Vec<&str> =
                ["tls.crt", "tls.key"].into_iter().filter(|key| !data.contains_key(*key)).collect();
            (!lacking.is_empty()).then(|| format!("has no key {}", lacking.join(" and ")))?
        }
    };
    let issuers = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];
    let issuer = issuers.iter().find_map(|key| ingress.annotation(key));
    let hint = issuer.map_or(String::new(), |issuer| {
        format!(
            " cert-manager should make it with issuer {issuer}; its Certificate and Order say why it has not."
        )
    });
    let pointer = format!("/spec/tls/{index}");
    let ns = sh(namespace);
    Some(
        Draft::new(
            "ingress-tls-secret-missing",
            Severity::Warning,
            object.clone(),
            format!("Secret {name} {problem}; Ingress {} has no certificate from it", ingress.name()),
        )
        .summary(format!(
            "Ingress {} takes its certificate from Secret {name}. Until it is there, the controller serves a certificate of its own, and clients do not trust it.{hint}",
            ingress.name()
        ))
        .evidence(draft::field(ingress, &pointer))
        .evidence([absent(object, format!("Secret {name} in namespace {namespace} {problem}"))])
        .remedy(change(
            "Make the Secret from a certificate and its key",
            format!("kubectl -n {ns} get secrets --field-selector type=kubernetes.io/tls"),
            format!("kubectl -n {ns} create secret tls {} --cert=<FILE> --key=<FILE>", sh(name)),
            format!("kubectl -n {ns} delete secret {}", sh(name)),
            format!("kubectl -n {ns} describe ingress {}", sh(ingress.name())),
            Risk::Low,
        )),
    )
}

/// What it routes to is broken, and it is known why.
fn symptom(ingress: Object<'_>, broken: &Broken) -> Option<Draft> {
    let services: Vec<Key> = backends(ingress)
        .into_iter()
        .map(|backend| Key::new("Service", ingress.namespace(), backend.service))
        .collect();
    let down: Vec<Key> = services.iter().filter(|key| broken.has(key)).cloned().collect();
    let first = down.first()?;
    let severity = if down.len() == services.len() { Severity::Critical } else { Severity::Warning };
    let show = format!("kubectl -n {} describe ingress {}", sh(ingress.namespace()), sh(ingress.name()));
    let title = format!("Ingress {}: nothing answers behind Service {}", ingress.name(), first.name);
    Some(
        Draft::new("ingress-backend-down", severity, ingress.reference(), title)
            .summary(
                "Requests that this Ingress routes to the Service get an error (503) until it works again.",
            )
            .evidence(draft::field(ingress, "/spec/rules"))
            .breaks([ingress.key()])
            .explained_by(down)
            .remedy(advice("Repair the Service behind it", show.clone(), show)),
    )
}

#[cfg(test)]
mod tests;
