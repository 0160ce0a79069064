//! Who may call: the flags, and the authenticator that they mean.

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};

use super::said;
use crate::auth::{Authenticator, IssuerSettings, Scopes};

const HEADING: &str = "Who may call";

/// Who may call a server.
#[derive(Debug, Clone, Default, Args)]
pub struct AuthArgs {
    /// How callers are known [default: jwt where there is an --issuer, else none]
    #[arg(long, value_enum, value_name = "MODE", env = "DRYDOCK_AUTH", help_heading = HEADING)]
    pub auth: Option<AuthMode>,
    /// OpenID Connect issuer whose access tokens are accepted, spelled as in its tokens; repeatable
    #[arg(long = "issuer", value_name = "URL", env = "DRYDOCK_ISSUER", value_delimiter = ',', help_heading = HEADING)]
    pub issuers: Vec<String>,
    /// Client that a token has to be issued to, one of these; repeatable [default: any client of the issuer]
    #[arg(long = "allowed-client", value_name = "ID", env = "DRYDOCK_ALLOWED_CLIENTS", value_delimiter = ',', help_heading = HEADING)]
    pub clients: Vec<String>,
    /// Audience that a token has to be meant for, one of these; repeatable. Tokens of Cognito have none
    #[arg(long = "audience", value_name = "NAME", env = "DRYDOCK_AUDIENCE", value_delimiter = ',', help_heading = HEADING)]
    pub audiences: Vec<String>,
    /// Scope that a token needs for any call, all of these; repeatable
    #[arg(long = "required-scope", value_name = "SCOPE", env = "DRYDOCK_REQUIRED_SCOPES", value_delimiter = ',', help_heading = HEADING)]
    pub required_scopes: Vec<String>,
    /// Scope that a token needs to ask for changes [default: nobody may]
    #[arg(long, value_name = "SCOPE", env = "DRYDOCK_WRITE_SCOPE", help_heading = HEADING)]
    pub write_scope: Option<String>,
    /// Where the keys of the issuer are, if it has no discovery document
    #[arg(long, value_name = "URL", env = "DRYDOCK_JWKS_URL", help_heading = HEADING)]
    pub jwks_url: Option<String>,
}

/// How callers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Nobody is asked. Served on this machine only, unless --allow-unauthenticated
    None,
    /// By a bearer token that is checked with the keys of its --issuer
    Jwt,
    /// By what stands in front and has checked them: Amazon Bedrock AgentCore Runtime. Their tokens are read, not
    /// checked: whoever reaches this port in another way is believed anything
    Platform,
}

impl AuthArgs {
    /// The mode that is said or meant.
    pub fn mode(&self) -> AuthMode {
        let meant = if said(&self.issuers).is_empty() { AuthMode::None } else { AuthMode::Jwt };
        self.auth.unwrap_or(meant)
    }

    /// What these flags mean.
    ///
    /// # Errors
    /// They contradict each other, or a URL is not one that keys may come from.
    pub fn authenticator(&self) -> anyhow::Result<Authenticator> {
        let scopes = self.scopes()?;
        match self.mode() {
            AuthMode::None => {
                let useless = self.flags_of_tokens().into_iter().chain(self.flags_of_scopes());
                if let Some(flag) = useless.flatten().next() {
                    bail!(
                        "{flag} says something about tokens, and no tokens are asked for: add --issuer URL, or drop it"
                    );
                }
                Ok(Authenticator::anonymous())
            }
            AuthMode::Platform => {
                if let Some(flag) = self.flags_of_tokens().into_iter().flatten().next() {
                    bail!(
                        "{flag} is for checking tokens, which --auth platform leaves to the platform: drop one of them"
                    );
                }
                Ok(Authenticator::platform().with_scopes(scopes))
            }
            AuthMode::Jwt => Ok(Authenticator::jwt(self.issuer_settings()?)?.with_scopes(scopes)),
        }
    }

    fn issuer_settings(&self) -> anyhow::Result<Vec<IssuerSettings>> {
        let issuers = said(&self.issuers);
        ensure!(
            !issuers.is_empty(),
            "--auth jwt checks the tokens of an issuer: say which with --issuer URL"
        );
        ensure!(
            issuers.len() == 1 || self.jwks_url.is_none(),
            "--jwks-url holds the keys of one issuer, and there are {}: issuers with a discovery document need none",
            issuers.len()
        );
        let (audiences, clients) = (said(&self.audiences), said(&self.clients));
        if audiences.is_empty() && clients.is_empty() && said(&self.required_scopes).is_empty() {
            tracing::warn!(
                "every access token of the issuer is accepted, whatever it was issued for: narrow that with \
                 --allowed-client, --audience or --required-scope"
            );
        }
        let settings = |url: String| IssuerSettings {
            url,
            jwks_url: self.jwks_url.clone(),
            audiences: audiences.clone(),
            clients: clients.clone(),
        };
        Ok(issuers.into_iter().map(settings).collect())
    }

