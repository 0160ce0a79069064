//! Where our own tokens come from when we call: a fixed one, or OAuth2 client credentials (RFC 6749 §4.4).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use futures::FutureExt;
use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::bearer;
use super::cached::{Cached, Fetched, Lifetime};
use super::provider::{self, ProviderError};

/// How long a token may take to come.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A token is replaced this long before it expires, or after half its life if that is less.
const MARGIN: Duration = Duration::from_secs(60);
/// Before that it is renewed in the background, this long.
const EARLY: Duration = Duration::from_secs(60);
/// So long before it expires a token is not used any more, even where there is no other: a request takes its time.
const LAST_CALL: Duration = Duration::from_secs(5);
/// How long a token lives whose issuer does not say it.
const UNSAID_LIFE: Duration = Duration::from_secs(300);
/// No token is kept longer.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A machine's credentials at an identity provider. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: String,
    /// Who we are there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretString,
    /// What we ask for. Empty: what the provider gives unasked.
    pub scopes: Vec<String>,
    /// The API that the token is for, where the provider has to be told (`audience`).
    pub audience: Option<String>,
    /// The same as RFC 8707 spells it (`resource`).
    pub resource: Option<String>,
}

/// Gives the bearer token for a call. Clones share the token. `Debug` does not show it.
#[derive(Clone)]
pub struct TokenSource(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<SecretString>),
    Client(Cached<SecretString>),
}

impl TokenSource {
    /// Always the same token.
    pub fn fixed(token: SecretString) -> Self {
        Self(Source::Fixed(Arc::new(token)))
    }

    /// Tokens for a machine. Nothing is fetched before the first call.
    ///
    /// # Errors
    /// The token URL is not one that a secret may go to.
    pub fn client_credentials(credentials: ClientCredentials) -> Result<Self, ProviderError> {
        provider::checked(&credentials.token_url, "a token URL")?;
        let client = Arc::new(Client {
            http: provider::client(&credentials.token_url, TIMEOUT)?,
            credentials,
            wants_form: AtomicBool::new(false),
        });
        Ok(Self(Source::Client(Cached::new(Box::new(move || Arc::clone(&client).fetch().boxed())))))
    }

    /// A token that is good for a while.
    ///
    /// # Errors
    /// The identity provider gives none.
    pub async fn token(&self) -> Result<Arc<SecretString>, ProviderError> {
        match &self.0 {
            Source::Fixed(token) => Ok(Arc::clone(token)),
            Source::Client(cached) => cached.get().await,
        }
    }

    /// Another token than this one, which was refused; none where there is no other.
    pub async fn newer_than(&self, refused: &Arc<SecretString>) -> Option<Arc<SecretString>> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Client(cached) => cached.newer_than(refused).await,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&"[redacted]").finish()
    }
}

struct Client {
    http: reqwest::Client,
    credentials: ClientCredentials,
    /// The provider refused HTTP Basic and took the secret in the form.
    wants_form: AtomicBool,
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// What it answers when it gives none.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<String>,
}

impl Client {
    /// HTTP Basic first, as RFC 6749 §2.3.1 prefers it; the form where the provider does not know the client that way.
    async fn fetch(self: Arc<Self>) -> Fetched<SecretString> {
        if self.wants_form.load(Ordering::Relaxed) {
            return self.ask(true).await;
        }
        match self.ask(false).await {
            Err(ProviderError::Refused { code, .. }) if code == "invalid_client" => {
                let fetched = self.ask(true).await?;
                self.wants_form.store(true, Ordering::Relaxed);
                Ok(fetched)
            }
            other => other,
        }
    }

    async fn ask(&self, in_form: bool) -> Fetched<SecretString> {
        let url = &self.credentials.token_url;
        let request = self.http.post(url).header(header::ACCEPT, "application/json");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match in_form {
            true => request,
            false => request.header(header::AUTHORIZATION, self.basic()),
        };
        let response = request.body(self.form(in_form)).send().await;
        let response = response.map_err(|source| provider::unreachable(url, source))?;
        match response.status() {
            StatusCode::OK => usable(provider::read_json(response, url).await?, url),
            status => Err(refusal(status, provider::read_json(response, url).await.ok(), url)),
        }
    }

    fn form(&self, with_secret: bool) -> String {
        let credentials = &self.credentials;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !credentials.scopes.is_empty() {
            form.append_pair("scope", &credentials.scopes.join(" "));
        }
        form.extend_pairs(credentials.audience.iter().map(|audience| ("audience", audience)));
        form.extend_pairs(credentials.resource.iter().map(|resource| ("resource", resource)));
        if with_secret {
            form.append_pair("client_id", &credentials.client_id);
            form.append_pair("client_secret", credentials.client_secret.expose_secret());
        }
        form.finish()
    }

