//! `list_k8s_resources`: the objects of a kind, with what says how they are.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cluster::{Kind, ListQuery, Page, age};

use super::bounds::fitting;
use super::columns::{self, Column};
use super::objects::{Presence, name_of, namespace_of, presence};
use super::projection::Field;
use super::table::{cell, table};
use super::text::{counted, plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// Longest cell of a table, in characters; names are never shortened.
const CELL: usize = 80;
/// Longest value of an annotation, in characters.
const ANNOTATION: usize = 200;

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
    /// Fields to return instead of the status, such as `spec.replicas`, `spec.containers[*].image` or
    /// `metadata.annotations['a.b/c']`; secrets are redacted
    #[serde(default)]
    fields: Vec<String>,
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
         of workloads, conditions and capacity of nodes, ports and selectors of services, and their labels, annotations, \
         owner and age, or with the fields that are asked for. Use it to see what there is and what is not well; read one object in full with manage_k8s_resource.";
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kind = cx.cluster.resolve(&input.kind, input.api_version.as_deref()).await?;
        let fields = input.fields.iter().map(|field| Field::parse(field)).collect::<Result<Vec<_>, _>>()?;
        let mut query = query(&kind, &input);
        let page = cx.cluster.list(&kind, &query).await?;
        let listing = Listing::new(&kind, &query, page, &fields, cx.now());
        let fitting = fitting(&listing.items, &listing.rows, cx.call.max_bytes);
        let listing = match fitting < listing.page.items.len() {
            false => listing,
            // The server's token leads to what follows the page: the page has to end where the outcome does.
            true => {
                query.limit = u32::try_from(fitting).ok();
                let page = cx.cluster.list(&kind, &query).await?;
                Listing::new(&kind, &query, page, &fields, cx.now())
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
    titles: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl<'a> Listing<'a> {
    fn new(kind: &'a Kind, query: &ListQuery, page: Page, fields: &[Field], now: Timestamp) -> Self {
        let mut columns = columns::of(&kind.group, &kind.kind);
        // Of many kinds there is nothing to say.
        if !fields.is_empty()
            || page.items.iter().all(|object| columns.iter().all(|column| (column.read)(object).is_null()))
        {
            columns = &[];
        }
        let with_namespace = kind.namespaced && query.namespace.is_none();
        let namespace = with_namespace.then_some("NAMESPACE");
        let shown = columns.iter().map(|column| column.title).filter(|title| !title.is_empty());
        let titles = namespace.into_iter().chain(["NAME"]).chain(shown).map(str::to_owned);
        let age = fields.is_empty().then(|| "AGE".to_owned());
        let titles = titles.chain(fields.iter().map(|field| plain(&field.name))).chain(age).collect();
        let item = |object: &Value| match fields {
            [] => item(kind, columns, object, now),
            fields => projected(kind, fields, object),
        };
        let items: Vec<Value> = page.items.iter().map(item).collect();
        let row = |item: &Value| match fields {
            [] => row(item, columns, with_namespace, now),
            fields => projected_row(item, fields, with_namespace),
        };
        let rows = items.iter().map(row).collect();
        Self { kind, query: query.clone(), page, items, titles, rows }
    }

    fn outcome(self, presence: &Presence, ignored_namespace: Option<&str>) -> ToolOutcome {
        let mut text = match self.items.is_empty() {
            true => self.nothing(presence),
            false => table(&self.titles.iter().map(String::as_str).collect::<Vec<_>>(), &self.rows),
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

/// Name, namespace, and the fields that were asked for under their own names.
fn projected(kind: &Kind, fields: &[Field], object: &Value) -> Value {
    let read: Map<String, Value> =
        fields.iter().map(|field| (field.name.clone(), field.read(object))).collect();
    let mut item = json!({ "name": name_of(object), "fields": read });
    if kind.namespaced {
        item["namespace"] = namespace_of(object).into();
    }
    item
}

fn projected_row(item: &Value, fields: &[Field], with_namespace: bool) -> Vec<String> {
    let names = [with_namespace.then(|| cell(&item["namespace"])), Some(cell(&item["name"]))];
    let values = fields.iter().map(|field| shorten(&cell(&item["fields"][&field.name]), CELL));
    names.into_iter().flatten().chain(values).collect()
}

/// The annotations, long values without their middle.
fn annotations(metadata: &Value) -> Value {
    let all = metadata["annotations"].as_object().filter(|all| !all.is_empty());
    let short = |(name, value): (&String, &Value)| {
        (name.clone(), shorten(value.as_str().unwrap_or_default(), ANNOTATION).into())
    };
    all.map_or(Value::Null, |all| Value::Object(all.iter().map(short).collect()))
}

/// What controls the object, or else owns it: `ReplicaSet/web-7d`.
fn owner(metadata: &Value) -> Option<String> {
    let owners = metadata["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true).or_else(|| owners.first())?;
    Some(format!("{}/{}", owner["kind"].as_str()?, owner["name"].as_str()?))
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
    item.insert("annotations".to_owned(), annotations(metadata));
    item.insert("owner".to_owned(), owner(metadata).into());
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
