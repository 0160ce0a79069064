//! ConfigMaps, Secrets and keys that are missing, and containers that cannot be created (FAILURES D1 to D8).
//!
//! What is missing is computed from the pod's specification, so that one report names everything that has to be made, and one
//! missing object is one finding, however many workloads wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::diagnosis::draft::{Draft, absent, change, event, in_namespace, sh, shorten};
use crate::diagnosis::facts::{
    Facts, Key, KubeEvent, Place, Read, Reference, nearest, reference, references,
};
use crate::diagnosis::report::{Confidence, ObjectRef, Remediation, Risk, Severity};

use super::kubectl;
use super::pods::{self, Group};

/// A ConfigMap or Secret that has a hole, and who falls into it.
#[derive(Default)]
struct Hole<'f, 'g, 'a> {
    /// The keys that are missing; empty where the whole object is.
    keys: BTreeSet<String>,
    consumers: Vec<Consumer<'f, 'g, 'a>>,
}

struct Consumer<'f, 'g, 'a> {
    group: &'g Group<'f, 'a>,
    /// Where its specification refers to it; absent where only the kubelet's message says so.
    reference: Option<Reference<'a>>,
}

/// Holes by kind, namespace, name, and whether the object exists.
type Holes<'f, 'g, 'a> = BTreeMap<(Key, bool), Hole<'f, 'g, 'a>>;

pub(super) fn check<'f, 'a>(
    facts: &Facts<'a>,
    config: &[Group<'f, 'a>],
    creating: &[Group<'f, 'a>],
    drafts: &mut Vec<Draft>,
) {
    let mut holes = Holes::new();
    for group in config.iter().chain(creating) {
        collect(facts, group, &mut holes);
    }
    let explained: BTreeSet<Key> = holes
        .values()
        .flat_map(|hole| &hole.consumers)
        .map(|consumer| consumer.group.workload.key())
        .collect();
    drafts.extend(holes.iter().map(|((key, exists), hole)| hole_draft(facts, key, *exists, hole)));
    let unexplained = config.iter().filter(|group| !explained.contains(&group.workload.key()));
    drafts.extend(unexplained.map(|group| invalid(facts, group)));
}

fn collect<'f, 'g, 'a>(facts: &Facts<'a>, group: &'g Group<'f, 'a>, holes: &mut Holes<'f, 'g, 'a>) {
    let pod = group.sample().pod;
    let namespace = pod.object.namespace();
    let mut found_any = false;
    for reference in pod.value().pointer("/spec").map(references).unwrap_or_default() {
        let Some(missing) = missing(facts, namespace, &reference) else { continue };
        found_any = true;
        let key = Key::new(reference.kind, namespace, reference.name);
        let hole = holes.entry((key, missing.is_some())).or_default();
        hole.keys.extend(missing);
        hole.consumers.push(Consumer { group, reference: Some(reference) });
    }
    if !found_any && let Some((kind, name, missing_key)) = told(facts, group) {
        let hole = holes.entry((Key::new(kind, namespace, &name), missing_key.is_some())).or_default();
        hole.keys.extend(missing_key);
        hole.consumers.push(Consumer { group, reference: None });
    }
}

/// `None`: nothing is missing, or that cannot be known. `Some(None)`: the object. `Some(Some(key))`: the key in it.
fn missing(facts: &Facts<'_>, namespace: &str, reference: &Reference<'_>) -> Option<Option<String>> {
    if !facts.was_read(reference.kind) {
        return None;
    }
    let Some(object) = facts.get(reference.kind, namespace, reference.name) else {
        // Published into every namespace by a controller; a recording often leaves it out.
        return (reference.name != "kube-root-ca.crt").then_some(None);
    };
    let key = reference.key?;
    let has = |members: &str| object.value().pointer(members).is_some_and(|data| data.get(key).is_some());
    let is_known = object.value().get("data").is_some() || object.value().get("binaryData").is_some();
    // A Secret whose data was left out of a recording says nothing about its keys.
    let is_known = is_known || reference.kind == "ConfigMap";
    (is_known && !has("/data") && !has("/binaryData") && !has("/stringData")).then(|| Some(key.to_owned()))
}

