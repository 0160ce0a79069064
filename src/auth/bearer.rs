//! The `Authorization` header of a request.

use http::{HeaderMap, header};

use super::error::AuthError;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 << 10;

/// The bearer token of a request (RFC 6750 §2.1). Another scheme counts as no token; a header that is there twice or is
/// no well-formed token is refused.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::Missing)?;
    if values.next().is_some() {
        return Err(AuthError::Invalid("There is more than one Authorization header"));
    }
    let malformed = AuthError::Invalid("The Authorization header is malformed");
    let value = value.to_str().map_err(|_| malformed.clone())?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    let token = token.trim_start();
    match token.len() {
        1..=MAX_TOKEN if is_token(token) => Ok(token),
        0..=MAX_TOKEN => Err(malformed),
        _ => Err(AuthError::Invalid("The token is too long")),
    }
}

/// True for what RFC 6750 calls a token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[rstest]
    #[case::usual("Bearer abc.def-_~+/==", "abc.def-_~+/==")]
    #[case::any_case("bEARER abc", "abc")]
    #[case::more_room("Bearer   abc ", "abc")]
    fn a_token_is_read(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(token(&headers(&[value])), Ok(expected));
    }

    #[rstest]
    #[case::none(&[], true)]
    #[case::other_scheme(&["Basic bWFjaGluZTpzZWNyZXQ="], true)]
    #[case::no_scheme(&["abc.def"], true)]
    #[case::no_token(&["Bearer"], false)]
    #[case::empty_token(&["Bearer  "], false)]
    #[case::two_tokens(&["Bearer abc def"], false)]
    #[case::list(&["Bearer abc, Bearer def"], false)]
    #[case::quotes(&["Bearer \"abc\""], false)]
    #[case::twice(&["Bearer abc", "Bearer abc"], false)]
    #[case::two_schemes(&["Basic YTpi", "Bearer abc"], false)]
    fn what_is_no_token_is_refused(#[case] values: &[&str], #[case] missing: bool) {
        let error = token(&headers(values)).expect_err("this is no token");
        assert_eq!(error == AuthError::Missing, missing, "{error}");
    }

    #[test]
    fn a_long_token_is_refused_unseen() {
        assert!(token(&headers(&[&format!("Bearer {}", "a".repeat(MAX_TOKEN))])).is_ok());
        assert!(token(&headers(&[&format!("Bearer {}", "a".repeat(MAX_TOKEN + 1))])).is_err());
    }
}
