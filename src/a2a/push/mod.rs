//! Push notifications: a task's log, delivered to where its owner wants it.
//!
//! What is guaranteed:
//!
//! 1. At least once: what a task's log has after a configuration's cursor is delivered, or the configuration is given up
//!    and says why. A restart loses nothing; a repeat bears the same notification id.
//! 2. In order, one at a time, for each configuration.
//! 3. A receiver that is slow or down holds up neither the task nor other receivers.
//! 4. Nothing is sent to an address that is not reachable from everywhere, unless the operator has allowed it.
//!
//! `wire` is what peers write, `methods` what they ask for, `dispatcher` who works, `worker` the order of deliveries,
//! `retry` what follows from an attempt, `sender` the attempt, `guard` where it may go, `headers` how it proves itself.

mod address;
mod allow;
mod dispatcher;
mod guard;
mod headers;
mod lanes;
mod methods;
mod retry;
mod sender;
mod settings;
mod wire;
mod worker;

pub use allow::{AllowRule, AllowRuleError};
pub(in crate::a2a) use dispatcher::AttachError;
pub use dispatcher::Push;
pub use guard::Lookup;
pub use headers::JwtSigner;
pub use lanes::PushConcurrency;
pub use retry::RetryPolicy;
pub use settings::PushSettings;
