//! A card, completed and ready to be read.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use serde_json::{Value, json};

use super::complete::{complete, complete_extended};
use super::conditional::{Caching, Document};
use super::forms::Form;
use super::publication::Publication;
use super::security::Issuer;
use super::signature::{CardSigner, sign};
use super::source::{CardError, CardSource};
use super::types::AgentCard;

/// How the public card may be kept, the same where it depends on the host that was asked, and the card of a caller.
const PUBLIC: Caching = Caching { control: "public, max-age=300", vary: Some("A2A-Version") };
const BY_HOST: Caching = Caching { control: "private, max-age=300", vary: Some("A2A-Version, Host") };
const BY_CALLER: Caching =
    Caching { control: "private, max-age=300", vary: Some("A2A-Version, Authorization") };
/// How the public keys may be kept: not for long, so that a new one is found soon.
const KEYS: Caching = Caching { control: "public, max-age=300", vary: None };

/// Longest host that a card names.
const MAX_HOST: usize = 253;

/// A card in every form that is asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PublishedCard {
    published: Arc<Published>,
    /// The host that the reader asked, where the card names it.
    host: Option<Authority>,
}

#[derive(Debug)]
struct Published {
    source: CardSource,
    publication: Publication,
    public: [Document; 3],
    extensions: Vec<DeclaredExtension>,
    keys: Option<Document>,
}

/// An extension of the protocol that the card declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredExtension {
    /// Which.
    pub uri: String,
    /// True where a call without it is refused.
    pub required: bool,
}

impl PublishedCard {
    /// Completes a card with what the configuration says.
    ///
    /// # Errors
    /// The card claims what is not offered, or the configuration contradicts itself.
    pub fn new(source: CardSource, publication: &Publication) -> Result<Self, CardError> {
        publication.check(&source)?;
        let card = complete(&source, publication);
        let public = Form::ALL.map(|form| document(form, &card, publication));
        let extensions = card.capabilities.extensions.iter();
        let extensions = extensions
            .map(|extension| DeclaredExtension { uri: extension.uri.clone(), required: extension.required });
        let extensions = extensions.collect();
        let keys: Vec<Value> = publication.signers.iter().map(CardSigner::public_key).collect();
        let keys = (!keys.is_empty()).then(|| Document::new(json!({ "keys": keys })));
        let published = Published { source, publication: publication.clone(), public, extensions, keys };
        Ok(Self { published: Arc::new(published), host: None })
    }

    /// Says where machines get the tokens of this issuer, which is one of those that may call.
    ///
    /// # Errors
    /// The card cannot be made anew.
    pub fn learn_token_url(&mut self, issuer: &str, token_url: &str) -> Result<(), CardError> {
        let mut publication = self.published.publication.clone();
        let issuers = publication.security.iter_mut().flat_map(|security| &mut security.issuers);
        let is_news =
            |known: &&mut Issuer| known.issuer == issuer && known.token_url.as_deref() != Some(token_url);
        let Some(known) = issuers.into_iter().find(is_news) else {
            return Ok(());
        };
        known.token_url = Some(token_url.to_owned());
        *self = Self::new(self.published.source.clone(), &publication)?;
        Ok(())
    }

    /// The card as the reader of this request should see it: where no better URL is known, with the host that was asked.
    #[must_use]
    pub fn as_asked(&self, request: &Parts) -> Self {
        let by_host = self.published.publication.url_from_host;
        Self { host: by_host.then(|| asked_host(request)).flatten(), ..self.clone() }
    }

    /// The public card.
    pub fn public(&self, form: Form) -> Value {
        match self.by_host(form) {
            Some(document) => document.value,
            None => self.published.public[form as usize].value.clone(),
        }
    }

    /// The card for an authenticated caller that holds these scopes. None where there is no extended card.
    pub fn extended(&self, form: Form, held: &BTreeSet<String>) -> Option<Value> {
        self.extended_document(form, held).map(|document| document.value)
    }

    /// The extensions that the card declares.
    pub fn extensions(&self) -> &[DeclaredExtension] {
        &self.published.extensions
    }

    /// The public keys of the card's signatures, as a JSON Web Key Set. None where it is not signed.
    pub fn jwks(&self) -> Option<&Value> {
        self.published.keys.as_ref().map(|keys| &keys.value)
    }

    /// The host of the agent's URL, in small letters and without the brackets of an IPv6 address. None where the URL is
    /// only a guess.
    pub fn host(&self) -> Option<String> {
        let publication = &self.published.publication;
        let uri: Uri = publication.url.parse().ok().filter(|_| !publication.url_from_host)?;
        Some(uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase())
    }

    /// Answers a request for the public card, with 304 where the reader has it already.
    pub fn respond(&self, form: Form, headers: &HeaderMap) -> Response {
        match self.by_host(form) {
            Some(document) => document.respond(headers, BY_HOST),
            None => self.published.public[form as usize].respond(headers, PUBLIC),
        }
    }

    /// Answers a request of an authenticated caller for the extended card. None where there is none.
    pub fn respond_extended(
        &self,
        form: Form,
        held: &BTreeSet<String>,
        headers: &HeaderMap,
    ) -> Option<Response> {
        Some(self.extended_document(form, held)?.respond(headers, BY_CALLER))
    }

    /// Answers a request for the public keys. None where the card is not signed.
    pub fn respond_keys(&self, headers: &HeaderMap) -> Option<Response> {
        Some(self.published.keys.as_ref()?.respond(headers, KEYS))
    }

    fn by_host(&self, form: Form) -> Option<Document> {
        let publication = self.publication_by_host()?;
        Some(document(form, &complete(&self.published.source, &publication), &publication))
    }

    fn extended_document(&self, form: Form, held: &BTreeSet<String>) -> Option<Document> {
        let by_host = self.publication_by_host();
        let publication = by_host.as_ref().unwrap_or(&self.published.publication);
        let card = complete_extended(&self.published.source, publication, held)?;
        Some(document(form, &card, publication))
    }

    fn publication_by_host(&self) -> Option<Publication> {
        let url = format!("http://{}", self.host.as_ref()?);
        Some(Publication { url, ..self.published.publication.clone() })
    }
}

fn document(form: Form, card: &AgentCard, publication: &Publication) -> Document {
    let content = form.write(card);
    if publication.signers.is_empty() {
        return Document::new(content);
    }
    let headers: Vec<Value> = publication.signers.iter().map(CardSigner::header).collect();
    let mut signed = content.clone();
    sign(&mut signed, &publication.signers);
    Document::signed(&json!([content, headers]), signed)
}

/// The host that a request names, if it is one: a name or an address, perhaps with a port, and nothing else.
fn asked_host(request: &Parts) -> Option<Authority> {
    let header = || request.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    let host: Authority = request.uri.authority().cloned().or_else(header)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_host =
        host.as_str().len() <= MAX_HOST && !host.host().is_empty() && host.as_str().bytes().all(plain);
    is_host.then_some(host)
}
