//! How a notification says what it is, and proves from whom it comes.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::a2a::caller::VERSION_HEADER;
use crate::a2a::types::Timestamp;
use crate::tasks::{PushAuthentication, PushConfig, PushFormat, Secret};

/// The scheme that signs with a secret which the receiver shares.
pub(super) const HMAC: &str = "HMAC-SHA256";
/// The scheme that signs with the agent's own key.
pub(super) const JWT: &str = "JWT";

/// The token of the configuration; a convention of the A2A SDKs.
const TOKEN_HEADER: &str = "x-a2a-notification-token";
/// Names the notification, `{task}/{entry}`: the same when it is sent again, so that a receiver can drop repeats.
const ID_HEADER: &str = "drydock-notification-id";
/// Unix time of the attempt, in seconds; part of what is signed.
const TIMESTAMP_HEADER: &str = "drydock-notification-timestamp";
/// HMAC-SHA256 of `{timestamp}.{body}` under the shared secret, in hexadecimal.
const SIGNATURE_HEADER: &str = "drydock-notification-signature";

/// How long a signed token is valid, in seconds.
const TOKEN_LIFE: i64 = 300;

/// Signs claims with the agent's own key.
#[derive(Clone)]
pub struct JwtSigner {
    issuer: String,
    sign: Arc<SignClaims>,
}

/// Makes a compact JWT of claims; `None` where the key does not work.
type SignClaims = dyn Fn(&Value) -> Option<String> + Send + Sync;

impl JwtSigner {
    /// A signer that calls itself `issuer`. `sign` makes a compact JWT of claims, or nothing where that fails.
    pub fn new(
        issuer: impl Into<String>,
        sign: impl Fn(&Value) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { issuer: issuer.into(), sign: Arc::new(sign) }
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSigner").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A header that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    /// A value with characters that a header cannot have.
    #[error("a header cannot be written")]
    Value(#[from] http::header::InvalidHeaderValue),
    /// There is no key to sign with, or it does not work.
    #[error("there is no key to sign with")]
    NoKey,
}

/// What is to be sent: entry `sequence` of a task, as `body`, to `url`, at `now`.
pub(super) struct Notification<'a> {
    pub(super) config: &'a PushConfig,
    pub(super) sequence: u64,
    pub(super) body: &'a [u8],
    pub(super) url: &'a Url,
    pub(super) now: Timestamp,
}

impl Notification<'_> {
    pub(super) fn headers(&self, signer: Option<&JwtSigner>) -> Result<HeaderMap, HeaderError> {
        let content_type = match self.config.format {
            PushFormat::V1 => "application/a2a+json",
            PushFormat::V03 => "application/json",
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let mut insert = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
            let (Ok(name), value) = (name, HeaderValue::from_str(value)?) else { return Ok(()) };
            headers.insert(name, value);
            Ok::<_, HeaderError>(())
        };
        insert(VERSION_HEADER, self.config.format.version())?;
        insert(ID_HEADER, &self.id())?;
        if let Some(token) = &self.config.token {
            insert(TOKEN_HEADER, token.expose())?;
        }
        match &self.config.authentication {
            Some(authentication) if authentication.scheme.eq_ignore_ascii_case(HMAC) => {
                let (timestamp, signature) = self.hmac(authentication);
                insert(TIMESTAMP_HEADER, &timestamp)?;
                insert(SIGNATURE_HEADER, &signature)?;
            }
            Some(authentication) if authentication.scheme.eq_ignore_ascii_case(JWT) => {
                let token = signer.and_then(|signer| (signer.sign)(&self.claims(&signer.issuer)));
                insert(AUTHORIZATION.as_str(), &format!("Bearer {}", token.ok_or(HeaderError::NoKey)?))?;
            }
            Some(PushAuthentication { scheme, credentials: Some(credentials) }) => {
                insert(AUTHORIZATION.as_str(), &format!("{scheme} {}", credentials.expose()))?;
            }
            Some(PushAuthentication { credentials: None, .. }) | None => {}
        }
        Ok(headers)
    }

    fn id(&self) -> String {
        format!("{}/{}", self.config.task_id, self.sequence)
    }

    fn hmac(&self, authentication: &PushAuthentication) -> (String, String) {
        let secret = authentication.credentials.as_ref().map_or("", Secret::expose);
        let timestamp = self.seconds().to_string();
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        context.update(timestamp.as_bytes());
        context.update(b".");
        context.update(self.body);
        (timestamp, hex(context.sign().as_ref()))
    }

    fn claims(&self, issuer: &str) -> Value {
        let issued = self.seconds();
        json!({
            "iss": issuer,
            "aud": self.url.origin().ascii_serialization(),
            "iat": issued,
            "exp": issued + TOKEN_LIFE,
            "jti": uuid::Uuid::new_v4().to_string(),
            "sub": self.id(),
            "request_body_sha256": URL_SAFE_NO_PAD.encode(Sha256::digest(self.body)),
        })
    }

    fn seconds(&self) -> i64 {
        jiff::Timestamp::from(self.now).as_second()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
