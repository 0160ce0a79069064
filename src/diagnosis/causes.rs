//! The cause graph: which finding explains which, without circles.

use std::collections::{BTreeSet, HashMap};

use super::draft::Draft;
use super::facts::Key;
use super::report::{Confidence, Severity};

/// For each draft, by index: the drafts that explain it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Causes(Vec<BTreeSet<usize>>);

impl Causes {
    /// A draft is explained by every other one that breaks what it depends on. Where drafts explain each other in a
    /// circle, the most telling one is taken for its beginning.
    pub(crate) fn link(drafts: &[Draft]) -> Self {
        let mut waiting = edges(drafts);
        let mut causes = vec![BTreeSet::new(); drafts.len()];
        let mut open: BTreeSet<usize> = (0..drafts.len()).collect();
        while let Some(next) = next(&open, &waiting, &causes, drafts) {
            open.remove(&next);
            // What is left of a circle is not followed: the edges that would close it are dropped.
            waiting[next].clear();
            for later in &open {
                if waiting[*later].remove(&next) {
                    causes[*later].insert(next);
                }
            }
        }
        let mut linked = Self(causes);
        linked.drop_detours();
        linked
    }

    /// Where a cause works through another one, only the nearer of the two is named.
    fn drop_detours(&mut self) {
        for draft in 0..self.0.len() {
            let direct = self.0[draft].clone();
            let farther: BTreeSet<usize> = direct
                .iter()
                .flat_map(|cause| self.with_ancestors([*cause]).into_iter().filter(move |far| far != cause))
                .collect();
            self.0[draft].retain(|cause| !farther.contains(cause));
        }
    }

    /// What explains this draft directly.
    pub(crate) fn of(&self, draft: usize) -> &BTreeSet<usize> {
        &self.0[draft]
    }

    pub(crate) fn is_root(&self, draft: usize) -> bool {
        self.0[draft].is_empty()
    }

    /// What this draft explains directly.
    pub(crate) fn explained_by(&self, draft: usize) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().filter(move |(_, causes)| causes.contains(&draft)).map(|(index, _)| index)
    }

    /// How many drafts this one explains, directly or not.
    pub(crate) fn victims(&self, draft: usize) -> usize {
        let mut all = BTreeSet::new();
        let mut rest = vec![draft];
        while let Some(cause) = rest.pop() {
            rest.extend(self.explained_by(cause).filter(|victim| all.insert(*victim)));
        }
        all.len()
    }

    /// These drafts, and everything that explains them.
    pub(crate) fn with_ancestors(&self, drafts: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut rest: Vec<usize> = drafts.into_iter().collect();
        while let Some(draft) = rest.pop() {
            if all.insert(draft) {
                rest.extend(&self.0[draft]);
            }
        }
        all
    }
}

fn edges(drafts: &[Draft]) -> Vec<BTreeSet<usize>> {
    let mut breakers: HashMap<&Key, Vec<usize>> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        for key in &draft.breaks {
            breakers.entry(key).or_default().push(index);
        }
    }
    let explaining = |index: usize, draft: &Draft| {
        let found = draft.explained_by.iter().filter_map(|key| breakers.get(key)).flatten();
        found.copied().filter(|breaker| *breaker != index).collect()
    };
    drafts.iter().enumerate().map(|(index, draft)| explaining(index, draft)).collect()
}

/// The draft to settle next: one with no open cause; else, in a circle, one that has a cause already; else the best.
fn next(
    open: &BTreeSet<usize>,
    waiting: &[BTreeSet<usize>],
    causes: &[BTreeSet<usize>],
    drafts: &[Draft],
) -> Option<usize> {
    open.iter().copied().max_by_key(|index| {
        let draft = &drafts[*index];
        let telling = (draft.confidence == Confidence::Certain, draft.severity == Severity::Critical);
        (waiting[*index].is_empty(), !causes[*index].is_empty(), telling, std::cmp::Reverse(*index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::facts::reference;

    fn draft(name: &str, breaks: &[&str], explained_by: &[&str]) -> Draft {
        let object = reference("v1", "Service", "shop", name);
        let keys =
            |names: &[&str]| names.iter().map(|name| Key::new("Service", "shop", name)).collect::<Vec<_>>();
        Draft::new("image-not-found", Severity::Critical, object, name.to_owned())
            .breaks(keys(breaks))
            .explained_by(keys(explained_by))
    }

    #[test]
    fn a_chain_has_one_root() {
        let drafts =
            [draft("web", &[], &["api"]), draft("api", &["api"], &["db"]), draft("db", &["db"], &[])];
        let causes = Causes::link(&drafts);
        assert_eq!((causes.of(0), causes.of(1)), (&BTreeSet::from([1]), &BTreeSet::from([2])));
        assert!(causes.is_root(2));
        assert_eq!(causes.with_ancestors([0]), BTreeSet::from([0, 1, 2]));
        assert_eq!(causes.explained_by(2).collect::<Vec<_>>(), [1]);
        assert_eq!((causes.victims(2), causes.victims(0)), (2, 0));
    }

    #[test]
    fn a_cause_that_works_through_another_is_named_once() {
        let drafts =
            [draft("svc", &[], &["db", "pvc"]), draft("db", &["db"], &["pvc"]), draft("pvc", &["pvc"], &[])];
        let causes = Causes::link(&drafts);
        assert_eq!((causes.of(0), causes.of(1)), (&BTreeSet::from([1]), &BTreeSet::from([2])));
    }

    #[test]
    fn a_circle_behind_a_cause_does_not_hide_it() {
        let drafts =
            [draft("a", &["a"], &["b", "db"]), draft("b", &["b"], &["a"]), draft("db", &["db"], &[])];
        let causes = Causes::link(&drafts);
        assert_eq!((causes.of(0), causes.of(1)), (&BTreeSet::from([2]), &BTreeSet::from([0])));
    }

    #[test]
    fn a_circle_with_no_cause_begins_at_the_most_telling_draft() {
        let unsure = draft("a", &["a"], &["b"]).confidence(Confidence::Possible);
        let causes = Causes::link(&[unsure, draft("b", &["b"], &["a"])]);
        assert!(causes.is_root(1));
        assert_eq!(causes.of(0), &BTreeSet::from([1]));
    }

    #[test]
    fn nothing_explains_itself() {
        assert!(Causes::link(&[draft("a", &["a"], &["a"])]).is_root(0));
    }
}
