//! Admission webhooks that cannot be asked (FAILURES B7 to B9).

use crate::diagnosis::draft::{self, Draft, absent, advice, change, kubectl_name, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, Object, Read, nearest, reference, selector};
use crate::diagnosis::report::{Confidence, Evidence, ObjectRef, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::links::Broken;
use crate::diagnosis::rules::services::Backing;

use super::refusal::between;
use super::victims::Victims;

const CONFIGURATIONS: [&str; 2] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
const API_VERSION: &str = "admissionregistration.k8s.io/v1";

/// What happened instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    ServiceMissing,
    PortMissing,
    NoEndpoints,
    Refused,
    Timeout,
    Tls,
    Answer,
}

impl Trouble {
    fn of(answer: &str) -> Self {
        let answer = answer.to_lowercase();
        let has = |signs: &[&str]| signs.iter().any(|sign| answer.contains(sign));
        if has(&["no service port"]) {
            Self::PortMissing
        } else if has(&["no endpoints available"]) {
            Self::NoEndpoints
        } else if has(&["x509: ", "tls: "]) {
            Self::Tls
        } else if answer.contains("service \"") && answer.contains("not found") {
            Self::ServiceMissing
        } else if has(&["deadline exceeded", "timeout awaiting", "i/o timeout", "timed out"]) {
            Self::Timeout
        } else if has(&["connection refused", "no route to host", "connection reset", "eof", "dial tcp"]) {
            Self::Refused
        } else {
            Self::Answer
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Timeout => "admission-webhook-timeout",
            Self::Tls => "admission-webhook-tls",
            Self::ServiceMissing | Self::PortMissing | Self::NoEndpoints | Self::Refused | Self::Answer => {
                "admission-webhook-unavailable"
            }
        }
    }

    fn in_short(self, service: &str) -> String {
        match self {
            Self::ServiceMissing => format!("its Service {service} does not exist"),
            Self::PortMissing => format!("its Service {service} has no such port"),
            Self::NoEndpoints => format!("its Service {service} has no ready endpoints"),
            Self::Refused => format!("{service} refuses connections"),
            Self::Timeout => format!("{service} does not answer in time"),
            Self::Tls => format!("the certificate of {service} is not accepted"),
            Self::Answer => format!("{service} answers with an error"),
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::ServiceMissing => {
                "Whatever served it was removed or renamed, and the webhook's configuration was left behind."
            }
            Self::PortMissing => "The port in the webhook's clientConfig is not one of the Service's ports.",
            Self::NoEndpoints => "No pod of the webhook is ready.",
            Self::Refused => {
                "Nothing listens where the webhook should: its pods are down or listen elsewhere."
            }
            Self::Timeout => {
                "The control plane reaches nothing: a security group or NetworkPolicy that does not let the control plane in on the webhook's port, or a webhook that is overloaded."
            }
            Self::Tls => {
                "The caBundle of the configuration does not belong to the certificate that the webhook serves, or the certificate has expired or is for another name."
            }
            Self::Answer => "The webhook runs and fails; its log says why.",
        }
    }
}

/// A webhook and its place in its configuration.
#[derive(Debug, Clone, Copy)]
struct Webhook<'a> {
    configuration: Object<'a>,
    index: usize,
}

impl<'a> Webhook<'a> {
    fn all(facts: &Facts<'a>) -> Vec<Self> {
        let configurations = CONFIGURATIONS.iter().flat_map(|kind| facts.all(kind)).copied();
        let of = |configuration: Object<'a>| {
            let count = configuration.value().list("/webhooks").len();
            (0..count).map(move |index| Self { configuration, index })
        };
        configurations.flat_map(of).collect()
    }

    /// Several configurations may use the same name; then the Service in the message decides.
    fn find(facts: &Facts<'a>, name: &str, answer: &str) -> Option<Self> {
        let named: Vec<Self> =
            Self::all(facts).into_iter().filter(|webhook| webhook.text("name") == name).collect();
        let is_told = |webhook: &&Self| {
            webhook
                .service()
                .is_some_and(|key| answer.contains(&format!("{}.{}.svc", key.name, key.namespace)))
        };
        named.iter().find(is_told).or(named.first()).copied()
    }

    fn text(&self, member: &str) -> &'a str {
        self.configuration.value().text(&self.pointer(member))
    }

    fn pointer(&self, member: &str) -> String {
        format!("/webhooks/{}/{member}", self.index)
    }

    fn service(&self) -> Option<Key> {
        let of = |member: &str| self.text(&format!("clientConfig/service/{member}"));
        (!of("name").is_empty()).then(|| Key::new("Service", of("namespace"), of("name")))
    }

    /// Objects are refused while it does not answer.
    fn is_strict(&self) -> bool {
        self.text("failurePolicy") != "Ignore"
    }

    /// `CREATE pods in namespaces with team=a`.
    fn scope(&self) -> String {
        let value = self.configuration.value();
        let rules = value.list(&self.pointer("rules")).iter().map(|rule| {
            let words = |list: &str| {
                let words: Vec<&str> = rule.list(list).iter().filter_map(|word| word.as_str()).collect();
                words.join(", ")
            };
            format!("{} of {}", words("/operations"), words("/resources"))
        });
        let rules = rules.take(3).collect::<Vec<_>>().join("; ");
        let namespaces = value.pointer(&self.pointer("namespaceSelector")).map(selector::show);
        match namespaces.filter(|text| !text.is_empty()) {
            Some(selector) => format!("{rules} in namespaces where {selector}"),
            None => format!("{rules} in every namespace"),
        }
    }

    fn fields(&self) -> Vec<Evidence> {
        let members = ["clientConfig/service", "clientConfig/url", "failurePolicy", "namespaceSelector"];
        members.iter().filter_map(|member| draft::field(self.configuration, &self.pointer(member))).collect()
    }
}

