//! The cause graph: which finding explains which, without circles.

use std::collections::{BTreeSet, HashMap};

use super::draft::Draft;
use super::facts::Key;
use super::report::{Confidence, Severity};

/// Which drafts explain which, by index.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Causes {
    /// For each draft, what explains it.
    causes: Vec<BTreeSet<usize>>,
    /// For each draft, what it explains.
    effects: Vec<Vec<usize>>,
}

impl Causes {
    /// A draft is explained by every other one that breaks what it depends on. Where drafts explain each other in a
    /// circle, the most telling one is taken for its beginning.
    pub(crate) fn link(drafts: &[Draft]) -> Self {
        let mut causes = Settling::new(drafts).settled();
        drop_detours(&mut causes);
        let mut effects = vec![Vec::new(); drafts.len()];
        for (draft, causes) in causes.iter().enumerate() {
            causes.iter().for_each(|cause| effects[*cause].push(draft));
        }
        Self { causes, effects }
    }

    /// What explains this draft directly.
    pub(crate) fn of(&self, draft: usize) -> &BTreeSet<usize> {
        &self.causes[draft]
    }

    pub(crate) fn is_root(&self, draft: usize) -> bool {
        self.causes[draft].is_empty()
    }

    /// What this draft explains directly.
    pub(crate) fn explained_by(&self, draft: usize) -> impl Iterator<Item = usize> + '_ {
        self.effects[draft].iter().copied()
    }

    /// How many drafts this one explains, directly or not.
    pub(crate) fn victims(&self, draft: usize) -> usize {
        reached([draft], |draft| self.effects[draft].iter().copied()).len() - 1
    }

    /// These drafts, and everything that explains them.
    pub(crate) fn with_ancestors(&self, drafts: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        reached(drafts, |draft| self.causes[draft].iter().copied())
    }
}

/// These, and all that can be reached from them.
fn reached<I: Iterator<Item = usize>>(
    from: impl IntoIterator<Item = usize>,
    next: impl Fn(usize) -> I,
) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut rest: Vec<usize> = from.into_iter().collect();
    while let Some(draft) = rest.pop() {
        if all.insert(draft) {
            rest.extend(next(draft));
        }
    }
    all
}

/// Where a cause works through another one, only the nearer of the two is named.
fn drop_detours(causes: &mut [BTreeSet<usize>]) {
    for draft in 0..causes.len() {
        if causes[draft].len() < 2 {
            continue;
        }
        let beyond = causes[draft].iter().flat_map(|cause| causes[*cause].iter().copied());
        let farther = reached(beyond, |draft| causes[draft].iter().copied());
        causes[draft].retain(|cause| !farther.contains(cause));
    }
}

/// How soon an open draft is to be settled: those without an open cause first; in a circle, those that have a cause
/// already, then the most telling, then the first.
type Turn = (bool, bool, (bool, bool), std::cmp::Reverse<usize>);

/// Drafts settle one by one, causes before effects.
struct Settling<'d> {
    drafts: &'d [Draft],
    /// For each draft, the causes that are still open.
    waiting: Vec<BTreeSet<usize>>,
    effects: Vec<Vec<usize>>,
    causes: Vec<BTreeSet<usize>>,
    open: BTreeSet<Turn>,
}

impl<'d> Settling<'d> {
    fn new(drafts: &'d [Draft]) -> Self {
        let waiting = edges(drafts);
        let mut effects = vec![Vec::new(); drafts.len()];
        for (draft, causes) in waiting.iter().enumerate() {
            causes.iter().for_each(|cause| effects[*cause].push(draft));
        }
        let causes = vec![BTreeSet::new(); drafts.len()];
        let mut this = Self { drafts, waiting, effects, causes, open: BTreeSet::new() };
        this.open = (0..drafts.len()).map(|draft| this.turn(draft)).collect();
        this
    }

    fn turn(&self, draft: usize) -> Turn {
        let of = &self.drafts[draft];
        let telling = (of.confidence == Confidence::Certain, of.severity == Severity::Critical);
        (self.waiting[draft].is_empty(), !self.causes[draft].is_empty(), telling, std::cmp::Reverse(draft))
    }

    fn settled(mut self) -> Vec<BTreeSet<usize>> {
        while let Some((.., std::cmp::Reverse(draft))) = self.open.pop_last() {
            // What is left of a circle is not followed: the edges that would close it are dropped.
            self.waiting[draft].clear();
            for effect in std::mem::take(&mut self.effects[draft]) {
                let before = self.turn(effect);
                if self.waiting[effect].remove(&draft) {
                    self.causes[effect].insert(draft);
                    self.open.remove(&before);
                    self.open.insert(self.turn(effect));
                }
            }
        }
        self.causes
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
