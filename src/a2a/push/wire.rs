//! A push configuration as peers write and read it, in both dialects.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Push;
use super::headers::{HMAC, JWT};
use crate::a2a::errors::A2aError;
use crate::a2a::request::{Dialect, canonical, parse};
use crate::tasks::{PushAuthentication, PushConfig, PushFormat, Secret};

/// Longest id, in characters.
const MAX_ID: usize = 256;
/// Longest token and longest credentials, in bytes.
const MAX_SECRET: usize = 4096;
/// Longest name of a scheme, in bytes.
const MAX_SCHEME: usize = 64;

/// What a peer asks for, checked as far as can be without a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPush {
    pub(super) id: Option<String>,
    pub(super) format: PushFormat,
    url: String,
    token: Option<Secret>,
    authentication: Option<PushAuthentication>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: Option<String>,
    url: String,
    token: Option<String>,
    authentication: Option<WireAuthentication>,
}

#[derive(Deserialize)]
struct WireAuthentication {
    scheme: String,
    credentials: Option<String>,
}

impl NewPush {
    /// Reads a configuration that stands at `place` in the request; nothing where it is the request itself.
    pub(super) fn read(value: Value, dialect: Dialect, place: &str, push: &Push) -> Result<Self, A2aError> {
        Self::read_unplaced(value, dialect, push).map_err(|error| placed(error, place, dialect))
    }

    fn read_unplaced(value: Value, dialect: Dialect, push: &Push) -> Result<Self, A2aError> {
        let value = match dialect {
            Dialect::V1 => canonical(value),
            Dialect::V03 => with_one_scheme(canonical(value)),
        };
        let wire: Wire = parse(value)?;
        push.check_url(&wire.url).map_err(|problem| A2aError::params("url", problem))?;
        let new = Self {
            id: wire.id.filter(|id| !id.is_empty()),
            format: match dialect {
                Dialect::V1 => PushFormat::V1,
                Dialect::V03 => PushFormat::V03,
            },
            url: wire.url,
            token: secret("token", wire.token)?,
            authentication: wire.authentication.map(|wire| authentication(wire, push)).transpose()?,
        };
        match &new.id {
            Some(id) if id.chars().count() > MAX_ID || id.chars().any(char::is_control) => {
                Err(A2aError::params(
                    "id",
                    format!("must have at most {MAX_ID} characters, and no control characters"),
                ))
            }
            Some(_) | None => Ok(new),
        }
    }

    /// The configuration of a task.
    pub(super) fn of_task(
        self,
        task_id: crate::a2a::types::TaskId,
        owner: crate::tasks::Owner,
        id: String,
    ) -> PushConfig {
        let Self { id: _, format, url, token, authentication } = self;
        PushConfig { task_id, id, owner, format, url, token, authentication }
    }
}

/// 0.3 has several schemes and means the first.
fn with_one_scheme(mut config: Value) -> Value {
    let Some(Value::Object(authentication)) = config.get_mut("authentication") else { return config };
    let Some(schemes) = authentication.remove("schemes") else { return config };
    match schemes {
        Value::Array(schemes) if schemes.is_empty() && !authentication.contains_key("credentials") => {
            if let Value::Object(config) = &mut config {
                config.remove("authentication");
            }
        }
        Value::Array(schemes) => {
            if let Some(first) = schemes.into_iter().next() {
                authentication.insert("scheme".to_owned(), first);
            }
        }
        other => drop(authentication.insert("scheme".to_owned(), other)),
    }
    config
}

fn authentication(wire: WireAuthentication, push: &Push) -> Result<PushAuthentication, A2aError> {
    let WireAuthentication { scheme, credentials } = wire;
    let wrong = |problem: &str| Err(A2aError::params("authentication.scheme", problem));
    if scheme.is_empty() || scheme.len() > MAX_SCHEME || !scheme.bytes().all(is_token) {
        return wrong("must be the name of an HTTP authentication scheme, HMAC-SHA256 or JWT");
    }
    let credentials = secret("authentication.credentials", credentials)?;
    if scheme.eq_ignore_ascii_case(HMAC) && credentials.is_none() {
        return Err(A2aError::params("authentication.credentials", "must be the secret to sign with"));
    }
    if scheme.eq_ignore_ascii_case(JWT) && !push.can_sign() {
        return wrong("this agent has no key to sign with; use HMAC-SHA256 or Bearer");
    }
    Ok(PushAuthentication { scheme, credentials })
}

/// A character of a `token` of HTTP.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What goes into a header: no line ends, nothing but ASCII.
fn secret(field: &str, text: Option<String>) -> Result<Option<Secret>, A2aError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > MAX_SECRET {
        return Err(A2aError::params(field, format!("must not be longer than {MAX_SECRET} bytes")));
    }
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Ok(Some(Secret::new(text))),
        false => Err(A2aError::params(field, "must be printable ASCII without line ends")),
    }
}

/// An error with the whole path of its field, and with 0.3's names.
fn placed(error: A2aError, place: &str, dialect: Dialect) -> A2aError {
    let A2aError::InvalidParams { field, problem } = error else { return error };
    let field = match (dialect, field.as_str()) {
        (Dialect::V03, "authentication.scheme") => "authentication.schemes".to_owned(),
        _ => field,
    };
    let path: Vec<&str> = [place, field.as_str()].into_iter().filter(|name| !name.is_empty()).collect();
    A2aError::InvalidParams { field: path.join("."), problem }
}

/// How much of a configuration is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What the caller has just said, credentials and all.
    Echo,
    /// What is kept, without the credentials.
    Kept,
}

/// A configuration in 1.0.
pub(super) fn to_v1(config: &PushConfig, detail: Detail) -> Value {
    let mut value = plain(config);
    value.insert("taskId".to_owned(), json!(config.task_id));
    if let Some(authentication) = &config.authentication {
        let scheme = json!({ "scheme": authentication.scheme });
        value.insert("authentication".to_owned(), with_credentials(scheme, authentication, detail));
    }
    Value::Object(value)
}

/// A configuration in 0.3.
pub(super) fn to_v03(config: &PushConfig, detail: Detail) -> Value {
    let mut value = plain(config);
    if let Some(authentication) = &config.authentication {
        let schemes = json!({ "schemes": [authentication.scheme] });
        value.insert("authentication".to_owned(), with_credentials(schemes, authentication, detail));
    }
    json!({ "taskId": config.task_id, "pushNotificationConfig": value })
}

/// What both dialects have.
fn plain(config: &PushConfig) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("id".to_owned(), json!(config.id));
    value.insert("url".to_owned(), json!(config.url));
    if let Some(token) = &config.token {
        value.insert("token".to_owned(), json!(token.expose()));
    }
    value
}

fn with_credentials(mut value: Value, authentication: &PushAuthentication, detail: Detail) -> Value {
    if let (Detail::Echo, Some(credentials)) = (detail, &authentication.credentials) {
        value["credentials"] = json!(credentials.expose());
    }
    value
}
