//! Who needs a Service: an unused one that reaches nobody harms nobody.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::diagnosis::draft::{self, Draft};
use crate::diagnosis::facts::{Container, Facts, Key, Object, Pod, Read};
use crate::diagnosis::report::{Evidence, Severity};
use crate::diagnosis::rules::logs::Complaint;
use crate::diagnosis::rules::{dependencies, ingress};
use crate::diagnosis::snapshot::LogRef;

/// Logs of this many clients of one Service are looked at.
const CLIENTS: usize = 3;
/// Lines at the end of a client's log that are looked at.
const LINES: usize = 200;

/// Somebody who needs a Service.
#[derive(Debug)]
pub(super) struct User {
    /// `Ingress web`, `Deployment api`.
    pub(super) name: String,
    pub(super) evidence: Option<Evidence>,
    pub(super) harm: Harm,
}

/// What it does to somebody when the Service does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// It says that the Service does not answer.
    Complains,
    /// It hands requests on to the Service.
    Routes,
    /// It knows the Service; whether it calls it is not known.
    Unknown,
}

/// Everybody who is known to need a Service.
#[derive(Debug, Default)]
pub(super) struct Users(pub(super) Vec<User>);

impl Users {
    pub(super) fn severity(&self) -> Severity {
        match (self.0.iter().any(|user| user.harm != Harm::Unknown), self.0.is_empty()) {
            (true, _) => Severity::Critical,
            (false, false) => Severity::Warning,
            (false, true) => Severity::Info,
        }
    }

    pub(super) fn complain(&self) -> bool {
        self.0.iter().any(|user| user.harm == Harm::Complains)
    }

    /// ` Ingress web and 2 more need it.`, or nothing.
    pub(super) fn text(&self) -> String {
        let names: BTreeSet<&str> = self.0.iter().map(|user| user.name.as_str()).collect();
        match (names.first(), names.len()) {
            (Some(one), 1) => format!(" {one} needs it."),
            (Some(first), several) => format!(" {first} and {} more need it.", several - 1),
            (None, _) => String::new(),
        }
    }

    pub(super) fn evidence(&self) -> impl Iterator<Item = Evidence> + '_ {
        self.0.iter().filter_map(|user| user.evidence.clone()).take(3)
    }
}

/// For each Service, pods whose settings name it: one pod of each workload.
#[derive(Default)]
pub(in crate::diagnosis::rules) struct Clients<'f, 'a>(BTreeMap<Key, Vec<&'f Pod<'a>>>);

impl<'f, 'a> Clients<'f, 'a> {
    /// The clients of these Services.
    pub(in crate::diagnosis::rules) fn of(
        facts: &'f Facts<'a>,
        services: impl IntoIterator<Item = Object<'a>>,
    ) -> Self {
        let services: Vec<Object<'a>> = services.into_iter().collect();
        let names = services.iter().map(|service| service.name());
        let addresses = services.iter().map(|service| service.value().text("/spec/clusterIP"));
        let hosts: HashSet<&str> = names.chain(addresses).filter(|host| !host.is_empty()).collect();
        let mut seen = HashSet::new();
        let mut clients: BTreeMap<Key, Vec<&'f Pod<'a>>> = BTreeMap::new();
        for pod in facts.pods().iter().filter(|pod| !pod.is_done() && seen.insert(pod.workload.key())) {
            if dependencies::mentions(facts, pod, &hosts) {
                for service in dependencies::of_pod(facts, pod) {
                    clients.entry(service).or_default().push(pod);
                }
            }
        }
        Self(clients)
    }

    /// Every client with every Service that it names.
    pub(in crate::diagnosis::rules) fn pairs(&self) -> impl Iterator<Item = (&'f Pod<'a>, &Key)> {
        self.0.iter().flat_map(|(service, pods)| pods.iter().map(move |pod| (*pod, service)))
    }

    fn pods(&self, service: &Key) -> &[&'f Pod<'a>] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }

    /// The logs that tell whether clients of this Service suffer.
    pub(super) fn logs(&self, service: &Key) -> Vec<LogRef> {
        self.pods(service).iter().take(CLIENTS).flat_map(|pod| running_logs(pod)).collect()
    }
}

