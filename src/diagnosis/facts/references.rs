//! What a pod's specification refers to: ConfigMaps and Secrets, by environment and by volume.

use serde_json::Value;

use super::object::Read;

/// Where a reference stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// One environment variable of a container.
    Env { container: String, variable: String },
    /// All variables of a container.
    EnvFrom { container: String },
    /// A volume of the pod.
    Volume { volume: String },
}

/// A reference to a ConfigMap or Secret that has to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// `ConfigMap` or `Secret`.
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    /// The key that has to be in it, where one is named.
    pub(crate) key: Option<&'a str>,
    pub(crate) place: Place,
    /// JSON pointer of the name, below the pod's spec.
    pub(crate) pointer: String,
}

impl Reference<'_> {
    /// `env DB_PASSWORD of container api`, `volume routes`.
    pub(crate) fn place_text(&self) -> String {
        match &self.place {
            Place::Env { container, variable } => format!("env {variable} of container {container}"),
            Place::EnvFrom { container } => format!("envFrom of container {container}"),
            Place::Volume { volume } => format!("volume {volume}"),
        }
    }
}

/// Every reference in a pod's spec that is not optional.
pub(crate) fn references(spec: &Value) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in spec.list(&format!("/{list}")).iter().enumerate() {
            of_container(container, &format!("/{list}/{index}"), &mut found);
        }
    }
    for (index, volume) in spec.list("/volumes").iter().enumerate() {
        of_volume(volume, &format!("/volumes/{index}"), &mut found);
    }
    found.retain(|reference| !reference.name.is_empty());
    found
}

fn of_container<'a>(container: &'a Value, pointer: &str, found: &mut Vec<Reference<'a>>) {
    let name = container.text("/name");
    let kinds = [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")];
    for (index, env) in container.list("/env").iter().enumerate() {
        for (member, kind) in kinds {
            let Some(source) = required(env, &format!("/valueFrom/{member}")) else { continue };
            found.push(Reference {
                kind,
                name: source.text("/name"),
                key: source.maybe_text("/key"),
                place: Place::Env { container: name.to_owned(), variable: env.text("/name").to_owned() },
                pointer: format!("{pointer}/env/{index}/valueFrom/{member}/name"),
            });
        }
    }
    let kinds = [("configMapRef", "ConfigMap"), ("secretRef", "Secret")];
    for (index, source) in container.list("/envFrom").iter().enumerate() {
        for (member, kind) in kinds {
            let Some(source) = required(source, &format!("/{member}")) else { continue };
            found.push(Reference {
                kind,
                name: source.text("/name"),
                key: None,
                place: Place::EnvFrom { container: name.to_owned() },
                pointer: format!("{pointer}/envFrom/{index}/{member}/name"),
            });
        }
    }
}

fn of_volume<'a>(volume: &'a Value, pointer: &str, found: &mut Vec<Reference<'a>>) {
    let name = volume.text("/name");
    let direct = [("/configMap", "ConfigMap", "name"), ("/secret", "Secret", "secretName")];
    for (member, kind, name_member) in direct {
        if let Some(source) = required(volume, member) {
            of_source(source, kind, name_member, name, &format!("{pointer}{member}"), found);
        }
    }
    for (index, source) in volume.list("/projected/sources").iter().enumerate() {
        for (member, kind) in [("/configMap", "ConfigMap"), ("/secret", "Secret")] {
            if let Some(source) = required(source, member) {
                let pointer = format!("{pointer}/projected/sources/{index}{member}");
                of_source(source, kind, "name", name, &pointer, found);
            }
        }
    }
}

fn of_source<'a>(
    source: &'a Value,
    kind: &'static str,
    name_member: &str,
    volume: &str,
    pointer: &str,
    found: &mut Vec<Reference<'a>>,
) {
    let reference = |key: Option<&'a str>| Reference {
        kind,
        name: source.text(&format!("/{name_member}")),
        key,
        place: Place::Volume { volume: volume.to_owned() },
        pointer: format!("{pointer}/{name_member}"),
    };
    let keys: Vec<&str> = source.list("/items").iter().filter_map(|item| item.maybe_text("/key")).collect();
    match keys.is_empty() {
        true => found.push(reference(None)),
        false => found.extend(keys.into_iter().map(|key| reference(Some(key)))),
    }
}

/// The member, unless it is absent or marked `optional`.
fn required<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    value.pointer(pointer).filter(|source| !source.flag("/optional"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_refer_is_found_and_optional_ones_are_not() {
        let spec = json!({
            "containers": [{
                "name": "api",
                "env": [
                    { "name": "A", "valueFrom": { "configMapKeyRef": { "name": "cm", "key": "a" } } },
                    { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s", "key": "b" } } },
                    { "name": "C", "valueFrom": { "secretKeyRef": { "name": "o", "key": "c", "optional": true } } },
                ],
                "envFrom": [{ "secretRef": { "name": "s2" } }, { "configMapRef": { "name": "o", "optional": true } }],
            }],
            "volumes": [
                { "name": "v", "configMap": { "name": "cm2", "items": [{ "key": "x", "path": "x" }] } },
                { "name": "w", "secret": { "secretName": "s3" } },
                { "name": "p", "projected": { "sources": [{ "secret": { "name": "s4" } }, { "serviceAccountToken": {} }] } },
            ],
        });
        let found = references(&spec);
        let names: Vec<(&str, Option<&str>)> = found.iter().map(|r| (r.name, r.key)).collect();
        let expected = [
            ("cm", Some("a")),
            ("s", Some("b")),
            ("s2", None),
            ("cm2", Some("x")),
            ("s3", None),
            ("s4", None),
        ];
        assert_eq!(names, expected);
        for reference in &found {
            assert_eq!(spec.pointer(&reference.pointer), Some(&json!(reference.name)));
        }
    }
}