/// What the kubelet's messages say is missing: kind, name, key.
fn told(facts: &Facts<'_>, group: &Group<'_, '_>) -> Option<(&'static str, String, Option<String>)> {
    let case = group.sample();
    let waiting = case.container.map(|container| container.waiting_message().to_owned());
    let events = facts.events(case.pod.object).map(|event| event.message.to_owned());
    waiting.into_iter().chain(events).find_map(|message| parse_message(&message))
}

static MISSING_OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)\b(configmap|secret) "([^"]+)" not found"#).ok());
static MISSING_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)couldn't find key (\S+) in (configmap|secret) [^/\s]+/(\S+)").ok());

fn parse_message(message: &str) -> Option<(&'static str, String, Option<String>)> {
    let kind_of = |word: &str| if word.eq_ignore_ascii_case("secret") { "Secret" } else { "ConfigMap" };
    if let Some(found) = MISSING_OBJECT.as_ref().and_then(|pattern| pattern.captures(message)) {
        return Some((kind_of(&found[1]), found[2].to_owned(), None));
    }
    let found = MISSING_KEY.as_ref()?.captures(message)?;
    Some((kind_of(&found[2]), found[3].to_owned(), Some(found[1].to_owned())))
}

fn hole_draft(facts: &Facts<'_>, key: &Key, exists: bool, hole: &Hole<'_, '_, '_>) -> Draft {
    let object = reference("v1", &key.kind, &key.namespace, &key.name);
    let rule = match (key.kind.as_str(), exists) {
        ("Secret", false) => "secret-missing",
        ("Secret", true) => "secret-key-missing",
        (_, false) => "configmap-missing",
        (_, true) => "configmap-key-missing",
    };
    let severity = hole.consumers.iter().map(|consumer| consumer.group.severity()).min();
    let keys: Vec<&str> = hole.keys.iter().map(String::as_str).collect();
    let consumers = consumers_text(hole);
    let title = match exists {
        false => format!("{} {} does not exist; {consumers} needs it", key.kind, key.name),
        true => format!("{} {} has no key {}; {consumers} needs it", key.kind, key.name, keys.join(", ")),
    };
    let mut draft = Draft::new(rule, severity.unwrap_or(Severity::Warning), object, title)
        .summary(summary(facts, key, exists, hole))
        .cause(keys.join(","));
    for consumer in &hole.consumers {
        let group = consumer.group;
        let victims = group.cases.iter().map(|case| case.pod.object.key());
        draft = draft.breaks(std::iter::once(group.workload.key()).chain(victims));
        draft =
            draft.evidence(consumer.reference.as_ref().and_then(|found| group.spec_field(&found.pointer)));
    }
    let told = hole.consumers.iter().find_map(|consumer| complaint(facts, consumer.group, key));
    draft.breaks.push(key.clone());
    draft
        .evidence(
            hole.consumers.first().and_then(|consumer| consumer.group.status_field("/state/waiting/message")),
        )
        .evidence(told.map(|found| event(&found)))
        .evidence(facts.was_read(&key.kind).then(|| absence(facts, key, exists, &keys)))
        .remedies(remedies(key, exists, hole))
}

/// `Deployment api`, `Deployment api and 2 others`.
fn consumers_text(hole: &Hole<'_, '_, '_>) -> String {
    let names: BTreeSet<String> = hole.consumers.iter().map(|consumer| consumer.group.name()).collect();
    match (names.first(), names.len()) {
        (Some(first), 0 | 1) => first.clone(),
        (Some(first), several) => format!("{first} (and {} more)", several - 1),
        (None, _) => "a pod".to_owned(),
    }
}

