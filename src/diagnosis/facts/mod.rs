//! The snapshot, indexed once: objects by kind and name, owners and their children, events, logs, pods taken apart.

mod event;
mod nearest;
mod object;
mod pod;
pub(crate) mod quantity;
mod references;
pub(crate) mod selector;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

pub(crate) use event::KubeEvent;
pub(crate) use nearest::nearest;
pub(crate) use object::{Key, Object, Read, reference};
pub(crate) use pod::{Container, ContainerRole, Pod, Workload};
pub(crate) use references::{Place, Reference, references};

use super::snapshot::{ContainerLog, LogRef, READ_KINDS, Snapshot};

/// Kind, namespace, name.
type Name<'a> = (&'a str, &'a str, &'a str);

/// Everything that the rules ask. Lookups are by hash; nothing is computed twice.
pub(crate) struct Facts<'a> {
    snapshot: &'a Snapshot,
    by_kind: HashMap<&'a str, Vec<Object<'a>>>,
    by_namespace: HashMap<&'a str, HashMap<&'a str, Vec<Object<'a>>>>,
    by_name: HashMap<Name<'a>, Object<'a>>,
    children: HashMap<&'a str, Vec<Object<'a>>>,
    events: HashMap<Name<'a>, Vec<KubeEvent<'a>>>,
    logs: HashMap<&'a LogRef, &'a str>,
    pods: Vec<Pod<'a>>,
    pods_of_namespace: HashMap<&'a str, Vec<usize>>,
    pods_of_workload: HashMap<Key, Vec<usize>>,
    read: HashSet<&'a str>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let mut facts = Self {
            snapshot,
            by_kind: HashMap::new(),
            by_namespace: HashMap::new(),
            by_name: HashMap::new(),
            children: HashMap::new(),
            events: HashMap::new(),
            logs: snapshot.logs.iter().map(|log| (&log.of, log.text.as_str())).collect(),
            pods: Vec::new(),
            pods_of_namespace: HashMap::new(),
            pods_of_workload: HashMap::new(),
            read: kinds_read(snapshot),
        };
        snapshot.objects.iter().for_each(|value| facts.add(value));
        facts.index_pods();
        facts
            .events
            .values_mut()
            .for_each(|events| events.sort_by_key(|event| std::cmp::Reverse(event.last)));
        facts
    }

    fn add(&mut self, value: &'a Value) {
        let Some(kind) = known_kind(value) else { return };
        let object = Object::new(value);
        if kind == "Event" {
            let event = KubeEvent::new(object);
            let involved = event.involved();
            let name = (involved.text("/kind"), involved.text("/namespace"), involved.text("/name"));
            self.events.entry(name).or_default().push(event);
            return;
        }
        if let Some(owner) = object.controller() {
            self.children.entry(owner.text("/uid")).or_default().push(object);
        }
        self.by_name.insert((kind, object.namespace(), object.name()), object);
        self.by_namespace.entry(kind).or_default().entry(object.namespace()).or_default().push(object);
        self.by_kind.entry(kind).or_default().push(object);
    }

    fn index_pods(&mut self) {
        let objects = self.by_kind.get("Pod").cloned().unwrap_or_default();
        self.pods = objects.into_iter().map(|object| Pod::new(object, self.workload(object))).collect();
        for (index, pod) in self.pods.iter().enumerate() {
            self.pods_of_namespace.entry(pod.object.namespace()).or_default().push(index);
            self.pods_of_workload.entry(pod.workload.key()).or_default().push(index);
        }
    }

    /// The present of the snapshot.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.snapshot.now
    }

    /// Seconds from a time to the present; 0 for the future.
    pub(crate) fn seconds_since(&self, time: jiff::Timestamp) -> i64 {
        self.now().duration_since(time).as_secs().max(0)
    }

    /// True where objects of this kind could be read, so that a missing one is known to be missing.
    pub(crate) fn was_read(&self, kind: &str) -> bool {
        self.read.contains(kind)
    }

    pub(crate) fn all(&self, kind: &str) -> &[Object<'a>] {
        self.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// All objects of a kind in one namespace.
    pub(crate) fn all_in(&self, kind: &str, namespace: &str) -> impl Iterator<Item = Object<'a>> {
        let found = self.by_namespace.get(kind).and_then(|namespaces| namespaces.get(namespace));
        found.map_or(&[][..], Vec::as_slice).iter().copied()
    }

    /// Looks an object up; the namespace of a cluster-scoped one is empty.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Object<'a>> {
        self.by_name.get(&(kind, namespace, name)).copied()
    }

    /// What this object controls directly.
    pub(crate) fn children(&self, of: Object<'_>) -> &[Object<'a>] {
        self.children.get(of.uid()).map_or(&[], Vec::as_slice)
    }

    /// Events about this object, newest first. Events of an earlier object of the same name are left out.
    pub(crate) fn events(&self, of: Object<'a>) -> impl Iterator<Item = KubeEvent<'a>> {
        let name = (of.kind(), of.namespace(), of.name());
        let events = self.events.get(&name).map_or(&[][..], Vec::as_slice);
        events.iter().copied().filter(move |event| {
            // The kubelet gives a node's name as its uid.
            let uid = event.involved().text("/uid");
            uid.is_empty() || uid == of.uid() || of.kind() == "Node"
        })
    }

    /// Events about whatever has or had this name, newest first.
    pub(crate) fn events_named<'s>(&'s self, of: &'s Key) -> &'s [KubeEvent<'a>] {
        let name = (of.kind.as_str(), of.namespace.as_str(), of.name.as_str());
        self.events.get(&name).map_or(&[], Vec::as_slice)
    }

    /// Events about any pod of a namespace, of those that are gone as well.
    pub(crate) fn pod_events(&self, namespace: &str) -> impl Iterator<Item = KubeEvent<'a>> {
        let about = self.events.iter().filter(move |(name, _)| name.0 == "Pod" && name.1 == namespace);
        about.flat_map(|(_, events)| events.iter().copied())
    }

    /// A container's log, where it was read.
    pub(crate) fn log(&self, pod: Object<'_>, container: &str, previous: bool) -> Option<&'a str> {
        let of = LogRef {
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            container: container.to_owned(),
            previous,
        };
        self.logs.get(&of).copied()
    }

    /// Every log that was read.
    pub(crate) fn logs(&self) -> &'a [ContainerLog] {
        &self.snapshot.logs
    }

    pub(crate) fn pods(&self) -> &[Pod<'a>] {
        &self.pods
    }

    pub(crate) fn pods_in(&self, namespace: &str) -> impl Iterator<Item = &Pod<'a>> {
        let indices = self.pods_of_namespace.get(namespace).map_or(&[][..], Vec::as_slice);
        indices.iter().filter_map(|index| self.pods.get(*index))
    }

    pub(crate) fn pods_of(&self, workload: &Key) -> impl Iterator<Item = &Pod<'a>> {
        let indices = self.pods_of_workload.get(workload).map_or(&[][..], Vec::as_slice);
        indices.iter().filter_map(|index| self.pods.get(*index))
    }

    /// The pods that a plain selector map (a Service's) selects.
    pub(crate) fn pods_selected<'s>(
        &'s self,
        namespace: &str,
        selector: &'s Map<String, Value>,
    ) -> impl Iterator<Item = &'s Pod<'a>> {
        self.pods_in(namespace).filter(move |pod| selector::map_matches(selector, pod.object.labels()))
    }

    /// The workload at the top of an object's owners: the Deployment behind a pod, the CronJob behind a Job.
    pub(crate) fn workload(&self, object: Object<'a>) -> Workload<'a> {
        let mut top = object;
        // Owners form short chains; a bound keeps a malformed circle from looping.
        for _ in 0..6 {
            let Some(owner) = top.controller().filter(|owner| owner["kind"] != "Node") else { break };
            match self.get(owner.text("/kind"), top.namespace(), owner.text("/name")) {
                Some(found) => top = found,
                None => return Workload::absent(top, owner),
            }
        }
        Workload::of(top)
    }
}

/// The kind of an object that the rules know, by group and kind.
fn known_kind(value: &Value) -> Option<&str> {
    let group = value.text("/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let kind = value.text("/kind");
    let is_event = kind == "Event" && group == "events.k8s.io";
    (is_event || READ_KINDS.iter().any(|known| known.kind == kind && known.group == group)).then_some(kind)
}

fn kinds_read(snapshot: &Snapshot) -> HashSet<&str> {
    let by_plural = |plural: &String| READ_KINDS.iter().find(|known| known.plural == plural.as_str());
    snapshot.coverage.read.iter().filter_map(by_plural).map(|known| known.kind).collect()
}
