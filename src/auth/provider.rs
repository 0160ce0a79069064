//! Talking to identity providers: over TLS (or on this machine), bounded in time and size, following no redirects.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long metadata and keys may take, all in all: callers wait for them.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 512 << 10;

/// Why an identity provider was of no use.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// A URL that credentials and keys do not go through.
    #[error(
        "{url} is of no use as {what}: it has to be an https URL (http only on this machine), without a password"
    )]
    Url {
        /// The URL.
        url: String,
        /// What it was meant for.
        what: &'static str,
    },
    /// No connection, or one that broke.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// An HTTP status that is no success.
    #[error("{url} answered HTTP {status}{hint}")]
    Status {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// What to do about it.
        hint: &'static str,
    },
    /// A token was refused.
    #[error("{url} gives no token: {code}{hint}")]
    Refused {
        /// The token endpoint.
        url: String,
        /// OAuth's error code.
        code: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The answer is not what the protocol says.
    #[error("the answer of {url} is not understood: {problem}")]
    Answer {
        /// Where.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The discovery document is another issuer's.
    #[error("the issuer at {asked} calls itself {found}: give exactly that as the issuer, if you trust it")]
    OtherIssuer {
        /// The issuer that was configured.
        asked: String,
        /// The one in the document.
        found: String,
    },
    /// It was asked often enough in the last seconds.
    #[error("the identity provider was asked too often without success: try again in a few seconds")]
    TooOften,
}

impl ProviderError {
    /// True where trying again may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooOften => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Url { .. } | Self::Refused { .. } | Self::Answer { .. } | Self::OtherIssuer { .. } => false,
        }
    }
}

/// What an issuer says about itself (OpenID Connect discovery).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Its name: the `iss` of its tokens.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where machines get their tokens.
    pub token_endpoint: Option<String>,
    /// Where people sign in.
    pub authorization_endpoint: Option<String>,
}

/// Asks an issuer about itself. Nothing of it is believed that leads away from TLS.
///
/// # Errors
/// The issuer cannot be reached or understood, or calls itself by another name.
pub async fn discover(issuer: &str) -> Result<Metadata, ProviderError> {
    checked(issuer, "an issuer")?;
    metadata(&client(issuer, TIMEOUT)?, issuer).await
}

/// Where an issuer's discovery document is.
pub(super) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// An HTTP client for the identity provider at `url`, whose answers may take so long.
pub(super) fn client(url: &str, timeout: Duration) -> Result<reqwest::Client, ProviderError> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(Policy::none())
        .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|source| unreachable(url, source))
}

pub(super) async fn metadata(http: &reqwest::Client, issuer: &str) -> Result<Metadata, ProviderError> {
    let url = discovery_url(issuer);
    trusted(get_json(http, &url).await?, issuer, &url)
}

/// Metadata that are this issuer's and name no endpoint that is less safe than the issuer itself.
fn trusted(metadata: Metadata, issuer: &str, url: &str) -> Result<Metadata, ProviderError> {
    if metadata.issuer != issuer {
        return Err(ProviderError::OtherIssuer {
            asked: issuer.to_owned(),
            found: shortened(&metadata.issuer),
        });
    }
    let endpoints = [&metadata.token_endpoint, &metadata.authorization_endpoint];
    for endpoint in endpoints.into_iter().flatten().chain([&metadata.jwks_uri]) {
        let endpoint = checked(endpoint, "an endpoint of an issuer")?;
        if endpoint.scheme() == "http" && issuer.starts_with("https:") {
            let problem = "it names an endpoint without TLS".to_owned();
            return Err(ProviderError::Answer { url: url.to_owned(), problem });
        }
    }
    Ok(metadata)
}

/// A URL that keys and credentials may go through: https, or http on this machine.
pub(crate) fn checked(text: &str, what: &'static str) -> Result<Url, ProviderError> {
    let url = Url::parse(text).ok().filter(|url| {
        let safe = match url.scheme() {
            "https" => url.has_host(),
            "http" => is_loopback(url),
            _ => false,
        };
        safe && url.username().is_empty() && url.password().is_none()
    });
    url.ok_or_else(|| ProviderError::Url { url: without_credentials(text), what })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The URL for an error text: what stands before an `@` may be a password.
fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://…{}", &text[..scheme], shortened(&text[at..]))
        }
        _ => shortened(text),
    }
}

