//! A recorded cluster, read without the program's help: what evidence points to has to be in its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use drydock::diagnosis::report::{Evidence, EvidenceKind, ObjectRef};
use regex::Regex;
use serde_json::Value;

/// A step of a JSONPath.
static STEP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:\.(\w+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\])").unwrap());
/// What texts of absences say about objects that are there.
static LACKS_KEY: LazyLock<Regex> = LazyLock::new(|| Regex::new("^key (.+) is not among the keys").unwrap());
static LACKS_LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"has no label (\S+)$").unwrap());
static LACKS_PODS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^no pod in namespace (\S+) has the labels (\S+)$").unwrap());

/// What stands in the middle of a text that was too long.
const CUT: &str = " … ";

pub(super) struct Recording {
    folder: PathBuf,
    objects: Vec<Value>,
    /// Of all its files together.
    pub(super) bytes: usize,
}

impl Recording {
    pub(super) fn load(folder: &Path) -> Self {
        let mut objects = Vec::new();
        for file in files(&folder.join("resources")) {
            let mut list: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            objects.append(list["items"].as_array_mut().unwrap());
        }
        let bytes = files(folder).iter().map(|file| fs::read(file).unwrap().len()).sum();
        Self { folder: folder.to_owned(), objects, bytes }
    }

    fn get(&self, object: &ObjectRef) -> Option<&Value> {
        let is_meant = |found: &&Value| {
            let metadata = &found["metadata"];
            let at = metadata["namespace"].as_str().unwrap_or_default();
            found["kind"] == object.kind.as_str()
                && metadata["name"] == object.name.as_str()
                && at == object.namespace.as_deref().unwrap_or_default()
        };
        self.objects.iter().find(is_meant)
    }

    /// The workload of a pod or a ReplicaSet; any other object itself.
    pub(super) fn workload(&self, object: &ObjectRef) -> ObjectRef {
        if !["Pod", "ReplicaSet"].contains(&object.kind.as_str()) {
            return object.clone();
        }
        let owners =
            self.get(object).and_then(|found| found.pointer("/metadata/ownerReferences")?.as_array());
        let owner = owners.into_iter().flatten().find(|owner| owner["controller"] == true);
        owner.map_or_else(
            || object.clone(),
            |owner| {
                let text = |name: &str| owner[name].as_str().unwrap().to_owned();
                let namespace = object.namespace.clone();
                self.workload(&ObjectRef {
                    api_version: text("apiVersion"),
                    kind: text("kind"),
                    namespace,
                    name: text("name"),
                })
            },
        )
    }

    /// Secrets with a value that is not empty.
    pub(super) fn filled_secrets(&self) -> Vec<String> {
        let is_filled = |secret: &&Value| {
            let data = secret.get("data").and_then(Value::as_object);
            secret["kind"] == "Secret"
                && (secret.get("stringData").is_some()
                    || data.is_some_and(|data| data.values().any(|value| value != "")))
        };
        self.objects.iter().filter(is_filled).map(|secret| secret["metadata"]["name"].to_string()).collect()
    }

