//! The way in: headers of a request → [`Principal`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::bearer;
use super::claims;
use super::error::AuthError;
use super::issuer::{Issuer, IssuerSettings};
use super::platform;
use super::principal::Principal;
use super::provider::ProviderError;

/// Says who calls. Clones share what is known of the issuers.
#[derive(Clone)]
pub struct Authenticator {
    mode: Arc<Mode>,
    scopes: Arc<Scopes>,
}

enum Mode {
    None,
    Platform,
    /// By the hash of the token: how long a look-up takes tells nothing about a token.
    Tokens(HashMap<[u8; 32], Principal>),
    Issuers(Vec<Issuer>),
}

/// What tokens have to allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// All of these are needed for any call.
    pub required: Vec<String>,
    /// Who has this one may ask for changes. Without it nobody may.
    pub write: Option<String>,
}

impl Authenticator {
    /// Asks nobody: every caller is the same principal.
    pub fn anonymous() -> Self {
        Self::new(Mode::None)
    }

    /// Believes what stands in front: AgentCore Runtime, which lets nobody through that it has not checked. The token,
    /// where it is forwarded, is read to learn whose it is, and **not checked**. Whoever reaches the port past the
    /// platform can call itself anything: only for ports that nothing else reaches.
    pub fn platform() -> Self {
        Self::new(Mode::Platform)
    }

    /// Knows these bearer tokens and whose they are.
    pub fn tokens(tokens: impl IntoIterator<Item = (String, Principal)>) -> Self {
        let known = tokens.into_iter().map(|(token, principal)| (digest(&token), principal)).collect();
        Self::new(Mode::Tokens(known))
    }

    /// Checks tokens of these issuers. Nothing is fetched before the first token comes.
    ///
    /// # Errors
    /// A URL is not one that keys may come from.
    pub fn jwt(issuers: impl IntoIterator<Item = IssuerSettings>) -> Result<Self, ProviderError> {
        let issuers: Result<_, _> = issuers.into_iter().map(Issuer::new).collect();
        Ok(Self::new(Mode::Issuers(issuers?)))
    }

    fn new(mode: Mode) -> Self {
        Self { mode: Arc::new(mode), scopes: Arc::default() }
    }

    /// The same, where tokens have to allow something. Nothing is asked of anonymous callers.
    pub fn with_scopes(self, scopes: Scopes) -> Self {
        Self { scopes: Arc::new(scopes), ..self }
    }

    /// True where nobody is asked.
    pub fn is_anonymous(&self) -> bool {
        matches!(*self.mode, Mode::None)
    }

    /// The issuers whose tokens are checked, for the agent card; none in the other modes.
    pub fn issuers(&self) -> &[Issuer] {
        match &*self.mode {
            Mode::Issuers(issuers) => issuers,
            Mode::None | Mode::Platform | Mode::Tokens(_) => &[],
        }
    }

    /// What tokens have to allow.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// There is no token, it is refused or not enough, or it cannot be checked now.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, AuthError> {
        let principal = match &*self.mode {
            Mode::None => return Ok(Principal::anonymous()),
            Mode::Platform => platform::principal(headers),
            Mode::Tokens(known) => bearer::token(headers).and_then(|token| {
                let principal = known.get(&digest(token));
                principal.cloned().ok_or(AuthError::Invalid("The token is not known"))
            }),
            Mode::Issuers(issuers) => verified(issuers, headers).await,
        };
        principal.and_then(|principal| self.check_scopes(principal)).inspect_err(|error| match error {
            AuthError::Missing | AuthError::InsufficientScope { .. } => {}
            error => tracing::info!(reason = %error, "refused a caller"),
        })
    }

    fn check_scopes(&self, principal: Principal) -> Result<Principal, AuthError> {
        let required = &self.scopes.required;
        match required.iter().all(|scope| principal.has_scope(scope)) {
            true => Ok(principal),
            false => {
                tracing::info!(principal.id, ?required, held = ?principal.scopes, "refused a caller without the scope");
                Err(AuthError::InsufficientScope { required: required.clone() })
            }
        }
    }
}

/// The principal of a token of one of these issuers. The token says whose it is; that issuer's keys say if it is true.
async fn verified(issuers: &[Issuer], headers: &HeaderMap) -> Result<Principal, AuthError> {
    let token = bearer::token(headers)?;
    let (header, claims) = claims::unverified(token).ok_or(AuthError::Invalid("The token is malformed"))?;
    if header.crit.is_some() {
        return Err(AuthError::Invalid("The token wants something that is not understood here"));
    }
    let issuer = issuers.iter().find(|issuer| claims.iss.as_deref() == Some(issuer.url()));
    let issuer = issuer.ok_or(AuthError::Invalid("The token's issuer is not accepted here"))?;
    let claims = issuer.verify(token, &header).await?;
    claims.principal().ok_or(AuthError::Invalid("The token does not say whose it is"))
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &*self.mode {
            Mode::None => "none",
            Mode::Platform => "platform",
            Mode::Tokens(_) => "tokens",
            Mode::Issuers(_) => "jwt",
        };
        f.debug_struct("Authenticator")
            .field("mode", &mode)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
