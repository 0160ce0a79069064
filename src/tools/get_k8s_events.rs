//! `get_k8s_events`: what happened, newest first, to an object and to what it owns.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{ClusterError, Kind, ListQuery, age};

use super::bounds::fitting;
use super::kube_event::KubeEvent;
use super::objects::{Presence, find, get, list_all, namespace_of, presence};
use super::owned::{family, may_own};
use super::table::{cell, table};
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

impl EventType {
    fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
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
    /// `continue` of the outcome before, to read on with older events; all other arguments as before
    #[serde(rename = "continue")]
    continue_token: Option<String>,
}

fn default_limit() -> usize {
    50
}

impl Tool for GetK8sEvents {
    const NAME: &'static str = "get_k8s_events";
    const TITLE: &'static str = "Read Kubernetes events";
    const DESCRIPTION: &'static str = "Kubernetes events, newest first: of one object and of what it owns (for a Deployment also its ReplicaSets and \
         Pods), of a kind, of a namespace or of the whole cluster. They say why pods are not scheduled, images not \
         pulled, volumes not mounted, probes failing.";
    const SENSITIVE: bool = true;
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let after = input.continue_token.as_deref().map(Place::read).transpose()?;
        let mut subject = Subject::of(&input, cx).await?;
        let (events, more) = read_events(cx, &subject).await?;
        if events.is_empty() {
            subject.must_exist(cx).await?;
        }
        if more {
            subject
                .notes
                .push(format!("Only {MAX_EVENTS} events were read: say namespace or type to see others"));
        }
        subject.notes.push(EXPIRY.to_owned());
        let answer = Answer { events: merged(events), after, limit: input.limit, notes: subject.notes };
        Ok(answer.outcome(subject.namespace.is_none(), cx.now(), cx.call.max_bytes))
    }
}

/// Whose events are wanted.
struct Subject {
    /// Where to look; `None` is everywhere.
    namespace: Option<String>,
    event_type: Option<&'static str>,
    kind: Option<String>,
    name: Option<String>,
    /// Kind, namespace and name of what the object owns.
    family: HashSet<(String, String, String)>,
    may_own: bool,
    /// Why there is no such object.
    missing: Option<String>,
    notes: Vec<String>,
}

impl Subject {
    async fn of(input: &Input, cx: &ToolContext) -> Result<Self, ToolError> {
        let kind = match &input.kind {
            Some(kind) => Some(cx.cluster.resolve(kind, None).await?),
            None => None,
        };
        let namespaced = kind.as_ref().is_none_or(|kind| kind.namespaced);
        let mut subject = Self {
            namespace: input.namespace.clone().filter(|_| namespaced),
            event_type: input.r#type.map(EventType::name),
            kind: kind.as_ref().map(|kind| kind.kind.clone()),
            name: input.name.clone(),
            family: HashSet::new(),
            may_own: kind.as_ref().is_some_and(may_own),
            missing: None,
            notes: Vec::new(),
        };
        if let (Some(kind), Some(name)) = (kind, &input.name) {
            subject.find(&kind, name, cx).await?;
        }
        Ok(subject)
    }

    /// Adds all that the object owns, or its namesakes where the namespace is not said. It may be gone: its events
    /// remain for a while.
    async fn find(&mut self, kind: &Kind, name: &str, cx: &ToolContext) -> Result<(), ToolError> {
        let found = match &self.namespace {
            Some(namespace) => get(cx, kind, Some(namespace), name).await.map(|object| vec![object]),
            None => find(cx, kind, name).await,
        };
        let found = match found {
            Err(ToolError::NotFound(why)) => {
                self.notes.push(format!("It does not exist (any more): {why}"));
                self.missing = Some(why);
                return Ok(());
            }
            found => found?,
        };
        for object in found {
            let namespace = namespace_of(&object);
            match family(cx, kind, &object).await {
                Ok(family) => self
                    .family
                    .extend(family.into_iter().map(|(kind, name)| (kind, namespace.to_owned(), name))),
                Err(error) => self.notes.push(format!("What it owns cannot be read: {error}")),
            }
        }
        Ok(())
    }

    /// Lets the server choose, where one selector can say it.
    fn query(&self) -> ListQuery {
        let mut fields = Vec::new();
        fields.extend(self.event_type.map(|event_type| format!("type={event_type}")));
        if !self.may_own {
            fields.extend(self.kind.as_ref().map(|kind| format!("involvedObject.kind={kind}")));
            fields.extend(self.name.as_ref().map(|name| format!("involvedObject.name={name}")));
        }
        let field_selector = (!fields.is_empty()).then(|| fields.join(","));
        ListQuery { namespace: self.namespace.clone(), field_selector, ..ListQuery::default() }
    }

    fn has(&self, event: &KubeEvent) -> bool {
        let is_it = self.kind.as_ref().is_none_or(|kind| event.kind == *kind)
            && self.name.as_ref().is_none_or(|name| event.name == *name);
        let key = || (event.kind.clone(), event.namespace.clone(), event.name.clone());
        self.event_type.is_none_or(|event_type| event.event_type == event_type)
            && (is_it || self.family.contains(&key()))
    }

