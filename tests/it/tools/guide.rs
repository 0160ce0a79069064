//! The troubleshooting guide, as callers read it.

use drydock::diagnosis::RULES;
use drydock::guide::Guide;
use rstest::rstest;
use serde_json::json;

use super::shop::{done, refused};

#[test]
fn articles_are_of_rules_that_there_are() {
    for article in Guide::articles() {
        for rule in &article.rules {
            assert!(RULES.iter().any(|known| known.id == *rule), "{}: {rule}", article.slug);
        }
    }
}

#[test]
fn every_rule_has_an_article() {
    let without: Vec<&str> =
        RULES.iter().map(|rule| rule.id).filter(|rule| Guide::of_rule(rule).next().is_none()).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[rstest]
#[case::words("pod keeps restarting out of memory", "oom-killed")]
#[case::a_typing_error("imagpullbackof manifest unknown", "image-not-found")]
#[case::an_error("Back-off restarting failed container", "crash-loop-back-off")]
#[case::korean("메모리 부족으로 컨테이너가 종료됨", "oom-killed")]
#[case::korean_with_particles("이미지를 못 받아요", "image-not-found")]
#[tokio::test]
async fn a_search_finds_what_is_meant(#[case] query: &str, #[case] slug: &str) {
    let outcome = done("search_eks_troubleshoot_guide", json!({ "query": query })).await;
    let hits = outcome.structured["hits"].as_array().unwrap();
    assert!(hits.iter().any(|hit| hit["slug"] == slug), "{}", outcome.text);
}

#[tokio::test]
async fn a_search_names_articles_with_what_is_needed_to_choose_one() {
    let arguments = json!({ "query": "container OOMKilled exit code 137", "limit": 2 });
    let outcome = done("search_eks_troubleshoot_guide", arguments).await;
    let hits = outcome.structured["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0]["slug"], "oom-killed");
    assert_eq!(hits[0]["rules"], json!(["oom-killed"]));
    assert!(hits[0]["score"].as_f64() >= hits[1]["score"].as_f64());
    assert!(!hits[0]["excerpt"].as_str().unwrap().is_empty());
    assert!(outcome.text.contains("Article: oom-killed\nRules: oom-killed\n"), "{}", outcome.text);
}

#[tokio::test]
async fn three_articles_are_named_where_nothing_else_is_said() {
    let outcome = done("search_eks_troubleshoot_guide", json!({ "query": "pod" })).await;
    assert_eq!(outcome.structured["hits"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_query_that_nothing_suits_gets_advice() {
    let outcome = done("search_eks_troubleshoot_guide", json!({ "query": "\"'*()" })).await;
    assert_eq!(outcome.structured["hits"], json!([]));
    assert!(outcome.text.starts_with("No article suits. Try "), "{}", outcome.text);
}

#[tokio::test]
async fn an_article_is_read_whole() {
    let arguments = json!({ "query": "exit codes", "article": "exit-codes" });
    let outcome = done("search_eks_troubleshoot_guide", arguments).await;
    assert_eq!(outcome.structured["markdown"], outcome.text.as_str());
    assert!(outcome.text.starts_with("# ") && outcome.text.contains("\n## Prevention\n"), "{}", outcome.text);
}

#[tokio::test]
async fn a_finding_is_explained_with_whole_articles_that_of_its_name_first() {
    let outcome = done("explain_finding", json!({ "rule": "image-pull-denied" })).await;
    let slugs: Vec<_> =
        outcome.structured["articles"].as_array().unwrap().iter().map(|a| &a["slug"]).collect();
    assert_eq!(slugs, ["image-pull-denied", "ecr-pull-denied"]);
    assert!(outcome.text.contains("\n## Symptom\n") && outcome.text.contains("\n## Prevention\n"));
}

#[rstest]
#[case("search_eks_troubleshoot_guide", json!({ "query": "memory", "article": "oom-kiled" }), "near: oom-killed")]
#[case("explain_finding", json!({ "rule": "oom-kiled" }), "near: oom-killed")]
#[tokio::test]
async fn a_misspelt_name_is_answered_with_the_nearest(
    #[case] tool: &str,
    #[case] arguments: serde_json::Value,
    #[case] expected: &str,
) {
    let text = refused(tool, arguments).await;
    assert!(text.contains(expected), "{text}");
}
