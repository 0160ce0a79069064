//! The Kubernetes API of a bundle: version, discovery, get, list and pod logs. Everything else is refused as the API
//! server would.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::selector::Selector;
use super::{Bundle, Resource, table};
use crate::cluster::Kind;

/// What the service answers.
pub type BundleResponse = Response<Full<Bytes>>;

/// A tower service that answers as an API server with the bundle's objects. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BundleApi {
    bundle: Arc<Bundle>,
}

impl BundleApi {
    /// Serves this bundle.
    pub fn new(bundle: Arc<Bundle>) -> Self {
        Self { bundle }
    }
}

impl<B> tower::Service<Request<B>> for BundleApi {
    type Response = BundleResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<BundleResponse, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, _) = request.into_parts();
        let bundle = Arc::clone(&self.bundle);
        Box::pin(async move {
            // Selecting and writing a long list takes a while.
            let answer = tokio::task::spawn_blocking(move || bundle.answer(&parts)).await;
            Ok(answer.unwrap_or_else(|_| Failure::internal().response()))
        })
    }
}

/// A refusal, which becomes a `Status`.
#[derive(Debug)]
pub(super) struct Failure {
    code: StatusCode,
    reason: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn bad_request(message: String) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message }
    }

    fn not_found(message: String) -> Self {
        Self { code: StatusCode::NOT_FOUND, reason: "NotFound", message }
    }

    fn no_such_path() -> Self {
        Self::not_found("the server could not find the requested resource".to_owned())
    }

    fn not_allowed(message: &str) -> Self {
        let code = StatusCode::METHOD_NOT_ALLOWED;
        Self { code, reason: "MethodNotAllowed", message: message.to_owned() }
    }

    pub(super) fn foreign_host() -> Self {
        let message = "this server answers to names of this machine only".to_owned();
        Self { code: StatusCode::FORBIDDEN, reason: "Forbidden", message }
    }

    fn internal() -> Self {
        let message = "the bundle could not be read".to_owned();
        Self { code: StatusCode::INTERNAL_SERVER_ERROR, reason: "InternalError", message }
    }

    pub(super) fn response(&self) -> BundleResponse {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        respond(self.code, "application/json", status.to_string())
    }
}

/// The query of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn new(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(name), decoded(value))
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Failure> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Failure::bad_request(format!("invalid {name}: {text:?} is not a number ≥ 0")))
        };
        self.get(name).filter(|text| !text.is_empty()).map(number).transpose()
    }
}

/// Percent-decoded, `+` as a space.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let decoded = match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        high * 16 + low
                    }
                    _ => byte,
                }
            }
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a request for objects asks for.
struct Asked<'a> {
    group: &'a str,
    version: &'a str,
    query: &'a Query,
    as_table: bool,
}

impl Resource {
    fn named(&self, namespace: &str, name: &str) -> Result<&Value, Failure> {
        let object = self.objects.get(&(namespace.to_owned(), name.to_owned()));
        object.ok_or_else(|| {
            let resource = match self.kind.group.as_str() {
                "" => self.kind.plural.clone(),
                group => format!("{}.{group}", self.kind.plural),
            };
            Failure::not_found(format!("{resource} {name:?} not found"))
        })
    }
}

