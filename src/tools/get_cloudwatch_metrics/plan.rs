//! What is asked of CloudWatch: which series, over what time, in what steps.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::super::ToolError;
use super::super::eks::Window;
use super::super::text::shorten;

/// Names and values. A metric is found only by the whole set.
pub(super) type Dimensions = BTreeMap<String, String>;

/// The most series of one call.
const MAX_SERIES: usize = 20;
/// The most points of one series.
const MAX_POINTS: i64 = 5000;
/// Steps, in seconds, of which the first is taken that gives no more points than this.
const STEPS: [i64; 6] = [60, 300, 900, 3600, 21_600, 86_400];
const ENOUGH_POINTS: i64 = 360;
const DAY: i64 = 86_400;

/// One series: a metric under its dimensions, by one statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) metric: String,
    pub(super) stat: String,
    pub(super) dimensions: Dimensions,
}

/// Each metric by each statistic; both may be several, with commas between them.
pub(super) fn wanted(metrics: &str, stats: &str, dimensions: &Dimensions) -> Result<Vec<Wanted>, ToolError> {
    let names = |text: &str| {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let stats: Vec<String> = names(stats).iter().map(|stat| statistic(stat)).collect::<Result<_, _>>()?;
    let metrics = names(metrics);
    let wanted: Vec<Wanted> = metrics
        .iter()
        .flat_map(|metric| stats.iter().map(move |stat| (metric, stat)))
        .map(|(metric, stat)| Wanted {
            metric: metric.clone(),
            stat: stat.clone(),
            dimensions: dimensions.clone(),
        })
        .collect();
    match wanted.len() {
        0 => Err(ToolError::InvalidInput(
            "metric_name and stat must each have a name: get_eks_metrics_guidance lists the metrics"
                .to_owned(),
        )),
        count if count > MAX_SERIES => Err(ToolError::InvalidInput(format!(
            "{count} series are too many for one call: ask for at most {MAX_SERIES}, metrics times statistics"
        ))),
        _ => Ok(wanted),
    }
}

/// The statistic as CloudWatch writes it.
fn statistic(given: &str) -> Result<String, ToolError> {
    const NAMES: [&str; 6] = ["Average", "Sum", "Maximum", "Minimum", "SampleCount", "IQM"];
    static OTHERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^((p|tm|wm|tc|ts)(100|[0-9]{1,2}(\.[0-9]{1,10})?)|(tm|wm|pr|tc|ts)\([0-9.%]*:[0-9.%]*\))$",
        )
        .ok()
    });
    if let Some(name) = NAMES.iter().find(|name| name.eq_ignore_ascii_case(given)) {
        return Ok((*name).to_owned());
    }
    match OTHERS.as_ref().is_some_and(|shape| shape.is_match(given)) {
        true if given.contains('(') => Ok(given.to_ascii_uppercase()),
        true => Ok(given.to_ascii_lowercase()),
        false => Err(ToolError::InvalidInput(format!(
            "stat must be Average, Sum, Maximum, Minimum, SampleCount, or a percentile such as p99, not {:?}",
            shorten(given, 60)
        ))),
    }
}

/// Steps of the same length, aligned to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// Beginning of the first, in seconds since 1970.
    pub(super) start: i64,
    /// End of the last.
    pub(super) end: i64,
    /// Length, in seconds.
    pub(super) period: i64,
}

impl Steps {
    pub(super) fn of(window: Window, period: Option<u32>, now: Timestamp) -> Result<Self, ToolError> {
        let (from, to) = (window.start.as_second(), window.end.as_second());
        let kept = kept_in_steps_of(now.as_second() - from);
        let automatic = || {
            let fits = |step: &&i64| **step >= kept && (to - from) / **step <= ENOUGH_POINTS;
            STEPS.iter().find(fits).copied().unwrap_or(DAY)
        };
        let period = period.map(i64::from).map_or_else(|| Ok(automatic()), checked)?;
        if (to - from) / period > MAX_POINTS {
            return Err(ToolError::InvalidInput(format!(
                "a period of {period} s gives more than {MAX_POINTS} points: take a longer period or a shorter time"
            )));
        }
        let (start, end) = (from.div_euclid(period) * period, (to + period - 1).div_euclid(period) * period);
        Ok(Self { start, end, period })
    }

