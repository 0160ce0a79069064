//! How texts become words that the index can compare.

/// Words that say nothing about a failure.
const EMPTY: &[&str] = &[
    "a",
    "about",
    "after",
    "again",
    "all",
    "also",
    "always",
    "am",
    "an",
    "and",
    "any",
    "anyone",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "but",
    "by",
    "can",
    "cause",
    "caused",
    "causes",
    "did",
    "do",
    "does",
    "doing",
    "done",
    "else",
    "even",
    "every",
    "few",
    "for",
    "from",
    "get",
    "gets",
    "getting",
    "give",
    "given",
    "gives",
    "got",
    "has",
    "have",
    "he",
    "help",
    "her",
    "here",
    "him",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "keep",
    "keeps",
    "know",
    "let",
    "like",
    "ll",
    "make",
    "makes",
    "me",
    "more",
    "most",
    "much",
    "my",
    "now",
    "of",
    "off",
    "on",
    "one",
    "only",
    "or",
    "other",
    "our",
    "over",
    "own",
    "per",
    "please",
    "re",
    "same",
    "say",
    "says",
    "see",
    "seem",
    "seems",
    "should",
    "show",
    "shows",
    "since",
    "so",
    "some",
    "someone",
    "something",
    "still",
    "such",
    "take",
    "takes",
    "tell",
    "tells",
    "than",
    "that",
    "the",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "to",
    "told",
    "too",
    "try",
    "trying",
    "us",
    "use",
    "used",
    "uses",
    "using",
    "ve",
    "via",
    "want",
    "wants",
    "was",
    "way",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "within",
    "without",
    "would",
    "yet",
    "you",
    "your",
];
/// Pairs of syllables of Korean endings and fillers, which say as little.
const EMPTY_KOREAN: &[&str] = &[
    "가끔", "같아", "같은", "거나", "것을", "것이", "겠어", "계속", "그대", "까요", "나요", "너무", "네요",
    "는데", "니다", "다고", "대로", "데요", "돼서", "돼요", "됐어", "되는", "되면", "됩니", "때문", "라고",
    "려고", "려면", "려요", "면서", "문에", "세요", "습니", "아서", "아요", "았어", "어서", "어요", "었어",
    "에서", "에요", "였어", "예요", "와요", "으로", "으면", "이고", "이상", "인데", "입니", "있는", "자꾸",
    "져요", "지만", "하고", "하는", "하면", "합니", "해서", "해요", "했어",
];

/// The words of a text in lower case, in their order. Korean has no spaces between a word and its particles, so its
/// runs become pairs of syllables: `파드가` gives `파드` and `드가`, and is found by `파드`. AWS writes `포드` for it.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let lower = text.to_lowercase().replace("포드", "파드");
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
    word.chars().nth(1).is_some() && !EMPTY.contains(&word) && !EMPTY_KOREAN.contains(&word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_error_text("open /var/x: No such file", &["open", "var", "x", "no", "such", "file"])]
    #[case::korean_as_pairs("파드가 재시작", &["파드", "드가", "재시", "시작"])]
    #[case::both_in_one_run("pod가 Ready상태", &["pod", "ready", "상태"])]
    #[case::korean_as_aws_writes_it("포드", &["파드"])]
    #[case::nothing("🚀 \"'*()", &[])]
    fn a_text_becomes_words(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(words(text), expected);
    }

    #[rstest]
    #[case::failure("oomkilled", true)]
    #[case::korean("볼륨", true)]
    #[case::filler("because", false)]
    #[case::korean_ending("습니", false)]
    #[case::letter("x", false)]
    fn fillers_tell_nothing(#[case] word: &str, #[case] tells: bool) {
        assert_eq!(is_telling(word), tells);
    }
}
