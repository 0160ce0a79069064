//! `list_k8s_resources`: the objects of a kind, with what says how they are.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cluster::{Kind, ListQuery, Page, age};

use super::bounds::size;
use super::columns::{self, Column};
use super::objects::{Presence, name_of, namespace_of, presence};
use super::table::{cell, row_bytes, table};
use super::text::{counted, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// Longest cell of a table, in characters; names are never shortened.
const CELL: usize = 80;

pub(super) struct ListK8sResources;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Kind as people write it: `pods`, `po`, `Deployment`, `deployments.apps`, the name of a custom resource
    kind: String,
    /// API version such as `apps/v1`; only needed where several groups have a kind of this name
    api_version: Option<String>,
    /// Only this namespace; all namespaces where left out
    namespace: Option<String>,
    /// Label selector as kubectl takes it, such as `app=web,tier in (api, db)`
    label_selector: Option<String>,
    /// Field selector as kubectl takes it, such as `status.phase=Pending` or `metadata.name=web`
    field_selector: Option<String>,
    /// Most objects to return
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// `continue` of the outcome before, to read on; all other arguments as before
    #[serde(rename = "continue")]
    continue_token: Option<String>,
}

fn default_limit() -> u32 {
    100
}

impl Tool for ListK8sResources {
    const NAME: &'static str = "list_k8s_resources";
    const TITLE: &'static str = "List Kubernetes objects";
    const DESCRIPTION: &'static str = "Lists Kubernetes objects of one kind with their status, such as ready, restarts and node of pods, replicas \
         of workloads, conditions and capacity of nodes, ports and selectors of services, and their labels and age. \
         Use it to see what there is and what is not well; read one object in full with manage_k8s_resource.";
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kind = cx.cluster.resolve(&input.kind, input.api_version.as_deref()).await?;
        let mut query = query(&kind, &input);
        let listing = Listing::new(&kind, &query, cx.cluster.list(&kind, &query).await?, cx.now());
        let fitting = listing.fitting(cx.call.max_bytes);
        let listing = match fitting < listing.page.items.len() {
            false => listing,
            // The server's token leads to what follows the page: the page has to end where the outcome does.
            true => {
                query.limit = u32::try_from(fitting).ok();
                Listing::new(&kind, &query, cx.cluster.list(&kind, &query).await?, cx.now())
            }
        };
        let presence = match (&query.namespace, listing.page.items.is_empty()) {
            (Some(namespace), true) => presence(cx, namespace).await,
            (Some(_), false) => Presence::Exists,
            (None, _) => Presence::Unknown,
        };
        let ignored = input.namespace.filter(|_| !kind.namespaced);
        Ok(listing.outcome(&presence, ignored.as_deref()))
    }
}

fn query(kind: &Kind, input: &Input) -> ListQuery {
    ListQuery {
        namespace: input.namespace.clone().filter(|_| kind.namespaced),
        label_selector: input.label_selector.clone(),
        field_selector: input.field_selector.clone(),
        limit: Some(input.limit),
        continue_token: input.continue_token.clone(),
    }
}

