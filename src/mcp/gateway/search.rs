//! Finding tools by what they should do: BM25 over names, titles, descriptions and arguments.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::tools::ToolSpec;

/// Words of a query that are looked at.
const MAX_WORDS: usize = 64;
/// How soon more of the same word is worth nothing more.
const SATURATION: f64 = 1.2;
/// How much long texts count less.
const LENGTH: f64 = 0.75;
/// What one word in the name, the title, the description and the arguments counts.
const WEIGHTS: [f64; 4] = [4.0, 3.0, 1.0, 0.5];

/// A tool as words, with what each counts.
struct Document {
    words: HashMap<String, f64>,
    length: f64,
}

impl Document {
    fn of(tool: &ToolSpec) -> Self {
        let texts =
            [tool.name.to_string(), tool.title.to_string(), tool.description.to_string(), arguments(tool)];
        let mut document = Self { words: HashMap::new(), length: 0.0 };
        for (text, weight) in texts.iter().zip(WEIGHTS) {
            for word in words(text) {
                *document.words.entry(word).or_default() += weight;
                document.length += weight;
            }
        }
        document
    }
}

/// The names of a tool's arguments, and what they are for.
fn arguments(tool: &ToolSpec) -> String {
    let properties = tool.input_schema["properties"].as_object().into_iter().flatten();
    let text = |(name, schema): (&String, &Value)| {
        format!("{name} {}", schema["description"].as_str().unwrap_or_default())
    };
    properties.map(text).collect::<Vec<_>>().join(" ")
}

/// The tools that have words of the query, best first, `count` at most. Of equals the first in the list comes first.
pub(super) fn ranked(query: &str, tools: Vec<ToolSpec>, count: usize) -> Vec<ToolSpec> {
    let wanted: HashSet<String> = words(query).take(MAX_WORDS).collect();
    let documents: Vec<Document> = tools.iter().map(Document::of).collect();
    let total = documents.len() as f64;
    let mean = documents.iter().map(|document| document.length).sum::<f64>() / total.max(1.0);
    let rarity: HashMap<&str, f64> = wanted
        .iter()
        .map(|word| {
            let having = documents.iter().filter(|document| document.words.contains_key(word)).count() as f64;
            (word.as_str(), (1.0 + (total - having + 0.5) / (having + 0.5)).ln())
        })
        .collect();
    let score = |document: &Document| -> f64 {
        let norm = SATURATION * (1.0 - LENGTH + LENGTH * document.length / mean.max(1.0));
        let worth = |(word, rarity): (&&str, &f64)| {
            let often = document.words.get(*word).copied().unwrap_or_default();
            rarity * often * (SATURATION + 1.0) / (often + norm)
        };
        rarity.iter().map(worth).sum()
    };
    let mut scored: Vec<(f64, ToolSpec)> = documents.iter().map(score).zip(tools).collect();
    scored.retain(|(score, _)| *score > 0.0);
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    scored.into_iter().take(count).map(|(_, tool)| tool).collect()
}

/// The words of a text: small letters, `getPodLogs` taken apart, plurals as one.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut after_small = false;
    for c in text.chars() {
        if after_small && c.is_uppercase() {
            spaced.push(' ');
        }
        after_small = c.is_lowercase();
        spaced.push(c);
    }
    let words: Vec<String> = spaced
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| singular(&word.to_lowercase()))
        .collect();
    words.into_iter()
}

/// `logs` and `log` are the same word; `class`, `status` and `dns` are no plurals.
fn singular(word: &str) -> String {
    let is_plural = word.len() > 3
        && word.ends_with('s')
        && !["ss", "us", "is", "as", "ns"].iter().any(|end| word.ends_with(end));
    if is_plural { word[..word.len() - 1].to_owned() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn tool(name: &'static str, description: &'static str) -> ToolSpec {
        let schema =
            json!({ "type": "object", "properties": { "minutes": { "description": "how far back" } } });
        ToolSpec { description: description.into(), ..ToolSpec::named(name, schema) }
    }

    fn found(query: &str) -> Vec<String> {
        let tools = vec![
            tool(
                "eks___list_k8s_resources",
                "Lists objects of a kind: pods, services, nodes and their status",
            ),
            tool("eks___get_pod_logs", "Reads what the containers of a pod have written"),
            tool("eks___get_cloudwatch_logs", "Reads log groups of an account; pods that are gone, too"),
            tool("git___createIssue", "Opens an issue about a pod or anything else in a repository"),
        ];
        ranked(query, tools, 3).into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    #[rstest]
    #[case::both_words_in_the_name("pod logs", "eks___get_pod_logs")]
    #[case::the_rarer_word("logs in cloudwatch", "eks___get_cloudwatch_logs")]
    #[case::a_plural("which pods, services and nodes are there", "eks___list_k8s_resources")]
    #[case::a_name_in_camel_case("create an issue", "git___createIssue")]
    #[case::in_the_description("what has a container written", "eks___get_pod_logs")]
    fn the_tool_that_fits_comes_first(#[case] query: &str, #[case] first: &str) {
        assert_eq!(found(query).first().map(String::as_str), Some(first));
    }

    #[test]
    fn what_has_no_word_of_it_is_not_found() {
        assert!(found("zebra").is_empty() && found("").is_empty());
        assert_eq!(found("pod").len(), 3, "no more than asked for");
    }

    #[test]
    fn arguments_are_found_too() {
        assert_eq!(found("minutes").len(), 3);
    }
}
