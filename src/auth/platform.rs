//! Behind AgentCore Runtime, which has checked who calls before a request comes here.
//!
//! The `Authorization` header is there only where the runtime is configured to forward it, so it is not required. Where
//! it is there, its claims say whose the request is and what it may do; its signature was the platform's to check and
//! is not checked again. That is as safe as the port is private: in a runtime's container nothing but the platform
//! reaches it.

use http::{HeaderMap, header};

use super::bearer;
use super::claims;
use super::error::AuthError;
use super::principal::Principal;

/// For whom an application called that was let in by IAM. Only callers with the permission to act for others can set it.
const USER_HEADER: &str = "x-amzn-bedrock-agentcore-runtime-user-id";
/// Longest name of a user, in bytes.
const MAX_USER: usize = 256;

/// Whose a request is: the token's subject, else the user that it was sent for, else the platform's.
pub(super) fn principal(headers: &HeaderMap) -> Result<Principal, AuthError> {
    if headers.contains_key(header::AUTHORIZATION) {
        match bearer::token(headers) {
            Ok(token) => return of_token(token),
            // Another scheme tells nothing about who calls.
            Err(AuthError::Missing) => {}
            Err(error) => return Err(error),
        }
    }
    let Some(user) = headers.get(USER_HEADER) else { return Ok(Principal::named("platform")) };
    let user = user.to_str().ok().map(str::trim).filter(|user| (1..=MAX_USER).contains(&user.len()));
    let user = user.ok_or(AuthError::Invalid("The user id is malformed"))?;
    // No issuer's subject can be called so, whatever it writes into its tokens.
    Ok(Principal::of_kind("platform", "user", user))
}

fn of_token(token: &str) -> Result<Principal, AuthError> {
    let claims = claims::unverified(token).map(|(_, claims)| claims);
    let principal = claims.and_then(|claims| claims.principal());
    principal.ok_or(AuthError::Invalid("The token does not say whose it is"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::{HeaderName, HeaderValue};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn token(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("Bearer {}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
    }

    fn headers(named: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        named.iter().map(header).collect()
    }

    #[rstest]
    #[case::a_token(&[("authorization", token(&json!({ "iss": "https://a", "sub": "x" })))], "https://a|x")]
    #[case::a_token_counts_more(
        &[("authorization", token(&json!({ "iss": "https://a", "sub": "x" }))), (USER_HEADER, "bob".to_owned())],
        "https://a|x"
    )]
    #[case::of_an_issuer_of_that_name(
        &[("authorization", token(&json!({ "iss": "platform|user", "sub": "bob" })))],
        "platform%7Cuser|bob"
    )]
    #[case::a_subject_with_a_bar(
        &[("authorization", token(&json!({ "iss": "platform", "sub": "user|bob" })))],
        "platform|user%7Cbob"
    )]
    #[case::a_client(
        &[("authorization", token(&json!({ "iss": "https://a", "client_id": "x" })))],
        "https://a|client|x"
    )]
    #[case::a_user(&[(USER_HEADER, "bob".to_owned())], "platform|user|bob")]
    #[case::another_scheme(&[("authorization", "AWS4-HMAC-SHA256 x".to_owned()), (USER_HEADER, "bob".to_owned())], "platform|user|bob")]
    #[case::nobody(&[], "platform")]
    fn the_platform_says_whose_a_request_is(
        #[case] named: &[(&'static str, String)],
        #[case] expected: &str,
    ) {
        let named: Vec<_> = named.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(principal(&headers(&named)).unwrap().id, expected);
    }

    #[rstest]
    #[case::no_jwt(&[("authorization", "Bearer abc")])]
    #[case::nobodys(&[("authorization", "Bearer e30.e30.x")])]
    #[case::an_empty_user(&[(USER_HEADER, "")])]
    fn what_cannot_be_read_is_refused(#[case] named: &[(&'static str, &str)]) {
        assert!(principal(&headers(named)).is_err());
    }

    #[test]
    fn the_scopes_of_a_forwarded_token_count() {
        let claims = json!({ "iss": "https://a", "sub": "x", "scope": "dd/read dd/write" });
        let principal = principal(&headers(&[("authorization", &token(&claims))])).unwrap();
        assert!(principal.has_scope("dd/read") && principal.has_scope("dd/write"));
    }
}
