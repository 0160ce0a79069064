//! `list_api_versions`: which kinds this cluster knows.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{Kind, ListQuery};

use super::objects::list_all;
use super::text::counted;
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// Most CustomResourceDefinitions that are read.
const MAX_DEFINITIONS: usize = 5000;

pub(super) struct ListApiVersions;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {}

impl Tool for ListApiVersions {
    const NAME: &'static str = "list_api_versions";
    const TITLE: &'static str = "List the kinds of a cluster";
    const DESCRIPTION: &'static str = "Lists every API group and version of the cluster with its kinds: plural, short names, whether they live in \
         namespaces, and whether they are custom resources. Use it to find out how a kind is called, or whether an \
         operator is installed.";
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, _input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kinds = cx.cluster.kinds().await?;
        let custom = custom_kinds(cx).await;
        let mut versions: BTreeMap<(String, String), Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            versions.entry((kind.group.clone(), kind.version.clone())).or_default().push(kind);
        }
        let mut entries = Vec::new();
        let mut text = String::new();
        for ((group, version), mut kinds) in versions {
            kinds.sort_by(|a, b| a.kind.cmp(&b.kind));
            let api_version = kinds.first().map(Kind::api_version).unwrap_or_default();
            text.push_str(&format!("{api_version}\n"));
            for kind in &kinds {
                text.push_str(&line(kind, is_custom(kind, custom.as_ref())));
            }
            let kinds: Vec<Value> =
                kinds.iter().map(|kind| entry(kind, is_custom(kind, custom.as_ref()))).collect();
            entries.push(
                json!({ "apiVersion": api_version, "group": group, "version": version, "kinds": kinds }),
            );
        }
        text.push_str(&format!("\n{}\n", counted(entries.len(), "API version", "API versions")));
        if custom.is_none() {
            text.push_str("CustomResourceDefinitions cannot be read: custom resources are not marked\n");
        }
        let structured = json!({ "count": entries.len(), "apiVersions": entries });
        Ok(ToolOutcome::new(structured, text))
    }
}

/// Group and kind of every custom resource; `None` where this cannot be known.
async fn custom_kinds(cx: &ToolContext) -> Option<BTreeSet<(String, String)>> {
    let api_version = Some("apiextensions.k8s.io/v1");
    let definition = cx.cluster.resolve("CustomResourceDefinition", api_version).await.ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = |of: &Value| (text(&of["spec"]["group"]), text(&of["spec"]["names"]["kind"]));
    let (names, _) = list_all(cx, &definition, ListQuery::default(), MAX_DEFINITIONS, names).await.ok()?;
    Some(names.into_iter().collect())
}

fn is_custom(kind: &Kind, custom: Option<&BTreeSet<(String, String)>>) -> Option<bool> {
    custom.map(|custom| custom.contains(&(kind.group.clone(), kind.kind.clone())))
}

fn entry(kind: &Kind, custom: Option<bool>) -> Value {
    json!({
        "kind": kind.kind, "plural": kind.plural, "shortNames": kind.short_names, "namespaced": kind.namespaced,
        "custom": custom,
    })
}

/// `  Deployment (deployments, deploy)`
fn line(kind: &Kind, custom: Option<bool>) -> String {
    let names: Vec<&str> =
        std::iter::once(&kind.plural).chain(&kind.short_names).map(String::as_str).collect();
    let scope = if kind.namespaced { "" } else { ", cluster-scoped" };
    let custom = if custom == Some(true) { ", custom resource" } else { "" };
    format!("  {} ({}){scope}{custom}\n", kind.kind, names.join(", "))
}
