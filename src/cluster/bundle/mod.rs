//! A recorded cluster, read-only, in memory, and the service that speaks the Kubernetes API for it.
//!
//! Layout: `cluster.json`, `resources/*.json|yaml` (lists or single objects, any number), and
//! `logs/<namespace>/<pod>/<container>.log` with `.previous.log` beside it. A malformed file is noted and hides nothing else.

mod api;
mod files;
mod kinds;
mod logs;
mod selector;
mod serve;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::kind::{Kind, split_api_version};
use super::{ClusterError, ClusterInfo, redact};
pub use api::{BundleApi, BundleResponse};
pub use serve::serve_bundle;

/// A recorded cluster.
pub struct Bundle {
    info: ClusterInfo,
    resources: Vec<Resource>,
    logs: HashMap<LogKey, String>,
    damaged: Vec<Damaged>,
    recorded: Vec<String>,
}

/// Not the content: logs are redacted when they are read.
impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A file, or an object in one, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file's path in the bundle.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

/// All objects of one kind, by namespace and name.
#[derive(Debug)]
struct Resource {
    kind: Kind,
    objects: BTreeMap<(String, String), Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LogKey {
    namespace: String,
    pod: String,
    container: String,
    previous: bool,
}

/// `cluster.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterFile {
    name: Option<String>,
    kubernetes_version: Option<String>,
    captured_at: Option<jiff::Timestamp>,
}

impl Bundle {
    /// Reads a directory or a `.tar.gz`. Blocks; call it where that does no harm.
    pub fn load(path: &Path) -> Result<Self, ClusterError> {
        let files = files::read(path).map_err(|error| {
            ClusterError::NotFound(format!("the bundle {} cannot be read: {error}", path.display()))
        })?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("bundle");
        let bundle = Self::from_entries(name.trim_end_matches(".tar.gz"), files);
        if bundle.resources.iter().all(|resource| resource.objects.is_empty()) {
            let detail =
                bundle.damaged.first().map(|damaged| format!(" ({}: {})", damaged.file, damaged.why));
            return Err(ClusterError::NotFound(format!(
                "{} holds no recorded objects{}; a bundle has a folder resources/ with JSON or YAML files",
                path.display(),
                detail.unwrap_or_default()
            )));
        }
        Ok(bundle)
    }