/// The current logs of a pod's running containers.
pub(in crate::diagnosis::rules) fn running_logs(pod: &Pod<'_>) -> Vec<LogRef> {
    let running = pod.containers.iter().filter(|container| container.is_running());
    let log = |container: &Container<'_>| LogRef {
        namespace: pod.object.namespace().to_owned(),
        pod: pod.object.name().to_owned(),
        container: container.name().to_owned(),
        previous: false,
    };
    running.map(log).collect()
}

/// Everybody who is known to need the Service. `drafts` tell of those who fail because of it.
pub(super) fn users<'a>(
    facts: &Facts<'a>,
    clients: &Clients<'_, 'a>,
    service: Object<'a>,
    drafts: &[Draft],
) -> Users {
    let key = service.key();
    let mut users = ingresses(facts, service);
    users.extend(api_services(facts, service));
    users.extend(sufferers(&key, drafts));
    users.extend(clients.pods(&key).iter().map(|pod| client(facts, pod, &key)));
    if service.value().text("/spec/type") == "LoadBalancer" {
        let evidence = draft::field(service, "/spec/type");
        let name = "whoever comes through its load balancer".to_owned();
        users.push(User { name, evidence, harm: Harm::Routes });
    }
    Users(users)
}

fn ingresses(facts: &Facts<'_>, service: Object<'_>) -> Vec<User> {
    let all = facts.all_in("Ingress", service.namespace());
    let backends = all.flat_map(|ingress| ingress::backends(ingress).into_iter().map(move |b| (ingress, b)));
    let of_service = backends.filter(|(_, backend)| backend.service == service.name());
    let user = |(ingress, backend): (Object<'_>, ingress::Backend<'_>)| User {
        name: format!("Ingress {}", ingress.name()),
        evidence: draft::field(ingress, &backend.pointer),
        harm: Harm::Routes,
    };
    of_service.map(user).collect()
}

fn api_services(facts: &Facts<'_>, service: Object<'_>) -> Vec<User> {
    let of_service = facts.all("APIService").iter().filter(|api| {
        api.value().text("/spec/service/name") == service.name()
            && api.value().text("/spec/service/namespace") == service.namespace()
    });
    let user = |api: &Object<'_>| User {
        name: format!("APIService {}", api.name()),
        evidence: draft::field(*api, "/spec/service"),
        harm: Harm::Routes,
    };
    of_service.map(user).collect()
}

/// Findings about this Service alone: one that would be explained by many says little of each.
fn sufferers(service: &Key, drafts: &[Draft]) -> Vec<User> {
    let suffering =
        drafts.iter().filter(|draft| draft.explained_by.as_slice() == std::slice::from_ref(service));
    let user = |draft: &Draft| User {
        name: format!("{} {}", draft.object.kind, draft.object.name),
        evidence: None,
        harm: Harm::Complains,
    };
    suffering.map(user).collect()
}

/// A workload whose settings name the Service; its log may say that it suffers.
fn client<'a>(facts: &Facts<'a>, pod: &Pod<'a>, service: &Key) -> User {
    let complaint = pod.containers.iter().find_map(|container| {
        let log = facts.log(pod.object, container.name(), false)?;
        let line = complaint(facts, pod, log, service)?;
        Some(draft::log_line(pod.object, container.name(), line))
    });
    let harm = if complaint.is_some() { Harm::Complains } else { Harm::Unknown };
    let name = format!("{} {}", pod.workload.kind(), pod.workload.reference.name);
    User { name, evidence: complaint.or_else(|| setting(pod, service)), harm }
}

/// The newest line that complains of the Service.
fn complaint<'l>(facts: &Facts<'_>, pod: &Pod<'_>, log: &'l str, service: &Key) -> Option<&'l str> {
    log.lines().rev().take(LINES).find(|line| {
        Complaint::of(line) == Some(Complaint::Unreachable)
            && dependencies::of_line(facts, pod.object.namespace(), line)
                .is_some_and(|dependency| dependency.key() == *service)
    })
}

/// The environment variable that names the Service.
fn setting(pod: &Pod<'_>, service: &Key) -> Option<Evidence> {
    pod.containers.iter().find_map(|container| {
        let environment = container.spec.list("/env");
        let index = environment.iter().position(|env| env.text("/value").contains(&service.name))?;
        draft::field(pod.object, &format!("/spec{}/env/{index}", container.spec_pointer()))
    })
}
