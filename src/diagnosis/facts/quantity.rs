//! Kubernetes quantities (`500m`, `1Gi`, `2`), as numbers.

use serde_json::Value;

const SUFFIXES: &[(&str, f64)] = &[
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A quantity in its base unit (cores, bytes, pieces). `None` where it is none.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    // Plain numbers first: `1e3` and `5E` both end in a letter.
    let plain = text.parse::<f64>().ok();
    let scaled = || {
        let (number, factor) =
            SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)))?;
        Some(number.parse::<f64>().ok()? * factor)
    };
    plain.or_else(scaled).filter(|number| number.is_finite())
}

/// A quantity in JSON: a string, or a bare number.
pub(crate) fn of(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An amount of a resource for people: `1.5` cores as `1500m`, bytes in binary units, pieces as they are.
pub(crate) fn show(resource: &str, amount: f64) -> String {
    match resource {
        "cpu" if amount.fract() == 0.0 => format!("{amount:.0}"),
        "cpu" => format!("{:.0}m", amount * 1000.0),
        "memory" | "storage" | "ephemeral-storage" => show_bytes(amount),
        _ => format!("{amount}"),
    }
}

fn show_bytes(amount: f64) -> String {
    let units = [("Gi", 1_073_741_824.0), ("Mi", 1_048_576.0), ("Ki", 1024.0)];
    match units.into_iter().find(|(_, factor)| amount.abs() >= *factor) {
        Some((unit, factor)) if (amount / factor).fract() == 0.0 => format!("{:.0}{unit}", amount / factor),
        Some((unit, factor)) => format!("{:.1}{unit}", amount / factor),
        None => format!("{amount:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2", 2.0)]
    #[case("500m", 0.5)]
    #[case("128Mi", 134_217_728.0)]
    #[case("1.5Gi", 1_610_612_736.0)]
    #[case("1k", 1000.0)]
    #[case("1e3", 1000.0)]
    #[case("5E", 5e18)]
    fn quantities_are_read(#[case] text: &str, #[case] expected: f64) {
        assert!((parse(text).unwrap() - expected).abs() <= expected * 1e-12);
    }

    #[rstest]
    #[case("")]
    #[case("lots")]
    #[case("Mi")]
    #[case("inf")]
    fn nonsense_is_none(#[case] text: &str) {
        assert_eq!(parse(text), None);
    }

    #[rstest]
    #[case("cpu", 0.25, "250m")]
    #[case("cpu", 4.0, "4")]
    #[case("memory", 134_217_728.0, "128Mi")]
    #[case("memory", 1_610_612_736.0, "1.5Gi")]
    #[case("pods", 17.0, "17")]
    fn amounts_are_shown_in_their_unit(#[case] resource: &str, #[case] amount: f64, #[case] shown: &str) {
        assert_eq!(show(resource, amount), shown);
    }
}