fn summary(facts: &Facts<'_>, key: &Key, exists: bool, hole: &Hole<'_, '_, '_>) -> String {
    let mut summary = String::new();
    for consumer in hole.consumers.iter().take(3) {
        let place = consumer.reference.as_ref().map(|found| format!(" ({})", found.place_text()));
        let waits = match consumer.reference.as_ref().map(|found| &found.place) {
            Some(Place::Volume { .. }) => "stay in ContainerCreating until it can be mounted",
            Some(Place::Env { .. } | Place::EnvFrom { .. }) | None => {
                "cannot create their container without it"
            }
        };
        summary.push_str(&format!(
            "The pods of {}{} {waits}.{} ",
            consumer.group.name(),
            place.unwrap_or_default(),
            consumer.group.impact()
        ));
    }
    summary.push_str(&hint(facts, key, exists, hole));
    summary.trim_end().to_owned()
}

/// What exists instead: a similar name or key, the same name elsewhere or as the other kind.
fn hint(facts: &Facts<'_>, key: &Key, exists: bool, hole: &Hole<'_, '_, '_>) -> String {
    if !facts.was_read(&key.kind) {
        return format!("The kubelet says so; {}s could not be read to look for themselves.", key.kind);
    }
    if exists {
        let keys = existing_keys(facts, key);
        let Some(missing) = hole.keys.first() else { return String::new() };
        return match nearest(missing, keys.iter().copied()) {
            Some(similar) => format!("It has a key {similar}, which may be meant."),
            None if keys.is_empty() => "It has no keys at all.".to_owned(),
            None => format!("Its keys are: {}.", shorten(&keys.join(", "), 200)),
        };
    }
    let other_kind = if key.kind == "Secret" { "ConfigMap" } else { "Secret" };
    let names = facts.all_in(&key.kind, &key.namespace).map(|object| object.name());
    if facts.get(other_kind, &key.namespace, &key.name).is_some() {
        format!("There is a {other_kind} of this name in the namespace.")
    } else if let Some(similar) = nearest(&key.name, names) {
        format!("There is a {} {similar} in the namespace, which may be meant.", key.kind)
    } else if let Some(elsewhere) = facts.all(&key.kind).iter().find(|object| object.name() == key.name) {
        format!(
            "Namespace {} has one of this name, but pods only see those of their own.",
            elsewhere.namespace()
        )
    } else {
        String::new()
    }
}

fn existing_keys<'a>(facts: &Facts<'a>, key: &Key) -> Vec<&'a str> {
    let Some(object) = facts.get(&key.kind, &key.namespace, &key.name) else { return Vec::new() };
    let value = object.value();
    value.members("/data").chain(value.members("/binaryData")).map(|(name, _)| name).collect()
}

fn absence(facts: &Facts<'_>, key: &Key, exists: bool, keys: &[&str]) -> crate::diagnosis::report::Evidence {
    let object = reference("v1", &key.kind, &key.namespace, &key.name);
    match exists {
        true => {
            let known = existing_keys(facts, key).join(", ");
            absent(object, format!("key {} is not among the keys: {known}", keys.join(", ")))
        }
        false => {
            absent(object, format!("there is no {} {} in namespace {}", key.kind, key.name, key.namespace))
        }
    }
}

/// The event of a consumer that names the missing object.
fn complaint<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, key: &Key) -> Option<KubeEvent<'a>> {
    let mut events = group.cases.iter().flat_map(|case| facts.events(case.pod.object));
    events.find(|event| event.is_warning && event.message.contains(&key.name))
}

fn remedies(key: &Key, exists: bool, hole: &Hole<'_, '_, '_>) -> Vec<Remediation> {
    let object = reference("v1", &key.kind, &key.namespace, &key.name);
    let namespace = in_namespace(&object);
    let workload = hole.consumers.first().map(|consumer| consumer.group.workload);
    let verify = workload.map_or_else(|| kubectl::get(&object, ""), kubectl::verify);
    let mut all = vec![match exists {
        false => create(&object, hole, &namespace, &verify),
        true => add_key(&object, hole, &namespace, &verify),
    }];
    if let Some(workload) = workload {
        all.push(change(
            "Or correct the reference, if another one is meant",
            kubectl::get(&workload.reference, "yaml"),
            kubectl::edit(&workload.reference),
            kubectl::undo(workload),
            verify,
            Risk::Low,
        ));
    }
    all
}