impl Bundle {
    fn answer(&self, parts: &http::request::Parts) -> BundleResponse {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Failure::not_allowed("this is a recorded cluster: it can be read, not changed")
                .response();
        }
        let path: Vec<String> =
            parts.uri.path().split('/').filter(|name| !name.is_empty()).map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let query = Query::new(parts.uri.query());
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.route(&path, &query, accept).unwrap_or_else(|failure| failure.response())
    }

    fn route(&self, path: &[&str], query: &Query, accept: &str) -> Result<BundleResponse, Failure> {
        let ok = |value: Value| Ok(json_response(&value));
        let asked = |group, version| Asked { group, version, query, as_table: wants_table(accept) };
        match path {
            ["version"] => ok(self.version()),
            ["api"] => ok(json!({
                "kind": "APIVersions", "versions": ["v1"],
                // Clients that check what they read want it.
                "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "" }],
            })),
            ["apis"] => ok(self.groups()),
            ["api", version] => ok(self.group_version("", version)?),
            ["apis", group] => ok(self.group(group)?),
            ["apis", group, version] => ok(self.group_version(group, version)?),
            ["api", version, rest @ ..] => self.resource(&asked("", version), rest),
            ["apis", group, version, rest @ ..] => self.resource(&asked(group, version), rest),
            ["healthz" | "livez" | "readyz", ..] => {
                Ok(respond(StatusCode::OK, "text/plain", "ok".to_owned()))
            }
            _ => Err(Failure::no_such_path()),
        }
    }

    fn resource(&self, asked: &Asked<'_>, rest: &[&str]) -> Result<BundleResponse, Failure> {
        match rest {
            ["namespaces", namespace, "pods", pod, "log"] if asked.group.is_empty() => {
                Ok(respond(StatusCode::OK, "text/plain", self.pod_log(namespace, pod, asked.query)?))
            }
            ["namespaces", namespace, plural] => self.list(asked, plural, Some(namespace)),
            ["namespaces", namespace, plural, name] => self.get(asked, plural, Some(namespace), name),
            [plural] => self.list(asked, plural, None),
            [plural, name] => self.get(asked, plural, None, name),
            _ => Err(Failure::no_such_path()),
        }
    }

    fn resource_named(&self, group: &str, version: &str, plural: &str) -> Result<&Resource, Failure> {
        let mut all = self.resources.iter();
        let found = all.find(|resource| {
            let kind = &resource.kind;
            kind.group == group && kind.version == version && kind.plural == plural
        });
        found.ok_or_else(Failure::no_such_path)
    }

    /// The pod whose log is asked for.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Result<&Value, Failure> {
        self.resource_named("", "v1", "pods")?.named(namespace, name)
    }

    fn get(
        &self,
        asked: &Asked<'_>,
        plural: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<BundleResponse, Failure> {
        let resource = self.resource_named(asked.group, asked.version, plural)?;
        let object = resource.named(namespace.unwrap_or_default(), name)?;
        match asked.as_table {
            true => self.table(asked, &resource.kind, &[object], json!({})),
            false => Ok(json_response(object)),
        }
    }

    fn list(
        &self,
        asked: &Asked<'_>,
        plural: &str,
        namespace: Option<&str>,
    ) -> Result<BundleResponse, Failure> {
        let resource = self.resource_named(asked.group, asked.version, plural)?;
        let kind = &resource.kind;
        if namespace.is_some() && !kind.namespaced {
            return Err(Failure::no_such_path());
        }
        if asked.query.is_true("watch") {
            return Err(Failure::not_allowed(
                "this is a recorded cluster: nothing in it will change, so there is nothing to watch",
            ));
        }
        let selector = |name| asked.query.get(name).unwrap_or_default();
        let labels = Selector::labels(selector("labelSelector")).map_err(Failure::bad_request)?;
        let fields = Selector::fields(selector("fieldSelector"), &kind.kind).map_err(Failure::bad_request)?;
        let matching = resource.objects.iter().filter(|((of, _), object)| {
            namespace.is_none_or(|namespace| namespace == of)
                && labels.matches(object)
                && fields.matches(object)
        });
        let matching: Vec<&Value> = matching.map(|(_, object)| object).collect();
        let (page, metadata) = page(&matching, asked.query)?;
        match asked.as_table {
            true => self.table(asked, kind, page, metadata),
            false => Ok(json_response(&json!({
                "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": metadata, "items": page,
            }))),
        }
    }

    fn table(
        &self,
        asked: &Asked<'_>,
        kind: &Kind,
        objects: &[&Value],
        metadata: Value,
    ) -> Result<BundleResponse, Failure> {
        let include =
            table::Include::parse(asked.query.get("includeObject")).map_err(Failure::bad_request)?;
        Ok(json_response(&table::table(&kind.kind, objects, self.now(), metadata, include)))
    }

    fn version(&self) -> Value {
        let version = self.info.version.clone().unwrap_or_else(|| "v1.31.0".to_owned());
        let mut numbers = version.trim_start_matches('v').split('.');
        json!({
            "major": numbers.next().unwrap_or("1"), "minor": numbers.next().unwrap_or("31"),
            "gitVersion": version, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "", "compiler": "", "platform": "recorded",
        })
    }

    /// Groups but the core, with their versions.
    fn grouped(&self) -> Vec<(&str, Vec<&str>)> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for resource in self.resources.iter().filter(|resource| !resource.kind.group.is_empty()) {
            let (group, version) = (resource.kind.group.as_str(), resource.kind.version.as_str());
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, versions)) if versions.contains(&version) => {}
                Some((_, versions)) => versions.push(version),
                None => groups.push((group, vec![version])),
            }
        }
        groups
    }

    fn groups(&self) -> Value {
        let groups: Vec<Value> =
            self.grouped().iter().map(|(group, versions)| api_group(group, versions)).collect();
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
    }

    fn group(&self, name: &str) -> Result<Value, Failure> {
        let groups = self.grouped();
        let group = groups.iter().find(|(group, _)| *group == name);
        let (group, versions) = group.ok_or_else(Failure::no_such_path)?;
        let mut value = api_group(group, versions);
        value["kind"] = json!("APIGroup");
        value["apiVersion"] = json!("v1");
        Ok(value)
    }

    fn group_version(&self, group: &str, version: &str) -> Result<Value, Failure> {
        let of_version: Vec<&Resource> = self
            .resources
            .iter()
            .filter(|resource| resource.kind.group == group && resource.kind.version == version)
            .collect();
        let first = of_version.first().ok_or_else(Failure::no_such_path)?;
        let mut resources: Vec<Value> = of_version
            .iter()
            .map(|Resource { kind, .. }| {
                json!({
                    "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
                    "kind": kind.kind, "verbs": ["get", "list"], "shortNames": kind.short_names,
                    "categories": if ALL.contains(&kind.plural.as_str()) { vec!["all"] } else { Vec::new() },
                })
            })
            .collect();
        if group.is_empty() {
            resources.push(json!({
                "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"],
            }));
        }
        Ok(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": first.kind.api_version(), "resources": resources,
        }))
    }
}

