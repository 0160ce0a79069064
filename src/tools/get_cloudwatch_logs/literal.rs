//! Texts as operands of a query of Logs Insights. Nothing of what callers write can end its literal: what has a meaning
//! in quotes, in comments or in expressions is written by its number.

use std::fmt::Write;

use regex::Regex;

use super::super::ToolError;
use super::super::text::shorten;

/// The longest text or expression, in characters.
const LONGEST: usize = 1000;

/// `like "text"`: contains it, letter by letter. Where the text cannot stand in quotes it becomes an expression that
/// means the same.
pub(super) fn contains(text: &str) -> Result<String, ToolError> {
    check_length(text)?;
    if text.chars().all(is_plain) {
        return Ok(format!("like \"{text}\""));
    }
    let mut pattern = String::new();
    for c in text.chars() {
        if is_plain(c) && !r".+()[]{}^$*?-".contains(c) {
            pattern.push(c);
        } else {
            push_number(&mut pattern, c);
        }
    }
    Ok(format!("like /{pattern}/"))
}

/// `"text"`, where that is possible without escapes.
pub(super) fn quoted(text: &str) -> Result<String, ToolError> {
    check_length(text)?;
    match text.chars().all(is_plain) {
        true => Ok(format!("\"{text}\"")),
        false => Err(ToolError::InvalidInput(format!(
            "filter_pattern compares with {:?}: a text with quotes, backslashes or the like needs `like` instead of `=`",
            shorten(text, 60)
        ))),
    }
}

/// `/pattern/`, of a regular expression.
pub(super) fn expression(pattern: &str) -> Result<String, ToolError> {
    check_length(pattern)?;
    let wrong = |why: &str| {
        ToolError::InvalidInput(format!(
            "filter_pattern has no valid regular expression in /{}/: {why}",
            shorten(pattern, 60)
        ))
    };
    if let Err(error) = Regex::new(pattern) {
        let error = error.to_string();
        return Err(wrong(error.lines().last().unwrap_or_default().trim_start_matches("error: ")));
    }
    let mut safe = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, (c == '\\').then(|| chars.next()).flatten()) {
            (_, Some(escaped)) if has_number(escaped) => push_number(&mut safe, escaped),
            (_, Some(escaped)) => safe.extend(['\\', escaped]),
            (c, None) if has_number(c) => push_number(&mut safe, c),
            (c, None) => safe.push(c),
        }
    }
    Ok(format!("/{safe}/"))
}

/// The name of a field, in backticks where it has more than letters, digits, `.`, `_` and a leading `@`.
pub(super) fn field(name: &str) -> Result<String, ToolError> {
    let name = name.trim().trim_matches('`');
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@');
    let strange = |c: char| bare(c) || matches!(c, '-' | ':' | '/' | '$' | ' ' | '[' | ']');
    match name {
        name if name.is_empty() || name.len() > 200 || !name.chars().all(strange) => {
            Err(ToolError::InvalidInput(format!(
                "{:?} is no name of a field: write names such as @message or kubernetes.pod_name, with commas between them",
                shorten(name, 60)
            )))
        }
        name if name.chars().all(bare) => Ok(name.to_owned()),
        name => Ok(format!("`{name}`")),
    }
}

fn check_length(text: &str) -> Result<(), ToolError> {
    match text.chars().count() {
        0 => Err(ToolError::InvalidInput("a text to look for must not be empty".to_owned())),
        count if count > LONGEST => Err(ToolError::InvalidInput(format!(
            "a text to look for may have {LONGEST} characters, not {count}"
        ))),
        _ => Ok(()),
    }
}

/// True for what means nothing but itself between double quotes.
fn is_plain(c: char) -> bool {
    !has_number(c) && !matches!(c, '\\' | '|')
}

/// True for what ends a literal, or begins one or a comment, or is not seen.
fn has_number(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '/' | '#') || c.is_control()
}

fn push_number(pattern: &mut String, c: char) {
    let number = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match number {
        0..=0xff => write!(pattern, "\\x{number:02x}"),
        _ => write!(pattern, "\\x{{{number:x}}}"),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ERROR 500", r#"like "ERROR 500""#)]
    #[case("a.b (c)", r#"like "a.b (c)""#)]
    #[case("größer als 日本", r#"like "größer als 日本""#)]
    #[case(r#"say "no" | limit 1"#, r"like /say \x22no\x22 \x7c limit 1/")]
    #[case(r"C:\dir.*", r"like /C:\x5cdir\x2e\x2a/")]
    #[case("two\nlines", r"like /two\x0alines/")]
    #[case("/healthz #1", r"like /\x2fhealthz \x231/")]
    fn a_text_is_looked_for_as_it_is(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(contains(text).unwrap(), expected);
    }

    #[rstest]
    #[case("ERROR|WARN", "/ERROR|WARN/")]
    #[case("^/api/v1", r"/^\x2fapi\x2fv1/")]
    #[case(r"\/api\.v[0-9]+", r"/\x2fapi\.v[0-9]+/")]
    #[case(r#"a"b'c#d"#, r"/a\x22b\x27c\x23d/")]
    #[case(r"\\/", r"/\\\x2f/")]
    fn an_expression_cannot_end_early(#[case] pattern: &str, #[case] expected: &str) {
        assert_eq!(expression(pattern).unwrap(), expected);
    }

    #[test]
    fn a_broken_expression_is_told_in_one_line() {
        let told = expression("(a").unwrap_err().to_string();
        assert!(told.contains("unclosed group") && !told.contains('\n'), "{told}");
        assert!(expression(r"a\").is_err());
    }

    #[rstest]
    #[case("@message", Some("@message"))]
    #[case(" kubernetes.pod_name ", Some("kubernetes.pod_name"))]
    #[case("user-agent", Some("`user-agent`"))]
    #[case("a`b", None)]
    #[case("unmask(@message)", None)]
    #[case("a | limit 1", None)]
    fn only_names_are_fields(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(field(name).ok().as_deref(), expected);
    }

    proptest! {
        #[test]
        fn no_text_gets_out_of_its_literal(text in "\\PC{1,40}|[\"'`/\\\\|#\n\r\0 a-z]{1,40}") {
            let written = contains(&text).unwrap();
            let inner = written.strip_prefix("like ").unwrap();
            let (open, inner) = inner.split_at(1);
            let inner = inner.strip_suffix(open).unwrap();
            prop_assert!(!inner.contains(['"', '\'', '`', '/', '#', '|', '\n', '\r', '\0']), "{written}");
            if open == "/" {
                prop_assert!(Regex::new(&format!("^(?:{inner})$")).unwrap().is_match(&text), "{written}");
            } else {
                prop_assert!(!inner.contains('\\') && inner == text, "{written}");
            }
        }

        #[test]
        fn no_expression_gets_out_of_its_literal(pattern in "[\"'`/\\\\|#a-z.*\\[\\]]{1,20}") {
            if let Ok(written) = expression(&pattern) {
                let inner = &written[1..written.len() - 1];
                prop_assert!(!inner.contains(['"', '\'', '`', '/', '#']), "{written}");
                prop_assert!(!inner.ends_with('\\') || inner.ends_with("\\\\"), "{written}");
            }
        }
    }
}