/// A page of objects, as items for programs and rows for people.
struct Listing<'a> {
    kind: &'a Kind,
    query: ListQuery,
    page: Page,
    items: Vec<Value>,
    titles: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl<'a> Listing<'a> {
    fn new(kind: &'a Kind, query: &ListQuery, page: Page, now: Timestamp) -> Self {
        let mut columns = columns::of(&kind.group, &kind.kind);
        // Of many kinds there is nothing to say.
        if page.items.iter().all(|object| columns.iter().all(|column| (column.read)(object).is_null())) {
            columns = &[];
        }
        let with_namespace = kind.namespaced && query.namespace.is_none();
        let namespace = with_namespace.then_some("NAMESPACE");
        let shown = columns.iter().map(|column| column.title).filter(|title| !title.is_empty());
        let titles = namespace.into_iter().chain(["NAME"]).chain(shown).chain(["AGE"]).collect();
        let items: Vec<Value> = page.items.iter().map(|object| item(kind, columns, object, now)).collect();
        let rows = items.iter().map(|item| row(item, columns, with_namespace, now)).collect();
        Self { kind, query: query.clone(), page, items, titles, rows }
    }

    /// How many of the objects fit in an outcome; at least one.
    fn fitting(&self, max_bytes: usize) -> usize {
        let room = max_bytes - max_bytes.min(2048).min(max_bytes / 4);
        let rows = room / row_bytes(&self.rows).max(1);
        let mut left = room;
        let items = self.items.iter().take_while(|item| match left.checked_sub(size(item) + 1) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        items.count().min(rows).max(1)
    }

    fn outcome(self, presence: &Presence, ignored_namespace: Option<&str>) -> ToolOutcome {
        let mut text = match self.items.is_empty() {
            true => self.nothing(presence),
            false => table(&self.titles, &self.rows),
        };
        if let Some(namespace) = ignored_namespace {
            text.push_str(&format!(
                "\n{} are not namespaced: namespace {namespace:?} was ignored\n",
                self.kind.plural
            ));
        }
        if self.page.skipped > 0 {
            text.push_str(&format!(
                "\n{} could not be read\n",
                counted(self.page.skipped, "object", "objects")
            ));
        }
        let truncated = self.page.continue_token.is_some();
        if let Some(token) = &self.page.continue_token {
            let more = self.page.remaining.map_or_else(|| "more".to_owned(), |count| format!("{count} more"));
            text.push_str(&format!(
                "\n{} shown, there are {more}: narrow with namespace, label_selector or field_selector, or read on \
                 with continue={token}\n",
                self.items.len()
            ));
        }
        let structured = json!({
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version(),
            "namespace": self.query.namespace,
            "namespaceExists": match presence {
                Presence::Exists => Some(true),
                Presence::Missing(_) => Some(false),
                Presence::Unknown => None,
            },
            "count": self.items.len(),
            "items": self.items,
            "continue": self.page.continue_token,
            "remaining": self.page.remaining,
        });
        ToolOutcome { truncated, ..ToolOutcome::new(structured, text) }
    }

    fn nothing(&self, presence: &Presence) -> String {
        let plural = &self.kind.plural;
        let place = match (&self.query.namespace, presence) {
            (Some(_), Presence::Missing(missing)) => return format!("No {plural}: {missing}.\n"),
            (Some(namespace), Presence::Exists) => format!(" in namespace {namespace} (which exists)"),
            (Some(namespace), Presence::Unknown) => format!(" in namespace {namespace}"),
            (None, _) if self.kind.namespaced => " in any namespace".to_owned(),
            (None, _) => String::new(),
        };
        let selectors = [&self.query.label_selector, &self.query.field_selector];
        let selectors: Vec<&str> = selectors.into_iter().filter_map(Option::as_deref).collect();
        match selectors.as_slice() {
            [] => format!("No {plural}{place}.\n"),
            selectors => format!("No {plural}{place} match {}.\n", selectors.join(" and ")),
        }
    }
}

fn item(kind: &Kind, columns: &[Column], object: &Value, now: Timestamp) -> Value {
    let metadata = &object["metadata"];
    let mut item = Map::new();
    item.insert("name".to_owned(), name_of(object).into());
    if kind.namespaced {
        item.insert("namespace".to_owned(), namespace_of(object).into());
    }
    item.insert("kind".to_owned(), kind.kind.clone().into());
    item.insert("apiVersion".to_owned(), kind.api_version().into());
    item.insert("createdAt".to_owned(), metadata["creationTimestamp"].clone());
    item.insert("age".to_owned(), age_of(&metadata["creationTimestamp"], now).into());
    item.insert("labels".to_owned(), metadata["labels"].clone());
    for column in columns {
        item.insert(column.field.to_owned(), (column.read)(object));
    }
    item.retain(|_, value| !value.is_null());
    Value::Object(item)
}

fn row(item: &Value, columns: &[Column], with_namespace: bool, now: Timestamp) -> Vec<String> {
    let names = [with_namespace.then(|| cell(&item["namespace"])), Some(cell(&item["name"]))];
    let shown = columns.iter().filter(|column| !column.title.is_empty()).map(|column| {
        let value = &item[column.field];
        match column.is_time {
            true => age_of(value, now).map_or_else(|| cell(&Value::Null), |age| format!("{age} ago")),
            false => shorten(&cell(value), CELL),
        }
    });
    names.into_iter().flatten().chain(shown).chain([cell(&item["age"])]).collect()
}

fn age_of(time: &Value, now: Timestamp) -> Option<String> {
    time.as_str()?.parse().ok().map(|since| age(since, now))
}
