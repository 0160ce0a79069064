//! What both bindings share: who is let in, how much of what is read, and where the methods find their parts.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::future::join_all;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::request::Parts;
use http::{HeaderMap, header};

use super::caller::Caller;
use super::errors::A2aError;
use super::methods::Methods;
use super::push::Push;
use crate::agent_card::{Form, PublishedCard};
use crate::auth::{AuthError, Authenticator, Principal};
use crate::tasks::{Owner, TaskRunner};

/// Upper bounds of requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Requests of one owner in a second, twice as many in a burst; `None` means any number.
    pub per_second: Option<NonZeroU32>,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { max_body: 4 << 20, body_timeout: Duration::from_secs(30), per_second: None }
    }
}

/// The parts of one agent's A2A surface.
#[derive(Debug, Clone)]
pub struct Surface {
    /// Runs the tasks.
    pub runner: TaskRunner,
    /// Delivers what happens to them.
    pub push: Push,
    /// Says who the agent is.
    pub card: PublishedCard,
    /// Says who calls.
    pub authenticator: Authenticator,
    /// Upper bounds of requests.
    pub limits: RequestLimits,
}

impl Surface {
    /// Push notifications, where the card offers them.
    pub(super) fn offered_push(&self) -> Result<&Push, A2aError> {
        match self.card.public(Form::V1)["capabilities"]["pushNotifications"] == true {
            true => Ok(&self.push),
            false => Err(A2aError::PushNotificationNotSupported),
        }
    }
}

/// The surface as it is served. Cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) surface: Arc<Surface>,
    pub(super) methods: Methods,
    rates: Option<Arc<DefaultKeyedRateLimiter<Owner>>>,
    card: Arc<Mutex<PublishedCard>>,
}

/// How long a reader of the card waits for an issuer to say where its tokens come from.
const ISSUER_PATIENCE: Duration = Duration::from_secs(1);

/// Most of a refused request's body that is read and thrown away, in bytes, and how long that may take.
const DISCARDED: usize = 64 << 10;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Owners whose rate is remembered at a time; those that have been quiet are forgotten then.
const REMEMBERED_RATES: usize = 10_000;

impl Service {
    pub(super) fn new(surface: Surface) -> Self {
        let quota = surface.limits.per_second.map(|rate| {
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
        });
        let surface = Arc::new(surface);
        Self {
            methods: Methods::new(Arc::clone(&surface)),
            rates: quota.map(|quota| Arc::new(RateLimiter::keyed(quota))),
            card: Arc::new(Mutex::new(surface.card.clone())),
            surface,
        }
    }

    /// The card, with where tokens come from as far as the issuers say it in time. They are asked when the card first
    /// is; what they say is remembered.
    pub(super) async fn card(&self) -> PublishedCard {
        let asked = self.surface.authenticator.issuers().iter().map(async |issuer| {
            let endpoint = tokio::time::timeout(ISSUER_PATIENCE, issuer.token_endpoint()).await.ok()??;
            Some((issuer.url(), endpoint))
        });
        let known: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        let mut card = self.known_card();
        for (issuer, endpoint) in known {
            if let Err(error) = card.learn_token_url(issuer, &endpoint) {
                tracing::error!(%error, "the card cannot say where tokens come from");
            }
        }
        card.clone()
    }

    /// The one place that says who calls, and then the body. Of who is refused little more than the head is read: just
    /// what is there, so that the connection can be used again.
    pub(super) async fn admit(&self, parts: &Parts, body: Body) -> Result<(Principal, Bytes), A2aError> {
        match self.known(parts).await {
            Ok(principal) => Ok((principal, self.read_body(body).await?)),
            Err(error) => {
                let _ = tokio::time::timeout(DISCARD_TIME, to_bytes(body, DISCARDED)).await;
                Err(error)
            }
        }
    }

    async fn known(&self, parts: &Parts) -> Result<Principal, A2aError> {
        let principal = self.surface.authenticator.authenticate(&parts.headers).await?;
        self.check_rate(Owner(principal.id.clone()))?;
        Ok(principal)
    }

    /// What the headers say, for who was admitted.
    pub(super) fn caller(&self, parts: &Parts, principal: Principal) -> Result<Caller, A2aError> {
        Caller::read(parts, principal, &self.known_card())
    }

    fn known_card(&self) -> MutexGuard<'_, PublishedCard> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_rate(&self, owner: Owner) -> Result<(), A2aError> {
        let Some(rates) = &self.rates else { return Ok(()) };
        if rates.len() > REMEMBERED_RATES {
            rates.retain_recent();
        }
        rates.check_key(&owner).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            A2aError::TooManyRequests {
                problem: "Too many requests; Retry-After says when to go on".to_owned(),
                retry_after: wait.as_secs() + 1,
            }
        })
    }

    /// The body, unless it is too large or takes too long.
    async fn read_body(&self, body: Body) -> Result<Bytes, A2aError> {
        let limits = self.surface.limits;
        let read = tokio::time::timeout(limits.body_timeout, to_bytes(body, limits.max_body)).await;
        read.ok().and_then(Result::ok).ok_or(A2aError::BodyNotRead { most: limits.max_body })
    }
}

/// A body that says it is something else than JSON is not read: browsers send such bodies across sites unasked.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), A2aError> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let content_type = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type == "application/json" || media_type.ends_with("+json") {
        true => Ok(()),
        false => Err(A2aError::ContentTypeNotSupported(
            "Content-Type has to be application/json or application/a2a+json".to_owned(),
        )),
    }
}

impl From<AuthError> for A2aError {
    fn from(error: AuthError) -> Self {
        let problem = error.to_string();
        let challenge = error.www_authenticate();
        match error {
            AuthError::Missing | AuthError::Invalid(_) => Self::Unauthenticated { problem, challenge },
            AuthError::InsufficientScope { .. } => Self::Forbidden { problem, challenge },
            AuthError::Unavailable => Self::Unavailable(problem),
        }
    }
}
