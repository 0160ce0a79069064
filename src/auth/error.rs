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

    /// The `WWW-Authenticate` header of the answer (RFC 6750 §3): without an error code where no token was sent, and none
    /// at all where the fault is not the caller's.
    pub fn www_authenticate(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::Missing => r#"Bearer realm="drydock""#.to_owned(),
            Self::Invalid(reason) => {
                format!(r#"Bearer realm="drydock", error="invalid_token", error_description="{reason}""#)
            }
            Self::InsufficientScope { required } => format!(
                r#"Bearer realm="drydock", error="insufficient_scope", scope="{}""#,
                required.join(" ")
            ),
            Self::Unavailable => return None,
        };
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
