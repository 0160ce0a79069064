//! The name that was most likely meant.

/// The candidate that is most like `name`, where it is like enough to be a slip: few letters differ, or one contains the
/// other.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let likeness = |candidate: &str| {
        let contains =
            candidate.len() > 2 && name.len() > 2 && (candidate.contains(name) || name.contains(candidate));
        let plain = strsim::normalized_damerau_levenshtein(name, candidate);
        if contains { plain.max(0.7) } else { plain }
    };
    let scored = candidates.into_iter().filter(|candidate| *candidate != name).map(|c| (likeness(c), c));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))?;
    (best.0 >= 0.65).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("db-credentails", Some("db-credentials"))]
    #[case("db-credentials-v2", Some("db-credentials"))]
    #[case("entirely-else", None)]
    fn slips_are_recognised(#[case] name: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(name, ["db-credentials", "app-config"]), meant);
    }
}