    /// Finds what a piece of evidence points to.
    pub(super) fn look_up(&self, evidence: &Evidence) -> Result<(), &'static str> {
        match evidence.kind {
            EvidenceKind::Field => self.look_up_field(evidence),
            EvidenceKind::Event => self.look_up_event(evidence),
            EvidenceKind::Log => self.look_up_line(evidence),
            EvidenceKind::Absent => self.look_up_absence(evidence),
            EvidenceKind::Metric | EvidenceKind::Aws => Err("not in a recording"),
        }
    }

    fn look_up_field(&self, evidence: &Evidence) -> Result<(), &'static str> {
        let object = self.get(&evidence.object).ok_or("no such object")?;
        let path = evidence.path.as_deref().ok_or("no path")?;
        let there = at(object, path).ok_or("the path leads nowhere")?;
        match &evidence.value {
            Some(value) if value == there => Ok(()),
            Some(Value::String(text)) => {
                let whole = there.as_str().map_or_else(|| there.to_string(), str::to_owned);
                is_cut_of(text, &whole).then_some(()).ok_or("another value stands there")
            }
            _ => Err("another value stands there"),
        }
    }

    fn look_up_event(&self, evidence: &Evidence) -> Result<(), &'static str> {
        let text = evidence.text.as_deref().ok_or("no text")?;
        let time =
            evidence.time.as_ref().and_then(|time| time.parse::<jiff::Timestamp>().ok()).ok_or("no time")?;
        let is_meant = |event: &Value| {
            let (reason, message) = (event["reason"].as_str()?, event["message"].as_str()?);
            let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime"];
            let mut times = times.into_iter().filter_map(|at| event.pointer(at)?.as_str()?.parse().ok());
            let count = event["series"]["count"].as_u64().or(event["count"].as_u64()).unwrap_or(1);
            let involved = &event["involvedObject"];
            let is_about = involved["kind"] == evidence.object.kind.as_str()
                && involved["name"] == evidence.object.name.as_str()
                && involved["namespace"].as_str() == evidence.object.namespace.as_deref();
            let is_said = is_cut_of(text, &format!("{reason}: {message}"));
            let is_then = times.any(|found: jiff::Timestamp| found == time);
            (is_about && is_said && is_then && evidence.count == Some(count)).then_some(())
        };
        self.objects
            .iter()
            .filter(|object| object["kind"] == "Event")
            .find_map(is_meant)
            .ok_or("no such event")
    }

    fn look_up_line(&self, evidence: &Evidence) -> Result<(), &'static str> {
        let text = evidence.text.as_deref().ok_or("no text")?;
        let container = evidence.path.as_deref().ok_or("no container")?;
        let namespace = evidence.object.namespace.as_deref().ok_or("no namespace")?;
        let folder = self.folder.join("logs").join(namespace).join(&evidence.object.name);
        let logs = ["log", "previous.log"].map(|ending| folder.join(format!("{container}.{ending}")));
        let logs = logs.iter().filter_map(|file| fs::read_to_string(file).ok());
        let found = logs.into_iter().any(|log| log.lines().any(|line| is_cut_of(text, line.trim())));
        found.then_some(()).ok_or("no such line")
    }

    /// The object is not there, or what the text says it lacks is not. Texts about relations between objects (bindings,
    /// classes) are not understood here.
    fn look_up_absence(&self, evidence: &Evidence) -> Result<(), &'static str> {
        let text = evidence.text.as_deref().filter(|text| !text.is_empty()).ok_or("no text")?;
        let Some(object) = self.get(&evidence.object) else { return Ok(()) };
        let said = |pattern: &LazyLock<Regex>| pattern.captures(text).map(|found| found[1].to_owned());
        let is_there = if let Some(keys) = said(&LACKS_KEY) {
            keys.split(", ").any(|key| object["data"].get(key).is_some())
        } else if let Some(label) = said(&LACKS_LABEL) {
            object["metadata"]["labels"].get(label).is_some()
        } else if let Some(found) = LACKS_PODS.captures(text) {
            self.pods_with(&found[1], &found[2])
        } else {
            false
        };
        if is_there { Err("it is there") } else { Ok(()) }
    }

    /// True where a pod of a namespace has all of the labels `a=b,c=d`.
    fn pods_with(&self, namespace: &str, labels: &str) -> bool {
        let has_all = |pod: &Value| {
            let own = &pod["metadata"]["labels"];
            labels.split(',').all(|label| label.split_once('=').is_some_and(|(key, value)| own[key] == value))
        };
        let is_there =
            |object: &Value| object["kind"] == "Pod" && object["metadata"]["namespace"] == namespace;
        self.objects.iter().any(|object| is_there(object) && has_all(object))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// What stands at `$.spec.containers[0]['some/name']`.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let (mut rest, mut value) = (path.strip_prefix('$')?, object);
    while !rest.is_empty() {
        let found = STEP.captures(rest)?;
        value = match (found.get(1), found.get(2), found.get(3)) {
            (Some(name), ..) => value.get(name.as_str())?,
            (_, Some(index), _) => value.get(index.as_str().parse::<usize>().ok()?)?,
            (.., Some(name)) => value.get(name.as_str().replace("\\'", "'").replace("\\\\", "\\"))?,
            _ => return None,
        };
        rest = &rest[found[0].len()..];
    }
    Some(value)
}

/// True where a text is the whole, or the whole without its middle.
fn is_cut_of(text: &str, whole: &str) -> bool {
    let is_without_middle =
        |(head, tail): (&str, &str)| !head.is_empty() && whole.starts_with(head) && whole.ends_with(tail);
    text == whole || text.split_once(CUT).is_some_and(is_without_middle)
}