fn create(object: &ObjectRef, hole: &Hole<'_, '_, '_>, namespace: &str, verify: &str) -> Remediation {
    let needed: BTreeSet<&str> =
        hole.consumers.iter().filter_map(|consumer| consumer.reference.as_ref()?.key).collect();
    let literals = match needed.is_empty() {
        true => " --from-literal=<KEY>=<VALUE>".to_owned(),
        false => needed.iter().map(|key| format!(" --from-literal={}=<VALUE>", sh(key))).collect(),
    };
    let (noun, verb) = match object.kind.as_str() {
        "Secret" => ("secret", "secret generic"),
        _ => ("configmap", "configmap"),
    };
    let name = sh(&object.name);
    change(
        format!("Make the {}", object.kind),
        format!("kubectl {namespace}get {noun}s"),
        format!("kubectl {namespace}create {verb} {name}{literals}"),
        format!("kubectl {namespace}delete {noun} {name}"),
        verify,
        Risk::Low,
    )
}

fn add_key(object: &ObjectRef, hole: &Hole<'_, '_, '_>, namespace: &str, verify: &str) -> Remediation {
    let (noun, member) =
        if object.kind == "Secret" { ("secret", "stringData") } else { ("configmap", "data") };
    let entries = |value: &str| {
        let pairs: Vec<String> =
            hole.keys.iter().map(|key| format!("{}:{value}", serde_json::json!(key))).collect();
        pairs.join(",")
    };
    let name = sh(&object.name);
    let patch = |member: &str, value: &str| {
        let patch = format!("{{\"{member}\":{{{}}}}}", entries(value));
        format!("kubectl {namespace}patch {noun} {name} --type merge -p {}", sh(&patch))
    };
    change(
        "Add the key",
        format!("kubectl {namespace}describe {noun} {name}"),
        patch(member, "\"<VALUE>\""),
        patch("data", "null"),
        verify,
        Risk::Low,
    )
}

