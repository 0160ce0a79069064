//! Text from a cluster, made fit to be shown: in one line, without control characters, shortened, with its neighbours.

/// Longest name that something may have, in bytes.
const LONGEST_NAME: usize = 253;

/// In one line, without control characters. Colours are gone already: redaction takes them out.
pub(crate) fn plain(text: &str) -> String {
    let is_control = |c: char| c.is_control() && c != '\t';
    match text.contains(is_control) {
        true => text.trim_end().replace("\r\n", " ").replace(is_control, " "),
        false => text.to_owned(),
    }
}

/// At most `max` characters: the beginning and the end stay.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    let (head, tail) = (max / 2, max.saturating_sub(max / 2 + 1));
    let beginning = text.chars().take(head);
    beginning.chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// The candidates that someone who wrote `wanted` may have meant, best first: those that contain it, those that are a
/// few letters away, and those with the same first word (`catalog-85f4-x2` for `catalog-7c11-p9`).
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<String> {
    // Nothing that has a name is called that, and to compare it would take long.
    if wanted.len() > LONGEST_NAME {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    let tolerance = 2.max(wanted.len() / 3);
    let first_word = |name: &str| name.split('-').next().filter(|word| word.len() > 2).map(str::to_owned);
    let distance = |candidate: &str| {
        let name = candidate.to_lowercase();
        if name.starts_with(&wanted) {
            return Some(0);
        }
        if name.contains(&wanted) || wanted.starts_with(&name) {
            return Some(1);
        }
        let letters = strsim::damerau_levenshtein(&name, &wanted);
        let related = first_word(&name).is_some_and(|word| Some(word) == first_word(&wanted));
        (letters <= tolerance || related).then_some(1 + letters)
    };
    let mut near: Vec<(usize, &str)> =
        candidates.into_iter().filter_map(|candidate| Some((distance(candidate)?, candidate))).collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(count).map(|(_, name)| name.to_owned()).collect()
}

/// `; near: a, b`, or nothing.
pub(super) fn near_names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; near: {}", names.join(", ")),
    }
}

/// `1 pod`, `3 pods`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_it_is("a\tb", "a\tb")]
    #[case::lines("one\ntwo\r\n", "one two")]
    #[case::bare_escape("a\u{1b}b", "a b")]
    fn control_characters_do_not_pass(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(plain(text), expected);
    }

    #[rstest]
    #[case("abcdef", 6, "abcdef")]
    #[case("abcdefg", 6, "abc…fg")]
    #[case("äöüßéèê", 5, "äö…èê")]
    #[case("abc", 1, "…")]
    fn long_text_loses_its_middle(#[case] text: &str, #[case] max: usize, #[case] expected: &str) {
        assert_eq!(shorten(text, max), expected);
    }

    #[rstest]
    #[case::prefix("catalog", &["catalog-85f4-x2", "mycatalog", "cart"], &["catalog-85f4-x2", "mycatalog"])]
    #[case::a_typo("catlaog", &["catalog", "cart"], &["catalog"])]
    #[case::a_pod_of_another_generation("catalog-7c11-p9", &["cart-1", "catalog-85f4-x2"], &["catalog-85f4-x2"])]
    #[case::longer_than_any_name(&"catalog".repeat(40), &["catalog"], &[])]
    #[case::nothing_near("zzzzzz", &["catalog", "cart"], &[])]
    #[case::case_does_not_matter("Shop", &["shop"], &["shop"])]
    fn near_names_are_found(#[case] wanted: &str, #[case] candidates: &[&str], #[case] near: &[&str]) {
        assert_eq!(nearest(wanted, candidates.iter().copied(), 5), near);
    }
}
