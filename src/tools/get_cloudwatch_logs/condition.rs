//! What `filter_pattern` may be: terms as the filter patterns of CloudWatch have them, or one condition as the command
//! `filter` of Logs Insights takes it. Both are taken apart and written anew, so that no other command gets in.

use super::super::ToolError;
use super::super::text::shorten;
use super::literal::{contains, expression, field, quoted};

/// The condition of a command `filter`.
pub(super) fn condition(pattern: &str) -> Result<String, ToolError> {
    let pattern = pattern.trim();
    let word = pattern.split_whitespace().next().unwrap_or_default();
    if word.eq_ignore_ascii_case("filter") {
        return rewritten(&pattern[word.len()..]);
    }
    if word.starts_with('@') {
        return rewritten(pattern);
    }
    if pattern.starts_with('{') && pattern.contains("$.") {
        return Err(ToolError::InvalidInput(
            "filter_pattern takes no JSON pattern: write filter level = \"error\" instead of { $.level = \"error\" }"
                .to_owned(),
        ));
    }
    terms(pattern)
}

/// `ERROR "exact phrase" -unwanted ?any ?of ?these %expression%`: all that is wanted, none of what is not, and one of
/// the optional ones.
fn terms(pattern: &str) -> Result<String, ToolError> {
    let (mut all, mut any) = (Vec::new(), Vec::new());
    for term in split(pattern) {
        match term.split_at_checked(1) {
            Some(("-", unwanted)) if !unwanted.is_empty() => {
                all.push(format!("@message not {}", operand(unwanted)?));
            }
            Some(("?", optional)) if !optional.is_empty() => {
                any.push(format!("@message {}", operand(optional)?));
            }
            _ => all.push(format!("@message {}", operand(&term)?)),
        }
    }
    match any.len() {
        0 => {}
        1 => all.append(&mut any),
        _ => all.push(format!("({})", any.join(" or "))),
    }
    Ok(all.join(" and "))
}

/// Terms between spaces; what is between double quotes, percent signs or slashes is one.
fn split(pattern: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut rest = pattern.trim_start();
    while !rest.is_empty() {
        let marks = rest.len() - rest.trim_start_matches(['-', '?']).len();
        let closing = rest[marks..].chars().next().filter(|c| matches!(c, '"' | '%' | '/'));
        let closed = closing.and_then(|c| {
            let end = marks + 1 + rest[marks + 1..].find(c)? + 1;
            rest[end..].chars().next().is_none_or(char::is_whitespace).then_some(end)
        });
        let end = closed.or_else(|| rest.find(char::is_whitespace)).unwrap_or(rest.len());
        terms.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    terms
}

fn operand(term: &str) -> Result<String, ToolError> {
    let between = |mark: char| term.strip_prefix(mark)?.strip_suffix(mark).filter(|inner| !inner.is_empty());
    match (between('%').or_else(|| between('/')), between('"')) {
        (Some(pattern), _) => Ok(format!("like {}", expression(pattern)?)),
        (None, Some(phrase)) => contains(phrase),
        (None, None) => contains(term),
    }
}

/// A condition of the query language, token by token.
fn rewritten(condition: &str) -> Result<String, ToolError> {
    let mut written: Vec<String> = Vec::new();
    let mut rest = condition.trim_start();
    let mut open = 0_i32;
    while !rest.is_empty() {
        let (token, after) = token(rest, written.last().map(String::as_str))?;
        open += i32::from(token == "(") - i32::from(token == ")");
        if open < 0 {
            return Err(wrong(rest));
        }
        written.push(token);
        rest = after.trim_start();
    }
    if open != 0 || written.is_empty() {
        return Err(wrong(condition));
    }
    Ok(written.join(" "))
}

const OPERATORS: [&str; 12] = ["!=", "<=", ">=", "=~", "=", "<", ">", "(", ")", "[", "]", ","];
const FUNCTIONS: [&str; 8] =
    ["ispresent", "isempty", "isblank", "strcontains", "tolower", "toupper", "strlen", "isipinsubnet"];

/// The next token, written safely, and what follows it.
fn token<'a>(text: &'a str, before: Option<&str>) -> Result<(String, &'a str), ToolError> {
    if let Some(operator) = OPERATORS.iter().find(|operator| text.starts_with(**operator)) {
        return Ok(((*operator).to_owned(), &text[operator.len()..]));
    }
    let after_like = before.is_some_and(|before| before.eq_ignore_ascii_case("like"));
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (inner, rest) = until(text, quote)?;
            Ok((if after_like { contains(&inner)?.replacen("like ", "", 1) } else { quoted(&inner)? }, rest))
        }
        Some('/') => {
            let (inner, rest) = until(text, '/')?;
            Ok((expression(&inner)?, rest))
        }
        Some('`') => {
            let (inner, rest) = until(text, '`')?;
            Ok((field(&inner)?, rest))
        }
        _ => word(text),
    }
}