/// A container that cannot be created, although everything that it refers to is there.
fn invalid(facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    let case = group.sample();
    let Some(container) = case.container else {
        return group.draft("container-config-invalid", group.name());
    };
    let message = shorten(container.waiting_message(), 300);
    let non_root = message.contains("runAsNonRoot") || message.contains("non-numeric user");
    let (rule, title) = match non_root {
        true => (
            "run-as-non-root-conflict",
            format!("{} must not run as root (runAsNonRoot), but its image does", group.name()),
        ),
        false => (
            "container-config-invalid",
            format!("{}: container {} cannot be created: {message}", group.name(), container.name()),
        ),
    };
    let set_user = r#"{"spec":{"template":{"spec":{"securityContext":{"runAsUser":1000}}}}}"#;
    let workload = &group.workload.reference;
    let repair = match non_root {
        true => format!(
            "kubectl {}patch {} -p '{set_user}'",
            in_namespace(workload),
            crate::diagnosis::draft::kubectl_name(workload)
        ),
        false => kubectl::edit(workload),
    };
    let told = pods::events(facts, case.pod, &container).find(|event| event.reason == "Failed");
    group
        .draft(rule, title)
        .confidence(Confidence::Certain)
        .summary(format!("The kubelet says: {message}.{}", group.impact()))
        .cause(container.name())
        .evidence(group.status_field("/state/waiting/message"))
        .evidence(group.spec_field(&format!("{}/securityContext", container.spec_pointer())))
        .evidence(told.map(|found| event(&found)))
        .remedy(change(
            if non_root { "Run as a user that is not root" } else { "Correct the container's specification" },
            kubectl::get(workload, "yaml"),
            repair,
            kubectl::undo(group.workload),
            kubectl::verify(group.workload),
            Risk::Low,
        ))
        .remedies(kubectl::rollback(group.workload))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::diagnosis::testing;

    fn waiting(message: &str) -> Value {
        json!({ "state": { "waiting": { "reason": "CreateContainerConfigError", "message": message } } })
    }

    fn env(kind: &str, name: &str, key: &str) -> Value {
        json!({ "env": [{ "name": "X", "valueFrom": { kind: { "name": name, "key": key } } }] })
    }

    #[rstest]
    #[case::configmap(
        "configMapKeyRef",
        r#"configmap "settings" not found"#,
        "configmap-missing ConfigMap/settings"
    )]
    #[case::secret("secretKeyRef", r#"secret "settings" not found"#, "secret-missing Secret/settings")]
    fn a_missing_object_is_the_root_cause(#[case] kind: &str, #[case] message: &str, #[case] root: &str) {
        let report =
            testing::diagnosed(testing::deployment("api", env(kind, "settings", "x"), waiting(message)));
        assert_eq!(testing::roots(&report), [root]);
        assert!(report.findings[0].title.contains("Deployment api"), "{}", report.findings[0].title);
    }

    #[test]
    fn a_missing_key_names_the_similar_one() {
        let mut objects = testing::deployment(
            "api",
            env("configMapKeyRef", "settings", "db_hots"),
            waiting("couldn't find key"),
        );
        objects.push(testing::object("v1", "ConfigMap", "settings", json!({ "data": { "db_host": "x" } })));
        let report = testing::diagnosed(objects);
        assert_eq!(testing::roots(&report), ["configmap-key-missing ConfigMap/settings"]);
        assert!(report.findings[0].summary.contains("db_host,"), "{}", report.findings[0].summary);
    }

    #[test]
    fn two_workloads_that_wait_for_one_secret_are_one_finding() {
        let message = r#"secret "db" not found"#;
        let mut objects = testing::deployment("api", env("secretKeyRef", "db", "p"), waiting(message));
        objects.extend(testing::deployment("web", env("secretKeyRef", "db", "p"), waiting(message)));
        let report = testing::diagnosed(objects);
        assert_eq!(testing::roots(&report), ["secret-missing Secret/db"]);
        assert!(report.findings[0].title.contains("and 1 more"), "{}", report.findings[0].title);
    }

    #[test]
    fn a_volume_of_a_missing_configmap_keeps_the_pod_creating() {
        let mut objects = testing::deployment(
            "api",
            json!({}),
            json!({ "state": { "waiting": { "reason": "ContainerCreating" } } }),
        );
        let volume = json!([{ "name": "routes", "configMap": { "name": "routes" } }]);
        for pointer in ["/spec/template/spec/volumes", "/spec/volumes"] {
            let (parent, _) = pointer.rsplit_once('/').unwrap();
            for object in &mut objects {
                if let Some(spec) = object.pointer_mut(parent).filter(|spec| spec.get("containers").is_some())
                {
                    spec["volumes"] = volume.clone();
                }
            }
        }
        let message = r#"MountVolume.SetUp failed for volume "routes" : configmap "routes" not found"#;
        objects.push(testing::warning("Pod", "api-1", "FailedMount", message));
        let report = testing::diagnosed(objects);
        assert_eq!(testing::roots(&report), ["configmap-missing ConfigMap/routes"]);
        assert_eq!(report.findings[0].evidence[0].object.kind, "Deployment");
    }

    #[test]
    fn where_secrets_may_not_be_read_the_kubelets_word_is_taken() {
        let mut snapshot = testing::snapshot(testing::deployment(
            "api",
            env("secretKeyRef", "db", "p"),
            waiting(r#"secret "db" not found"#),
        ));
        snapshot.coverage.read.retain(|plural| plural != "secrets");
        let report = crate::diagnosis::diagnose(&snapshot, &Default::default());
        assert_eq!(testing::roots(&report), ["secret-missing Secret/db"]);
    }

    #[test]
    fn run_as_non_root_is_told_from_a_missing_object() {
        let message = "container has runAsNonRoot and image will run as root (pod: x, container: api)";
        let report = testing::diagnosed(testing::deployment("api", json!({}), waiting(message)));
        assert_eq!(testing::roots(&report), ["run-as-non-root-conflict Deployment/api"]);
    }
}