/// What `kubectl get all` means.
const ALL: [&str; 10] = [
    "pods",
    "services",
    "replicationcontrollers",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
    "horizontalpodautoscalers",
];

fn api_group(group: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    json!({ "name": group, "versions": versions, "preferredVersion": versions.first() })
}

/// The part of a list that `limit` and `continue` ask for, with the list's metadata.
fn page<'a>(all: &'a [&'a Value], query: &Query) -> Result<(&'a [&'a Value], Value), Failure> {
    let start = match query.get("continue").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => position(token).ok_or_else(|| Failure {
            code: StatusCode::GONE,
            reason: "Expired",
            message: "The provided continue parameter is not valid here; list again without it".to_owned(),
        })?,
    };
    let limit = query.number("limit")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let rest = all.get(start..).unwrap_or_default();
    let page = rest.get(..limit.min(rest.len())).unwrap_or_default();
    let left = rest.len() - page.len();
    let mut metadata = json!({ "resourceVersion": "1" });
    if left > 0 {
        metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(format!("position {}", start + page.len())));
        metadata["remainingItemCount"] = json!(left);
    }
    Ok((page, metadata))
}

fn position(token: &str) -> Option<usize> {
    let token = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    token.strip_prefix("position ")?.parse().ok()
}

/// kubectl asks for tables and takes what it gets.
fn wants_table(accept: &str) -> bool {
    accept.split(',').next().is_some_and(|first| first.contains("as=Table"))
}

fn json_response(value: &Value) -> BundleResponse {
    respond(StatusCode::OK, "application/json", value.to_string())
}

fn respond(code: StatusCode, content_type: &'static str, body: String) -> BundleResponse {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
