//! Ages as kubectl writes them: `45s`, `5m10s`, `3h25m`, `2d4h`, `400d`, `3y12d`.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The time between two moments, as exact as a reader needs it. What lies ahead is `0s`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    if seconds < 2 * MINUTE {
        format!("{seconds}s")
    } else if seconds < 10 * MINUTE {
        two_units(seconds, MINUTE, "m", 1, "s")
    } else if seconds < 3 * HOUR {
        format!("{}m", seconds / MINUTE)
    } else if seconds < 8 * HOUR {
        two_units(seconds, HOUR, "h", MINUTE, "m")
    } else if seconds < 2 * DAY {
        format!("{}h", seconds / HOUR)
    } else if seconds < 8 * DAY {
        two_units(seconds, DAY, "d", HOUR, "h")
    } else if seconds < 2 * YEAR {
        format!("{}d", seconds / DAY)
    } else if seconds < 8 * YEAR {
        two_units(seconds, YEAR, "y", DAY, "d")
    } else {
        format!("{}y", seconds / YEAR)
    }
}

fn two_units(seconds: i64, large: i64, large_name: &str, small: i64, small_name: &str) -> String {
    match seconds % large / small {
        0 => format!("{}{large_name}", seconds / large),
        rest => format!("{}{large_name}{rest}{small_name}", seconds / large),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-30, "0s")]
    #[case(119, "119s")]
    #[case(2 * MINUTE, "2m")]
    #[case(5 * MINUTE + 10, "5m10s")]
    #[case(10 * MINUTE + 59, "10m")]
    #[case(3 * HOUR + 25 * MINUTE, "3h25m")]
    #[case(47 * HOUR, "47h")]
    #[case(2 * DAY + 4 * HOUR, "2d4h")]
    #[case(3 * DAY, "3d")]
    #[case(400 * DAY, "400d")]
    #[case(3 * YEAR + 12 * DAY, "3y12d")]
    #[case(9 * YEAR, "9y")]
    fn ages_are_written_as_kubectl_does(#[case] seconds: i64, #[case] text: &str) {
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        let now = Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        assert_eq!(age(since, now), text);
    }
}
