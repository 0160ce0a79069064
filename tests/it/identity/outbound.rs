//! Our own tokens: client credentials.

use std::time::Duration;

use drydock::auth::{ClientCredentials, ProviderError, TokenSource};
use futures::future::join_all;
use rstest::rstest;
use secrecy::ExposeSecret;

use super::{check, pass, trusting};
use crate::support::identity::Identity;

fn credentials(identity: &Identity) -> ClientCredentials {
    ClientCredentials {
        token_url: identity.token_url(),
        client_id: "machine-client".to_owned(),
        client_secret: "machine-secret".into(),
        scopes: vec!["drydock/read".to_owned()],
        audience: None,
        resource: None,
    }
}

pub(super) fn source(identity: &Identity) -> TokenSource {
    TokenSource::client_credentials(credentials(identity)).unwrap()
}

async fn token(source: &TokenSource) -> String {
    source.token().await.unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_token_is_fetched_once_and_is_good() {
    let identity = Identity::start().await;
    let source = source(&identity);
    assert_eq!(identity.seen().tokens(), 0, "not before it is needed");
    let tokens = join_all((0..50).map(|_| token(&source))).await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(identity.seen().tokens(), 1);
    let principal = check(&trusting(&identity), &tokens[0]).await.unwrap();
    assert_eq!(principal.client_id.as_deref(), Some("machine-client"));
    assert!(principal.has_scope("drydock/read") && !principal.has_scope("drydock/write"));
}

#[tokio::test]
async fn a_token_is_replaced_a_minute_before_it_expires() {
    let identity = Identity::start().await;
    let source = source(&identity);
    let first = token(&source).await;
    pass(Duration::from_secs(3470)).await;
    assert_eq!((token(&source).await, identity.seen().tokens()), (first.clone(), 1));
    pass(Duration::from_secs(70)).await;
    assert_ne!(token(&source).await, first);
    assert_eq!(identity.seen().tokens(), 2);
}

#[tokio::test]
async fn a_provider_that_is_down_is_done_without_while_the_token_lives() {
    let identity = Identity::start().await;
    let source = source(&identity);
    let first = token(&source).await;
    identity.behave(|behaviour| behaviour.fails_with = Some(502));
    pass(Duration::from_secs(3550)).await;
    assert_eq!(token(&source).await, first);
    pass(Duration::from_secs(50)).await;
    let error = source.token().await.unwrap_err();
    assert!(matches!(error, ProviderError::Status { status: 502, .. }), "{error}");
}

#[tokio::test]
async fn the_secret_goes_into_the_form_where_basic_is_refused() {
    let identity = Identity::start().await;
    identity.behave(|behaviour| behaviour.wants_form = true);
    let source = source(&identity);
    let first = source.token().await.unwrap();
    assert_eq!(identity.seen().tokens(), 2, "Basic, then the form");
    source.newer_than(&first).await.expect("another token");
    assert_eq!(identity.seen().tokens(), 3, "it is remembered");
}

#[tokio::test]
async fn a_token_that_was_refused_is_replaced_once_for_all_who_had_it() {
    let identity = Identity::start().await;
    let source = source(&identity);
    let refused = source.token().await.unwrap();
    let newer = join_all((0..20).map(|_| source.newer_than(&refused))).await;
    assert!(newer.iter().all(Option::is_some));
    assert_eq!(identity.seen().tokens(), 2);
    let fixed = TokenSource::fixed("always-this".into());
    let refused = fixed.token().await.unwrap();
    assert!(fixed.newer_than(&refused).await.is_none());
}

#[rstest]
#[case::wrong_secret(|credentials: &mut ClientCredentials| credentials.client_secret = "wr0ng".into(), "invalid_client")]
#[case::unknown_scope(|credentials: &mut ClientCredentials| credentials.scopes = vec!["no/such".to_owned()], "invalid_scope")]
#[tokio::test]
async fn a_refusal_says_why_and_not_with_what(
    #[case] change: fn(&mut ClientCredentials),
    #[case] code: &str,
) {
    let identity = Identity::start().await;
    let mut credentials = credentials(&identity);
    change(&mut credentials);
    let error = TokenSource::client_credentials(credentials).unwrap().token().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(code) && text.contains(&identity.token_url()), "{text}");
    assert!(!text.contains("wr0ng") && !text.contains("machine-secret"), "{text}");
}

#[tokio::test]
async fn a_secret_goes_nowhere_but_to_its_provider() {
    let (identity, other) = (Identity::start().await, Identity::start().await);
    identity.behave(|behaviour| behaviour.redirects_to = Some(other.token_url()));
    let error = source(&identity).token().await.unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    assert_eq!(other.seen().tokens(), 0);
    let without_tls =
        ClientCredentials { token_url: "http://idp.example.com/token".into(), ..credentials(&identity) };
    assert!(TokenSource::client_credentials(without_tls).is_err());
}
