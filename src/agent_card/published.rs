//! A card, completed and ready to be read.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::forms::Form;
use super::publication::{Publication, REST_PATH};
use super::source::{CardError, CardSource, wrong};
use super::types::{AgentCard, AgentInterface, AgentSkill};

/// A card in every form that is asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PublishedCard(Arc<Published>);

#[derive(Debug)]
struct Published {
    source: CardSource,
    publication: Publication,
    public: [Document; 3],
    extensions: Vec<DeclaredExtension>,
}

/// An extension of the protocol that the card declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredExtension {
    /// Which.
    pub uri: String,
    /// True where a call without it is refused.
    pub required: bool,
}

/// A form with what a conditional request for it needs.
#[derive(Debug)]
struct Document {
    value: Value,
    body: String,
    etag: String,
}

impl PublishedCard {
    /// Completes a card with what the configuration says.
    ///
    /// # Errors
    /// The card claims what is not offered.
    pub fn new(source: CardSource, publication: &Publication) -> Result<Self, CardError> {
        let capabilities = &source.card.capabilities;
        let claims = [
            ("capabilities.pushNotifications", capabilities.push_notifications, publication.push),
            ("capabilities.extendedAgentCard", capabilities.extended_agent_card, publication.extended),
        ];
        for (member, claimed, offered) in claims {
            if claimed == Some(true) && !offered {
                return Err(wrong(member, "claims what this server does not offer"));
            }
        }
        let extensions = capabilities
            .extensions
            .iter()
            .map(|extension| DeclaredExtension { uri: extension.uri.clone(), required: extension.required });
        let extensions = extensions.collect();
        let card = complete(&source, publication);
        let public = Form::ALL.map(|form| Document::new(form.write(&card)));
        Ok(Self(Arc::new(Published { source, publication: publication.clone(), public, extensions })))
    }

    /// The public card.
    pub fn public(&self, form: Form) -> &Value {
        &self.0.public[form as usize].value
    }

    /// The card for an authenticated caller that holds these scopes. None where there is no extended card.
    pub fn extended(&self, form: Form, held: &BTreeSet<String>) -> Option<Value> {
        let Published { source, publication, .. } = &*self.0;
        publication.extended.then(|| form.write(&complete_extended(source, publication, held)))
    }

    /// The extensions that the card declares.
    pub fn extensions(&self) -> &[DeclaredExtension] {
        &self.0.extensions
    }

    /// This card as the reader of this request should see it: with the host that was asked, where nothing better is
    /// known.
    pub fn as_asked(&self, _request: &Parts) -> Self {
        self.clone()
    }

    /// Answers a request for the public card, with 304 where the reader has it already.
    pub fn respond(&self, form: Form, headers: &HeaderMap) -> Response {
        self.0.public[form as usize].respond(headers, "public, max-age=300", "A2A-Version")
    }

    /// Answers a request of an authenticated caller for the extended card. None where there is none.
    pub fn respond_extended(
        &self,
        form: Form,
        held: &BTreeSet<String>,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let document = Document::new(self.extended(form, held)?);
        Some(document.respond(headers, "private, max-age=300", "A2A-Version, Authorization"))
    }
}

/// The public card with everything that the configuration adds.
fn complete(source: &CardSource, publication: &Publication) -> AgentCard {
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

/// The same with what only this caller is told.
fn complete_extended(source: &CardSource, publication: &Publication, held: &BTreeSet<String>) -> AgentCard {
    let mut card = complete(source, publication);
    let descriptions = [source.extended.description.as_ref().unwrap_or(&card.description).as_str()];
    let descriptions = descriptions.into_iter().chain(publication.details.as_deref());
    card.description = descriptions.collect::<Vec<_>>().join(" ");
    let visible =
        source.extended.skills.iter().filter(|(_, scopes)| scopes.iter().all(|scope| held.contains(scope)));
    card.skills.extend(visible.map(|(skill, scopes)| {
        let mut skill = skill.clone();
        require(&mut skill, scopes, publication);
        skill
    }));
    card
}

fn require(skill: &mut AgentSkill, scopes: &[String], publication: &Publication) {
    if let Some(security) = publication.security.as_ref().filter(|_| !scopes.is_empty()) {
        skill.security_requirements = security.requirements(scopes);
    }
}

fn interfaces(publication: &Publication) -> Vec<AgentInterface> {
    let base = publication.url.trim_end_matches('/');
    let interface = |path: &str, binding: &str, version: &str| AgentInterface {
        url: format!("{base}{path}"),
        protocol_binding: binding.to_owned(),
        tenant: String::new(),
        protocol_version: version.to_owned(),
    };
    let rest = publication.rest.then(|| interface(REST_PATH, "HTTP+JSON", "1.0"));
    [interface("/", "JSONRPC", "1.0")]
        .into_iter()
        .chain(rest)
        .chain([interface("/", "JSONRPC", "0.3")])
        .collect()
}

impl Document {
    fn new(value: Value) -> Self {
        let body = value.to_string();
        let digest: String =
            Sha256::digest(&body).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { value, body, etag: format!("\"{digest}\"") }
    }

    fn respond(&self, headers: &HeaderMap, cache: &'static str, vary: &'static str) -> Response {
        let mut response = match is_known(headers, &self.etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => self.body.clone().into_response(),
        };
        let common = response.headers_mut();
        common.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        common.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        common.insert(VARY, HeaderValue::from_static(vary));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            common.insert(ETAG, etag);
        }
        response
    }
}

/// Weak comparison with every tag of `If-None-Match` (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