/// What is in quotes or slashes. A backslash takes the mark after it along; before a slash it stays, because there it
/// belongs to the expression.
fn until(text: &str, mark: char) -> Result<(String, &str), ToolError> {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((position, c)) = chars.next() {
        match c {
            c if c == mark => return Ok((inner, &text[position + c.len_utf8()..])),
            '\\' => match chars.next() {
                Some((_, escaped)) if mark != '/' && (escaped == mark || escaped == '\\') => {
                    inner.push(escaped)
                }
                Some((_, escaped)) => inner.extend(['\\', escaped]),
                None => break,
            },
            c => inner.push(c),
        }
    }
    Err(wrong(text))
}

/// A field, a number, a word such as `and`, or a function that only looks at its arguments.
fn word(text: &str) -> Result<(String, &str), ToolError> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_');
    let length = text.find(|c: char| !part(c)).unwrap_or(text.len());
    let negative = text.starts_with('-') && text[1..].starts_with(|c: char| c.is_ascii_digit());
    if negative {
        let digits = text[1..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len() - 1);
        return Ok((text[..=digits].to_owned(), &text[digits + 1..]));
    }
    let (word, rest) = text.split_at(length);
    let lower = word.to_ascii_lowercase();
    let called = rest.trim_start().starts_with('(');
    let known = FUNCTIONS.contains(&lower.as_str()) || matches!(lower.as_str(), "and" | "or" | "not" | "in");
    if word.is_empty() || (called && !known) {
        return Err(wrong(text));
    }
    Ok((word.to_owned(), rest))
}

fn wrong(at: &str) -> ToolError {
    ToolError::InvalidInput(format!(
        "filter_pattern is not understood at {:?}: write terms such as ERROR \"exact phrase\" -unwanted, or one condition \
         such as filter @message like /timeout|refused/ and level = \"error\", without further commands",
        shorten(at.trim(), 60)
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one("ERROR", r#"@message like "ERROR""#)]
    #[case::all("connection refused", r#"@message like "connection" and @message like "refused""#)]
    #[case::phrase(r#""connection refused""#, r#"@message like "connection refused""#)]
    #[case::unwanted("ERROR -health", r#"@message like "ERROR" and @message not like "health""#)]
    #[case::any("?ERROR ?WARN", r#"(@message like "ERROR" or @message like "WARN")"#)]
    #[case::any_one("?ERROR", r#"@message like "ERROR""#)]
    #[case::expression("%time[ -]?out%", "@message like /time[ -]?out/")]
    #[case::slashes("/ERROR|FATAL/", "@message like /ERROR|FATAL/")]
    #[case::path("/healthz", r"@message like /\x2fhealthz/")]
    #[case::open_quote(r#"say "no"#, r#"@message like "say" and @message like /\x22no/"#)]
    #[case::dash_alone("a - b", r#"@message like "a" and @message like "-" and @message like "b""#)]
    #[case::pipe("x | unmask", r#"@message like "x" and @message like /\x7c/ and @message like "unmask""#)]
    #[case::a_quote_within(r#"" | limit 1 | fields ""#, r"@message like /\x20\x7c limit 1 \x7c fields\x20/")]
    fn terms_become_a_condition(#[case] pattern: &str, #[case] expected: &str) {
        // Spaces stay as they are: the expectation names them only to be seen.
        let expected = expected.replace("\\x20", " ");
        assert_eq!(condition(pattern).unwrap(), expected);
    }

    #[rstest]
    #[case("filter @message like /ERROR/", "@message like /ERROR/")]
    #[case("@message like 'it''", "")]
    #[case(
        "FILTER (level = 'error' or code>=500) and not ispresent(`user-agent`)",
        r#"( level = "error" or code >= 500 ) and not ispresent ( `user-agent` )"#
    )]
    #[case(r#"filter @message not like "a \"b\"""#, r"@message not like /a \x22b\x22/")]
    #[case("filter verb in ['get', 'list'] and n > -1.5", r#"verb in [ "get" , "list" ] and n > -1.5"#)]
    #[case(r"filter uri =~ /^\/api/", r"uri =~ /^\x2fapi/")]
    #[case("filter @message like /a/ | limit 10000", "")]
    #[case("filter @message like /a/ # rest", "")]
    #[case("filter unmask(@message) like /a/", "")]
    #[case("filter level = \"a' | b\"", "")]
    #[case("filter level = 'a", "")]
    #[case("filter (a = 1", "")]
    #[case("filter a = 1)", "")]
    #[case("filter", "")]
    #[case("{ $.level = \"error\" }", "")]
    fn a_condition_is_written_anew_or_refused(#[case] pattern: &str, #[case] expected: &str) {
        let written = condition(pattern).unwrap_or_default();
        assert_eq!(written, expected, "{pattern}");
    }
}
