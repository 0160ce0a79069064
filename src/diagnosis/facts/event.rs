//! Kubernetes Events, in the shapes of both APIs.

use serde_json::Value;

use super::object::{Object, Read};

/// An Event of the cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KubeEvent<'a> {
    pub(crate) object: Object<'a>,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) is_warning: bool,
    /// When it was seen last.
    pub(crate) last: Option<jiff::Timestamp>,
    /// How often it was seen.
    pub(crate) count: u64,
}

impl<'a> KubeEvent<'a> {
    pub(crate) fn new(object: Object<'a>) -> Self {
        let value = object.value();
        let message = value.maybe_text("/message").or_else(|| value.maybe_text("/note"));
        Self {
            object,
            reason: value.text("/reason"),
            message: message.unwrap_or_default(),
            is_warning: value.text("/type") == "Warning",
            last: last_seen(value),
            count: count(value),
        }
    }

    /// What it is about.
    pub(crate) fn involved(&self) -> &'a Value {
        let value = self.object.value();
        match &value["involvedObject"] {
            Value::Null => &value["regarding"],
            involved => involved,
        }
    }

    /// The container it is about: `spec.containers{web}` says so.
    pub(crate) fn container(&self) -> Option<&'a str> {
        let path = self.involved().text("/fieldPath");
        path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}'))
    }
}

/// Events of the newer API leave the older times empty.
fn last_seen(value: &Value) -> Option<jiff::Timestamp> {
    let series = ["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"];
    let single = ["/eventTime", "/firstTimestamp", "/metadata/creationTimestamp"];
    let newest = series.into_iter().filter_map(|pointer| value.time(pointer)).max();
    newest.or_else(|| single.into_iter().find_map(|pointer| value.time(pointer)))
}

fn count(value: &Value) -> u64 {
    let counts = ["/series/count", "/count", "/deprecatedCount"];
    let count = counts.into_iter().filter_map(|pointer| value.int(pointer)).max().unwrap_or(1);
    u64::try_from(count).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::core(json!({ "count": 7, "lastTimestamp": "2026-01-01T00:00:00Z", "eventTime": null }), 7)]
    #[case::series(json!({ "eventTime": "2025-12-31T00:00:00Z", "series": { "count": 7, "lastObservedTime": "2026-01-01T00:00:00Z" } }), 7)]
    #[case::single(json!({ "eventTime": "2026-01-01T00:00:00Z", "lastTimestamp": null }), 1)]
    fn time_and_count_come_from_either_api(#[case] event: Value, #[case] count: u64) {
        let event = KubeEvent::new(Object::new(&event));
        assert_eq!((event.count, event.last), (count, Some("2026-01-01T00:00:00Z".parse().unwrap())));
    }
}
