//! What an article is, and how the files are read.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/guide/articles");

/// All articles, by slug. They are part of the program, so that a file that cannot be read is a bug.
pub(super) static ARTICLES: LazyLock<Vec<Article>> = LazyLock::new(|| {
    let mut articles: Vec<Article> = FILES.files().map(read).collect();
    articles.sort_by_key(|article| article.slug);
    articles
});

fn read(file: &'static include_dir::File<'static>) -> Article {
    let slug = file.path().file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let text = file.contents_utf8().unwrap_or_default();
    Article::parse(slug, text).unwrap_or_else(|reason| panic!("bug: the article {slug} {reason}"))
}

/// The parts of an article, in the order in which each article has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What one sees, with the exact texts.
    Symptom,
    /// What causes it.
    Why,
    /// What tells it apart from failures that look alike.
    Apart,
    /// What repairs it.
    Fix,
    /// What keeps it from coming back.
    Prevention,
}

impl Section {
    /// Every section, in order.
    pub const ALL: [Self; 5] = [Self::Symptom, Self::Why, Self::Apart, Self::Fix, Self::Prevention];

    /// The heading of the section.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Symptom => "Symptom",
            Self::Why => "Why",
            Self::Apart => "How to tell it apart",
            Self::Fix => "Fix",
            Self::Prevention => "Prevention",
        }
    }
}

/// One article of the guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Its name in addresses: lower case words with hyphens.
    pub slug: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its title in Korean.
    pub title_ko: &'static str,
    /// What people type, and the exact texts of errors.
    pub keywords: Vec<&'static str>,
    /// What people type in Korean.
    pub keywords_ko: Vec<&'static str>,
    /// The ids of the rules whose findings it explains.
    pub rules: Vec<&'static str>,
    /// Slugs of articles that are read next.
    pub related: Vec<&'static str>,
    /// The sections as markdown, each under a heading of the second level.
    pub body: &'static str,
}

impl Article {
    /// Reads a file. The error goes on after "the article SLUG".
    fn parse(slug: &'static str, text: &'static str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("---\n").ok_or("does not begin with ---")?;
        let (head, body) = rest.split_once("\n---\n").ok_or("has no second ---")?;
        let mut korean = items(value(head, "ko").ok_or("has no ko")?);
        let title_ko = if korean.is_empty() { Err("has an empty ko")? } else { korean.remove(0) };
        let article = Self {
            slug,
            title: value(head, "title").ok_or("has no title")?,
            title_ko,
            keywords: items(value(head, "keywords").ok_or("has no keywords")?),
            keywords_ko: korean,
            rules: items(value(head, "rules").unwrap_or_default()),
            related: items(value(head, "related").unwrap_or_default()),
            body: body.trim(),
        };
        let complete = Section::ALL.iter().all(|section| !article.section(*section).is_empty());
        if complete { Ok(article) } else { Err("lacks a section") }
    }

    /// The text of a section, without its heading.
    pub fn section(&self, section: Section) -> &'static str {
        let parts = self.body.split("## ").filter_map(|part| part.split_once('\n'));
        let found = parts.into_iter().find(|(heading, _)| *heading == section.heading());
        found.map(|(_, text)| text.trim()).unwrap_or_default()
    }

    /// The first sentence of the symptom, as plain text.
    pub fn description(&self) -> String {
        let symptom = self.section(Section::Symptom);
        symptom[..first_sentence(symptom)].trim_end_matches(['.', ':']).replace('`', "").replace('\n', " ")
    }

    /// The whole article as markdown, with its title and what to read next.
    pub fn markdown(&self) -> String {
        let related = match self.related.is_empty() {
            true => String::new(),
            false => format!("\n\nRead next: {}", self.related.join(", ")),
        };
        format!("# {}\n\n{}{related}\n", self.title, self.body)
    }
}

/// Where the first sentence ends: at a full stop before a space, or at a blank line. Dots inside of names do not count.
fn first_sentence(text: &str) -> usize {
    let ends = [". ", ".\n", ":\n", "\n\n"];
    ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len())
}

fn value(head: &'static str, key: &str) -> Option<&'static str> {
    head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

fn items(list: &'static str) -> Vec<&'static str> {
    list.split(';').map(str::trim).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_article_can_be_read_and_leads_to_others_that_are_there() {
        assert!(!ARTICLES.is_empty());
        for article in ARTICLES.iter() {
            assert!(!article.description().is_empty(), "{}", article.slug);
            for next in &article.related {
                assert!(ARTICLES.iter().any(|other| other.slug == *next), "{}: {next}", article.slug);
                assert_ne!(*next, article.slug);
            }
        }
    }

    #[test]
    fn an_article_without_a_section_is_refused() {
        let text = "---\ntitle: T\nkeywords: k\nko: 제목; 말\n---\n## Symptom\n\nIt is down. Very.\n";
        assert_eq!(Article::parse("x", text), Err("lacks a section"));
        assert_eq!(Article::parse("x", "title: T"), Err("does not begin with ---"));
    }
}
