//! Tables for people and models: aligned, one line per row.

use serde_json::Value;

use super::text::plain;

/// Rows under their titles, columns three spaces apart, as kubectl prints them.
pub(super) fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let widths = widths(titles, rows);
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let mut text = line(&titles, &widths);
    for row in rows {
        text.push_str(&line(row, &widths));
    }
    text
}

/// The most bytes that a row of this table takes.
pub(super) fn row_bytes(rows: &[Vec<String>]) -> usize {
    let bytes = |row: &Vec<String>| row.iter().map(|cell| cell.len() + 3).sum::<usize>();
    let padding: usize = widths(&[], rows).iter().map(|width| width + 3).sum();
    padding.max(rows.iter().map(bytes).max().unwrap_or(0))
}

fn widths(titles: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).chain([titles.len()]).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    (0..columns).map(width).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let line = padded.collect::<Vec<_>>().join("   ");
    format!("{}\n", line.trim_end())
}

/// A value in one cell: lists with commas, objects as `key=value`.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}={}", cell(value)));
            members.collect::<Vec<_>>().join(",")
        }
    };
    if text.is_empty() { "<none>".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = vec![
            vec!["api".to_owned(), "1/1".to_owned(), "Running".to_owned()],
            vec!["wörker-long".to_owned(), "0/1".to_owned(), "Error".to_owned()],
        ];
        let text = table(&["NAME", "READY", "STATUS"], &rows);
        assert_eq!(
            text,
            "NAME          READY   STATUS\napi           1/1     Running\nwörker-long   0/1     Error\n"
        );
        assert!(text.lines().skip(1).all(|line| line.len() < row_bytes(&rows)));
    }

    #[test]
    fn values_become_cells() {
        assert_eq!(cell(&json!(["a", "b"])), "a,b");
        assert_eq!(cell(&json!({ "app": "web", "tier": "x" })), "app=web,tier=x");
        assert_eq!(cell(&json!("two\nlines")), "two lines");
        assert_eq!([cell(&json!([])), cell(&Value::Null)], ["<none>", "<none>"]);
    }
}