    fn scopes(&self) -> anyhow::Result<Scopes> {
        let required: Vec<String> = said(&self.required_scopes).into_iter().collect();
        for scope in required.iter().chain(&self.write_scope) {
            ensure!(
                is_scope(scope),
                "{scope:?} is not one scope: give each with a flag of its own, without quotes in it"
            );
        }
        Ok(Scopes { required, write: self.write_scope.clone() })
    }

    /// The flags about which tokens are accepted, where they are said.
    fn flags_of_tokens(&self) -> [Option<&'static str>; 4] {
        [
            (!said(&self.issuers).is_empty()).then_some("--issuer"),
            (!said(&self.audiences).is_empty()).then_some("--audience"),
            (!said(&self.clients).is_empty()).then_some("--allowed-client"),
            self.jwks_url.as_ref().map(|_| "--jwks-url"),
        ]
    }

    /// The flags about what tokens have to allow, where they are said.
    fn flags_of_scopes(&self) -> [Option<&'static str>; 2] {
        [
            (!said(&self.required_scopes).is_empty()).then_some("--required-scope"),
            self.write_scope.as_ref().map(|_| "--write-scope"),
        ]
    }
}

/// A scope as RFC 6749 §3.3 has it: no spaces, quotes or backslashes.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        auth: AuthArgs,
    }

    const ISSUER: &str = "https://idp.example.com/pool";

    fn args(arguments: &[&str]) -> AuthArgs {
        Cli::try_parse_from(["x"].iter().chain(arguments)).expect("these arguments are known").auth
    }

    #[rstest]
    #[case::nothing(&[], AuthMode::None)]
    #[case::an_issuer(&["--issuer", ISSUER], AuthMode::Jwt)]
    #[case::an_empty_variable(&["--issuer", ""], AuthMode::None)]
    #[case::said(&["--auth", "platform"], AuthMode::Platform)]
    fn the_mode_follows_from_what_is_said(#[case] arguments: &[&str], #[case] expected: AuthMode) {
        let args = args(arguments);
        assert_eq!(args.mode(), expected);
        assert_eq!(args.authenticator().unwrap().is_anonymous(), expected == AuthMode::None);
    }

    #[test]
    fn issuers_share_the_lists() {
        let args = args(&[
            "--issuer",
            "https://a.example,https://b.example",
            "--required-scope",
            "r",
            "--write-scope",
            "w",
        ]);
        let authenticator = args.authenticator().unwrap();
        let issuers: Vec<&str> = authenticator.issuers().iter().map(crate::auth::Issuer::url).collect();
        assert_eq!(issuers, ["https://a.example", "https://b.example"]);
        assert_eq!(
            *authenticator.scopes(),
            Scopes { required: vec!["r".to_owned()], write: Some("w".to_owned()) }
        );
    }

    #[rstest]
    #[case::jwt_of_whom(&["--auth", "jwt"], "--issuer URL")]
    #[case::none_with_an_issuer(&["--auth", "none", "--issuer", ISSUER], "--issuer")]
    #[case::a_scope_of_whom(&["--required-scope", "r"], "--issuer URL")]
    #[case::clients_of_whom(&["--allowed-client", "c"], "--allowed-client")]
    #[case::the_platform_checks(&["--auth", "platform", "--issuer", ISSUER], "--auth platform")]
    #[case::whose_keys(&["--issuer", "https://a.example,https://b.example", "--jwks-url", "https://a.example/k"], "--jwks-url")]
    #[case::clear_text(&["--issuer", "http://idp.example.com"], "https")]
    #[case::keys_in_clear_text(&["--issuer", ISSUER, "--jwks-url", "http://idp.example.com/k"], "https")]
    #[case::two_scopes_in_one(&["--issuer", ISSUER, "--required-scope", "a b"], "\"a b\"")]
    fn what_contradicts_itself_is_refused_with_what_to_do(
        #[case] arguments: &[&str],
        #[case] expected: &str,
    ) {
        let error = args(arguments).authenticator().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
