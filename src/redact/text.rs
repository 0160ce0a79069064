//! What looks like a credential in a text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::MARK;
use super::name::{is_harmless, is_variable, names_credential};

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("bug: a pattern is wrong")
}

/// Tokens that say by their shape what they are: JWT, AWS, EKS, GitHub, GitLab, Slack, Google, model providers, Stripe, npm.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*",
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/]{20,}={0,2}",
        r"|\bk8s-aws-v1\.[A-Za-z0-9_-]{8,}",
        r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{20,}",
        r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{35}",
        r"|\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{20,}|\bsk-(?:proj-)?[A-Za-z0-9]{20,}",
        r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\bnpm_[A-Za-z0-9]{36}",
    ))
});
/// The address of a Slack webhook is its secret.
static WEBHOOK: LazyLock<Regex> = LazyLock::new(|| pattern(r"(hooks\.slack\.com/services/)[A-Za-z0-9/_-]+"));
static AUTHORIZATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)\b(authorization\\*["']?[ \t]*[:=][ \t]*\\*["']?)"#,
        r#"((?:basic|bearer|token|digest|negotiate|apikey)[ \t]+)?([^\s"'\\,;]+)"#,
    ))
});
static BEARER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(bearer[ \t]+)([A-Za-z0-9._~+/=-]{12,})"));
/// `user:password@tcp(host:3306)/name`
static MYSQL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"([A-Za-z0-9_.-]+:)([^\s@:/]+)(@(?:tcp|udp|unix)\()"));
/// A name that may hold a credential, what separates it from its value, and the value.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)([a-z0-9_.-]*(?:pass|pwd|token|secret|credential|key|cookie|signature)[a-z0-9_.-]*)",
        r#"(\\*["']?[ \t]*=>?[ \t]*|\\*["'][ \t]*:[ \t]*|:)"#,
        r#"("[^"\n\\]*"|'[^'\n\\]*'|\\+"[^"\n\\]*|[^\s"'\\,;&{}\[\]][^\s"'\\,;&]*)"#,
    ))
});
/// A line of YAML, or of a text in its manner.
static YAML_LINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?im)^[ \t]*(?:-[ \t]+)?["']?([a-z0-9_./-]*(?:pass|pwd|token|secret|credential|key|cookie)[a-z0-9_./-]*)"#,
        r#"(["']?[ \t]*:[ \t]+)([^\n]*?)(?:[ \t]+#[^\n]*)?[ \t]*\r?$"#,
    ))
});
static FLAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(--?[A-Za-z][A-Za-z0-9-]*)([ \t]+)("[^"\n]*"|'[^'\n]*'|[^\s"'-][^\s"']*)"#));
/// Credentials in the manner of sentences and commands: what stands before, and the credential.
static PHRASES: LazyLock<[Regex; 5]> = LazyLock::new(|| {
    [
        // `fatal password 'x' rejected`; a quoted secret in such a place is the name of a Secret.
        pattern(r#"(?i)(\b(?:password|passwd|passphrase)[ \t]+)('[^'\n]+'|"[^"\n]+"|`[^`\n]+`)"#),
        pattern(r#"(?i)(\b(?:using|with|invalid|wrong|bad) password[ \t]+)([^\s:'"`,;]*\d[^\s'"`,;]*)"#),
        pattern(r"(?i)(<(?:password|passwd|secret|token|apikey|api-key)>)([^<\n]+)"),
        pattern(r"(\bcurl\b[^\n]*?[ \t](?:-u|--user)[ \t]+[^\s:]+:)(\S+)"),
        pattern(r"(\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]*?[ \t]-p)([^\s-]\S*)"),
    ]
});
/// Colours of a terminal, which loggers put between a name and its value.
static COLOURS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-9;?]*[ -/]*[@-~]"));
static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[A-Za-z0-9+/=\s\\:,-]*?-----END [A-Z0-9 ]*PRIVATE KEY-----",
    )
});

/// The text without credentials; borrowed where there were none. What a replacement leaves behind is looked at again,
/// until there is nothing to replace: each round leaves less.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    if text.len() < 8 {
        return Cow::Borrowed(text);
    }
    let mut shown = replaced(text);
    while let Cow::Owned(before) = &shown {
        let after = replaced(before).into_owned();
        if after == *before {
            break;
        }
        shown = Cow::Owned(after);
    }
    shown
}