/// The API server could not ask a webhook, and refused.
pub(super) fn failed(facts: &Facts<'_>, victims: &Victims<'_>, name: &str, answer: &str) -> Draft {
    let webhook = Webhook::find(facts, name, answer);
    let trouble = Trouble::of(answer);
    let service = webhook.and_then(|webhook| webhook.service()).or_else(|| service_in(answer));
    let shown = service.as_ref().map_or_else(|| "its server".to_owned(), shown);
    let object = webhook.map_or_else(
        || reference(API_VERSION, CONFIGURATIONS[0], "", name),
        |webhook| webhook.configuration.reference(),
    );
    let title = format!(
        "Admission webhook {name} cannot be asked ({}); {} cannot create pods",
        trouble.in_short(&shown),
        victims.name()
    );
    let draft = victims
        .draft(trouble.rule(), object, title)
        .confidence(confidence(webhook.is_some(), trouble))
        .cause(format!("{name} {trouble:?}"))
        .summary(summary(victims, name, webhook, trouble, answer))
        .evidence(webhook.map(|webhook| webhook.fields()).unwrap_or_default())
        .explained_by(service.iter().flat_map(|service| behind(facts, service)))
        .remedies(remedies(facts, webhook, service.as_ref(), trouble));
    match service.filter(|_| trouble == Trouble::ServiceMissing) {
        Some(service) => draft.evidence([missing(&service)]),
        None => draft,
    }
}

fn confidence(is_known: bool, trouble: Trouble) -> Confidence {
    let is_plain = matches!(trouble, Trouble::ServiceMissing | Trouble::NoEndpoints | Trouble::PortMissing);
    if is_known && is_plain { Confidence::Certain } else { Confidence::Likely }
}

fn summary(
    victims: &Victims<'_>,
    name: &str,
    webhook: Option<Webhook<'_>>,
    trouble: Trouble,
    answer: &str,
) -> String {
    let scope = webhook.map_or(String::new(), |webhook| format!(" It guards {}.", webhook.scope()));
    format!(
        "Before it creates a pod of {}, the API server has to ask webhook {name}, and gets no answer, so it refuses (failurePolicy Fail). {} It says: {}.{scope}{}",
        victims.name(),
        trouble.advice(),
        shorten(answer, 300),
        victims.impact()
    )
}

/// `https://NAME.NAMESPACE.svc:443/…`.
fn service_in(answer: &str) -> Option<Key> {
    let host = between(answer, "https://", ".svc")?;
    let (name, namespace) = host.split_once('.')?;
    Some(Key::new("Service", namespace, name))
}

fn shown(service: &Key) -> String {
    format!("{}/{}", service.namespace, service.name)
}

fn missing(service: &Key) -> Evidence {
    let object = reference("v1", "Service", &service.namespace, &service.name);
    absent(object, format!("there is no Service {} in namespace {}", service.name, service.namespace))
}

/// The Service, where it exists, and what it depends on.
fn behind(facts: &Facts<'_>, service: &Key) -> Vec<Key> {
    let Some(object) = facts.get("Service", &service.namespace, &service.name) else { return Vec::new() };
    let depends = Backing::of(facts, object).map(|backing| backing.depends_on());
    depends.unwrap_or_default().into_iter().chain([service.clone()]).collect()
}

