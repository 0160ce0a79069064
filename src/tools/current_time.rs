//! `current_time`: the clock, and the present of a recording.

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::ClusterInfo;

use super::text::{near_names, nearest, shorten};
use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

pub(super) struct CurrentTime {
    /// The one cluster, which may be a recording.
    pub(super) cluster: Option<ClusterInfo>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// IANA name of a time zone in which to give the time, too, such as `Asia/Seoul`
    timezone: Option<String>,
}

impl Tool for CurrentTime {
    const NAME: &'static str = "current_time";
    const TITLE: &'static str = "Tell the time";
    const DESCRIPTION: &'static str = "The current time in UTC and, on request, in a time zone. For a recorded cluster also the time of the recording, \
         from which ages count.";
    const ANNOTATIONS: Annotations = Annotations { idempotent_hint: false, ..Annotations::COMPUTES };
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        answer(Timestamp::now(), input.timezone.as_deref(), self.cluster.as_ref())
    }
}

fn answer(
    now: Timestamp,
    timezone: Option<&str>,
    cluster: Option<&ClusterInfo>,
) -> Result<ToolOutcome, ToolError> {
    let zone = timezone.map(time_zone).transpose()?;
    let utc = format!("{now:.0}");
    let local = zone.map(|zone| rfc3339(&now.to_zoned(zone)));
    let recorded = cluster.and_then(|cluster| Some((&cluster.name, cluster.captured_at?)));
    let recorded = recorded.map(|(name, time)| (name, format!("{time:.0}")));
    let mut text = format!("{utc}\n");
    if let (Some(local), Some(zone)) = (&local, timezone) {
        text.push_str(&format!("{local} in {zone}\n"));
    }
    if let Some((name, recorded)) = &recorded {
        text.push_str(&format!(
            "The cluster {name} is a recording, made at {recorded}: its ages count from there\n"
        ));
    }
    let structured = json!({ "utc": utc, "timezone": timezone, "local": local, "recordedAt": recorded.map(|(_, time)| time) });
    Ok(ToolOutcome::new(structured, text))
}

fn rfc3339(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The database that comes with the program: images without time zone files are common.
fn time_zone(name: &str) -> Result<jiff::tz::TimeZone, ToolError> {
    let database = TimeZoneDatabase::bundled();
    database.get(name).map_err(|_| {
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let near = nearest(name, names.iter().map(String::as_str), 1);
        ToolError::InvalidInput(format!(
            "timezone must be the IANA name of a time zone, such as Asia/Seoul, not {:?}{}",
            shorten(name, 60),
            near_names(&near)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(captured_at: Option<&str>) -> ClusterInfo {
        ClusterInfo {
            name: "shop".to_owned(),
            version: None,
            recorded: captured_at.is_some(),
            captured_at: captured_at.map(|time| time.parse().unwrap()),
        }
    }

    fn now() -> Timestamp {
        "2026-07-01T12:30:05.75Z".parse().unwrap()
    }

    #[test]
    fn the_time_is_given_in_utc_and_in_the_zone() {
        let outcome = answer(now(), Some("Asia/Seoul"), Some(&cluster(None))).unwrap();
        assert_eq!(outcome.text, "2026-07-01T12:30:05Z\n2026-07-01T21:30:05+09:00 in Asia/Seoul\n");
        assert_eq!(outcome.structured["local"], "2026-07-01T21:30:05+09:00");
        assert!(outcome.structured["recordedAt"].is_null());
    }

    #[test]
    fn a_recording_has_a_time_of_its_own() {
        let outcome = answer(now(), None, Some(&cluster(Some("2026-01-02T03:04:05Z")))).unwrap();
        assert_eq!(outcome.structured["utc"], "2026-07-01T12:30:05Z");
        assert_eq!(outcome.structured["recordedAt"], "2026-01-02T03:04:05Z");
        assert!(outcome.text.contains("is a recording"), "{}", outcome.text);
    }

    #[test]
    fn an_unknown_zone_is_an_error_with_the_nearest_name() {
        let error = answer(now(), Some("Asia/Soul"), Some(&cluster(None))).unwrap_err().to_string();
        assert_eq!(
            error,
            "timezone must be the IANA name of a time zone, such as Asia/Seoul, not \"Asia/Soul\"; near: Asia/Seoul"
        );
    }
}