pub(super) async fn get_json<T: DeserializeOwned>(
    http: &reqwest::Client,
    url: &str,
) -> Result<T, ProviderError> {
    let request = http.get(url).header("Accept", "application/json");
    let response = request.send().await.map_err(|source| unreachable(url, source))?;
    let status = response.status();
    if !status.is_success() {
        return Err(unsuccessful(url, status));
    }
    read_json(response, url).await
}

pub(super) fn unsuccessful(url: &str, status: reqwest::StatusCode) -> ProviderError {
    let hint = match status.as_u16() {
        300..=399 => ": it redirects, which is not followed; give the address it redirects to",
        404 => ": is this the address of an OpenID Connect issuer?",
        _ => "",
    };
    ProviderError::Status { url: url.to_owned(), status: status.as_u16(), hint }
}

/// Reads a JSON answer that may not be larger than [`MAX_ANSWER`].
pub(super) async fn read_json<T: DeserializeOwned>(
    response: reqwest::Response,
    url: &str,
) -> Result<T, ProviderError> {
    let not_understood =
        |problem: &str| ProviderError::Answer { url: url.to_owned(), problem: problem.to_owned() };
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|source| unreachable(url, source))?;
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(not_understood("it is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    // What serde says may quote the answer, which may hold a token.
    serde_json::from_slice(&body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => not_understood("a member is missing or of the wrong type"),
        _ => not_understood("it is not JSON"),
    })
}

pub(super) fn unreachable(url: &str, source: reqwest::Error) -> ProviderError {
    ProviderError::Unreachable { url: url.to_owned(), source: Arc::new(source.without_url()) }
}

/// Text of others for an error: one short line.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tls("https://idp.example.com/pool", true)]
    #[case::loopback("http://127.0.0.1:9400/pool", true)]
    #[case::localhost("http://localhost:9400", true)]
    #[case::loopback_v6("http://[::1]:9400", true)]
    #[case::clear_text("http://idp.example.com", false)]
    #[case::looks_local("http://localhost.example.com", false)]
    #[case::looks_like_loopback("http://127.0.0.1.example.com", false)]
    #[case::password("https://me:secret@idp.example.com", false)]
    #[case::user("http://127.0.0.1@idp.example.com", false)]
    #[case::file("file:///etc/passwd", false)]
    #[case::no_url("idp.example.com", false)]
    #[case::nothing("", false)]
    fn keys_come_over_tls_or_from_this_machine(#[case] url: &str, #[case] accepted: bool) {
        let checked = checked(url, "an issuer");
        assert_eq!(checked.is_ok(), accepted);
        if let Err(error) = checked {
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[rstest]
    #[case("https://idp.example.com/pool", "https://idp.example.com/pool/.well-known/openid-configuration")]
    #[case("https://idp.example.com/", "https://idp.example.com/.well-known/openid-configuration")]
    fn the_discovery_document_is_below_the_issuer(#[case] issuer: &str, #[case] expected: &str) {
        assert_eq!(discovery_url(issuer), expected);
    }

    fn named(issuer: &str, jwks_uri: &str, token_endpoint: &str) -> Metadata {
        Metadata {
            issuer: issuer.to_owned(),
            jwks_uri: jwks_uri.to_owned(),
            token_endpoint: Some(token_endpoint.to_owned()),
            authorization_endpoint: None,
        }
    }

    #[rstest]
    #[case::its_own(named("https://a", "https://a/keys", "https://b/token"), "https://a", true)]
    #[case::of_this_machine(
        named("http://127.0.0.1:1", "http://127.0.0.1:1/k", "http://127.0.0.1:1/t"),
        "http://127.0.0.1:1",
        true
    )]
    #[case::of_another(named("https://b", "https://a/keys", "https://a/token"), "https://a", false)]
    #[case::with_a_slash(named("https://a/", "https://a/keys", "https://a/token"), "https://a", false)]
    #[case::keys_in_clear_text(named("https://a", "http://a/keys", "https://a/token"), "https://a", false)]
    #[case::keys_of_our_machine(
        named("https://a", "http://127.0.0.1/keys", "https://a/token"),
        "https://a",
        false
    )]
    #[case::tokens_in_clear_text(named("https://a", "https://a/keys", "http://a/token"), "https://a", false)]
    #[case::a_file(named("https://a", "file:///etc/passwd", "https://a/token"), "https://a", false)]
    fn an_issuer_speaks_for_itself_and_leads_nowhere_less_safe(
        #[case] metadata: Metadata,
        #[case] issuer: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(trusted(metadata, issuer, "https://a/discovery").is_ok(), expected);
    }
}
