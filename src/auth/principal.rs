//! Who calls.

use std::collections::BTreeSet;

/// An authenticated caller: a person or a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable and unique over issuers: `{iss}|{sub}`, or `{iss}|client|{client}` of a token that names no subject; a
    /// `|` or `%` inside one of these is percent-encoded. What a caller makes belongs to this id. `anonymous` where
    /// nobody is asked who they are.
    pub id: String,
    /// The OAuth client that the token was issued to.
    pub client_id: Option<String>,
    /// What the token allows.
    pub scopes: BTreeSet<String>,
    /// Groups of a person.
    pub groups: BTreeSet<String>,
}

impl Principal {
    /// Everyone, where nobody is asked who they are.
    pub fn anonymous() -> Self {
        Self::named("anonymous")
    }

    /// Whom an issuer calls so.
    pub(super) fn subject(issuer: &str, subject: &str) -> Self {
        Self::named(format!("{}|{}", escaped(issuer), escaped(subject)))
    }

    /// Whom an issuer or a platform calls so in another way than by the subject of a token.
    pub(super) fn of_kind(issuer: &str, kind: &str, name: &str) -> Self {
        Self::named(format!("{}|{kind}|{}", escaped(issuer), escaped(name)))
    }

    /// A principal of this id without scopes and groups.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), client_id: None, scopes: BTreeSet::new(), groups: BTreeSet::new() }
    }

    /// The same principal with these scopes.
    pub fn with_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: scopes.into_iter().map(Into::into).collect(), ..self }
    }

    /// True where the token has this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

/// A part of an id, so that no two lists of parts make the same id.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('|', "%7C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_callers_share_an_id() {
        let pieces = ["", "user", "|", "%", "%7C"];
        let names: BTreeSet<String> =
            pieces.iter().flat_map(|first| pieces.map(|second| format!("{first}{second}"))).collect();
        let pairs = || names.iter().flat_map(|issuer| names.iter().map(move |name| (issuer, name)));
        let subjects = pairs().map(|(issuer, name)| Principal::subject(issuer, name).id);
        let users = pairs().map(|(issuer, name)| Principal::of_kind(issuer, "user", name).id);
        let ids: BTreeSet<String> = subjects.chain(users).collect();
        assert_eq!(ids.len(), 2 * names.len().pow(2));
    }
}
