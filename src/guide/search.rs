//! The search: SQLite's full-text index ranks, in memory; the query is built here from words, never from the text that
//! came in.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use tokio::sync::OnceCell;

use super::article::{ARTICLES, Article};
use super::words::{is_hangul, is_telling, words};

/// Characters of a query that are looked at: more than any error text has.
const QUERY_LIMIT: usize = 20_000;
/// Words and pairs of words that one query asks for, the rarest ones first.
const TERMS: usize = 48;
/// In a query of more words, those that the guide does not know are names of somebody's objects, not typing errors.
const TYPED_BY_HAND: usize = 16;
/// Words that one unknown word may stand for.
const CORRECTIONS: usize = 2;

const TABLE: &str = "CREATE VIRTUAL TABLE guide USING fts5(\
    slug UNINDEXED, title, keywords, korean, body, tokenize = 'porter unicode61')";
const INSERT: &str = "INSERT INTO guide (slug, title, keywords, korean, body) VALUES (?, ?, ?, ?, ?)";
/// Weights of the columns, in their order: what people type counts more than what the text mentions. Then an article
/// gets by how much of the query it is about: one rare word in the text of an article must not outweigh several in the
/// title of another.
const SEARCH: &str = "WITH about AS (\
        SELECT guide.rowid AS article, sum(json_extract(word.value, '$[1]')) AS share \
        FROM json_each(?1) AS word CROSS JOIN guide \
        WHERE guide MATCH json_extract(word.value, '$[0]') GROUP BY guide.rowid) \
    SELECT slug, bm25(guide, 0.0, 8.0, 6.0, 8.0, 1.0) * (0.2 + coalesce(share, 0.0)) AS score, \
    snippet(guide, 4, '', '', '…', 32) AS excerpt \
    FROM guide LEFT JOIN about ON article = guide.rowid WHERE guide MATCH ?2 ORDER BY score LIMIT ?3";
/// Where an article says what it is about.
const ABOUT: &str = "{title keywords korean}";

/// The guide with its index, which is made at the first search.
#[derive(Debug, Default)]
pub struct Guide {
    index: OnceCell<Index>,
}

/// An article that suits a query.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The article.
    pub article: &'static Article,
    /// How well it suits: larger is better. Comparable within one search only.
    pub score: f64,
    /// The part of its text that is nearest to the query, on one line.
    pub excerpt: String,
}

/// The index cannot be used. The cause is for logs.
#[derive(Debug, thiserror::Error)]
#[error("the guide cannot be searched now; read its articles by their names")]
pub struct GuideError(#[from] sqlx::Error);

impl Guide {
    /// Every article, by slug.
    pub fn articles() -> &'static [Article] {
        &ARTICLES
    }

    /// The article of that slug.
    pub fn get(slug: &str) -> Option<&'static Article> {
        let at = ARTICLES.binary_search_by_key(&slug, |article| article.slug).ok()?;
        ARTICLES.get(at)
    }

    /// The articles that explain the findings of a rule: the one of its name first.
    pub fn of_rule(rule: &str) -> impl Iterator<Item = &'static Article> {
        let explains = move |article: &&Article| article.rules.contains(&rule);
        let others = ARTICLES.iter().filter(move |article| article.slug != rule);
        Self::get(rule).into_iter().chain(others).filter(explains)
    }

    /// The articles that suit a query, best first: words, a question, or the text of an error, in English or Korean,
    /// with typing errors. A query without telling words finds nothing.
    ///
    /// # Errors
    /// [`GuideError`] where the index cannot be made or read; no query is an error.
    pub async fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, GuideError> {
        let index = self.index.get_or_try_init(|| Index::of(&ARTICLES)).await?;
        index.search(query, limit).await
    }
}

#[derive(Debug)]
struct Index {
    pool: SqlitePool,
    vocabulary: Vocabulary,
}

impl Index {
    async fn of(articles: &[Article]) -> Result<Self, GuideError> {
        // A database in memory lives as long as its one connection.
        let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = options.connect("sqlite::memory:").await?;
        sqlx::query(TABLE).execute(&pool).await?;
        let mut transaction = pool.begin().await?;
        for article in articles {
            sqlx::query(INSERT)
                .bind(article.slug)
                .bind(article.title)
                .bind(typed(article))
                .bind(korean(article))
                .bind(article.body)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Self { pool, vocabulary: Vocabulary::of(articles) })
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, GuideError> {
        let asked = self.vocabulary.asked(query);
        if asked.terms.is_empty() {
            return Ok(Vec::new());
        }
        let search = sqlx::query(SEARCH)
            .bind(sqlx::types::Json(asked.shares))
            .bind(asked.terms.join(" OR "))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = search.fetch_all(&self.pool).await?;
        let mut hits = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(article) = Guide::get(row.try_get("slug")?) else { continue };
            let score: f64 = row.try_get("score")?;
            let excerpt: &str = row.try_get("excerpt")?;
            let excerpt = excerpt.split_whitespace().collect::<Vec<_>>().join(" ");
            hits.push(Hit { article, score: -score, excerpt });
        }
        Ok(hits)
    }
}

