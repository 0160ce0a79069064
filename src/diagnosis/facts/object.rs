//! An object as the rules read it: by JSON pointer, tolerant of what is missing or malformed.

use std::fmt;

use serde_json::Value;

use crate::diagnosis::report::ObjectRef;

/// A Kubernetes object of the snapshot. Cheap to copy.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Object<'a>(&'a Value);

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key())
    }
}

/// Identifies an object, whether it exists or not. The API version does not count: it may be served in several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: String,
    /// Empty for cluster-scoped kinds.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl From<&ObjectRef> for Key {
    fn from(object: &ObjectRef) -> Self {
        Self::new(&object.kind, object.namespace.as_deref().unwrap_or_default(), &object.name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl<'a> Object<'a> {
    pub(crate) fn new(value: &'a Value) -> Self {
        Self(value)
    }

    pub(crate) fn value(self) -> &'a Value {
        self.0
    }

    pub(crate) fn kind(self) -> &'a str {
        self.0.text("/kind")
    }

    pub(crate) fn name(self) -> &'a str {
        self.0.text("/metadata/name")
    }

    /// Empty for cluster-scoped kinds.
    pub(crate) fn namespace(self) -> &'a str {
        self.0.text("/metadata/namespace")
    }

    pub(crate) fn uid(self) -> &'a str {
        self.0.text("/metadata/uid")
    }

    pub(crate) fn label(self, name: &str) -> Option<&'a str> {
        self.0.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    pub(crate) fn annotation(self, name: &str) -> Option<&'a str> {
        self.0.pointer("/metadata/annotations")?.get(name)?.as_str()
    }

    pub(crate) fn labels(self) -> Option<&'a serde_json::Map<String, Value>> {
        self.0.pointer("/metadata/labels").and_then(Value::as_object)
    }

    pub(crate) fn created(self) -> Option<jiff::Timestamp> {
        self.0.time("/metadata/creationTimestamp")
    }

    pub(crate) fn is_terminating(self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string)
    }

    pub(crate) fn key(self) -> Key {
        Key::new(self.kind(), self.namespace(), self.name())
    }

    pub(crate) fn reference(self) -> ObjectRef {
        reference(self.0.text("/apiVersion"), self.kind(), self.namespace(), self.name())
    }

    /// The condition of this type, such as `Ready`.
    pub(crate) fn condition(self, of_type: &str) -> Option<&'a Value> {
        self.0.list("/status/conditions").iter().find(|condition| condition["type"] == of_type)
    }

    /// The owner that manages it.
    pub(crate) fn controller(self) -> Option<&'a Value> {
        let owners = self.0.list("/metadata/ownerReferences");
        owners.iter().find(|owner| owner["controller"] == true)
    }
}

/// A reference to an object, which need not exist.
pub(crate) fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// Reading JSON by pointer without caring whether it is there. Defaults are empty.
pub(crate) trait Read {
    fn text(&self, pointer: &str) -> &str;
    fn maybe_text(&self, pointer: &str) -> Option<&str>;
    fn int(&self, pointer: &str) -> Option<i64>;
    fn flag(&self, pointer: &str) -> bool;
    fn list(&self, pointer: &str) -> &[Value];
    fn time(&self, pointer: &str) -> Option<jiff::Timestamp>;
    /// The members of an object, with their names.
    fn members(&self, pointer: &str) -> impl Iterator<Item = (&str, &Value)>;
}

impl Read for Value {
    fn text(&self, pointer: &str) -> &str {
        self.maybe_text(pointer).unwrap_or_default()
    }

    fn maybe_text(&self, pointer: &str) -> Option<&str> {
        self.pointer(pointer).and_then(Value::as_str)
    }

    fn int(&self, pointer: &str) -> Option<i64> {
        self.pointer(pointer).and_then(Value::as_i64)
    }

    fn flag(&self, pointer: &str) -> bool {
        self.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn time(&self, pointer: &str) -> Option<jiff::Timestamp> {
        self.maybe_text(pointer)?.parse().ok()
    }

    fn members(&self, pointer: &str) -> impl Iterator<Item = (&str, &Value)> {
        let members = self.pointer(pointer).and_then(Value::as_object);
        members.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }
}
