//! ConfigMaps, Secrets and keys that are missing, and containers that cannot be created (FAILURES D1 to D8).

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Facts;

use super::pods::Group;

pub(super) fn check<'a>(
    _facts: &Facts<'a>,
    _config: &[Group<'_, 'a>],
    _creating: &[Group<'_, 'a>],
    _drafts: &mut Vec<Draft>,
) {
}
