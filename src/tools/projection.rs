//! Fields of an object, as callers name them: `spec.replicas`, `metadata.annotations['a.b/c']`,
//! `spec.containers[*].image`.

use serde_json::Value;

use super::ToolError;
use super::text::shorten;

/// Most steps of a path.
const STEPS: usize = 20;

/// A path to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// As it was written, without a `$` or a point before it.
    pub(super) name: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
    /// Every item of a list, or every member of an object.
    All,
}

impl Field {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let name = text.trim().trim_matches(['{', '}']).trim_start_matches('$').trim_start_matches('.');
        match steps(name) {
            Some(steps) if !steps.is_empty() && steps.len() <= STEPS => {
                Ok(Self { name: name.to_owned(), steps })
            }
            _ => Err(ToolError::InvalidInput(format!(
                "fields must be paths such as spec.replicas, spec.containers[*].image or \
                 metadata.annotations['a.b/c'], not {:?}",
                shorten(text, 60)
            ))),
        }
    }

    /// What the object has there; `null` for nothing. Several values come as a list.
    pub(super) fn read(&self, object: &Value) -> Value {
        let mut found = vec![object];
        for step in &self.steps {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        let is_several = self.steps.contains(&Step::All);
        match (is_several, found.as_slice()) {
            (true, several) => several.iter().map(|value| (*value).clone()).collect(),
            (false, [one]) => (*one).clone(),
            (false, _) => Value::Null,
        }
    }
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::Item(place), Value::Array(items)) => items.get(*place).into_iter().collect(),
            (Self::All, Value::Array(items)) => items.iter().collect(),
            (Self::All, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

fn steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = bracket(inner)?;
            steps.push(step);
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        steps.push(if name == "*" { Step::All } else { Step::Member(name.to_owned()) });
        rest = match after.strip_prefix('.') {
            Some("") => return None,
            Some(after) => after,
            None => after,
        };
    }
    Some(steps)
}

/// `*]`, `0]`, `'a.b/c']`, and what follows.
fn bracket(inner: &str) -> Option<(Step, &str)> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), after.strip_prefix(']')?));
        }
    }
    let (inside, after) = inner.split_once(']')?;
    let step = match inside {
        "*" | "" => Step::All,
        number => Step::Item(number.parse().ok()?),
    };
    Some((step, after))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("spec.replicas", json!(3))]
    #[case(".spec.replicas", json!(3))]
    #[case("{$.spec.replicas}", json!(3))]
    #[case("metadata.annotations['a.b/c']", json!("x"))]
    #[case("spec.containers[*].image", json!(["one", "two"]))]
    #[case("spec.containers[1].image", json!("two"))]
    #[case("spec.containers[7].image", json!(null))]
    #[case("spec.none[*].image", json!([]))]
    #[case("spec.replicas.deeper", json!(null))]
    #[case("metadata.annotations.*", json!(["x"]))]
    fn fields_are_read(#[case] path: &str, #[case] expected: Value) {
        let object = json!({
            "metadata": { "annotations": { "a.b/c": "x" } },
            "spec": { "replicas": 3, "containers": [{ "image": "one" }, { "image": "two" }] },
        });
        assert_eq!(Field::parse(path).map(|field| field.read(&object)).ok(), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("spec..replicas")]
    #[case("spec.")]
    #[case("spec[")]
    #[case("spec[x]")]
    #[case("a['b]")]
    fn what_is_no_path_is_refused(#[case] path: &str) {
        assert!(Field::parse(path).is_err());
    }
}
