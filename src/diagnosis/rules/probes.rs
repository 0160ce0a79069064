//! Containers that run and are not ready (FAILURES F).

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Facts;

use super::pods::Group;

pub(super) fn check(_facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    group.draft("readiness-failing", group.name())
}
