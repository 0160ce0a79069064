//! One attempt to deliver one notification.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::sync::OnceCell;

use super::PushSettings;
use super::guard::{ForbiddenAddress, Guard, GuardedResolver, Lookup, Route, system_lookup};
use super::headers::{JwtSigner, Notification};
use super::lanes::Lanes;
use super::retry::{Answer, retry_after};
use crate::a2a::types::Timestamp;
use crate::tasks::PushConfig;

/// How much of a receiver's answer is read, so that the connection can be used again.
const MAX_ANSWER: usize = 64 << 10;
/// How long that may take.
const ANSWER_TIME: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("drydock/", env!("CARGO_PKG_VERSION"));

pub(super) struct Sender {
    pub(super) guard: Guard,
    pub(super) signer: Option<JwtSigner>,
    lanes: Lanes,
    lookup: Lookup,
    timeout: Duration,
    /// One for each route, made when first needed: making one reads the machine's certificates.
    clients: [OnceCell<Client>; 3],
}

impl Sender {
    pub(super) fn new(settings: PushSettings) -> Self {
        Self {
            guard: Guard::new(settings.allow),
            signer: settings.signer,
            lanes: Lanes::new(settings.concurrency),
            lookup: settings.lookup.unwrap_or_else(system_lookup),
            timeout: settings.timeout,
            clients: Default::default(),
        }
    }

    /// Delivers entry `sequence` of a task.
    pub(super) async fn deliver(&self, config: &PushConfig, sequence: u64, body: Bytes) -> Answer {
        // What is allowed may have changed since the configuration was made.
        let (url, route) = match self.guard.check(&config.url) {
            Ok(checked) => checked,
            Err(problem) => return Answer::Hopeless(format!("the URL {problem}")),
        };
        let receiver = origin(&url);
        let Ok(_pass) = self.lanes.enter(&config.owner.0, &receiver).await else {
            return later("the server stops");
        };
        let notification = Notification { config, sequence, body: &body, url: &url, now: Timestamp::now() };
        let headers = match notification.headers(self.signer.as_ref()) {
            Ok(headers) => headers,
            Err(error) => return Answer::Hopeless(error.to_string()),
        };
        let client = match self.client(route).await {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(error = &*error, "the client for push notifications cannot be made");
                return later("the client for push notifications cannot be made");
            }
        };
        match client.post(url).headers(headers).body(body).send().await {
            Ok(response) => judge(response).await,
            Err(error) => answer_of(&error),
        }
    }

    async fn client(&self, route: Route) -> Result<&Client, Box<dyn Error + Send + Sync>> {
        self.clients[route as usize]
            .get_or_try_init(|| async {
                let resolver =
                    GuardedResolver { guard: self.guard.clone(), route, lookup: self.lookup.clone() };
                let timeout = self.timeout;
                tokio::task::spawn_blocking(move || client(resolver, route, timeout))
                    .await?
                    .map_err(Into::into)
            })
            .await
    }
}

fn client(resolver: GuardedResolver, route: Route, timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .dns_resolver(resolver)
        .redirect(Policy::none())
        .no_proxy()
        .https_only(route == Route::Public)
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(2)
        .build()
}

/// A receiver without its path and query, which may hold secrets.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn later(reason: impl Into<String>) -> Answer {
    Answer::Failed { reason: reason.into(), retry_after: None }
}

/// What a receiver's status means. The body counts for nothing.
async fn judge(response: Response) -> Answer {
    let status = response.status();
    let wish = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = wish.and_then(|wish| retry_after(wish, Timestamp::now()));
    let _ = tokio::time::timeout(ANSWER_TIME, drain(response)).await;
    match status {
        status if status.is_success() => Answer::Delivered,
        StatusCode::GONE => Answer::Hopeless("the receiver is gone (HTTP 410)".to_owned()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Answer::Failed { reason: format!("HTTP {}", status.as_u16()), retry_after }
        }
        status if status.is_client_error() => Answer::Refused(format!("HTTP {}", status.as_u16())),
        status if status.is_redirection() => {
            Answer::Refused(format!("HTTP {}: redirects are not followed", status.as_u16()))
        }
        status => Answer::Failed { reason: format!("HTTP {}", status.as_u16()), retry_after },
    }
}

async fn drain(mut response: Response) {
    let mut seen = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        seen += chunk.len();
        if seen > MAX_ANSWER {
            return;
        }
    }
}

fn answer_of(error: &reqwest::Error) -> Answer {
    if cause::<ForbiddenAddress>(error).is_some() {
        return Answer::Hopeless("forbidden address: the name is on a private network".to_owned());
    }
    if error.is_timeout() {
        return later("no answer in time");
    }
    let kind = cause::<io::Error>(error).map(|error| format!(" ({})", error.kind())).unwrap_or_default();
    match error.is_connect() {
        true => later(format!("no connection{kind}")),
        false => later(format!("the connection broke{kind}")),
    }
}

/// The first cause of this type, however deep.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut error = error;
    loop {
        match error.downcast_ref() {
            Some(cause) => return Some(cause),
            None => error = error.source()?,
        }
    }
}
