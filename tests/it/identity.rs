//! Who calls: tokens of an identity provider, accepted and refused; and where our own come from.

mod accepted;
mod command_line;
mod keys;
mod outbound;
mod refused;
mod served;

use std::time::Duration;

use drydock::auth::{AuthError, Authenticator, IssuerSettings, Principal};
use http::{HeaderMap, HeaderValue, header};

use crate::support::identity::Identity;

/// Accepts tokens of this provider.
fn trusting(identity: &Identity) -> Authenticator {
    Authenticator::jwt([settings(identity)]).unwrap()
}

fn settings(identity: &Identity) -> IssuerSettings {
    IssuerSettings { url: identity.issuer().to_owned(), ..IssuerSettings::default() }
}

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

async fn check(authenticator: &Authenticator, token: &str) -> Result<Principal, AuthError> {
    authenticator.authenticate(&bearer(token)).await
}

/// Lets this time pass, at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
