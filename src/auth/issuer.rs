//! An issuer whose tokens are accepted: its metadata, its keys, and what its tokens have to say.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};

use super::cached::{Cached, Fetched, Lifetime};
use super::claims::{Claims, Header, LEEWAY};
use super::error::AuthError;
use super::keys::{JwkSet, Key, KeySet};
use super::provider::{self, Metadata, ProviderError};

/// How long keys and metadata are used. A key that an issuer withdraws is refused ten minutes later at the latest,
/// unless the issuer cannot be reached.
const LIFETIME: Lifetime = Lifetime {
    fresh: Duration::from_secs(5 * 60),
    renewed: Duration::from_secs(10 * 60),
    usable: Duration::from_secs(24 * 60 * 60),
};

/// Whose tokens are accepted, and which of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The issuer's URL, exactly as its tokens and its discovery document spell it.
    pub url: String,
    /// Where its keys are; without, its discovery document says so.
    pub jwks_url: Option<String>,
    /// A token has to be addressed to one of these (`aud`). Empty: not looked at.
    pub audiences: BTreeSet<String>,
    /// A token has to be issued to one of these clients. Empty: to any.
    pub clients: BTreeSet<String>,
}

/// An issuer whose tokens are accepted. Nothing is fetched before the first token of it comes.
#[derive(Clone)]
pub struct Issuer {
    settings: Arc<IssuerSettings>,
    metadata: Cached<Metadata>,
    keys: Cached<KeySet>,
}

impl Issuer {
    pub(super) fn new(settings: IssuerSettings) -> Result<Self, ProviderError> {
        provider::checked(&settings.url, "an issuer")?;
        if let Some(url) = &settings.jwks_url {
            provider::checked(url, "a key set")?;
        }
        let http = provider::client(&settings.url, provider::TIMEOUT)?;
        let settings = Arc::new(settings);
        let metadata = {
            let (http, settings) = (http.clone(), Arc::clone(&settings));
            Cached::new(Box::new(move || fetch_metadata(http.clone(), Arc::clone(&settings)).boxed()))
        };
        let keys = {
            let (settings, metadata) = (Arc::clone(&settings), metadata.clone());
            Cached::new(Box::new(move || {
                fetch_keys(http.clone(), Arc::clone(&settings), metadata.clone()).boxed()
            }))
        };
        Ok(Self { settings, metadata, keys })
    }

    /// Its name: the `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// True where it says about itself where its keys and tokens come from.
    pub fn is_discovered(&self) -> bool {
        self.settings.jwks_url.is_none()
    }

    /// Where machines get its tokens, as far as it says so now.
    pub async fn token_endpoint(&self) -> Option<String> {
        if !self.is_discovered() {
            return None;
        }
        self.metadata.get().await.ok()?.token_endpoint.clone()
    }

    /// Checks a token of this issuer: signature, times, issuer, audience, purpose and client.
    pub(super) async fn verify(&self, token: &str, header: &Header) -> Result<Claims, AuthError> {
        let algorithm: Algorithm =
            header.alg.parse().map_err(|_| AuthError::Invalid("The token's algorithm is not accepted"))?;
        let keys = self.keys_for(header).await?;
        let key = keys.find(header.kid.as_deref(), algorithm);
        let key = key.ok_or(AuthError::Invalid("No key of the issuer fits the token"))?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &self.validation(key));
        let claims = decoded.map_err(|error| AuthError::Invalid(reason(error.kind())))?.claims;
        claims.check_issued(jsonwebtoken::get_current_timestamp())?;
        claims.check_purpose(header, !self.settings.audiences.is_empty())?;
        self.check_client(&claims)?;
        Ok(claims)
    }

    /// The keys; fetched anew where the token names one that is not among them.
    async fn keys_for(&self, header: &Header) -> Result<Arc<KeySet>, AuthError> {
        let keys = self.keys.get().await.map_err(|_| AuthError::Unavailable)?;
        if keys.knows(header.kid.as_deref()) {
            return Ok(keys);
        }
        Ok(self.keys.newer_than(&keys).await.unwrap_or(keys))
    }

    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[self.url()]);
        let audiences: Vec<&String> = self.settings.audiences.iter().collect();
        validation.validate_aud = !audiences.is_empty();
        validation.set_audience(&audiences);
        let required: &[&str] = if audiences.is_empty() { &["exp", "iss"] } else { &["exp", "iss", "aud"] };
        validation.set_required_spec_claims(required);
        validation
    }

    fn check_client(&self, claims: &Claims) -> Result<(), AuthError> {
        let allowed = &self.settings.clients;
        if allowed.is_empty() || claims.client().is_some_and(|client| allowed.contains(client)) {
            return Ok(());
        }
        tracing::debug!(issuer = self.url(), client = claims.client(), "a client is not on the list");
        Err(AuthError::Invalid("The token's client is not accepted here"))
    }
}

async fn fetch_metadata(http: reqwest::Client, settings: Arc<IssuerSettings>) -> Fetched<Metadata> {
    let metadata = provider::metadata(&http, &settings.url).await;
    Ok((metadata.inspect_err(|error| warn(&settings.url, error))?, LIFETIME))
}

async fn fetch_keys(
    http: reqwest::Client,
    settings: Arc<IssuerSettings>,
    metadata: Cached<Metadata>,
) -> Fetched<KeySet> {
    let url = match &settings.jwks_url {
        Some(url) => url.clone(),
        None => metadata.get().await?.jwks_uri.clone(),
    };
    let keys = read_keys(&http, &url).await.inspect_err(|error| warn(&settings.url, error))?;
    Ok((keys, LIFETIME))
}

async fn read_keys(http: &reqwest::Client, url: &str) -> Result<KeySet, ProviderError> {
    let keys: KeySet = provider::get_json::<JwkSet>(http, url).await?.into();
    if keys.is_empty() {
        let problem = "it holds no key that signatures can be checked with".to_owned();
        return Err(ProviderError::Answer { url: url.to_owned(), problem });
    }
    Ok(keys)
}

fn warn(issuer: &str, error: &ProviderError) {
    tracing::warn!(issuer, error = error as &dyn std::error::Error, "an issuer is of no use now");
}

/// The public text of what is wrong with a token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "The token has expired",
        ErrorKind::ImmatureSignature => "The token is not valid yet",
        ErrorKind::InvalidIssuer => "The token's issuer is not accepted here",
        ErrorKind::InvalidAudience => "The token is meant for another audience",
        ErrorKind::InvalidSignature => "The token's signature is wrong",
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "The token is meant for another audience",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks a claim that it has to have",
        _ => "The token is malformed",
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