fn replaced(text: &str) -> Cow<'_, str> {
    let text = Cow::Borrowed(text);
    let text = then(text, without_colours);
    let text = then(text, without_private_keys);
    let text = then(text, without_userinfo);
    let text = then(text, without_phrases);
    let text = then(text, without_mysql_passwords);
    let text = then(text, without_authorization);
    let text = then(text, without_assigned);
    then(text, without_tokens)
}

fn then<'a>(text: Cow<'a, str>, step: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => step(text),
        Cow::Owned(text) => Cow::Owned(step(&text).into_owned()),
    }
}

fn without_colours(text: &str) -> Cow<'_, str> {
    match text.contains('\x1b') {
        true => COLOURS.replace_all(text, ""),
        false => Cow::Borrowed(text),
    }
}

fn without_phrases(text: &str) -> Cow<'_, str> {
    PHRASES.iter().fold(Cow::Borrowed(text), |text, phrase| {
        then(text, |text| {
            phrase.replace_all(text, |found: &Captures<'_>| match is_harmless(unquoted(&found[2])) {
                true => found[0].to_owned(),
                false => found[0].replacen(&found[2], MARK, 1),
            })
        })
    })
}

fn without_tokens(text: &str) -> Cow<'_, str> {
    then(TOKENS.replace_all(text, MARK), |text| match text.contains("hooks.slack.com/") {
        true => WEBHOOK.replace_all(text, format!("${{1}}{MARK}")),
        false => Cow::Borrowed(text),
    })
}

fn without_authorization(text: &str) -> Cow<'_, str> {
    // Words that stand after "authorization:" and "bearer" in a sentence do not look like tokens.
    let is_token = |text: &str| text.len() >= 16 || text.contains(|c: char| c.is_ascii_digit());
    let masked = |found: &Captures<'_>| {
        let scheme = found.get(2).map(|scheme| scheme.as_str());
        match is_harmless(&found[3]) || !(scheme.is_some() || is_token(&found[3])) {
            true => found[0].to_owned(),
            false => format!("{}{}{MARK}", &found[1], scheme.unwrap_or_default()),
        }
    };
    let bearer = |found: &Captures<'_>| match found[2].contains(|c: char| c.is_ascii_digit()) {
        true => format!("{}{MARK}", &found[1]),
        false => found[0].to_owned(),
    };
    then(AUTHORIZATION.replace_all(text, masked), |text| BEARER.replace_all(text, bearer))
}

fn without_mysql_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    MYSQL.replace_all(text, |found: &Captures<'_>| match is_harmless(&found[2]) {
        true => found[0].to_owned(),
        false => format!("{}{MARK}{}", &found[1], &found[3]),
    })
}

fn without_assigned(text: &str) -> Cow<'_, str> {
    if !text.contains(['=', ':', '-']) {
        return Cow::Borrowed(text);
    }
    let text = replace_values(&ASSIGNMENT, text, is_assigned_credential);
    let text = then(text, |text| replace_values(&YAML_LINE, text, is_yaml_credential));
    then(text, |text| replace_values(&FLAG, text, |name, _, value| is_credential(name, value)))
}

/// Masks the values of what is a credential by name, separator and value: the groups of the pattern. What is none may
/// hold one: the search goes on in its value.
fn replace_values<'a>(
    pattern: &Regex,
    text: &'a str,
    is_credential: impl Fn(&str, &str, &str) -> bool,
) -> Cow<'a, str> {
    let (mut result, mut kept, mut from) = (String::new(), 0, 0);
    while let Some(found) = pattern.captures_at(text, from) {
        let (Some(name), Some(separator), Some(value)) = (found.get(1), found.get(2), found.get(3)) else {
            break;
        };
        from = value.start();
        if is_credential(name.as_str(), separator.as_str(), value.as_str()) {
            result.push_str(&text[kept..value.start()]);
            result.push_str(&masked(value.as_str()));
            (kept, from) = (value.end(), value.end());
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    result.push_str(&text[kept..]);
    Cow::Owned(result)
}

fn is_credential(name: &str, value: &str) -> bool {
    names_credential(name) && !is_harmless(unquoted(value)) && !is_url(unquoted(value))
}

/// In a sentence, `secret:` and `token:` stand before a reason or a name; `secret="namespace/name"` names one in a log.
fn is_assigned_credential(name: &str, separator: &str, value: &str) -> bool {
    let in_a_sentence = separator == ":" && !name.to_ascii_lowercase().contains("pass");
    !in_a_sentence && !names_secret(name, unquoted(value)) && is_credential(name, value)
}

/// More than one word after a name is a sentence, but for a password.
fn is_yaml_credential(name: &str, _separator: &str, value: &str) -> bool {
    let is_word = !unquoted(value).contains([' ', '\t']) || value.starts_with(['"', '\'']);
    let is_block = matches!(value, "|" | ">" | "|-" | ">-");
    (is_word || name.to_ascii_lowercase().contains("pass"))
        && !is_block
        && !value.starts_with(['{', '['])
        && is_credential(name, value)
}

/// A log says `secret="namespace/name"` of a Secret that it names.
pub(super) fn names_secret(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("secret") && is_object_name(value)
}

fn is_object_name(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
    };
    text.split_once('/').is_some_and(|(namespace, name)| is_name(namespace) && is_name(name))
}

