//! Who needs a Service: an unused one that reaches nobody harms nobody.

use crate::diagnosis::draft::{self, Draft};
use crate::diagnosis::facts::{Facts, Key, Object, Read};
use crate::diagnosis::report::Evidence;
use crate::diagnosis::rules::ingress;

/// Somebody who needs a Service.
#[derive(Debug)]
pub(super) struct User {
    /// `Ingress web`, `Deployment api`.
    pub(super) name: String,
    pub(super) evidence: Option<Evidence>,
}

/// Everybody who is known to need the Service. `drafts` tell of those who suffer already.
pub(super) fn users(facts: &Facts<'_>, service: Object<'_>, drafts: &[Draft]) -> Vec<User> {
    let key = service.key();
    let mut users = ingresses(facts, service);
    users.extend(api_services(facts, service));
    users.extend(sufferers(&key, drafts));
    if service.value().text("/spec/type") == "LoadBalancer" {
        let evidence = draft::field(service, "/spec/type");
        users.push(User { name: "whoever comes through its load balancer".to_owned(), evidence });
    }
    users
}

fn ingresses(facts: &Facts<'_>, service: Object<'_>) -> Vec<User> {
    let all = facts.all_in("Ingress", service.namespace());
    let backends = all.flat_map(|ingress| ingress::backends(ingress).into_iter().map(move |b| (ingress, b)));
    let of_service = backends.filter(|(_, backend)| backend.service == service.name());
    let user = |(ingress, backend): (Object<'_>, ingress::Backend<'_>)| User {
        name: format!("Ingress {}", ingress.name()),
        evidence: draft::field(ingress, &backend.pointer),
    };
    of_service.map(user).collect()
}

fn api_services(facts: &Facts<'_>, service: Object<'_>) -> Vec<User> {
    let all = facts.all("APIService").iter().filter(|api| {
        api.value().text("/spec/service/name") == service.name()
            && api.value().text("/spec/service/namespace") == service.namespace()
    });
    all.map(|api| User {
        name: format!("APIService {}", api.name()),
        evidence: draft::field(*api, "/spec/service"),
    })
    .collect()
}

/// Findings that the Service would explain.
fn sufferers(service: &Key, drafts: &[Draft]) -> Vec<User> {
    let suffering = drafts.iter().filter(|draft| draft.explained_by.contains(service));
    suffering
        .map(|draft| User { name: format!("{} {}", draft.object.kind, draft.object.name), evidence: None })
        .collect()
}

/// ` Ingress web and Deployment api need it.`, or nothing.
pub(super) fn text(users: &[User]) -> String {
    let mut names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" {one} needs it."),
        [first, rest @ ..] => format!(" {first} and {} more need it.", rest.len()),
    }
}
