//! Who may call, as the card says it.

use std::collections::BTreeMap;

use crate::agent_card::{Issuer, Security};
use crate::auth::Authenticator;

/// What an authenticator asks for. None where it asks nobody. Where its issuers' tokens come from is not known yet: nothing
/// is fetched at the start.
pub(super) fn security(authenticator: &Authenticator) -> Option<Security> {
    if authenticator.is_anonymous() {
        return None;
    }
    // One without a discovery document can only be told of by other means.
    let issuers = authenticator.issuers().iter().filter(|issuer| issuer.is_discovered());
    let issuers = issuers.map(|issuer| Issuer { issuer: issuer.url().to_owned(), ..Issuer::default() });
    let scopes = authenticator.scopes();
    let mut described: BTreeMap<String, String> =
        scopes.write.iter().map(|scope| (scope.clone(), "To ask for changes".to_owned())).collect();
    described.extend(scopes.required.iter().map(|scope| (scope.clone(), "To call this agent".to_owned())));
    Some(Security { issuers: issuers.collect(), scopes: described, required_scopes: scopes.required.clone() })
}
