//! How well the guide's search finds what people mean, measured.

use drydock::guide::Guide;

use super::guide_queries::{QUERIES, UNSEEN};

/// How many of the queries have their article in the first place, and among the first three, in percent.
struct Measured {
    first: f64,
    three: f64,
    /// What is not in the first place: the place (of ten), the query, its article, and what is in the first place.
    missed: Vec<String>,
}

async fn measured(queries: &[&(&str, &str)]) -> Measured {
    let guide = Guide::default();
    let mut places = Vec::new();
    let mut missed = Vec::new();
    for (query, article) in queries {
        assert!(Guide::get(article).is_some(), "there is no article {article}");
        let hits = guide.search(query, 10).await.unwrap();
        let place = hits.iter().position(|hit| hit.article.slug == *article).map_or(99, |at| at + 1);
        if place > 1 {
            let best = hits.first().map_or("nothing", |hit| hit.article.slug);
            missed.push(format!("{place}: {query:?} means {article}, and {best} comes first"));
        }
        places.push(place);
    }
    let percent = |within: usize| {
        100.0 * places.iter().filter(|place| **place <= within).count() as f64 / places.len() as f64
    };
    Measured { first: percent(1), three: percent(3), missed }
}

impl Measured {
    #[track_caller]
    fn assert_at_least(&self, first: f64, three: f64) {
        let Self { first: is_first, three: is_three, missed } = self;
        let text = format!("{is_first:.1} % first, {is_three:.1} % of three\n{}", missed.join("\n"));
        assert!(*is_first >= first && *is_three >= three, "{text}");
        println!("{text}");
    }
}

fn is_korean(query: &str) -> bool {
    query.chars().any(|letter| ('\u{ac00}'..='\u{d7a3}').contains(&letter))
}

#[tokio::test]
async fn english_queries_find_their_article() {
    let english: Vec<_> = QUERIES.iter().filter(|(query, _)| !is_korean(query)).collect();
    assert!(english.len() >= 60);
    measured(&english).await.assert_at_least(93.0, 98.0);
}

#[tokio::test]
async fn korean_queries_find_their_article() {
    let korean: Vec<_> = QUERIES.iter().filter(|(query, _)| is_korean(query)).collect();
    assert!(korean.len() >= 60);
    measured(&korean).await.assert_at_least(93.0, 98.0);
}

#[tokio::test]
async fn queries_that_nobody_thought_of_mostly_find_their_article() {
    let unseen: Vec<_> = UNSEEN.iter().collect();
    measured(&unseen).await.assert_at_least(75.0, 90.0);
}

#[tokio::test]
async fn every_article_is_found_by_its_titles() {
    let guide = Guide::default();
    for article in Guide::articles() {
        for title in [article.title, article.title_ko] {
            let hits = guide.search(title, 3).await.unwrap();
            assert!(hits.iter().any(|hit| hit.article.slug == article.slug), "{title}: {hits:?}");
        }
    }
}
