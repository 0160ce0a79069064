//! Who may call, as the card says it: OAuth 2 client credentials, OpenID Connect, or a bearer token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::types::{
    ClientCredentialsOAuthFlow, HttpAuthSecurityScheme, OAuth2SecurityScheme, OAuthFlows,
    OpenIdConnectSecurityScheme, SecurityRequirement, SecurityScheme, StringList,
};

/// Where callers get tokens and which scopes they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Providers whose tokens are accepted. None: bearer tokens that are handed out by other means.
    pub issuers: Vec<Issuer>,
    /// Scopes with their description.
    pub scopes: BTreeMap<String, String>,
    /// Scopes that every call needs.
    pub required_scopes: Vec<String>,
}

/// A provider whose tokens are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issuer {
    /// Its identifier, the `iss` of its tokens.
    pub issuer: String,
    /// Its token endpoint, where it is known; the client-credentials flow is declared only then.
    pub token_url: Option<String>,
    /// Its metadata as an authorization server (RFC 8414), where it has them.
    pub metadata_url: Option<String>,
}

impl Security {
    /// The schemes by name: `oauth2` and `oidc`, numbered from the second issuer on, or `bearer`.
    pub(super) fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        if self.issuers.is_empty() {
            let bearer = HttpAuthSecurityScheme {
                description: String::new(),
                scheme: "Bearer".to_owned(),
                bearer_format: String::new(),
            };
            return [("bearer".to_owned(), SecurityScheme::HttpAuthSecurityScheme(bearer))].into();
        }
        let issuers = self.issuers.iter().enumerate();
        issuers.flat_map(|(index, issuer)| self.schemes_of(index, issuer)).collect()
    }

    fn schemes_of(&self, index: usize, issuer: &Issuer) -> Vec<(String, SecurityScheme)> {
        let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
        let oidc = OpenIdConnectSecurityScheme {
            description: format!("A token of {}", issuer.issuer),
            open_id_connect_url: format!(
                "{}/.well-known/openid-configuration",
                issuer.issuer.trim_end_matches('/')
            ),
        };
        let oauth2 = issuer.token_url.as_ref().map(|token_url| OAuth2SecurityScheme {
            description: format!("A machine token of {}", issuer.issuer),
            flows: OAuthFlows::ClientCredentials(ClientCredentialsOAuthFlow {
                token_url: token_url.clone(),
                refresh_url: String::new(),
                scopes: self.scopes.clone(),
            }),
            oauth2_metadata_url: issuer.metadata_url.clone().unwrap_or_default(),
        });
        let oauth2 =
            oauth2.map(|oauth2| (format!("oauth2{number}"), SecurityScheme::Oauth2SecurityScheme(oauth2)));
        let oidc = (format!("oidc{number}"), SecurityScheme::OpenIdConnectSecurityScheme(oidc));
        oauth2.into_iter().chain([oidc]).collect()
    }

    /// One of the schemes, with the scopes that every call needs and these.
    pub(super) fn requirements(&self, more: &[String]) -> Vec<SecurityRequirement> {
        let mut scopes = self.required_scopes.clone();
        scopes.extend(more.iter().filter(|scope| !self.required_scopes.contains(scope)).cloned());
        let requirement = |name: String| SecurityRequirement {
            schemes: [(name, StringList { list: scopes.clone() })].into(),
        };
        self.schemes().into_keys().map(requirement).collect()
    }
}

/// A scheme as 0.3 writes it.
pub(super) fn scheme_v03(scheme: &SecurityScheme) -> Value {
    let (kind, mut value) = match scheme {
        SecurityScheme::ApiKeySecurityScheme(key) => {
            ("apiKey", json!({ "description": key.description, "in": key.location, "name": key.name }))
        }
        SecurityScheme::HttpAuthSecurityScheme(http) => ("http", json!(http)),
        SecurityScheme::Oauth2SecurityScheme(oauth2) => ("oauth2", json!(oauth2)),
        SecurityScheme::OpenIdConnectSecurityScheme(oidc) => ("openIdConnect", json!(oidc)),
        SecurityScheme::MtlsSecurityScheme(mtls) => ("mutualTLS", json!(mtls)),
    };
    value["type"] = json!(kind);
    value
}

/// Requirements as 0.3 writes them.
pub(super) fn requirements_v03(requirements: &[SecurityRequirement]) -> Value {
    let requirement = |requirement: &SecurityRequirement| -> BTreeMap<String, Vec<String>> {
        requirement.schemes.iter().map(|(name, scopes)| (name.clone(), scopes.list.clone())).collect()
    };
    json!(requirements.iter().map(requirement).collect::<Vec<_>>())
}
