//! What a card is completed with.

use super::security::Security;
use super::signature::CardSigner;
use super::source::{CardError, CardSource, wrong};

/// Path of the HTTP+JSON binding below the agent's URL.
pub const REST_PATH: &str = "/rest";
/// Path of the public keys of the card's signatures below the agent's URL.
pub const KEYS_PATH: &str = "/.well-known/jwks.json";

/// What the configuration says about an agent. Start with [`Publication::at`] and set what differs.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Base URL under which clients reach the agent, such as `https://drydock.example.com`. One with a query is the
    /// endpoint itself.
    pub url: String,
    /// True where `url` is only a guess: the card then names the host that each reader asked. Whoever signs has to know
    /// the URL, because a reader could have the card signed with a host of its choice.
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
    /// Who signs the card; several while a key is replaced.
    pub signers: Vec<CardSigner>,
}

impl Publication {
    /// An agent at this URL that everyone may call, over JSON-RPC only, without push, not signed.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            url_from_host: false,
            rest: false,
            security: None,
            push: false,
            extended: false,
            details: None,
            signers: Vec::new(),
        }
    }

    /// A path below the URL.
    pub(super) fn url_of(&self, path: &str) -> String {
        match self.url.contains('?') {
            true => self.url.clone(),
            false => format!("{}{path}", self.url.trim_end_matches('/')),
        }
    }

    /// Holds the claims of a card against what is offered.
    pub(super) fn check(&self, source: &CardSource) -> Result<(), CardError> {
        let capabilities = &source.card.capabilities;
        let claims = [
            ("capabilities.pushNotifications", capabilities.push_notifications, self.push),
            ("capabilities.extendedAgentCard", capabilities.extended_agent_card, self.extended),
        ];
        for (member, claimed, offered) in claims {
            if claimed == Some(true) && !offered {
                return Err(wrong(member, "claims what this server does not offer"));
            }
        }
        let scoped = source.scopes.iter().find(|(_, scopes)| !scopes.is_empty());
        if let (Some((skill, _)), None) = (scoped, &self.security) {
            return Err(wrong("skills", format!("say that {skill} needs scopes, but everyone may call")));
        }
        if self.url_from_host && !self.signers.is_empty() {
            return Err(CardError::NoUrlToSign);
        }
        Ok(())
    }
}
