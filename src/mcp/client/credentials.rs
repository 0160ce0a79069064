//! What proves to another server who we are.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::failure::Failure;
use crate::auth::TokenSource;
use crate::aws::Aws;

/// What proves to a server who we are. `Debug` shows no secret.
#[derive(Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A header with a fixed value.
    Header {
        /// Its name.
        name: HeaderName,
        /// Its value.
        value: SecretString,
    },
    /// A parameter of the query.
    ApiKey {
        /// Its name.
        parameter: String,
        /// Its value.
        value: SecretString,
    },
    /// A bearer token: a fixed one, or by OAuth2 client credentials. One that is refused is renewed once.
    Token(TokenSource),
    /// The caller's own token. A server that gets it can act as the caller everywhere; MCP advises against it.
    PassThrough,
    /// AWS Signature Version 4, for servers behind AWS endpoints.
    SigV4 {
        /// Where the keys come from.
        aws: Aws,
        /// The service's name in signatures, such as `bedrock-agentcore`.
        service: String,
        /// Its region.
        region: String,
    },
}

impl Credentials {
    /// True where something secret is sent.
    pub(super) fn are_secret(&self) -> bool {
        !matches!(self, Self::None)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Header { name, .. } => f.debug_struct("Header").field("name", name).finish_non_exhaustive(),
            Self::ApiKey { parameter, .. } => {
                f.debug_struct("ApiKey").field("parameter", parameter).finish_non_exhaustive()
            }
            Self::Token(_) => f.write_str("Token"),
            Self::PassThrough => f.write_str("PassThrough"),
            Self::SigV4 { service, region, .. } => f
                .debug_struct("SigV4")
                .field("service", service)
                .field("region", region)
                .finish_non_exhaustive(),
        }
    }
}

/// What of a request is signed besides its URL.
pub(super) struct Signed {
    /// `POST`, `GET` or `DELETE`.
    pub method: &'static str,
    /// Its body.
    pub body: Vec<u8>,
}

/// What is added to one request.
pub(super) struct Proof {
    /// The URL, with a parameter where that is how it is proved.
    pub url: Arc<str>,
    /// Headers.
    pub headers: HashMap<HeaderName, HeaderValue>,
    /// The token in them, if it can be renewed.
    pub token: Option<Arc<SecretString>>,
}

impl Proof {
    fn of(url: &Arc<str>) -> Self {
        Self { url: Arc::clone(url), headers: HashMap::new(), token: None }
    }

    fn with_header(url: &Arc<str>, name: HeaderName, value: &str) -> Result<Self, Failure> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Failure::NoCredentials(
                "they do not fit into a header: check the file or variable for line breaks".to_owned(),
            )
        })?;
        value.set_sensitive(true);
        Ok(Self { headers: HashMap::from([(name, value)]), ..Self::of(url) })
    }

    pub(super) fn bearer(url: &Arc<str>, token: Arc<SecretString>) -> Result<Self, Failure> {
        let value = format!("Bearer {}", token.expose_secret());
        Ok(Self { token: Some(token), ..Self::with_header(url, header::AUTHORIZATION, &value)? })
    }
}

impl Credentials {
    /// Proves one request. `caller` is the caller's own token.
    pub(super) async fn prove(
        &self,
        url: &Arc<str>,
        caller: Option<&SecretString>,
        request: impl FnOnce() -> Signed,
    ) -> Result<Proof, Failure> {
        match self {
            Self::None => Ok(Proof::of(url)),
            Self::Header { name, value } => Proof::with_header(url, name.clone(), value.expose_secret()),
            Self::ApiKey { parameter, value } => {
                let mut with_key = Url::parse(url).map_err(|_| Failure::Unreachable)?;
                with_key.query_pairs_mut().append_pair(parameter, value.expose_secret());
                Ok(Proof { url: with_key.as_str().into(), ..Proof::of(url) })
            }
            Self::Token(source) => {
                let token = source.token().await;
                Proof::bearer(url, token.map_err(|error| Failure::NoCredentials(error.to_string()))?)
            }
            Self::PassThrough => {
                let token = caller.ok_or(Failure::NoCaller)?.expose_secret();
                Proof::with_header(url, header::AUTHORIZATION, &format!("Bearer {token}"))
            }
            Self::SigV4 { aws, service, region } => {
                let signed = signed(aws, service, region, url, request()).await;
                let headers = signed.map_err(|error| Failure::NoCredentials(error.to_string()))?;
                Ok(Proof { headers, ..Proof::of(url) })
            }
        }
    }

    /// The proof with another token than the one that was refused; none where there is no other.
    pub(super) async fn renew(&self, url: &Arc<str>, refused: &Proof) -> Option<Proof> {
        let (Self::Token(source), Some(token)) = (self, &refused.token) else { return None };
        Proof::bearer(url, source.newer_than(token).await?).ok()
    }
}

async fn signed(
    aws: &Aws,
    service: &str,
    region: &str,
    url: &str,
    request: Signed,
) -> Result<HashMap<HeaderName, HeaderValue>, crate::aws::AwsError> {
    let connection = aws.connection(Some(region), None).await?;
    let headers = connection.signature(service, request.method, url, &request.body).await?;
    Ok(headers.into_iter().filter_map(|(name, value)| Some((name?, value))).collect())
}