    /// A bundle of files that are in memory already: paths inside the bundle, with `/`, and their content.
    pub fn from_files<'a>(name: &str, files: impl IntoIterator<Item = (String, &'a [u8])>) -> Self {
        Self::from_entries(name, files.into_iter().map(|(path, content)| (path, Ok(content.to_vec()))))
    }

    fn from_entries(name: &str, files: impl IntoIterator<Item = files::BundleFile>) -> Self {
        let info = ClusterInfo { name: name.to_owned(), version: None, recorded: true, captured_at: None };
        let resources =
            kinds::built_in().into_iter().map(|kind| Resource { kind, objects: BTreeMap::new() }).collect();
        let mut bundle =
            Self { info, resources, logs: HashMap::new(), damaged: Vec::new(), recorded: Vec::new() };
        for (path, content) in files {
            if let Err(why) = content.and_then(|content| bundle.add_file(&path, &content)) {
                bundle.damaged.push(Damaged { file: path, why });
            }
        }
        bundle.learn_custom_resources();
        bundle.forget_empty_versions();
        bundle.info.captured_at = present(bundle.info.captured_at, bundle.newest_time());
        bundle
    }

    fn add_file(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        let extension = path.rsplit_once('.').map(|(_, extension)| extension);
        if path == "cluster.json" {
            self.read_cluster_file(content)
        } else if let Some(log) = path.strip_prefix("logs/").and_then(log_key) {
            self.logs.insert(log, String::from_utf8_lossy(content).into_owned());
            Ok(())
        } else if path.starts_with("resources/") && matches!(extension, Some("json" | "yaml" | "yml")) {
            self.add_resource_file(path, content)
        } else {
            Ok(())
        }
    }

    fn read_cluster_file(&mut self, content: &[u8]) -> Result<(), String> {
        let file: ClusterFile = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        self.info.version = file.kubernetes_version;
        self.info.captured_at = file.captured_at;
        if let Some(name) = file.name {
            self.info.name = name;
        }
        Ok(())
    }

    fn add_resource_file(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        let documents: Vec<Value> = if path.ends_with(".json") {
            vec![serde_json::from_slice(content).map_err(|error| error.to_string())?]
        } else {
            let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
            // The error's own text quotes the file.
            let place = |error: &serde_saphyr::Error| error.location().map_or(0, |place| place.line());
            serde_saphyr::from_multiple(text)
                .map_err(|error| format!("not valid YAML at line {}", place(&error)))?
        };
        let stem = path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        self.recorded.push(stem.to_owned());
        for document in documents {
            self.add_document(path, document);
        }
        Ok(())
    }

    /// A list, or one object. Items of a typed list may leave out their kind.
    fn add_document(&mut self, path: &str, mut document: Value) {
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        let item_kind = kind.strip_suffix("List");
        let items = match document.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            // An empty list may be written as null.
            Some(Value::Null) if item_kind.is_some() => Vec::new(),
            _ => return self.add_object(path, document),
        };
        let item_kind = item_kind.filter(|kind| !kind.is_empty());
        for (index, mut item) in items.into_iter().enumerate() {
            if let (Value::Object(object), Some(kind)) = (&mut item, item_kind) {
                object.entry("kind").or_insert_with(|| kind.into());
                object.entry("apiVersion").or_insert_with(|| document["apiVersion"].clone());
            }
            self.add_object(&format!("{path}[{index}]"), item);
        }
    }

    fn add_object(&mut self, origin: &str, mut object: Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (Some(api_version), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            let why = "an object needs apiVersion, kind and metadata.name".to_owned();
            return self.damaged.push(Damaged { file: origin.to_owned(), why });
        };
        let namespace = text("/metadata/namespace").unwrap_or_default();
        redact::object(&mut object);
        let resource = self.resource_of(&api_version, &kind, !namespace.is_empty());
        resource.objects.insert((namespace, name), object);
    }

    fn resource_of(&mut self, api_version: &str, kind: &str, namespaced: bool) -> &mut Resource {
        let (group, version) = split_api_version(api_version);
        let known = self.resources.iter().position(|resource| {
            resource.kind.group == group && resource.kind.version == version && resource.kind.kind == kind
        });
        let index = known.unwrap_or_else(|| {
            let same_kind = self
                .resources
                .iter()
                .find(|resource| resource.kind.group == group && resource.kind.kind == kind);
            let plural =
                same_kind.map_or_else(|| kinds::guess_plural(kind), |known| known.kind.plural.clone());
            let short_names = same_kind.map(|known| known.kind.short_names.clone()).unwrap_or_default();
            let kind = Kind { group, version, kind: kind.to_owned(), plural, short_names, namespaced };
            self.resources.push(Resource { kind, objects: BTreeMap::new() });
            self.resources.len() - 1
        });
        &mut self.resources[index]
    }

    /// CustomResourceDefinitions say how their kinds are addressed, also those with no object.
    fn learn_custom_resources(&mut self) {
        let definitions: Vec<Value> = self
            .resources
            .iter()
            .filter(|resource| resource.kind.kind == "CustomResourceDefinition")
            .flat_map(|resource| resource.objects.values().cloned())
            .collect();
        for spec in definitions.iter().map(|definition| &definition["spec"]) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let names = &spec["names"];
            let versions = spec["versions"].as_array().into_iter().flatten();
            for version in versions.filter(|version| version["served"] != false) {
                let api_version = format!("{}/{}", text(&spec["group"]), text(&version["name"]));
                let namespaced = spec["scope"] == "Namespaced";
                let resource = self.resource_of(&api_version, &text(&names["kind"]), namespaced);
                resource.kind.plural = text(&names["plural"]);
                resource.kind.namespaced = namespaced;
                resource.kind.short_names =
                    names["shortNames"].as_array().into_iter().flatten().map(text).collect();
            }
        }
        self.resources.retain(|resource| !resource.kind.plural.is_empty());
    }

    /// Where the objects of a kind are of another version than the built-in one, the cluster did not have that one.
    fn forget_empty_versions(&mut self) {
        let of = |kind: &Kind| (kind.group.clone(), kind.kind.clone());
        let with_objects = self.resources.iter().filter(|resource| !resource.objects.is_empty());
        let used: HashSet<(String, String)> = with_objects.map(|resource| of(&resource.kind)).collect();
        self.resources.retain(|resource| !resource.objects.is_empty() || !used.contains(&of(&resource.kind)));
    }

    /// Name, version and time of the recording.
    pub fn info(&self) -> &ClusterInfo {
        &self.info
    }

    /// Files and objects that could not be used.
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// How many objects of this kind there are.
    pub(super) fn count(&self, kind: &Kind) -> usize {
        let of_kind = self.resources.iter().find(|resource| resource.kind == *kind);
        of_kind.map_or(0, |resource| resource.objects.len())
    }

    /// True where the recording speaks of this kind: with objects, or with a file named after it that has none.
    pub(super) fn is_recorded(&self, kind: &Kind) -> bool {
        self.count(kind) > 0 || self.recorded.contains(&kind.plural)
    }

    /// The newest time that an event or a pod speaks of: a recording takes a while after it was begun.
    fn newest_time(&self) -> Option<jiff::Timestamp> {
        let kinds = ["Event", "Pod", "Lease"];
        let of_kinds = self.resources.iter().filter(|resource| kinds.contains(&resource.kind.kind.as_str()));
        of_kinds.flat_map(|resource| resource.objects.values()).filter_map(newest_time).max()
    }

    /// The present of the recording.
    fn now(&self) -> jiff::Timestamp {
        self.info.captured_at.unwrap_or_else(jiff::Timestamp::now)
    }
}

