//! `get_k8s_events`: what happened, newest first, to an object and to what it owns.

use std::collections::HashMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{ClusterError, Kind, ListQuery, age};

use super::kube_event::KubeEvent;
use super::objects::{Presence, find, get, list_all, namespace_of, presence};
use super::owned::family;
use super::table::table;
use super::text::{counted, plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// Most events that are read for one answer.
const MAX_EVENTS: usize = 20_000;
/// Longest message, in characters.
const MESSAGE: usize = 400;
/// What a reader should know of every list of events.
const EXPIRY: &str = "Kubernetes forgets events after about an hour";

pub(super) struct GetK8sEvents;

#[derive(Clone, Copy, Deserialize, JsonSchema)]
enum EventType {
    Normal,
    Warning,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Kind of the object, as people write it: `deploy`, `Pod`, `node`; without `name` all events of this kind
    kind: Option<String>,
    /// Name of the object
    name: Option<String>,
    /// Namespace of the object, or the one namespace to list events of; all namespaces where left out
    namespace: Option<String>,
    /// Only events of this type
    r#type: Option<EventType>,
    /// Most events to return
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 500))]
    limit: usize,
}

fn default_limit() -> usize {
    50
}

impl Tool for GetK8sEvents {
    const NAME: &'static str = "get_k8s_events";
    const DESCRIPTION: &'static str = "Kubernetes events, newest first: of one object and of what it owns (for a Deployment also its ReplicaSets and \
         Pods), of a kind, of a namespace or of the whole cluster. They say why pods are not scheduled, images not \
         pulled, volumes not mounted, probes failing.";
    type Input = Input;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let subject = Subject::of(&input, cx).await?;
        let event_type = input.r#type.map(|event_type| match event_type {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        });
        let (events, more) = read_events(cx, subject.namespace.clone(), event_type).await?;
        let events: Vec<KubeEvent> = events.into_iter().filter(|event| subject.has(event)).collect();
        if events.is_empty()
            && let Some(missing) = subject.missing
        {
            return Err(ToolError::NotFound(missing));
        }
        let mut notes = subject.notes;
        if more {
            notes
                .push(format!("Only {MAX_EVENTS} events were read: say namespace or type to see the others"));
        }
        if events.is_empty()
            && let Some(namespace) = &subject.namespace
            && let Presence::Missing(missing) = presence(cx, namespace).await
        {
            return Err(ToolError::NotFound(missing));
        }
        notes.push(EXPIRY.to_owned());
        let answer = Answer { events: merged(events), limit: input.limit, notes };
        Ok(answer.outcome(subject.namespace.is_none(), cx.now()))
    }
}

/// Whose events are wanted.
struct Subject {
    /// Where to look; `None` is everywhere.
    namespace: Option<String>,
    objects: Objects,
    /// Why there is no such object.
    missing: Option<String>,
    notes: Vec<String>,
}

enum Objects {
    All,
    OfKind(String),
    OfName(String),
    /// Kind, namespace (where it matters) and name.
    These(Vec<(String, Option<String>, String)>),
}

impl Subject {
    async fn of(input: &Input, cx: &ToolContext) -> Result<Self, ToolError> {
        let kind = match &input.kind {
            Some(kind) => Some(cx.cluster.resolve(kind, None).await?),
            None => None,
        };
        let namespaced = kind.as_ref().is_none_or(|kind| kind.namespaced);
        let namespace = input.namespace.clone().filter(|_| namespaced);
        let objects = match (kind, &input.name) {
            (Some(kind), Some(name)) => return Self::object(&kind, namespace, name, cx).await,
            (Some(kind), None) => Objects::OfKind(kind.kind),
            (None, Some(name)) => Objects::OfName(name.clone()),
            (None, None) => Objects::All,
        };
        Ok(Self { namespace, objects, missing: None, notes: Vec::new() })
    }

    /// An object, all it owns, and, where the namespace is not said, its namesakes. It may be gone: its events remain.
    async fn object(
        kind: &Kind,
        namespace: Option<String>,
        name: &str,
        cx: &ToolContext,
    ) -> Result<Self, ToolError> {
        let found = match &namespace {
            Some(namespace) => get(cx, kind, Some(namespace), name).await.map(|object| vec![object]),
            None => find(cx, kind, name).await,
        };
        let mut these = vec![(kind.kind.clone(), namespace.clone(), name.to_owned())];
        let (mut missing, mut notes) = (None, Vec::new());
        match found {
            Ok(found) => {
                for object in &found {
                    match family(cx, kind, object).await {
                        Ok(family) => these.extend(in_namespace(family, object)),
                        Err(error) => notes.push(format!("What it owns cannot be read: {error}")),
                    }
                }
            }
            Err(ToolError::NotFound(why)) => {
                notes.push(format!("It does not exist (any more): {why}"));
                missing = Some(why);
            }
            Err(error) => return Err(error),
        }
        Ok(Self { namespace, objects: Objects::These(these), missing, notes })
    }

