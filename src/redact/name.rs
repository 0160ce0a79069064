//! What names say: `DB_PASSWORD` holds a credential, `PASSWORD_FILE` does not.

use super::MARK;

/// Words that mean a credential wherever they stand in a name.
const CREDENTIALS: [&str; 13] = [
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "TOKEN",
    "SECRET",
    "SECRETS",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "AUTHORIZATION",
    "COOKIE",
    "SIGNATURE",
];
/// Ends of words that were written together: `PGPASSWORD`, `dbpasswd`.
const ENDINGS: [&str; 7] =
    ["PASSWORD", "PASSWD", "APIKEY", "ACCESSKEY", "SECRETKEY", "PRIVATEKEY", "AUTHTOKEN"];
/// `API_KEY`, `accessKey`, ….
const KEYS: [&str; 11] = [
    "API",
    "ACCESS",
    "PRIVATE",
    "SECRET",
    "SIGNING",
    "ENCRYPTION",
    "AUTH",
    "MASTER",
    "ACCOUNT",
    "CLIENT",
    "SESSION",
];
/// Last words of names that say something about a credential without holding it.
const ABOUT: [&str; 50] = [
    "FILE",
    "FILES",
    "FILENAME",
    "PATH",
    "PATHS",
    "DIR",
    "DIRECTORY",
    "MOUNT",
    "NAME",
    "NAMES",
    "NAMESPACE",
    "REF",
    "REFS",
    "TYPE",
    "KIND",
    "CLASS",
    "MODE",
    "FORMAT",
    "VERSION",
    "PREFIX",
    "HEADER",
    "ALGORITHM",
    "HOST",
    "PORT",
    "ENDPOINT",
    "REGION",
    "ARN",
    "ISSUER",
    "AUDIENCE",
    "TTL",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "SECONDS",
    "MINUTES",
    "TIMEOUT",
    "LIFETIME",
    "INTERVAL",
    "LENGTH",
    "SIZE",
    "LIMIT",
    "COUNT",
    "ENABLED",
    "DISABLED",
    "REQUIRED",
    "PROVIDER",
    "POLICY",
    "ROTATION",
    "MANAGER",
    "STORE",
];

/// True for the name of a variable, a key or a flag whose value is a credential.
pub(super) fn names_credential(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    if ABOUT.contains(&last.as_str()) || is_key_id(&words) {
        return false;
    }
    let alone = words.len() == 1;
    words.iter().any(|word| CREDENTIALS.contains(&word.as_str()) || ends_in_credential(word))
        || has_key(&words)
        || (!alone && words.iter().any(|word| word == "PWD"))
        || last == "PASS"
}

/// True for a field of an object whose text is a credential; `secret`, `secretKey` and `token` may name one.
pub(super) fn holds_credential(field: &str) -> bool {
    let words = words(field);
    match words.as_slice() {
        [] => false,
        [only] => ends_in_credential(only) || only == "PASSPHRASE",
        [.., before, last] => {
            ends_in_credential(last)
                || last == "PASSPHRASE"
                || (last == "KEY" && before != "SECRET" && KEYS.contains(&before.as_str()))
                || (last == "TOKEN" && before != "ACCOUNT")
                || (last == "SECRET" && before == "CLIENT")
        }
    }
}

/// Values that are no secret under any name: nothing, switches, references to variables, paths, and our own mark.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    let switch = ["true", "false", "yes", "no", "on", "off", "null", "none", "nil"];
    value.is_empty()
        || value == MARK
        || switch.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.starts_with("{{")
        || is_variable(value)
        || is_path(value)
}

/// `$(NAME)`, `${NAME}`, `{{ .Values.x }}`, `<password>`, `%s`.
pub(super) fn is_variable(value: &str) -> bool {
    let wrapped = |open: &str, close: &str| {
        let inner = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| !inner.contains(close))
    };
    wrapped("$(", ")") || wrapped("${", "}") || wrapped("{{", "}}") || wrapped("<", ">") || value == "%s"
}

/// `/var/run/secrets/x`: at least two names, in the way in which files are named.
fn is_path(value: &str) -> bool {
    let Some(path) = value.strip_prefix('/') else { return false };
    let is_name = |name: &str| {
        let mut letters = name.chars();
        !name.is_empty() && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    path.contains('/') && path.split('/').all(is_name)
}

fn ends_in_credential(word: &str) -> bool {
    ENDINGS.iter().any(|ending| word.ends_with(ending))
}

fn has_key(words: &[String]) -> bool {
    let key = |word: &str| word == "KEY" || word == "KEYS";
    words.windows(2).any(|pair| KEYS.contains(&pair[0].as_str()) && key(&pair[1]))
}

/// An `ACCESS_KEY_ID` names a key; what it looks like is recognized by its value.
fn is_key_id(words: &[String]) -> bool {
    words.ends_with(&["KEY".to_owned(), "ID".to_owned()])
}

/// `dbPassword`, `db-password` and `DB_PASSWORD` are `DB`, `PASSWORD`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if !letter.is_ascii_alphanumeric() || (after_lower && letter.is_ascii_uppercase()) {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_uppercase());
        }
        after_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}
