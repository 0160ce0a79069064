//! What the tools for EKS have in common: the name of a cluster, and the span of time that is asked about.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::ToolError;
use super::text::shorten;

/// The name of an EKS cluster, from the name or its ARN.
pub(super) fn cluster_name(given: &str) -> Result<&str, ToolError> {
    let given = given.trim();
    let name = if given.starts_with("arn:") { given.rsplit('/').next().unwrap_or_default() } else { given };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && name.len() <= 100 && name.chars().all(fits) {
        true => Ok(name),
        false => Err(ToolError::InvalidInput(format!(
            "cluster_name {:?} is no name of an EKS cluster: letters, digits, - and _, as list_eks_clusters gives it",
            shorten(given, 60)
        ))),
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Window {
    /// From `start` to `end`; the end is now, and the start so many minutes before the end, where they are not given.
    pub(super) fn of(
        minutes: u32,
        start: Option<&str>,
        end: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, ToolError> {
        let end = end.map(|text| time("end_time", text)).transpose()?.unwrap_or(now);
        let start = match start {
            Some(text) => time("start_time", text)?,
            None => end - SignedDuration::from_mins(i64::from(minutes)),
        };
        match start < end {
            true => Ok(Self { start, end }),
            false => Err(ToolError::InvalidInput(format!(
                "start_time {start:.0} must be before end_time {end:.0}; it is {now:.0} now"
            ))),
        }
    }
}

/// A time as ISO 8601 has it, of UTC where no zone is said.
fn time(name: &str, text: &str) -> Result<Timestamp, ToolError> {
    let text = text.trim();
    let zoned = Timestamp::from_str(text).ok();
    let civil = || civil::DateTime::from_str(text).ok()?.to_zoned(TimeZone::UTC).ok();
    zoned.or_else(|| Some(civil()?.timestamp())).ok_or_else(|| {
        ToolError::InvalidInput(format!(
            "{name} must be a time such as 2026-01-31T09:00:00Z, not {:?}",
            shorten(text, 60)
        ))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOW: &str = "2026-01-31T12:00:00Z";

    #[rstest]
    #[case::minutes(None, None, "2026-01-31T11:45:00Z", NOW)]
    #[case::start(Some("2026-01-31T09:00:00+01:00"), None, "2026-01-31T08:00:00Z", NOW)]
    #[case::end(None, Some("2026-01-31T10:00:00Z"), "2026-01-31T09:45:00Z", "2026-01-31T10:00:00Z")]
    #[case::no_zone(
        Some("2026-01-30 10:00"),
        Some(" 2026-01-31 "),
        "2026-01-30T10:00:00Z",
        "2026-01-31T00:00:00Z"
    )]
    fn a_window_ends_now_unless_told_otherwise(
        #[case] start: Option<&str>,
        #[case] end: Option<&str>,
        #[case] from: &str,
        #[case] to: &str,
    ) {
        let window = Window::of(15, start, end, at(NOW)).unwrap();
        assert_eq!(window, Window { start: at(from), end: at(to) });
    }

    #[rstest]
    #[case::no_time(Some("yesterday"), None, "start_time must be a time such as")]
    #[case::reversed(Some("2026-02-01"), None, "must be before end_time")]
    #[case::empty(Some(NOW), Some(NOW), "must be before end_time")]
    fn what_is_no_window_is_refused(
        #[case] start: Option<&str>,
        #[case] end: Option<&str>,
        #[case] part: &str,
    ) {
        let told = Window::of(15, start, end, at(NOW)).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }

    #[rstest]
    #[case("prod", Some("prod"))]
    #[case(" arn:aws:eks:eu-west-1:111122223333:cluster/shop_1 ", Some("shop_1"))]
    #[case("../x", None)]
    #[case("a\" | unmask(@message)", None)]
    #[case("", None)]
    fn a_cluster_is_called_by_its_name_or_arn(#[case] given: &str, #[case] name: Option<&str>) {
        assert_eq!(cluster_name(given).ok(), name);
    }
}