    fn has(&self, event: &KubeEvent) -> bool {
        match &self.objects {
            Objects::All => true,
            Objects::OfKind(kind) => event.kind == *kind,
            Objects::OfName(name) => event.name == *name,
            Objects::These(these) => these.iter().any(|(kind, namespace, name)| {
                event.kind == *kind
                    && event.name == *name
                    && namespace.as_ref().is_none_or(|namespace| event.namespace == *namespace)
            }),
        }
    }
}

fn in_namespace(
    family: Vec<(String, String)>,
    object: &Value,
) -> impl Iterator<Item = (String, Option<String>, String)> {
    let namespace = Some(namespace_of(object).to_owned()).filter(|namespace| !namespace.is_empty());
    family.into_iter().map(move |(kind, name)| (kind, namespace.clone(), name))
}

/// The events of a namespace or of all, and whether there are more than were read. A recording may have them in the
/// newer API only; a live cluster gives the same in both.
async fn read_events(
    cx: &ToolContext,
    namespace: Option<String>,
    event_type: Option<&str>,
) -> Result<(Vec<KubeEvent>, bool), ClusterError> {
    let field_selector = event_type.map(|event_type| format!("type={event_type}"));
    let query = ListQuery { namespace, field_selector, ..ListQuery::default() };
    let core = cx.cluster.resolve("Event", Some("v1")).await?;
    let (mut events, mut more) = list_all(cx, &core, query.clone(), MAX_EVENTS).await?;
    if events.is_empty()
        && cx.cluster.info.recorded
        && let Ok(newer) = cx.cluster.resolve("Event", Some("events.k8s.io/v1")).await
    {
        (events, more) = list_all(cx, &newer, query, MAX_EVENTS).await?;
    }
    Ok((events.iter().map(KubeEvent::read).collect(), more))
}

/// The same about the same object is one event that happened more often. Newest first.
fn merged(events: Vec<KubeEvent>) -> Vec<KubeEvent> {
    let mut merged: HashMap<[String; 6], KubeEvent> = HashMap::new();
    for event in events {
        let key =
            [&event.kind, &event.namespace, &event.name, &event.event_type, &event.reason, &event.message];
        let key = key.map(Clone::clone);
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, event);
            }
            Some(known) => {
                known.count += event.count;
                known.first_seen = known.first_seen.into_iter().chain(event.first_seen).min();
                known.last_seen = known.last_seen.max(event.last_seen);
            }
        }
    }
    let mut merged: Vec<KubeEvent> = merged.into_values().collect();
    merged.sort_by(|a, b| {
        let order = |event: &KubeEvent| (event.object(), event.reason.clone(), event.message.clone());
        b.last_seen.cmp(&a.last_seen).then_with(|| order(a).cmp(&order(b)))
    });
    merged
}

struct Answer {
    events: Vec<KubeEvent>,
    limit: usize,
    notes: Vec<String>,
}

impl Answer {
    fn outcome(mut self, with_namespace: bool, now: Timestamp) -> ToolOutcome {
        let total = self.events.len();
        let truncated = total > self.limit;
        self.events.truncate(self.limit);
        if truncated {
            let left = counted(total - self.limit, "older event is", "older events are");
            self.notes
                .insert(0, format!("{left} left out: raise limit, or say kind and name, namespace or type"));
        }
        let mut text = match self.events.is_empty() {
            true => "No events.\n".to_owned(),
            false => self.table(with_namespace, now),
        };
        text.push_str(&format!("\n{}\n", self.notes.join("\n")));
        let structured = json!({
            "count": self.events.len(), "total": total, "events": self.events.iter().map(entry).collect::<Vec<_>>(),
            "notes": self.notes,
        });
        ToolOutcome { is_error: false, structured, text, truncated }
    }

    fn table(&self, with_namespace: bool, now: Timestamp) -> String {
        let namespace = with_namespace.then_some("NAMESPACE");
        let titles = ["LAST SEEN", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"];
        let titles: Vec<&str> = namespace.into_iter().chain(titles).collect();
        let rows = self.events.iter().map(|event| {
            let seen = event.last_seen.map_or_else(|| "<unknown>".to_owned(), |seen| age(seen, now) + " ago");
            let cells = [
                seen,
                event.count.to_string(),
                plain(&event.event_type),
                plain(&event.reason),
                plain(&event.object()),
                shorten(&plain(&event.message), MESSAGE),
            ];
            let namespace = with_namespace.then(|| plain(&event.namespace));
            namespace.into_iter().chain(cells).collect()
        });
        table(&titles, &rows.collect::<Vec<Vec<String>>>())
    }
}

fn entry(event: &KubeEvent) -> Value {
    json!({
        "object": { "kind": event.kind, "namespace": event.namespace, "name": event.name },
        "type": event.event_type,
        "reason": event.reason,
        "message": shorten(&plain(&event.message), MESSAGE),
        "count": event.count,
        "firstSeen": event.first_seen,
        "lastSeen": event.last_seen,
        "source": event.source,
    })
}
