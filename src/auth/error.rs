//! Why a caller is refused, and what the answer says about it.

use http::{HeaderValue, StatusCode};

/// Why a caller is refused. The texts are public: what exactly is wrong with a token is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no bearer token.
    #[error("A bearer token is needed")]
    Missing,
    /// There is one, and it is refused. The text says why in a few words and nothing of the token.
    #[error("{0}")]
    Invalid(&'static str),
    /// The token is good and does not allow this.
    #[error("The token lacks a scope: {}", required.join(" "))]
    InsufficientScope {
        /// All the scopes that are needed.
        required: Vec<String>,
    },
    /// Tokens cannot be checked now: the issuer's keys cannot be had. Trying again may help.
    #[error("Tokens cannot be checked at the moment, try again later")]
    Unavailable,
}

impl AuthError {
    /// The HTTP status of the answer: 401, 403 or 503.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid(_) => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error code of RFC 6750 §3.1; `temporarily_unavailable` (RFC 6749) where the fault is not the caller's.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Invalid(_) => "invalid_token",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    /// The `WWW-Authenticate` header of the answer (RFC 6750 §3): without an error code where no token was sent, and none
    /// at all where the fault is not the caller's.
    pub fn www_authenticate(&self) -> Option<HeaderValue> {
        self.challenge(None, &[])
    }

    /// The same, which says where the metadata of the protected resource are (RFC 9728 §5.1), and to who has no good
    /// token which scopes one needs.
    pub fn challenge(&self, resource_metadata: Option<&str>, scopes: &[String]) -> Option<HeaderValue> {
        let mut challenge = r#"Bearer realm="drydock""#.to_owned();
        let mut add = |name: &str, value: &str| challenge.push_str(&format!(r#", {name}="{value}""#));
        match self {
            Self::Missing => {}
            Self::Invalid(reason) => {
                add("error", self.code());
                add("error_description", reason);
            }
            Self::InsufficientScope { required } => {
                add("error", self.code());
                add("scope", &required.join(" "));
            }
            Self::Unavailable => return None,
        }
        if let Self::Missing | Self::Invalid(_) = self
            && !scopes.is_empty()
        {
            add("scope", &scopes.join(" "));
        }
        if let Some(url) = resource_metadata {
            add("resource_metadata", url);
        }
        HeaderValue::from_str(&challenge).ok()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::missing(AuthError::Missing, 401, Some(r#"Bearer realm="drydock""#))]
    #[case::invalid(
        AuthError::Invalid("The token has expired"),
        401,
        Some(r#"Bearer realm="drydock", error="invalid_token", error_description="The token has expired""#)
    )]
    #[case::scope(
        AuthError::InsufficientScope { required: vec!["a/read".to_owned(), "a/write".to_owned()] },
        403,
        Some(r#"Bearer realm="drydock", error="insufficient_scope", scope="a/read a/write""#)
    )]
    #[case::unavailable(AuthError::Unavailable, 503, None)]
    fn a_refusal_says_what_rfc_6750_wants(
        #[case] error: AuthError,
        #[case] status: u16,
        #[case] challenge: Option<&str>,
    ) {
        assert_eq!(error.status().as_u16(), status);
        assert_eq!(error.www_authenticate().as_ref().map(|value| value.to_str().unwrap()), challenge);
    }
}