/// What people type in English. Rules are among it: they are what findings are called.
fn typed(article: &Article) -> String {
    [article.keywords.join("\n"), article.rules.join("\n"), article.slug.to_owned()].join("\n")
}

fn korean(article: &Article) -> String {
    let lines = std::iter::once(&article.title_ko).chain(&article.keywords_ko);
    lines.map(|line| words(line).join(" ")).collect::<Vec<_>>().join("\n")
}

/// What the index is asked for. Only letters and digits of [`words`] are in it, each word as a quoted string of the
/// index's language, so that no text can become an operator.
struct Asked {
    /// What has to be in an article, any of it.
    terms: Vec<String>,
    /// The words that the guide knows: the search for one, and its part of what the query says, together 1.
    shares: Vec<(String, f64)>,
}

/// The words of the guide, and how many articles have each.
#[derive(Debug)]
struct Vocabulary {
    total: usize,
    articles: HashMap<String, usize>,
    /// Words of titles and keywords: what a typing error is meant to be.
    prominent: Vec<String>,
}

impl Vocabulary {
    fn of(articles: &[Article]) -> Self {
        let mut counts = HashMap::new();
        let mut prominent = HashSet::new();
        for article in articles {
            let typed = words(&format!("{}\n{}", article.title, typed(article)));
            let others = words(&format!("{}\n{}", article.body, korean(article)));
            prominent.extend(typed.iter().filter(|word| word.len() >= 4).cloned());
            let all: HashSet<String> = typed.into_iter().chain(others).collect();
            all.into_iter().for_each(|word| *counts.entry(word).or_insert(0) += 1);
        }
        let mut prominent: Vec<String> = prominent.into_iter().collect();
        prominent.sort();
        Self { total: articles.len(), articles: counts, prominent }
    }

    fn asked(&self, query: &str) -> Asked {
        let end = query.floor_char_boundary(QUERY_LIMIT);
        let words = words(&query[..end]);
        let mut seen = HashSet::new();
        let telling: Vec<&String> =
            words.iter().filter(|word| is_telling(word) && seen.insert(*word)).collect();
        let (mut known, unknown): (Vec<&String>, Vec<&String>) =
            telling.iter().partition(|word| self.articles.contains_key(**word));
        known.sort_by_key(|word| self.articles.get(*word));
        known.truncate(TERMS);
        let mut terms: Vec<String> = known.iter().map(|word| quoted(word)).collect();
        if telling.len() <= TYPED_BY_HAND {
            terms.extend(unknown.iter().flat_map(|word| self.guesses(word)));
        }
        terms.extend(self.pairs(&words));
        Asked { terms, shares: self.shares(&known) }
    }

    /// A word says the more, the fewer articles have it.
    fn shares(&self, known: &[&String]) -> Vec<(String, f64)> {
        let says = |word: &String| {
            let articles = self.articles.get(word).copied().unwrap_or(1);
            (1.0 + self.total as f64 / articles as f64).ln()
        };
        let all: f64 = known.iter().map(|word| says(word)).sum();
        known.iter().map(|word| (format!("{ABOUT} : {}", quoted(word)), says(word) / all)).collect()
    }

    /// Neighbours in the query, as phrases: they lift the article that has the very text.
    fn pairs(&self, words: &[String]) -> Vec<String> {
        let known = |word: &String| self.articles.contains_key(word) && !word.chars().any(is_hangul);
        let mut seen = HashSet::new();
        let mut pairs: Vec<(&String, &String)> = words
            .windows(2)
            .map(|pair| (&pair[0], &pair[1]))
            .filter(|(left, right)| known(left) && known(right))
            .filter(|(left, right)| (is_telling(left) || is_telling(right)) && seen.insert((*left, *right)))
            .collect();
        pairs.sort_by_key(|(left, right)| self.articles.get(*left).min(self.articles.get(*right)));
        pairs.into_iter().take(TERMS).map(|(left, right)| quoted(&format!("{left} {right}"))).collect()
    }

    /// What a word that the guide does not know may mean: its own stem, the beginning of a word, or a typing error.
    fn guesses(&self, word: &str) -> Vec<String> {
        let mut guesses = vec![quoted(word)];
        if word.len() >= 4 && word.is_ascii() {
            guesses.push(format!("{} *", quoted(word)));
            guesses.extend(self.corrections(word).into_iter().map(quoted));
        }
        guesses
    }

    /// The nearest words, within one error in four letters.
    fn corrections(&self, word: &str) -> Vec<&str> {
        if word.chars().any(|letter| letter.is_ascii_digit()) {
            return Vec::new();
        }
        let allowed = (word.len() / 4).clamp(1, 3);
        let mut near: Vec<(usize, &str)> = self
            .prominent
            .iter()
            .filter(|known| known.len().abs_diff(word.len()) <= allowed)
            .map(|known| (strsim::osa_distance(known, word), known.as_str()))
            .filter(|(distance, _)| *distance <= allowed)
            .collect();
        near.sort();
        near.into_iter().take(CORRECTIONS).map(|(_, known)| known).collect()
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
