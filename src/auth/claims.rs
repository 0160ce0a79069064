//! What a token says, and what follows from it. Pure.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::error::AuthError;
use super::principal::Principal;

/// Clocks may differ by this, in seconds.
pub(super) const LEEWAY: u64 = 60;
/// Longest name of a person or a machine, in bytes.
const MAX_NAME: usize = 512;

/// The header of a token. Keys that it brings along or points at (`jwk`, `jku`, `x5u`) are not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    pub(super) crit: Option<IgnoredAny>,
}

/// The claims that are looked at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    sub: Option<String>,
    /// Cognito and RFC 9068, Okta, Entra ID, OpenID Connect.
    client_id: Option<String>,
    cid: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    scope: Option<Value>,
    scp: Option<Value>,
    /// Cognito: `access` or `id`.
    token_use: Option<String>,
    /// Keycloak: `Bearer`, `ID`, `Refresh`.
    typ: Option<String>,
    nonce: Option<IgnoredAny>,
    at_hash: Option<IgnoredAny>,
    c_hash: Option<IgnoredAny>,
    iat: Option<f64>,
    #[serde(rename = "cognito:groups")]
    cognito_groups: Option<Value>,
    groups: Option<Value>,
}

/// Reads a token without checking anything.
pub(super) fn unverified(token: &str) -> Option<(Header, Claims)> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    (parts.count() == 1).then_some(())?;
    Some((decoded(header)?, decoded(claims)?))
}

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl Claims {
    /// The client that the token was issued to.
    pub(super) fn client(&self) -> Option<&str> {
        let named = [&self.client_id, &self.cid, &self.azp, &self.appid];
        named.into_iter().flatten().map(String::as_str).find(|name| !name.is_empty())
    }

    /// Who is meant, and what the token allows.
    pub(super) fn principal(&self) -> Option<Principal> {
        let issuer = self.iss.as_deref()?;
        let short = |name: &&str| name.len() <= MAX_NAME;
        let principal = match self.sub.as_deref().filter(|subject| !subject.is_empty()) {
            Some(subject) => Some(subject).filter(short).map(|subject| Principal::subject(issuer, subject)),
            // A person may be called what a client is called.
            None => self.client().filter(short).map(|client| Principal::of_kind(issuer, "client", client)),
        };
        Some(Principal {
            client_id: self.client().map(str::to_owned),
            scopes: words(&self.scope).chain(words(&self.scp)).collect(),
            groups: names(&self.cognito_groups).chain(names(&self.groups)).collect(),
            ..principal?
        })
    }

    /// Refuses what was not issued to call an API with: ID tokens, refresh tokens, tokens for other purposes.
    /// `addressed` is true where the token names an audience that was asked for; an ID token names its client instead.
    pub(super) fn check_purpose(&self, header: &Header, addressed: bool) -> Result<(), AuthError> {
        let refused = AuthError::Invalid("This is no access token");
        let kind = header.typ.as_deref().map(|typ| typ.to_ascii_lowercase());
        let kind = kind.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        let access = match (kind, self.token_use.as_deref()) {
            (_, Some("access")) | (Some("at+jwt"), None) => true,
            (None | Some("jwt"), None) => false,
            _ => return Err(refused),
        };
        if self.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("bearer")) {
            return Err(refused);
        }
        let for_an_api = addressed || self.client_id.is_some() || self.cid.is_some() || self.appid.is_some();
        let for_an_api = for_an_api || self.scope.is_some() || self.scp.is_some();
        let of_a_sign_in = self.nonce.is_some() || self.at_hash.is_some() || self.c_hash.is_some();
        if access || (for_an_api && !of_a_sign_in) { Ok(()) } else { Err(refused) }
    }

    /// Refuses a token that says to be from the future.
    pub(super) fn check_issued(&self, now: u64) -> Result<(), AuthError> {
        let latest = now.saturating_add(LEEWAY) as f64;
        match self.iat {
            Some(issued) if issued > latest => Err(AuthError::Invalid("The token is not valid yet")),
            Some(_) | None => Ok(()),
        }
    }
}

/// Words of a string or of an array of strings.
fn words(value: &Option<Value>) -> impl Iterator<Item = String> {
    let names: Vec<String> = names(value).collect();
    names.into_iter().flat_map(|name| name.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// A string, or the strings of an array.
fn names(value: &Option<Value>) -> impl Iterator<Item = String> {
    let names: BTreeSet<String> = match value {
        Some(Value::String(name)) => BTreeSet::from([name.clone()]),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    };
    names.into_iter()
}
