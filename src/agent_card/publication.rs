//! What a card is completed with.

use super::security::Security;

/// Path of the HTTP+JSON binding below the agent's URL.
pub const REST_PATH: &str = "/rest";

/// What the configuration says about an agent. Start with [`Publication::at`] and set what differs.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Base URL under which clients reach the agent, such as `https://drydock.example.com`.
    pub url: String,
    /// True where `url` is only a guess: the card then names the host that each reader asked for.
    pub url_from_host: bool,
    /// Whether the HTTP+JSON binding is served, at [`REST_PATH`].
    pub rest: bool,
    /// Who may call. None: everyone.
    pub security: Option<Security>,
    /// Whether webhooks are called.
    pub push: bool,
    /// Whether authenticated callers are told more. Makes sense only where callers are authenticated.
    pub extended: bool,
    /// What only they are told, such as which cluster this agent looks at: sentences that follow the description.
    pub details: Option<String>,
}

impl Publication {
    /// An agent at this URL that everyone may call, over JSON-RPC only, without push.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            url_from_host: false,
            rest: false,
            security: None,
            push: false,
            extended: false,
            details: None,
        }
    }
}