fn remedies(
    facts: &Facts<'_>,
    webhook: Option<Webhook<'_>>,
    service: Option<&Key>,
    trouble: Trouble,
) -> Vec<Remediation> {
    let look = service.map(|service| {
        let namespace = sh(&service.namespace);
        format!("kubectl -n {namespace} get service,endpoints,deployment,pod")
    });
    let Some(webhook) = webhook else {
        let check = look.unwrap_or_else(|| "kubectl get validatingwebhookconfigurations".to_owned());
        return vec![advice("Look at what serves the webhook", check.clone(), check)];
    };
    let check = look.unwrap_or_else(|| kubectl::get(&webhook.configuration.reference(), "yaml"));
    let renamed = service.filter(|_| trouble == Trouble::ServiceMissing).and_then(|key| renamed(facts, key));
    let mut remedies: Vec<Remediation> =
        renamed.map(|name| point_elsewhere(webhook, &name)).into_iter().collect();
    let restore = advice("Bring back what serves the webhook", check.clone(), check.clone());
    remedies.push(restore);
    remedies.push(ignore(webhook, check));
    if trouble == Trouble::ServiceMissing {
        remedies.push(remove(webhook.configuration.reference()));
    }
    remedies
}

/// A Service of the same namespace that may be meant.
fn renamed(facts: &Facts<'_>, service: &Key) -> Option<String> {
    let names = facts.all_in("Service", &service.namespace).map(|service| service.name());
    nearest(&service.name, names).map(str::to_owned)
}

fn patch(webhook: Webhook<'_>, member: &str, value: &str) -> String {
    let operation = serde_json::json!([{ "op": "replace", "path": webhook.pointer(member), "value": value }]);
    let name = kubectl_name(&webhook.configuration.reference());
    format!("kubectl patch {name} --type json -p {}", sh(&operation.to_string()))
}

fn point_elsewhere(webhook: Webhook<'_>, name: &str) -> Remediation {
    let show = kubectl::get(&webhook.configuration.reference(), "yaml");
    let member = "clientConfig/service/name";
    change(
        format!("Point the webhook to Service {name}, if that is meant"),
        show.clone(),
        patch(webhook, member, name),
        patch(webhook, member, webhook.text(member)),
        show,
        Risk::Medium,
    )
}

fn ignore(webhook: Webhook<'_>, check: String) -> Remediation {
    change(
        "Until then: let objects in unchecked while the webhook does not answer",
        check,
        patch(webhook, "failurePolicy", "Ignore"),
        patch(webhook, "failurePolicy", "Fail"),
        "kubectl get events -A --field-selector reason=FailedCreate",
        Risk::Medium,
    )
}

fn remove(configuration: ObjectRef) -> Remediation {
    let name = kubectl_name(&configuration);
    change(
        "Or remove the configuration, if the webhook is not wanted any more",
        format!("kubectl get {name} -o yaml > webhook-backup.yaml"),
        format!("kubectl delete {name}"),
        "kubectl apply -f webhook-backup.yaml",
        "kubectl get events -A --field-selector reason=FailedCreate",
        Risk::Medium,
    )
}

/// Webhooks that will refuse the next object: nobody has asked them yet.
pub(super) fn check_idle(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let broken = Broken::by(drafts);
    for webhook in Webhook::all(facts).into_iter().filter(Webhook::is_strict) {
        let object = webhook.configuration.reference();
        let is_reported = drafts.iter().any(|draft| draft.object == object);
        if let Some(service) = webhook.service().filter(|_| !is_reported) {
            drafts.extend(idle(facts, &broken, webhook, &service));
        }
    }
}

fn idle(facts: &Facts<'_>, broken: &Broken, webhook: Webhook<'_>, service: &Key) -> Option<Draft> {
    let trouble = match facts.get("Service", &service.namespace, &service.name) {
        Some(object) => {
            let backing = Backing::of(facts, object)?;
            let is_down = !backing.is_served(facts) && broken.has_any(&behind(facts, service));
            is_down.then_some(Trouble::NoEndpoints)?
        }
        None => is_surely_missing(facts, service).then_some(Trouble::ServiceMissing)?,
    };
    let name = webhook.text("name");
    let title = format!("Admission webhook {name} will refuse: {}", trouble.in_short(&shown(service)));
    let evidence = (trouble == Trouble::ServiceMissing).then(|| missing(service));
    Some(
        Draft::new(trouble.rule(), Severity::Warning, webhook.configuration.reference(), title)
            .cause(format!("{name} {trouble:?}"))
            .summary(format!(
                "{} Its failurePolicy is Fail, so the API server will refuse what it guards: {}.",
                trouble.advice(),
                webhook.scope()
            ))
            .evidence(webhook.fields())
            .evidence(evidence)
            .explained_by(behind(facts, service))
            .remedies(remedies(facts, Some(webhook), Some(service), trouble)),
    )
}

/// A recording may leave namespaces out: the Service is missing only where its namespace is, or is known.
fn is_surely_missing(facts: &Facts<'_>, service: &Key) -> bool {
    let is_gone = facts.was_read("Namespace") && facts.get("Namespace", "", &service.namespace).is_none();
    let is_known = ["Service", "Pod", "Deployment"]
        .iter()
        .any(|kind| facts.all_in(kind, &service.namespace).next().is_some());
    facts.was_read("Service") && (is_gone || is_known)
}
