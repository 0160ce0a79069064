//! How a command that calls an agent says who it is.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;
use serde_json::Value;

use crate::a2a::A2aClient;
use crate::auth::{ClientCredentials, TokenSource, discover};
use crate::config::client_secret;

const HEADING: &str = "Who is asking";

/// A token, or where to get one.
#[derive(Debug, Args)]
pub(super) struct CredentialArgs {
    /// Bearer token
    #[arg(long, value_name = "TOKEN", env = "DRYDOCK_TOKEN", hide_env_values = true, conflicts_with = "client_id", help_heading = HEADING)]
    token: Option<SecretString>,
    /// Id of this machine at an identity provider: its tokens are fetched by client credentials
    #[arg(long, value_name = "ID", env = "DRYDOCK_CLIENT_ID", help_heading = HEADING)]
    client_id: Option<String>,
    /// File with the secret of this machine [default: the variable DRYDOCK_CLIENT_SECRET]
    #[arg(long, value_name = "FILE", requires = "client_id", help_heading = HEADING)]
    client_secret_file: Option<PathBuf>,
    /// Where its tokens come from
    #[arg(long, value_name = "URL", env = "DRYDOCK_TOKEN_URL", requires = "client_id", conflicts_with = "issuer", help_heading = HEADING)]
    token_url: Option<String>,
    /// The same, found out by OpenID Connect discovery
    #[arg(long, value_name = "URL", requires = "client_id", help_heading = HEADING)]
    issuer: Option<String>,
    /// Scope to ask for; repeatable [default: what the provider gives unasked]
    #[arg(long = "scope", value_name = "SCOPE", env = "DRYDOCK_SCOPES", value_delimiter = ',', requires = "client_id", help_heading = HEADING)]
    scopes: Vec<String>,
    /// API that the token is for, where the provider wants to be told (Auth0)
    #[arg(long, value_name = "NAME", requires = "client_id", help_heading = HEADING)]
    audience: Option<String>,
    /// The same as RFC 8707 spells it
    #[arg(long, value_name = "URL", requires = "client_id", help_heading = HEADING)]
    resource: Option<String>,
}

impl CredentialArgs {
    /// Where the tokens for the agent at `url` come from. None: it is called without.
    ///
    /// # Errors
    /// It is not said where the tokens or the secret come from, or the issuer does not say it.
    pub(super) async fn token_source(&self, url: &str) -> anyhow::Result<Option<TokenSource>> {
        let Some(client_id) = self.client_id.clone() else {
            return Ok(self.token.clone().map(TokenSource::fixed));
        };
        let secret = client_secret(self.client_secret_file.as_deref())?;
        let client_secret = secret.with_context(|| {
            format!("what is the secret of {client_id}? Say --client-secret-file FILE, or set DRYDOCK_CLIENT_SECRET")
        })?;
        let token_url = match (&self.token_url, &self.issuer) {
            (Some(token_url), _) => token_url.clone(),
            (None, Some(issuer)) => {
                let endpoint = discover(issuer).await?.token_endpoint;
                endpoint.with_context(|| format!("{issuer} names no token endpoint: say --token-url URL"))?
            }
            (None, None) => bail!(where_from(url).await),
        };
        let scopes = self.scopes.iter().filter(|scope| !scope.is_empty()).cloned().collect();
        let (audience, resource) = (self.audience.clone(), self.resource.clone());
        let credentials =
            ClientCredentials { token_url, client_id, client_secret, scopes, audience, resource };
        Ok(Some(TokenSource::client_credentials(credentials)?))
    }
}

/// What to do where nobody said where tokens come from. The agent's card is asked, and not believed: whoever writes a card
/// could have our secret sent anywhere.
async fn where_from(url: &str) -> String {
    let named = match A2aClient::connect(url, None).await {
        Ok(client) => token_urls(client.card()),
        Err(_) => Vec::new(),
    };
    match named.first() {
        Some(named) => format!(
            "where do the tokens of this machine come from? The agent's card says {named}: if that is your identity \
             provider, say --token-url {named}"
        ),
        None => {
            "where do the tokens of this machine come from? Say --token-url URL or --issuer URL".to_owned()
        }
    }
}

/// The token URLs of the client credentials flows in a card, of either dialect.
fn token_urls(card: &Value) -> Vec<String> {
    let schemes = card["securitySchemes"].as_object().into_iter().flatten();
    let flows = schemes.map(|(_, scheme)| match scheme.get("oauth2SecurityScheme") {
        Some(scheme) => &scheme["flows"],
        None => &scheme["flows"],
    });
    flows.filter_map(|flows| Some(flows["clientCredentials"]["tokenUrl"].as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::of_1_0(json!({ "a": { "oauth2SecurityScheme": { "flows": { "clientCredentials": { "tokenUrl": "u" } } } } }), &["u"])]
    #[case::of_0_3(json!({ "a": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "u" } } } }), &["u"])]
    #[case::for_people(json!({ "a": { "type": "oauth2", "flows": { "authorizationCode": { "tokenUrl": "u" } } } }), &[])]
    #[case::none(json!(null), &[])]
    fn a_card_says_where_tokens_come_from(#[case] schemes: Value, #[case] expected: &[&str]) {
        assert_eq!(token_urls(&json!({ "securitySchemes": schemes })), expected);
    }
}