/// The present of a recording: its stated time, or the newest that it speaks of, since a recording takes a while. A clock
/// that is far ahead is not believed.
fn present(stated: Option<jiff::Timestamp>, newest: Option<jiff::Timestamp>) -> Option<jiff::Timestamp> {
    const LONGEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
    let (Some(stated), Some(newest)) = (stated, newest) else { return stated.or(newest) };
    let plausible = newest.duration_since(stated) <= LONGEST;
    Some(if plausible { stated.max(newest) } else { stated })
}

/// `<namespace>/<pod>/<container>.log` or `….previous.log`.
fn log_key(path: &str) -> Option<LogKey> {
    let mut names = path.splitn(3, '/');
    let (namespace, pod, file) = (names.next()?, names.next()?, names.next()?);
    let container = file.strip_suffix(".log").filter(|name| !name.contains('/'))?;
    let (container, previous) = match container.strip_suffix(".previous") {
        Some(container) => (container, true),
        None => (container, false),
    };
    Some(LogKey {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        previous,
    })
}

/// The newest of the times that Kubernetes writes about what has happened.
fn newest_time(value: &Value) -> Option<jiff::Timestamp> {
    const PAST: [&str; 7] = [
        "creationTimestamp",
        "lastTimestamp",
        "lastTransitionTime",
        "eventTime",
        "startedAt",
        "finishedAt",
        "renewTime",
    ];
    match value {
        Value::Object(object) => object
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) if PAST.contains(&name.as_str()) => text.parse().ok(),
                other => newest_time(other),
            })
            .max(),
        Value::Array(items) => items.iter().filter_map(newest_time).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
