//! A series of points, in numbers and as a line of text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{Dimensions, Steps, Wanted};

/// The longest line, in characters.
const LINE: usize = 60;
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const GAP: char = '·';
/// Metrics arrive with a delay, in seconds: what is not there yet is not missing.
const DELAY: i64 = 180;

/// A metric over time.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Series {
    /// Name of the metric
    pub(super) metric_name: String,
    /// The statistic of each step
    pub(super) stat: String,
    /// Unit, where it is known
    pub(super) unit: Option<String>,
    /// The set of dimensions
    pub(super) dimensions: Dimensions,
    /// All points in a few numbers; none where there are no points
    pub(super) summary: Option<Summary>,
    /// Steps without a point, not counting those that may still come
    pub(super) missing: usize,
    /// The newest points, the newest first
    pub(super) data_points: Vec<Point>,
    #[serde(skip)]
    pub(super) values: BTreeMap<i64, f64>,
}

/// One point.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Point {
    /// Beginning of the step
    #[schemars(with = "String")]
    pub(super) timestamp: Timestamp,
    /// Value
    pub(super) value: f64,
}

/// A series in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Summary {
    /// The least
    pub(super) minimum: f64,
    /// The mean of all points
    pub(super) average: f64,
    /// The most
    pub(super) maximum: f64,
    /// The newest
    pub(super) last: f64,
    /// How many points
    pub(super) points: usize,
}

impl Series {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            metric_name: wanted.metric,
            stat: wanted.stat,
            unit: None,
            dimensions: wanted.dimensions,
            summary: None,
            missing: 0,
            data_points: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    /// What was asked for.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            metric: self.metric_name.clone(),
            stat: self.stat.clone(),
            dimensions: self.dimensions.clone(),
        }
    }

    /// Works out what follows from the values.
    pub(super) fn finish(&mut self, steps: &Steps, limit: usize, now: Timestamp) {
        self.summary = summary(&self.values);
        let settled = settled(steps, now);
        let missing = steps.slots().filter(|slot| *slot <= settled && !self.values.contains_key(slot));
        self.missing = missing.count();
        let newest = self.values.iter().rev().take(limit);
        self.data_points = newest
            .filter_map(|(slot, value)| {
                Some(Point { timestamp: Timestamp::from_second(*slot).ok()?, value: *value })
            })
            .collect();
    }

    /// Seconds between two points, where that is more than a step.
    pub(super) fn sparse(&self, steps: &Steps) -> Option<i64> {
        let times: Vec<i64> = self.values.keys().copied().collect();
        let least = times.windows(2).map(|pair| pair[1] - pair[0]).min()?;
        (least > steps.period && times.len() > 2).then_some(least)
    }

    /// The newest point, where at least three after it should be there.
    pub(super) fn ends_early(&self, steps: &Steps, now: Timestamp) -> Option<Timestamp> {
        let last = *self.values.keys().next_back()?;
        let newest = settled(steps, now).min(steps.end - steps.period);
        let late = newest - last >= 3 * steps.period;
        Timestamp::from_second(last).ok().filter(|_| late)
    }

    /// The series as a line, the oldest point first; of several points in one column the highest is seen.
    pub(super) fn line(&self, steps: &Steps) -> String {
        let Some(summary) = &self.summary else { return String::new() };
        let slots: Vec<i64> = steps.slots().collect();
        let width = slots.len().div_ceil(LINE).max(1);
        let range = summary.maximum - summary.minimum;
        let height = |value: f64| match range > 0.0 {
            true => HEIGHTS[((value - summary.minimum) / range * 7.0).round() as usize % HEIGHTS.len()],
            false => HEIGHTS[3],
        };
        let highest =
            |column: &[i64]| column.iter().filter_map(|slot| self.values.get(slot)).copied().reduce(f64::max);
        slots.chunks(width).map(|column| highest(column).map_or(GAP, height)).collect()
    }
}

/// The newest step that should have its point by now.
fn settled(steps: &Steps, now: Timestamp) -> i64 {
    now.as_second() - DELAY - steps.period
}

