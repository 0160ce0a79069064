//! Containers that start and end (FAILURES E).

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Facts;

use super::pods::Group;

pub(super) fn check(_facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    group.draft("app-crash", group.name())
}
pub(super) fn check_start(_facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    group.draft("container-start-failed", group.name())
}
pub(super) fn check_init_wait(_facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    group.draft("init-container-waits", group.name())
}