    /// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
    fn basic(&self) -> HeaderValue {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let secret = encoded(self.credentials.client_secret.expose_secret());
        let pair = STANDARD.encode(format!("{}:{secret}", encoded(&self.credentials.client_id)));
        let mut value =
            HeaderValue::try_from(format!("Basic {pair}")).unwrap_or(HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }
}

/// The token of an answer, if it can be used.
fn usable(answer: Answer, url: &str) -> Fetched<SecretString> {
    let wrong = |problem: &str| ProviderError::Answer { url: url.to_owned(), problem: problem.to_owned() };
    if answer.token_type.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(wrong("its token is no bearer token"));
    }
    if !bearer::is_token(answer.access_token.expose_secret()) {
        return Err(wrong("its token does not fit into a header"));
    }
    let life = match &answer.expires_in {
        None => Some(UNSAID_LIFE),
        Some(Value::String(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        Some(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let life = life.filter(|life| !life.is_zero());
    Ok((answer.access_token, lifetime(life.ok_or_else(|| wrong("its token has expired already"))?)))
}

fn lifetime(life: Duration) -> Lifetime {
    let life = life.min(LONGEST_LIFE);
    let renewed = life - MARGIN.min(life / 2);
    Lifetime { fresh: renewed - EARLY.min(renewed / 2), renewed, usable: life - LAST_CALL.min(life / 10) }
}

/// Why there is no token. Only OAuth's error code is repeated: descriptions may say anything.
fn refusal(status: StatusCode, answer: Option<Refusal>, url: &str) -> ProviderError {
    let is_code =
        |code: &String| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let code = answer.unwrap_or_default().error.filter(is_code);
    let code = match (code, status) {
        (Some(code), _) => code,
        (None, StatusCode::UNAUTHORIZED) => "invalid_client".to_owned(),
        (None, status) => return provider::unsuccessful(url, status),
    };
    let hint = match code.as_str() {
        "invalid_client" => ": it does not know this client id with this secret",
        "invalid_scope" => ": it does not know a scope, or does not give it to this client",
        "unauthorized_client" | "unsupported_grant_type" => {
            ": this client may not use client credentials there"
        }
        _ => "",
    };
    ProviderError::Refused { url: url.to_owned(), code, hint }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn seconds(lifetime: Lifetime) -> [f64; 3] {
        [lifetime.fresh, lifetime.renewed, lifetime.usable].map(|time| time.as_secs_f64())
    }

    #[rstest]
    #[case::an_hour(3600.0, [3480.0, 3540.0, 3595.0])]
    #[case::five_minutes(300.0, [180.0, 240.0, 295.0])]
    #[case::a_minute(60.0, [15.0, 30.0, 55.0])]
    #[case::a_second(1.0, [0.25, 0.5, 0.9])]
    #[case::for_ever(1e12, [86280.0, 86340.0, 86395.0])]
    fn a_token_is_replaced_a_minute_before_it_expires(#[case] life: f64, #[case] expected: [f64; 3]) {
        assert_eq!(seconds(lifetime(Duration::from_secs_f64(life))), expected);
    }

    fn answer(token_type: Option<&str>, token: &str, expires_in: Option<Value>) -> Answer {
        Answer { access_token: token.into(), token_type: token_type.map(str::to_owned), expires_in }
    }

    #[rstest]
    #[case::usual(answer(Some("Bearer"), "abc", Some(3600.into())), true)]
    #[case::lower_case(answer(Some("bearer"), "abc", None), true)]
    #[case::life_as_text(answer(None, "abc", Some("3600".into())), true)]
    #[case::another_type(answer(Some("DPoP"), "abc", None), false)]
    #[case::a_header_of_its_own(answer(None, "abc\r\nX-Evil: 1", None), false)]
    #[case::no_token(answer(None, "", None), false)]
    #[case::expired(answer(None, "abc", Some(0.into())), false)]
    #[case::expired_long_ago(answer(None, "abc", Some((-1).into())), false)]
    fn only_bearer_tokens_that_live_are_used(#[case] answer: Answer, #[case] expected: bool) {
        assert_eq!(usable(answer, "https://idp/token").is_ok(), expected);
    }

    #[rstest]
    #[case::a_code(400, Some("invalid_scope"), "invalid_scope")]
    #[case::a_sentence(400, Some("your secret is hunter2"), "HTTP 400")]
    #[case::nothing(401, None, "invalid_client")]
    #[case::a_gateway(502, None, "HTTP 502")]
    fn a_refusal_repeats_nothing_but_the_code(
        #[case] status: u16,
        #[case] error: Option<&str>,
        #[case] expected: &str,
    ) {
        let answer = Refusal { error: error.map(str::to_owned) };
        let text =
            refusal(StatusCode::from_u16(status).unwrap(), Some(answer), "https://idp/token").to_string();
        assert!(text.contains(expected) && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_secret_is_in_no_debug_output() {
        let credentials = ClientCredentials {
            token_url: "https://idp/token".to_owned(),
            client_id: "machine".to_owned(),
            client_secret: "hunter2".into(),
            scopes: Vec::new(),
            audience: None,
            resource: None,
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert!(!format!("{:?}", TokenSource::fixed("hunter2".into())).contains("hunter2"));
        assert!(!format!("{:?}", TokenSource::client_credentials(credentials)).contains("hunter2"));
    }

    #[test]
    fn both_halves_of_basic_are_encoded() {
        let credentials = ClientCredentials {
            token_url: "https://idp/token".to_owned(),
            client_id: "a:b".to_owned(),
            client_secret: "c d%".into(),
            scopes: Vec::new(),
            audience: None,
            resource: None,
        };
        let http = provider::client("https://idp/token", TIMEOUT).unwrap();
        let client = Client { http, credentials, wants_form: AtomicBool::new(false) };
        let expected = format!("Basic {}", STANDARD.encode("a%3Ab:c+d%25"));
        assert_eq!(client.basic().to_str().unwrap(), expected);
    }
}
