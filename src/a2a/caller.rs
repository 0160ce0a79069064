//! Who calls and what the headers of the request say: version, extensions, idempotency, where a stream goes on.

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::errors::A2aError;
use super::request::{Dialect, dialect_of};
use crate::agent_card::{DeclaredExtension, PublishedCard};
use crate::auth::Principal;
use crate::tasks::Owner;

/// Name of the header, and of the query parameter, that says the protocol version.
pub const VERSION_HEADER: &str = "A2A-Version";
/// Name of the header that asks for extensions, with the name that 0.3 had for it.
const EXTENSION_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("a2a-extensions"), HeaderName::from_static("x-a2a-extensions")];
/// A message with this extension is taken once, however often it is sent.
pub const IDEMPOTENCY_EXTENSION: &str = "https://github.com/drydock-rs/drydock/extensions/idempotency/v1";
/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

/// Who calls, and what the request's headers say.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) owner: Owner,
    /// The card as this caller should see it.
    pub(super) card: PublishedCard,
    pub(super) dialect: Dialect,
    pub(super) idempotency_key: Option<String>,
    pub(super) last_event_id: Option<u64>,
    pub(super) extensions: Extensions,
}

impl Caller {
    /// Reads the headers of an authenticated request.
    pub(super) fn read(parts: &Parts, principal: Principal, card: &PublishedCard) -> Result<Self, A2aError> {
        let text = |name: &'static str| text(&parts.headers, name);
        let idempotency_key = text("idempotency-key")?.map(str::to_owned);
        if idempotency_key.as_ref().is_some_and(|key| key.len() > MAX_KEY) {
            let problem = format!("must not be longer than {MAX_KEY} characters");
            return Err(A2aError::params("Idempotency-Key", problem));
        }
        let last_event_id = text("last-event-id")?.map(|id| {
            id.parse().map_err(|_| A2aError::params("Last-Event-ID", "must be the id of an event"))
        });
        Ok(Self {
            owner: Owner(principal.id.clone()),
            principal,
            card: card.as_asked(parts),
            dialect: dialect_of(requested_version(parts).as_deref())?,
            idempotency_key,
            last_event_id: last_event_id.transpose()?,
            extensions: Extensions::negotiate(&parts.headers, card.extensions())?,
        })
    }

    /// The key under which a repeated message finds its task: the header's, or with the extension the message's own id.
    pub(super) fn key_of(&self, message_id: &str) -> Option<String> {
        let by_message =
            || self.extensions.is_active(IDEMPOTENCY_EXTENSION).then(|| format!("message:{message_id}"));
        self.idempotency_key.as_ref().map(|key| format!("key:{key}")).or_else(by_message)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, A2aError> {
    let value = headers.get(name).map(|value| value.to_str().map(str::trim)).transpose();
    let value = value.map_err(|_| A2aError::params(name, "must be ASCII"))?;
    Ok(value.filter(|value| !value.is_empty()))
}

/// The version in the header, or else in the query.
pub(super) fn requested_version(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    header.filter(|version| !version.trim().is_empty()).or_else(|| {
        let query = parts.uri.query()?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == VERSION_HEADER).map(|(_, value)| value.to_owned())
    })
}

/// The extensions that a request asked for and that this agent has, and under which header name it asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Extensions {
    active: Vec<String>,
    headers: Vec<HeaderName>,
}

impl Extensions {
    /// What is declared is activated, what is not is ignored; without a required one there is no call (§4.6).
    fn negotiate(headers: &HeaderMap, declared: &[DeclaredExtension]) -> Result<Self, A2aError> {
        let asked_in: Vec<HeaderName> =
            EXTENSION_HEADERS.into_iter().filter(|name| headers.contains_key(name)).collect();
        let lists =
            asked_in.iter().flat_map(|name| headers.get_all(name)).filter_map(|list| list.to_str().ok());
        let asked: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
        let is_asked = |extension: &&DeclaredExtension| asked.contains(&extension.uri.as_str());
        if let Some(missing) = declared.iter().find(|extension| extension.required && !is_asked(extension)) {
            return Err(A2aError::ExtensionSupportRequired(missing.uri.clone()));
        }
        let active = declared.iter().filter(is_asked).map(|extension| extension.uri.clone()).collect();
        Ok(Self { active, headers: asked_in })
    }

    fn is_active(&self, uri: &str) -> bool {
        self.active.iter().any(|active| active == uri)
    }

    /// Says in the answer which are active.
    pub(super) fn echo(&self, answer: &mut HeaderMap) {
        let Ok(value) = HeaderValue::from_str(&self.active.join(", ")) else { return };
        for name in self.headers.iter().filter(|_| !self.active.is_empty()) {
            answer.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn declared(required: bool) -> Vec<DeclaredExtension> {
        ["urn:a", "urn:b"].map(|uri| DeclaredExtension { uri: uri.to_owned(), required }).into()
    }

    fn asking(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[rstest]
    #[case::in_the_new_header("a2a-extensions")]
    #[case::in_the_old_header("x-a2a-extensions")]
    fn what_is_declared_and_asked_for_is_activated_and_echoed(#[case] name: &'static str) {
        let asked = asking(name, "urn:unknown ,urn:b");
        let extensions = Extensions::negotiate(&asked, &declared(false)).unwrap();
        let mut answer = HeaderMap::new();
        extensions.echo(&mut answer);
        assert_eq!(answer, asking(name, "urn:b"));
    }

    #[test]
    fn what_is_not_declared_is_ignored_silently() {
        let extensions = Extensions::negotiate(&asking("a2a-extensions", "urn:x"), &declared(false)).unwrap();
        let mut answer = HeaderMap::new();
        extensions.echo(&mut answer);
        assert!(answer.is_empty() && !extensions.is_active("urn:x"));
    }

    #[rstest]
    #[case::none(HeaderMap::new())]
    #[case::one_of_two(asking("a2a-extensions", "urn:a"))]
    fn without_a_required_extension_there_is_no_call(#[case] headers: HeaderMap) {
        let refused = Extensions::negotiate(&headers, &declared(true));
        assert!(matches!(refused, Err(A2aError::ExtensionSupportRequired(_))));
        assert!(Extensions::negotiate(&asking("a2a-extensions", "urn:a,urn:b"), &declared(true)).is_ok());
    }
}