    /// The beginnings of the steps.
    pub(super) fn slots(&self) -> impl DoubleEndedIterator<Item = i64> + '_ {
        (0..(self.end - self.start) / self.period).map(|step| self.start + step * self.period)
    }

    /// The step that a time is in.
    pub(super) fn slot(&self, time: i64) -> i64 {
        time.div_euclid(self.period) * self.period
    }
}

/// CloudWatch keeps minutes for 15 days, five minutes for 63, hours for 15 months.
fn kept_in_steps_of(age: i64) -> i64 {
    match age {
        age if age <= 15 * DAY => 60,
        age if age <= 63 * DAY => 300,
        _ => 3600,
    }
}

fn checked(period: i64) -> Result<i64, ToolError> {
    match matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0) {
        true => Ok(period),
        false => Err(ToolError::InvalidInput(format!(
            "period must be 1, 5, 10, 20, 30 or a multiple of 60 seconds, not {period}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("average", Some("Average"))]
    #[case("SAMPLECOUNT", Some("SampleCount"))]
    #[case("P99.9", Some("p99.9"))]
    #[case("tm(10%:90%)", Some("TM(10%:90%)"))]
    #[case("p101", None)]
    #[case("median", None)]
    fn a_statistic_is_known_or_a_percentile(#[case] given: &str, #[case] expected: Option<&str>) {
        assert_eq!(statistic(given).ok().as_deref(), expected);
    }

    #[test]
    fn each_metric_has_each_statistic() {
        let wanted = wanted("a, b,", "Average,p95", &Dimensions::new()).unwrap();
        let pairs: Vec<_> = wanted.iter().map(|one| (one.metric.as_str(), one.stat.as_str())).collect();
        assert_eq!(pairs, [("a", "Average"), ("a", "p95"), ("b", "Average"), ("b", "p95")]);
        let many = vec!["m"; MAX_SERIES + 1].join(",");
        assert!(super::wanted(&many, "Sum", &Dimensions::new()).is_err());
        assert!(super::wanted(" , ", "Sum", &Dimensions::new()).is_err());
    }

    #[rstest]
    #[case::minutes(15, 0, None, 60)]
    #[case::hours(720, 0, None, 300)]
    #[case::a_week(10_080, 0, None, 3600)]
    #[case::long_ago(15, 20, None, 300)]
    #[case::very_long_ago(15, 100, None, 3600)]
    #[case::as_given(15, 0, Some(10), 10)]
    fn steps_are_as_short_as_is_useful(
        #[case] minutes: i64,
        #[case] days_ago: i64,
        #[case] period: Option<u32>,
        #[case] expected: i64,
    ) {
        let now = Timestamp::from_second(1_769_860_830).unwrap();
        let end = Timestamp::from_second(now.as_second() - days_ago * DAY).unwrap();
        let start = Timestamp::from_second(end.as_second() - minutes * 60).unwrap();
        let steps = Steps::of(Window { start, end }, period, now).unwrap();
        assert_eq!(steps.period, expected);
        assert!(steps.start <= start.as_second() && steps.end >= end.as_second());
        assert_eq!((steps.start % expected, steps.end % expected), (0, 0));
    }

    #[rstest]
    #[case(45, "a multiple of 60")]
    #[case(0, "a multiple of 60")]
    #[case(1, "more than 5000 points")]
    fn steps_that_cannot_be_are_refused(#[case] period: u32, #[case] part: &str) {
        let now = Timestamp::from_second(1_769_860_800).unwrap();
        let start = Timestamp::from_second(now.as_second() - DAY).unwrap();
        let told = Steps::of(Window { start, end: now }, Some(period), now).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
}
