//! Lines of logs as Logs Insights gives them, made fit to be read: what a collector has wrapped them in is taken off,
//! and secrets are out.

use aws_sdk_cloudwatchlogs::types::ResultField;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cluster::redact;

use super::super::text::{plain, shorten};

/// The longest message, in characters.
const MESSAGE: usize = 2000;

/// One line of a log.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// When, in UTC
    pub(super) timestamp: String,
    /// What was written: text, or an object where it is JSON
    pub(super) message: Value,
    /// The stream of the log group that has it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_stream: Option<String>,
    /// Namespace of the pod that wrote it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    /// The pod that wrote it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<String>,
    /// The container that wrote it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<String>,
    /// The node that it was written on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    /// Other fields that were asked for
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) fields: Map<String, Value>,
    /// The message in one line
    #[serde(skip)]
    pub(super) line: String,
}

impl Entry {
    pub(super) fn of(row: &[ResultField]) -> Self {
        let mut entry = Self::default();
        for (name, value) in row.iter().filter_map(|field| Some((field.field()?, field.value()?))) {
            match name {
                "@timestamp" => entry.timestamp = timestamp(value),
                "@message" => entry.take_message(value),
                "@logStream" => entry.log_stream = Some(plain(&redact::text(value))),
                // What AWS needs to find the line again says nothing to anyone else.
                "@ptr" => {}
                name => drop(entry.fields.insert(name.to_owned(), value.into())),
            }
        }
        let mut fields = Value::Object(std::mem::take(&mut entry.fields));
        redact::record(&mut fields);
        if let Value::Object(fields) = fields {
            entry.fields = fields;
        }
        entry
    }

    fn take_message(&mut self, message: &str) {
        let Some(mut parsed) = object(message) else {
            self.set_text(message);
            return;
        };
        hide(&mut parsed);
        let kubernetes = &parsed["kubernetes"];
        let said = |name: &str| kubernetes[name].as_str().map(plain);
        self.namespace = said("namespace_name");
        self.pod = said("pod_name");
        self.container = said("container_name");
        self.node = said("host");
        match parsed["log"].as_str() {
            // A collector's wrapping around the line itself.
            Some(line) if kubernetes.is_object() => {
                let line = line.to_owned();
                self.set_text(&line);
            }
            _ => {
                self.line = one_line(&audit(&parsed).unwrap_or_else(|| parsed.to_string()));
                self.message = parsed;
            }
        }
    }

    fn set_text(&mut self, text: &str) {
        self.line = one_line(text.trim_end());
        self.message = self.line.as_str().into();
    }

    /// Who wrote it, as far as that is known: `shop/web-1 app`, a node, or the beginning of the stream's name.
    pub(super) fn writer(&self) -> String {
        match (&self.namespace, &self.pod, &self.container) {
            (Some(namespace), Some(pod), Some(container)) => format!("{namespace}/{pod} {container}"),
            (_, Some(pod), _) => pod.clone(),
            _ => self.log_stream.as_deref().map(|stream| shorten(stream, 60)).unwrap_or_default(),
        }
    }
}

/// An object in a text. Text in objects that is JSON again stays text.
fn object(text: &str) -> Option<Value> {
    let text = text.trim();
    let looks = text.starts_with('{') && text.ends_with('}');
    looks.then(|| serde_json::from_str(text).ok()).flatten().filter(Value::is_object)
}

/// Without secrets, also where it carries Kubernetes objects, as audit events do.
fn hide(value: &mut Value) {
    let of_secret = value["objectRef"]["resource"] == "secrets";
    if let Some(members) = value.as_object_mut().filter(|_| of_secret) {
        members.remove("requestObject");
        members.remove("responseObject");
    }
    hide_objects(value);
    redact::record(value);
}

/// Every object within that says its kind.
fn hide_objects(value: &mut Value) {
    let members: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Object(members) => Box::new(members.values_mut()),
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for member in members {
        hide_objects(member);
        if member.get("kind").is_some() {
            redact::object(member);
        }
    }
}

