//! A Kubernetes event, in whichever of the two APIs it was written.

use jiff::Timestamp;
use serde_json::Value;

/// An event: what happened to which object, how often and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KubeEvent {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `Normal` or `Warning`.
    pub(super) event_type: String,
    pub(super) reason: String,
    pub(super) message: String,
    /// The component that reports it.
    pub(super) source: String,
    pub(super) count: u64,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) last_seen: Option<Timestamp>,
}

impl KubeEvent {
    /// Reads a `v1` or an `events.k8s.io/v1` Event, and a `v1` Event that was written through the newer API.
    pub(super) fn read(event: &Value) -> Self {
        let object = match &event["regarding"] {
            Value::Null => &event["involvedObject"],
            regarding => regarding,
        };
        let created = time(event, "/metadata/creationTimestamp");
        let times = |pointers: &[&str]| -> Vec<Timestamp> {
            pointers.iter().filter_map(|pointer| time(event, pointer)).collect()
        };
        let begun = times(&["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"]);
        let seen =
            times(&["/lastTimestamp", "/deprecatedLastTimestamp", "/series/lastObservedTime", "/eventTime"]);
        let counts = ["/count", "/deprecatedCount", "/series/count"].into_iter();
        Self {
            kind: first_text(object, &["/kind"]),
            namespace: first_text(object, &["/namespace"]),
            name: first_text(object, &["/name"]),
            event_type: first_text(event, &["/type"]),
            reason: first_text(event, &["/reason"]),
            message: first_text(event, &["/message", "/note"]),
            source: first_text(
                event,
                &[
                    "/reportingComponent",
                    "/reportingController",
                    "/source/component",
                    "/deprecatedSource/component",
                ],
            ),
            count: counts.filter_map(|pointer| event.pointer(pointer)?.as_u64()).max().unwrap_or(1).max(1),
            first_seen: begun.into_iter().min().or(created),
            last_seen: seen.into_iter().max().or(created),
        }
    }

    /// `Pod/catalog-85f4-x2`.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

fn time(event: &Value, pointer: &str) -> Option<Timestamp> {
    event.pointer(pointer)?.as_str()?.parse().ok()
}

fn first_text(value: &Value, pointers: &[&str]) -> String {
    let texts = pointers.iter().filter_map(|pointer| value.pointer(pointer)?.as_str());
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::core(json!({
        "involvedObject": { "kind": "Pod", "namespace": "shop", "name": "web" },
        "type": "Warning", "reason": "BackOff", "message": "back-off", "source": { "component": "kubelet" },
        "count": 7, "firstTimestamp": "2026-01-01T10:00:00Z", "lastTimestamp": "2026-01-01T10:05:00Z",
        "eventTime": null,
    }))]
    #[case::core_written_through_the_newer_api(json!({
        "involvedObject": { "kind": "Pod", "namespace": "shop", "name": "web" },
        "type": "Warning", "reason": "BackOff", "message": "back-off", "source": {}, "reportingComponent": "kubelet",
        "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-01T10:00:00.000000Z",
        "series": { "count": 7, "lastObservedTime": "2026-01-01T10:05:00.000000Z" },
    }))]
    #[case::events_k8s_io(json!({
        "regarding": { "kind": "Pod", "namespace": "shop", "name": "web" },
        "type": "Warning", "reason": "BackOff", "note": "back-off", "reportingController": "kubelet",
        "deprecatedCount": 7, "deprecatedFirstTimestamp": "2026-01-01T10:00:00Z",
        "deprecatedLastTimestamp": "2026-01-01T10:05:00Z",
    }))]
    fn each_shape_says_the_same(#[case] event: Value) {
        let read = KubeEvent::read(&event);
        assert_eq!((read.object().as_str(), read.namespace.as_str()), ("Pod/web", "shop"));
        assert_eq!((read.message.as_str(), read.source.as_str()), ("back-off", "kubelet"));
        assert_eq!(read.count, 7);
        assert_eq!(read.first_seen, "2026-01-01T10:00:00Z".parse().ok());
        assert_eq!(read.last_seen, "2026-01-01T10:05:00Z".parse().ok());
    }

    #[test]
    fn an_event_without_times_happened_once_when_it_was_created() {
        let read = KubeEvent::read(&json!({ "metadata": { "creationTimestamp": "2026-01-01T10:00:00Z" } }));
        assert_eq!(read.count, 1);
        assert_eq!(read.last_seen, "2026-01-01T10:00:00Z".parse().ok());
    }
}
