//! Finding objects for the tools, with the nearest names where there is none.

use serde_json::Value;

use crate::cluster::{ClusterError, Kind, ListQuery};
use crate::diagnosis::report::ObjectRef;

use super::text::{near_names, nearest};
use super::{ToolContext, ToolError};

/// How many names are offered where one does not exist.
const NEAR: usize = 5;
/// How many names are looked at to find the nearest.
const SEARCHED: usize = 5000;
/// Page size of the lists that tools read for themselves.
const PAGE: u32 = 500;

/// What `read` takes from the objects of a kind, of at most `max` of them, and whether there are more. Only one page of
/// objects is held at a time.
pub(super) async fn list_all<T>(
    cx: &ToolContext,
    kind: &Kind,
    mut query: ListQuery,
    max: usize,
    read: impl Fn(&Value) -> T,
) -> Result<(Vec<T>, bool), ClusterError> {
    query.limit = Some(PAGE);
    let mut all = Vec::new();
    loop {
        let page = cx.cluster.list(kind, &query).await?;
        all.extend(page.items.iter().map(&read));
        query.continue_token = page.continue_token;
        if query.continue_token.is_none() || all.len() >= max {
            let more = query.continue_token.is_some() || all.len() > max;
            all.truncate(max);
            return Ok((all, more));
        }
    }
}

/// One object. Where there is none, the error has the nearest names.
pub(super) async fn get(
    cx: &ToolContext,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<Value, ToolError> {
    match cx.cluster.get(kind, namespace, name).await {
        Err(ClusterError::NotFound(_)) => {
            Err(ToolError::NotFound(not_found(cx, kind, namespace, name).await))
        }
        result => Ok(result?),
    }
}

/// The objects of this name in any namespace; none is an error with the nearest names.
pub(super) async fn find(cx: &ToolContext, kind: &Kind, name: &str) -> Result<Vec<Value>, ToolError> {
    if !kind.namespaced {
        return Ok(vec![get(cx, kind, None, name).await?]);
    }
    let found = named(cx, kind, name).await?;
    match found.is_empty() {
        true => Err(ToolError::NotFound(not_found(cx, kind, None, name).await)),
        false => Ok(found),
    }
}

/// The object, made sure of. A namespace may be left out where the name is in one namespace only.
pub(super) async fn locate(
    cx: &ToolContext,
    kind: &Kind,
    namespace: Option<String>,
    name: String,
) -> Result<ObjectRef, ToolError> {
    let reference = |namespace: Option<String>, name: String| ObjectRef {
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
        namespace,
        name,
    };
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        get(cx, kind, Some(&namespace), &name).await?;
        return Ok(reference(Some(namespace), name));
    }
    let found = find(cx, kind, &name).await?;
    match found.as_slice() {
        [one] => Ok(reference(Some(namespace_of(one).to_owned()).filter(|_| kind.namespaced), name)),
        several => {
            let namespaces: Vec<&str> = several.iter().map(namespace_of).collect();
            Err(ToolError::InvalidInput(format!(
                "there are several {} {name:?}: say namespace, one of {}",
                kind.plural,
                namespaces.join(", ")
            )))
        }
    }
}

async fn named(cx: &ToolContext, kind: &Kind, name: &str) -> Result<Vec<Value>, ClusterError> {
    let query = ListQuery { field_selector: Some(format!("metadata.name={name}")), ..ListQuery::default() };
    Ok(cx.cluster.list(kind, &query).await?.items)
}

/// Says that there is no such object, and what may be meant.
async fn not_found(cx: &ToolContext, kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    let Some(namespace) = namespace else {
        let near = near(cx, kind, None, name).await;
        return format!("there is no {} {name:?}{near}", kind.kind);
    };
    let missing = format!("there is no {} {name:?} in namespace {namespace}", kind.kind);
    let elsewhere = named(cx, kind, name).await.unwrap_or_default();
    if !elsewhere.is_empty() {
        let namespaces: Vec<&str> = elsewhere.iter().map(namespace_of).collect();
        return format!("{missing}, but there is one in {}", namespaces.join(", "));
    }
    match presence(cx, namespace).await {
        Presence::Missing(missing) => missing,
        Presence::Exists | Presence::Unknown => {
            let here = near(cx, kind, Some(namespace), name).await;
            let near = if here.is_empty() { near(cx, kind, None, name).await } else { here };
            format!("{missing}{near}")
        }
    }
}

/// The nearest names of a kind, with their namespaces where all of these were searched.
async fn near(cx: &ToolContext, kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    let query = ListQuery { namespace: namespace.map(str::to_owned), ..ListQuery::default() };
    let names = |object: &Value| (name_of(object).to_owned(), namespace_of(object).to_owned());
    let Ok((others, _)) = list_all(cx, kind, query, SEARCHED, names).await else { return String::new() };
    let near = nearest(name, others.iter().map(|(name, _)| name.as_str()), NEAR).into_iter().map(|near| {
        let place = others.iter().find(|(name, _)| *name == near).map(|(_, namespace)| namespace.as_str());
        match place.filter(|place| namespace.is_none() && !place.is_empty()) {
            Some(place) => format!("{place}/{near}"),
            None => near,
        }
    });
    near_names(&near.collect::<Vec<_>>())
}

/// Whether a namespace exists.
pub(super) enum Presence {
    Exists,
    /// It does not; with the nearest names.
    Missing(String),
    /// It cannot be told: namespaces may not be read, or were not recorded.
    Unknown,
}

/// Looks whether a namespace exists.
pub(super) async fn presence(cx: &ToolContext, namespace: &str) -> Presence {
    let Ok(kind) = cx.cluster.resolve("Namespace", Some("v1")).await else { return Presence::Unknown };
    match cx.cluster.get(&kind, None, namespace).await {
        Ok(_) => return Presence::Exists,
        Err(ClusterError::NotFound(_)) => {}
        Err(_) => return Presence::Unknown,
    }
    match list_all(cx, &kind, ListQuery::default(), SEARCHED, |object| name_of(object).to_owned()).await {
        Ok((all, _)) if !all.is_empty() => {
            let near = nearest(namespace, all.iter().map(String::as_str), NEAR);
            Presence::Missing(format!("there is no namespace {namespace:?}{}", near_names(&near)))
        }
        Ok(_) | Err(_) => Presence::Unknown,
    }
}

/// `metadata.name`.
pub(super) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `metadata.namespace`, empty where the object has none.
pub(super) fn namespace_of(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}
