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
            return [("bearer".to_owned(), bearer())].into();
        }
        let mut schemes = BTreeMap::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
            schemes.insert(format!("oidc{number}"), issuer.oidc());
            if let Some(oauth2) = issuer.oauth2(&self.scopes) {
                schemes.insert(format!("oauth2{number}"), oauth2);
            }
        }
        schemes
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

impl Issuer {
    fn oidc(&self) -> SecurityScheme {
        let discovery = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let scheme = OpenIdConnectSecurityScheme {
            description: format!("A token of {}", self.issuer),
            open_id_connect_url: discovery,
        };
        SecurityScheme { open_id_connect_security_scheme: Some(scheme), ..SecurityScheme::default() }
    }

    fn oauth2(&self, scopes: &BTreeMap<String, String>) -> Option<SecurityScheme> {
        let flow = ClientCredentialsOAuthFlow {
            token_url: self.token_url.clone()?,
            refresh_url: String::new(),
            scopes: scopes.clone(),
        };
        let scheme = OAuth2SecurityScheme {
            description: format!("A machine token of {}", self.issuer),
            flows: OAuthFlows { client_credentials: Some(flow), ..OAuthFlows::default() },
            oauth2_metadata_url: self.metadata_url.clone().unwrap_or_default(),
        };
        Some(SecurityScheme { oauth2_security_scheme: Some(scheme), ..SecurityScheme::default() })
    }
}

fn bearer() -> SecurityScheme {
    let scheme = HttpAuthSecurityScheme {
        description: String::new(),
        scheme: "Bearer".to_owned(),
        bearer_format: String::new(),
    };
    SecurityScheme { http_auth_security_scheme: Some(scheme), ..SecurityScheme::default() }
}

/// A scheme as 0.3 writes it.
pub(super) fn scheme_v03(scheme: &SecurityScheme) -> Value {
    let kinds = [
        ("http", json!(scheme.http_auth_security_scheme)),
        ("oauth2", json!(scheme.oauth2_security_scheme)),
        ("openIdConnect", json!(scheme.open_id_connect_security_scheme)),
    ];
    let found = kinds.into_iter().find(|(_, scheme)| !scheme.is_null());
    found.map_or(Value::Null, |(kind, mut scheme)| {
        scheme["type"] = json!(kind);
        scheme
    })
}

/// Requirements as 0.3 writes them.
pub(super) fn requirements_v03(requirements: &[SecurityRequirement]) -> Value {
    let requirement = |requirement: &SecurityRequirement| -> BTreeMap<String, Vec<String>> {
        requirement.schemes.iter().map(|(name, scopes)| (name.clone(), scopes.list.clone())).collect()
    };
    json!(requirements.iter().map(requirement).collect::<Vec<_>>())
}
