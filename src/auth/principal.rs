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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_callers_never_share_an_id(a in "[a|%7C]{0,4}", b in "[a|%7C]{0,4}", c in "[a|%7C]{0,4}", d in "[a|%7C]{0,4}") {
            let same = (&a, &b) == (&c, &d);
            prop_assert_eq!(Principal::subject(&a, &b) == Principal::subject(&c, &d), same);
            prop_assert_eq!(Principal::of_kind(&a, "user", &b) == Principal::of_kind(&c, "user", &d), same);
            prop_assert_ne!(Principal::subject(&a, &b), Principal::of_kind(&c, "user", &d));
        }
    }
}
