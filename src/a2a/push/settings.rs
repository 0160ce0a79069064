//! What an operator decides about push notifications.

use std::fmt;
use std::time::Duration;

use super::allow::AllowRule;
use super::guard::Lookup;
use super::headers::JwtSigner;
use super::lanes::PushConcurrency;
use super::retry::RetryPolicy;
use crate::tasks::PushLimits;

/// How notifications are delivered, and to whom.
#[derive(Clone)]
pub struct PushSettings {
    /// Receivers that may be on a private network and speak plain HTTP.
    pub allow: Vec<AllowRule>,
    /// How many configurations there may be.
    pub limits: PushLimits,
    /// How often and how long a delivery is tried.
    pub retry: RetryPolicy,
    /// How many deliveries run at the same time.
    pub concurrency: PushConcurrency,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Signs with the agent's key; without it the scheme `JWT` is refused.
    pub signer: Option<JwtSigner>,
    /// Finds the addresses of names; without it the system does.
    pub lookup: Option<Lookup>,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            limits: PushLimits::default(),
            retry: RetryPolicy::default(),
            concurrency: PushConcurrency::default(),
            timeout: Duration::from_secs(15),
            signer: None,
            lookup: None,
        }
    }
}

impl fmt::Debug for PushSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushSettings")
            .field("allow", &self.allow)
            .field("limits", &self.limits)
            .field("retry", &self.retry)
            .field("concurrency", &self.concurrency)
            .field("timeout", &self.timeout)
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}
