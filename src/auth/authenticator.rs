//! The way in: headers of a request → [`Principal`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::bearer;
use super::error::AuthError;
use super::principal::Principal;

/// Says who calls. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    mode: Arc<Mode>,
}

enum Mode {
    None,
    /// By the hash of the token: how long a look-up takes tells nothing about a token.
    Tokens(HashMap<[u8; 32], Principal>),
}

impl Authenticator {
    /// Asks nobody: every caller is the same principal.
    pub fn anonymous() -> Self {
        Self { mode: Arc::new(Mode::None) }
    }

    /// Knows these bearer tokens and whose they are.
    pub fn tokens(tokens: impl IntoIterator<Item = (String, Principal)>) -> Self {
        let known = tokens.into_iter().map(|(token, principal)| (digest(&token), principal)).collect();
        Self { mode: Arc::new(Mode::Tokens(known)) }
    }

    /// True where nobody is asked.
    pub fn is_anonymous(&self) -> bool {
        matches!(*self.mode, Mode::None)
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// There is no token, it is refused or not enough, or it cannot be checked now.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, AuthError> {
        match &*self.mode {
            Mode::None => Ok(Principal::anonymous()),
            Mode::Tokens(known) => {
                let principal = known.get(&digest(bearer::token(headers)?));
                principal.cloned().ok_or(AuthError::Invalid("The token is not known"))
            }
        }
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &*self.mode {
            Mode::None => "none",
            Mode::Tokens(_) => "tokens",
        };
        f.debug_struct("Authenticator").field("mode", &mode).finish_non_exhaustive()
    }
}
