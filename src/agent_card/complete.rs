//! The card with everything that the configuration adds.

use std::collections::BTreeSet;

use super::publication::{Publication, REST_PATH};
use super::source::CardSource;
use super::types::{AgentCard, AgentInterface, AgentSkill};

/// The public card.
pub(super) fn complete(source: &CardSource, publication: &Publication) -> AgentCard {
    let mut card = source.card.clone();
    card.supported_interfaces = interfaces(publication);
    card.capabilities.streaming = Some(true);
    card.capabilities.push_notifications = Some(publication.push);
    card.capabilities.extended_agent_card = Some(publication.extended);
    if let Some(security) = &publication.security {
        card.security_schemes = security.schemes();
        card.security_requirements = security.requirements(&[]);
    }
    for skill in &mut card.skills {
        let scopes = source.scopes.get(&skill.id).map(Vec::as_slice).unwrap_or_default();
        require(skill, scopes, publication);
    }
    card
}

/// The same with what only an authenticated caller that holds these scopes is told. None where nobody is.
pub(super) fn complete_extended(
    source: &CardSource,
    publication: &Publication,
    held: &BTreeSet<String>,
) -> Option<AgentCard> {
    if !publication.extended {
        return None;
    }
    let mut card = complete(source, publication);
    if let Some(description) = &source.extended.description {
        card.description.clone_from(description);
    }
    if let Some(details) = &publication.details {
        card.description = format!("{} {details}", card.description);
    }
    let holds_all = |scopes: &[String]| scopes.iter().all(|scope| held.contains(scope));
    let visible = source.extended.skills.iter().filter(|(_, scopes)| holds_all(scopes));
    card.skills.extend(visible.map(|(skill, scopes)| {
        let mut skill = skill.clone();
        require(&mut skill, scopes, publication);
        skill
    }));
    Some(card)
}

fn require(skill: &mut AgentSkill, scopes: &[String], publication: &Publication) {
    if let Some(security) = publication.security.as_ref().filter(|_| !scopes.is_empty()) {
        skill.security_requirements = security.requirements(scopes);
    }
}

/// In order of preference.
fn interfaces(publication: &Publication) -> Vec<AgentInterface> {
    let interface = |path: &str, binding: &str, version: &str| AgentInterface {
        url: publication.url_of(path),
        protocol_binding: binding.to_owned(),
        tenant: String::new(),
        protocol_version: version.to_owned(),
    };
    let rest = publication.rest.then(|| interface(REST_PATH, "HTTP+JSON", "1.0"));
    let json_rpc = [interface("/", "JSONRPC", "1.0"), interface("/", "JSONRPC", "0.3")];
    let [v1, v03] = json_rpc;
    [v1].into_iter().chain(rest).chain([v03]).collect()
}
