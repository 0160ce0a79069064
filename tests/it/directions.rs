//! The rules of direction in ARCHITECTURE.md, held against the `crate::` paths of the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of ours. `a2a::types` is listed apart from `a2a`, because it is plain data.
const ALLOWED: &[(&str, &[&str])] = &[
    ("auth", &[]),
    ("diagnosis", &[]),
    ("redact", &[]),
    ("aws", &["redact"]),
    ("guide", &[]),
    ("a2a::types", &[]),
    ("cluster", &["diagnosis", "aws", "redact"]),
    ("tools", &["cluster", "diagnosis", "aws", "guide"]),
    ("model", &["tools", "diagnosis"]),
    ("tasks", &["a2a::types"]),
    ("agent", &["a2a::types", "tasks", "model", "tools", "cluster", "diagnosis"]),
    ("mcp", &["tools", "auth", "aws", "guide", "diagnosis"]),
    ("agent_card", &["a2a::types"]),
    ("a2a", &["a2a::types", "auth", "tasks", "agent_card"]),
    ("config", &["a2a", "agent", "auth", "aws", "cluster", "mcp", "tools"]),
    (
        "app",
        &[
            "a2a",
            "a2a::types",
            "agent",
            "agent_card",
            "auth",
            "aws",
            "cluster",
            "config",
            "diagnosis",
            "guide",
            "mcp",
            "model",
            "tasks",
            "tools",
        ],
    ),
    (
        "cli",
        &[
            "a2a",
            "a2a::types",
            "agent",
            "agent_card",
            "app",
            "auth",
            "aws",
            "cluster",
            "config",
            "diagnosis",
            "guide",
            "mcp",
            "model",
            "tasks",
            "tools",
        ],
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module that a path like `crate::a2a::types::Task` or a file like `src/a2a/types.rs` belongs to.
fn module(path: &str) -> String {
    let mut segments = path.split("::");
    match (segments.next(), segments.next()) {
        (Some("a2a"), Some("types")) => "a2a::types".to_owned(),
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

fn module_of_file(file: &Path) -> String {
    let path = file.with_extension("");
    let names: Vec<&str> =
        path.iter().skip_while(|name| *name != "src").skip(1).filter_map(|n| n.to_str()).collect();
    module(&names.join("::"))
}

/// Every `crate::…` path in a source file, with groups such as `crate::{a, b::c}` taken apart at their first level.
fn used(source: &str) -> BTreeSet<String> {
    let path =
        regex::Regex::new(r"\bcrate::(\{[^}]*\}|[a-z0-9_]+(?:::[a-z0-9_]+)?)").expect("a valid pattern");
    let mut used = BTreeSet::new();
    for found in path.captures_iter(source) {
        let names = found[1].trim_matches(['{', '}']);
        used.extend(names.split(',').map(|name| module(name.trim())).filter(|name| !name.is_empty()));
    }
    used
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources(&root) {
        let mine = module_of_file(&file);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == mine) else {
            assert!(mine == "lib" || mine == "main", "{} is in no listed module", file.display());
            continue;
        };
        let source = fs::read_to_string(&file).expect("a source file can be read");
        for other in used(&source) {
            if other != mine && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} uses crate::{other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed:\n{}", wrong.join("\n"));
}

#[test]
fn the_check_sees_single_paths_and_groups() {
    let used =
        used("use crate::a2a::types::Task;\nuse crate::{model::Model, tools};\ncrate::cluster::connect()");
    let expected = ["a2a::types", "cluster", "model", "tools"].map(str::to_owned);
    assert_eq!(used, BTreeSet::from(expected));
}