fn unquoted(value: &str) -> &str {
    value.trim_matches(['"', '\'', '\\'])
}

/// The mark in the quotes of the value.
fn masked(value: &str) -> String {
    let text = unquoted(value);
    match text.is_empty() {
        true => value.to_owned(),
        false => value.replacen(text, MARK, 1),
    }
}

/// True for `scheme://…`.
pub(super) fn is_url(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-:".contains(c))
    };
    text.split_once("://").is_some_and(|(before, _)| scheme(before))
}

/// URLs without their passwords; user, host, port and path stay.
fn without_userinfo(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut result = String::new();
    while let Some((before, after)) = rest.split_once("://") {
        result.push_str(before);
        result.push_str("://");
        let end = userinfo_end(after);
        if let Some(end) = end {
            result.push_str(&masked_userinfo(&after[..end]));
        }
        rest = &after[end.unwrap_or(0)..];
    }
    result.push_str(rest);
    match result == text {
        true => Cow::Borrowed(text),
        false => Cow::Owned(result),
    }
}

/// Where the `@` is that ends the userinfo of what follows `://`. Passwords may hold `@`, `/` and `?` by mistake.
fn userinfo_end(after: &str) -> Option<usize> {
    let end = after.find(|c: char| c.is_whitespace() || "\"'`<>|".contains(c)).unwrap_or(after.len());
    let end = after[..end].find("://").unwrap_or(end);
    let url = &after[..end];
    let authority = &url[..url.find(['/', '?', '#', ',']).unwrap_or(url.len())];
    authority.rfind('@').or_else(|| {
        let (_, port) = authority.split_once(':').filter(|_| !authority.starts_with('['))?;
        let is_port = port.chars().all(|c| c.is_ascii_digit()) || is_variable(port);
        url.find('@').filter(|_| !is_port)
    })
}

fn masked_userinfo(userinfo: &str) -> String {
    match userinfo.split_once(':') {
        Some((user, password)) if password.is_empty() || password == MARK || is_variable(password) => {
            format!("{user}:{password}")
        }
        Some((user, _)) => format!("{user}:{MARK}"),
        // A long name alone is a token.
        None if userinfo.len() >= 20 => MARK.to_owned(),
        None => userinfo.to_owned(),
    }
}

/// Private keys as they are written in files; where lines carry times, or the text is cut, line by line.
fn without_private_keys(text: &str) -> Cow<'_, str> {
    if !text.contains("PRIVATE KEY-----") {
        return Cow::Borrowed(text);
    }
    then(PRIVATE_KEY.replace_all(text, MARK), |text| Cow::Owned(without_key_lines(text)))
}

fn without_key_lines(text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for index in 0..lines.len() {
        if lines[index].contains("PRIVATE KEY-----") {
            let (before, after) = lines.split_at_mut(index);
            mask_key_lines(after.iter_mut().skip(1));
            mask_key_lines(before.iter_mut().rev());
        }
    }
    lines.join("\n")
}

/// Masks the last word of each line for as long as it looks like a part of a key.
fn mask_key_lines<'a>(lines: impl Iterator<Item = &'a mut String>) {
    for line in lines {
        let start = line.trim_end().rfind([' ', '\t']).map_or(0, |space| space + 1);
        let word = line[start..].trim_end();
        let is_key = word.len() >= 16 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        if is_key {
            line.truncate(start);
            line.push_str(MARK);
        } else if word != MARK {
            return;
        }
    }
}