fn summary(values: &BTreeMap<i64, f64>) -> Option<Summary> {
    let last = *values.values().next_back()?;
    let fold = |choose: fn(f64, f64) -> f64| values.values().copied().fold(last, choose);
    Some(Summary {
        minimum: fold(f64::min),
        average: values.values().sum::<f64>() / values.len() as f64,
        maximum: fold(f64::max),
        last,
        points: values.len(),
    })
}

/// A number as people read it: three decimals at most.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && size < 0.001 => format!("{value:.2e}"),
        size if size >= 1e15 => format!("{value:.3e}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn series(values: &[(i64, f64)]) -> Series {
        let wanted = Wanted { metric: "m".to_owned(), stat: "Sum".to_owned(), dimensions: Dimensions::new() };
        Series { values: values.iter().copied().collect(), ..Series::new(wanted) }
    }

    const STEPS: Steps = Steps { start: 0, end: 600, period: 60 };

    #[test]
    fn gaps_are_seen_and_counted() {
        let mut series = series(&[(0, 1.0), (60, 8.0), (240, 4.5), (300, 2.0)]);
        series.finish(&STEPS, 2, Timestamp::from_second(600).unwrap());
        assert_eq!(series.line(&STEPS), "▁█··▅▂····");
        // From 360 on the points may still come.
        assert_eq!(series.missing, 3);
        let expected = Summary { minimum: 1.0, average: 3.875, maximum: 8.0, last: 2.0, points: 4 };
        assert_eq!(series.summary, Some(expected));
        assert_eq!(series.data_points.iter().map(|point| point.value).collect::<Vec<_>>(), [2.0, 4.5]);
    }

    #[test]
    fn a_series_that_ends_early_says_when() {
        let now = Timestamp::from_second(6000).unwrap();
        let last = |series: Series| series.ends_early(&STEPS, now).map(Timestamp::as_second);
        assert_eq!(last(series(&[(0, 1.0), (360, 1.0)])), Some(360));
        assert_eq!(last(series(&[(0, 1.0), (480, 1.0)])), None);
        assert_eq!(series(&[(0, 1.0)]).ends_early(&STEPS, Timestamp::from_second(300).unwrap()), None);
    }

    #[test]
    fn a_long_series_shows_its_peaks() {
        let steps = Steps { start: 0, end: 600 * 60, period: 60 };
        let values: Vec<(i64, f64)> = (0..600).map(|n| (n * 60, if n == 15 { 100.0 } else { 1.0 })).collect();
        let mut series = series(&values);
        series.finish(&steps, 1, Timestamp::from_second(0).unwrap());
        let line = series.line(&steps);
        assert_eq!(line.chars().count(), LINE);
        assert_eq!(line.chars().position(|c| c == '█'), Some(1));
    }

    #[test]
    fn a_flat_series_is_a_flat_line_and_none_is_none() {
        let mut flat = series(&[(0, 5.0), (60, 5.0)]);
        flat.finish(&Steps { start: 0, end: 120, period: 60 }, 5, Timestamp::from_second(0).unwrap());
        assert_eq!(flat.line(&Steps { start: 0, end: 120, period: 60 }), "▄▄");
        assert_eq!(series(&[]).line(&STEPS), "");
    }

    #[test]
    fn points_that_come_seldom_are_noticed() {
        assert_eq!(series(&[(0, 1.0), (300, 1.0), (540, 2.0)]).sparse(&STEPS), Some(240));
        assert_eq!(series(&[(0, 1.0), (60, 1.0), (540, 2.0)]).sparse(&STEPS), None);
    }

    #[rstest]
    #[case(0.0, "0")]
    #[case(12.5, "12.5")]
    #[case(0.12345, "0.123")]
    #[case(0.000_012, "1.20e-5")]
    #[case(123_456.7, "123457")]
    #[case(-3.0, "-3")]
    fn numbers_are_short(#[case] value: f64, #[case] expected: &str) {
        assert_eq!(number(value), expected);
    }
}
