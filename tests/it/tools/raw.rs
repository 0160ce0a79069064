//! An API server that gives what it has as it is, secrets and all, and writes down what it is asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use drydock::cluster::{Cluster, ClusterInfo, Clusters};
use drydock::tools::{Environment, Gate, Policy, Registry};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

/// A request: its path without the query, and whether it changes something.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub in_earnest: bool,
}

#[derive(Clone, Default)]
pub struct Raw {
    pub objects: Arc<Vec<Value>>,
    pub log: String,
    /// What it answers to everything but discovery, where it refuses all.
    pub refusal: Option<(u16, String)>,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Raw {
    /// All tools on this server, for who may do everything with an approved plan.
    pub fn tools(&self) -> Registry {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (code, answer) =
                    server.answer(&parts, &serde_json::from_slice(&body).unwrap_or_default());
                Ok::<_, Infallible>(
                    http::Response::builder().status(code).body(Body::from(answer.into_bytes())).unwrap(),
                )
            }
        });
        let info = ClusterInfo { name: "prod".to_owned(), version: None, recorded: false, captured_at: None };
        let clusters = Clusters::one(Cluster::new(kube::Client::new(service, "default"), info));
        let policy = Policy { allow_write: true, allow_sensitive_data: true, ..Policy::default() };
        Registry::standard(Environment { clusters, aws: None, gate: Arc::new(Gate::new(policy)) })
    }

    fn answer(&self, parts: &http::request::Parts, body: &Value) -> (u16, String) {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let is_trial = query.contains("dryRun=All") || body["dryRun"] == json!(["All"]);
        let in_earnest = parts.method != "GET" && !is_trial && !path.ends_with("reviews");
        self.asked.lock().unwrap().push(Asked { path: path.to_owned(), in_earnest });
        if let Some(discovery) = self.discovery(path) {
            return (200, discovery.to_string());
        }
        if let Some((code, message)) = &self.refusal {
            let status = json!({ "kind": "Status", "status": "Failure", "message": message, "code": code });
            return (*code, status.to_string());
        }
        if path.ends_with("/log") {
            return (200, self.log.clone());
        }
        let found = self.objects.iter().find(|object| path_of(object, true) == path);
        let missing = || (404, json!({ "kind": "Status", "message": "not found", "code": 404 }).to_string());
        match (parts.method.as_str(), found) {
            ("GET", Some(object)) => (200, object.to_string()),
            ("GET", None) => self.list(path, query).map_or_else(missing, |list| (200, list.to_string())),
            (_, Some(object)) => (200, changed(object).to_string()),
            (_, None) => (201, changed(body).to_string()),
        }
    }

    fn list(&self, path: &str, query: &str) -> Option<Value> {
        let is_known = self.objects.iter().any(|object| path.ends_with(&format!("/{}", plural(object))));
        let query = percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned();
        let named =
            query.split_once("metadata.name=").map(|(_, name)| name.split('&').next().unwrap_or_default());
        let in_path = |object: &&Value| {
            let everywhere =
                path_of(object, false).replace(&format!("/namespaces/{}", text(object, "namespace")), "");
            path == path_of(object, false) || path == everywhere
        };
        let items = self.objects.iter().filter(in_path);
        let items = items.filter(|object| named.is_none_or(|name| text(object, "name") == name));
        is_known.then(|| json!({ "kind": "List", "metadata": {}, "items": items.collect::<Vec<_>>() }))
    }

    fn discovery(&self, path: &str) -> Option<Value> {
        let versions = || self.objects.iter().filter_map(|object| object["apiVersion"].as_str());
        if path == "/apis" {
            let groups = versions().filter(|version| version.contains('/'));
            let groups = groups.map(|version| json!({ "versions": [{ "groupVersion": version }] }));
            return Some(json!({ "groups": groups.collect::<Vec<_>>() }));
        }
        let version = path.strip_prefix("/apis/").or_else(|| path.strip_prefix("/api/"))?;
        let of_version: Vec<&Value> =
            self.objects.iter().filter(|object| object["apiVersion"] == version).collect();
        let resources = of_version.iter().map(|object| {
            json!({
                "name": plural(object), "kind": object["kind"], "verbs": ["get", "list"],
                "namespaced": !text(object, "namespace").is_empty(),
            })
        });
        (!of_version.is_empty()).then(|| json!({ "resources": resources.collect::<Vec<_>>() }))
    }
}

/// What a change makes of an object, so that there is a difference to show.
fn changed(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"] = json!({ "changed": "yes" });
    object
}

pub fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object["metadata"][member].as_str().unwrap_or_default()
}

pub fn plural(object: &Value) -> String {
    format!("{}s", object["kind"].as_str().unwrap_or_default().to_lowercase())
}

fn path_of(object: &Value, with_name: bool) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let root = if version.contains('/') { "apis" } else { "api" };
    let place = match text(object, "namespace") {
        "" => String::new(),
        namespace => format!("/namespaces/{namespace}"),
    };
    let name = if with_name { format!("/{}", text(object, "name")) } else { String::new() };
    format!("/{root}/{version}{place}/{}{name}", plural(object))
}