    /// No events of something that is not there is an error rather than good news.
    async fn must_exist(&self, cx: &ToolContext) -> Result<(), ToolError> {
        if let Some(missing) = &self.missing {
            return Err(ToolError::NotFound(missing.clone()));
        }
        match &self.namespace {
            Some(namespace) => match presence(cx, namespace).await {
                Presence::Missing(missing) => Err(ToolError::NotFound(missing)),
                Presence::Exists | Presence::Unknown => Ok(()),
            },
            None => Ok(()),
        }
    }
}

/// The subject's events, and whether there are more than were read. A recording may have them in the newer API only; a
/// live cluster gives the same in both.
async fn read_events(cx: &ToolContext, subject: &Subject) -> Result<(Vec<KubeEvent>, bool), ClusterError> {
    let core = cx.cluster.resolve("Event", Some("v1")).await?;
    let (mut events, mut more) = list_all(cx, &core, subject.query(), MAX_EVENTS, KubeEvent::read).await?;
    if events.is_empty()
        && cx.cluster.info.recorded
        && let Ok(newer) = cx.cluster.resolve("Event", Some("events.k8s.io/v1")).await
    {
        let query = ListQuery { field_selector: None, ..subject.query() };
        (events, more) = list_all(cx, &newer, query, MAX_EVENTS, KubeEvent::read).await?;
    }
    events.retain(|event| subject.has(event));
    Ok((events, more))
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

/// Where a page ends: the time of its last event, and which of those of this time it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    seen: Option<Timestamp>,
    event: String,
}

impl Place {
    fn of(event: &KubeEvent) -> Self {
        let mut digest = DefaultHasher::new();
        (&event.object(), &event.namespace, &event.reason, &event.message).hash(&mut digest);
        Self { seen: event.last_seen, event: format!("{:016x}", digest.finish()) }
    }

    fn token(&self) -> String {
        format!("{}~{}", self.seen.map(|seen| seen.to_string()).unwrap_or_default(), self.event)
    }

    fn read(token: &str) -> Result<Self, ToolError> {
        let wrong = || {
            let token = shorten(token, 60);
            ToolError::InvalidInput(format!("continue must be that of the outcome before, not {token:?}"))
        };
        let (seen, event) = token.split_once('~').ok_or_else(wrong)?;
        let seen = match seen {
            "" => None,
            time => Some(time.parse().map_err(|_| wrong())?),
        };
        Ok(Self { seen, event: event.to_owned() })
    }

    /// How many of the events, newest first, come before what follows this place. What has happened again since is newer
    /// now, and comes no second time.
    fn passed(&self, events: &[KubeEvent]) -> usize {
        let here = events.iter().position(|event| Self::of(event) == *self);
        here.map_or_else(|| events.partition_point(|event| event.last_seen > self.seen), |place| place + 1)
    }
}

struct Answer {
    events: Vec<KubeEvent>,
    /// Where the page before ended.
    after: Option<Place>,
    limit: usize,
    notes: Vec<String>,
}

impl Answer {
    fn outcome(mut self, with_namespace: bool, now: Timestamp, max_bytes: usize) -> ToolOutcome {
        let total = self.events.len();
        let passed = self.after.as_ref().map_or(0, |after| after.passed(&self.events));
        self.events.drain(..passed);
        let older = self.events.len();
        self.events.truncate(self.limit);
        let mut rows = self.rows(with_namespace, now);
        let entries: Vec<Value> = self.events.iter().map(entry).collect();
        let shown = fitting(&entries, &rows, max_bytes).min(rows.len());
        rows.truncate(shown);
        self.events.truncate(shown);
        let left = older - shown;
        let truncated = left > 0;
        let token = self.events.last().filter(|_| truncated).map(|last| Place::of(last).token());
        if let Some(token) = &token {
            let left = counted(left, "older event is", "older events are");
            let note = format!(
                "{left} left out: raise limit, read on with continue={token}, or say kind and name, namespace or type"
            );
            self.notes.insert(0, note);
        }
        let mut text = match self.events.is_empty() {
            true if passed > 0 => "No older events.\n".to_owned(),
            true => "No events.\n".to_owned(),
            false => titled(with_namespace, &rows),
        };
        text.push_str(&format!("\n{}\n", self.notes.join("\n")));
        let structured = json!({
            "count": self.events.len(), "total": total, "events": entries.get(..shown),
            "continue": token, "notes": self.notes,
        });
        ToolOutcome { truncated, ..ToolOutcome::new(structured, text) }
    }

    fn rows(&self, with_namespace: bool, now: Timestamp) -> Vec<Vec<String>> {
        let shown = |text: &str| cell(&text.into());
        let row = |event: &KubeEvent| {
            let seen = event.last_seen.map(|seen| age(seen, now) + " ago").unwrap_or_default();
            let cells = [
                shown(&seen),
                event.count.to_string(),
                shown(&event.event_type),
                shown(&event.reason),
                shown(&event.object()),
                shorten(&shown(&event.message), MESSAGE),
            ];
            with_namespace.then(|| shown(&event.namespace)).into_iter().chain(cells).collect()
        };
        self.events.iter().map(row).collect()
    }
}

fn titled(with_namespace: bool, rows: &[Vec<String>]) -> String {
    let namespace = with_namespace.then_some("NAMESPACE");
    let titles = ["LAST SEEN", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"];
    let titles: Vec<&str> = namespace.into_iter().chain(titles).collect();
    table(&titles, rows)
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