/// An audit event in one line: who did what to what, and what came of it.
fn audit(event: &Value) -> Option<String> {
    let version = event["apiVersion"].as_str()?;
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let status = &event["responseStatus"];
    let code = status["code"].as_u64().map(|code| format!(": {code}")).unwrap_or_default();
    let why = status["message"].as_str().map(|why| format!(" {why}")).unwrap_or_default();
    let said = format!(
        "{} {} by {}{code}{why}",
        text(&event["verb"]),
        text(&event["requestURI"]),
        text(&event["user"]["username"])
    );
    version.starts_with("audit.k8s.io/").then_some(said)
}

fn one_line(text: &str) -> String {
    shorten(&plain(&redact::text(text)), MESSAGE)
}

/// `2026-01-31 09:00:00.123`, or milliseconds since 1970, as RFC 3339.
fn timestamp(text: &str) -> String {
    let civil = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let counted = || Timestamp::from_millisecond(text.parse().ok()?).ok();
    match counted().or_else(|| Some(civil()?.timestamp())) {
        Some(time) => format!("{time:.3}"),
        None => plain(&redact::text(text)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let field = |(name, value): &(&str, &str)| ResultField::builder().field(*name).value(*value).build();
        Entry::of(&fields.iter().map(field).collect::<Vec<_>>())
    }

    #[test]
    fn a_collectors_wrapping_is_taken_off() {
        let wrapped = json!({
            "log": "GET / 500\n", "stream": "stdout",
            "kubernetes": { "pod_name": "web-1", "namespace_name": "shop", "container_name": "app", "host": "ip-10-0-0-1" },
        });
        let entry = entry(&[("@timestamp", "2026-01-31 09:00:00.123"), ("@message", &wrapped.to_string())]);
        assert_eq!(entry.timestamp, "2026-01-31T09:00:00.123Z");
        assert_eq!((entry.writer().as_str(), entry.line.as_str()), ("shop/web-1 app", "GET / 500"));
        assert_eq!((entry.message, entry.node.as_deref()), (json!("GET / 500"), Some("ip-10-0-0-1")));
    }

    #[test]
    fn other_json_stays_an_object() {
        let entry = entry(&[("@message", r#"{"level":"error","inner":"{\"a\":1}"}"#), ("@ptr", "x")]);
        assert_eq!(entry.message, json!({ "level": "error", "inner": "{\"a\":1}" }));
        assert_eq!(entry.line, r#"{"inner":"{\"a\":1}","level":"error"}"#);
        assert!(entry.fields.is_empty());
    }

    #[test]
    fn an_audit_event_is_one_sentence() {
        let event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "list", "requestURI": "/api/v1/secrets",
            "user": { "username": "system:anonymous" }, "responseStatus": { "code": 403, "message": "forbidden" },
        });
        let entry = entry(&[("@message", &event.to_string())]);
        assert_eq!(entry.line, "list /api/v1/secrets by system:anonymous: 403 forbidden");
    }

    #[rstest]
    #[case::text("login password=tiger-lily-4711 failed")]
    #[case::member(r#"{"db":{"password":"tiger-lily-4711"}}"#)]
    #[case::token(r#"{"token":"tiger-lily-4711"}"#)]
    #[case::wrapped(r#"{"log":"PASSWORD=tiger-lily-4711","kubernetes":{"pod_name":"x"}}"#)]
    #[case::object(
        r#"{"apiVersion":"audit.k8s.io/v1","requestObject":{"kind":"Secret","stringData":{"x":"tiger-lily-4711"}}}"#
    )]
    #[case::in_a_list(
        r#"{"responseObject":{"kind":"List","items":[{"kind":"Secret","data":{"x":"tiger-lily-4711"}}]}}"#
    )]
    #[case::patch(
        r#"{"objectRef":{"resource":"secrets"},"requestObject":{"stringData":{"x":"tiger-lily-4711"}}}"#
    )]
    fn secrets_are_out(#[case] message: &str) {
        let entry = entry(&[("@message", message), ("password", "tiger-lily-4711")]);
        let shown = format!("{}{}", entry.line, serde_json::to_value(&entry).unwrap());
        assert!(!shown.contains("tiger-lily"), "{shown}");
    }

    #[rstest]
    #[case("1769850000123", "2026-01-31T09:00:00.123Z")]
    #[case("soon", "soon")]
    fn times_are_of_one_shape(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(timestamp(given), expected);
    }
}
