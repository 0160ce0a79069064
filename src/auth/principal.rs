//! Who calls.

use std::collections::BTreeSet;

/// An authenticated caller: a person or a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable and unique over issuers: `{iss}|{sub}`. What a caller makes belongs to this id. `anonymous` where nobody
    /// is asked who they are.
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
