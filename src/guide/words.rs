//! How texts become words that the index can compare.

/// Words that say nothing about a failure.
const EMPTY: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do", "does", "for", "from",
    "get", "gets", "getting", "got", "has", "have", "help", "how", "i", "in", "is", "it", "its", "me", "my",
    "of", "on", "or", "our", "please", "so", "that", "the", "there", "they", "this", "to", "was", "we",
    "what", "when", "which", "why", "will", "with", "you", "your",
];

/// The words of a text in lower case, in their order. Korean has no spaces between a word and its particles, so its
/// runs become pairs of syllables: `파드가` gives `파드` and `드가`, and is found by `파드`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let lower = text.to_lowercase();
    for run in lower.split(|letter: char| !letter.is_alphanumeric()) {
        scripts(run, &mut words);
    }
    words
}

/// Takes a run of letters apart where Korean begins or ends.
fn scripts(run: &str, words: &mut Vec<String>) {
    let letters: Vec<char> = run.chars().collect();
    for part in letters.chunk_by(|left, right| is_hangul(*left) == is_hangul(*right)) {
        if is_hangul(part[0]) {
            words.extend(part.windows(2).map(|pair| pair.iter().collect::<String>()));
        } else {
            words.push(part.iter().collect());
        }
    }
}

/// Whether a letter is a Korean syllable.
pub(super) fn is_hangul(letter: char) -> bool {
    ('\u{ac00}'..='\u{d7a3}').contains(&letter)
}

/// Whether a word can tell one failure from another.
pub(super) fn is_telling(word: &str) -> bool {
    word.chars().nth(1).is_some() && !EMPTY.contains(&word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_error_text("open /var/x: No such file", &["open", "var", "x", "no", "such", "file"])]
    #[case::korean_as_pairs("파드가 재시작", &["파드", "드가", "재시", "시작"])]
    #[case::both_in_one_run("pod가 Ready상태", &["pod", "ready", "상태"])]
    #[case::nothing("🚀 \"'*()", &[])]
    fn a_text_becomes_words(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(words(text), expected);
    }
}
