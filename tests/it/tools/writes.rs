//! Changes of one object: planned on the server, approved by token, done once.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use drydock::cluster::{Cluster, ClusterInfo, Clusters};
use drydock::tools::{
    CallContext, Denied, Environment, Gate, Policy, Registry, Session, ToolOutcome, Toolbox,
};
use http_body_util::BodyExt;
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};

const TOOL: &str = "manage_k8s_resource";

/// An API server with one ConfigMap, and all that it was asked to change.
#[derive(Clone, Default)]
struct Server {
    changes: Arc<Mutex<Vec<(String, String, Value)>>>,
    /// What it answers to changes, where it does not make them.
    refusal: Option<(u16, &'static str)>,
    /// It refuses only what would have an effect.
    only_in_earnest: bool,
    /// It knows no strategic merge, as for custom resources.
    plain_merge: bool,
}

impl Server {
    fn answer(&self, method: &str, path: &str, media: &str, body: Value) -> (u16, Value) {
        match (method, path) {
            ("GET", "/apis") => (200, json!({ "groups": [] })),
            ("GET", "/api/v1") => (200, kinds()),
            ("GET", "/api/v1/namespaces/shop/configmaps/colors") => (200, config_map("red")),
            ("GET", _) => (404, json!({})),
            _ if self.plain_merge && media.contains("strategic") => (415, json!({})),
            (method, path) => {
                let is_trial = path.contains("dryRun=All");
                if let Some((code, says)) = self.refusal.filter(|_| !is_trial || !self.only_in_earnest) {
                    return (code, json!({ "status": "Failure", "message": says, "code": code }));
                }
                let color = body["data"]["color"].as_str().unwrap_or("blue").to_owned();
                self.changes.lock().unwrap().push((method.to_owned(), path.to_owned(), body));
                (200, config_map(&color))
            }
        }
    }

    /// What was changed in earnest.
    fn done(&self) -> Vec<(String, String, Value)> {
        let changes = self.changes.lock().unwrap().clone();
        let is_trial = |(_, path, body): &(String, String, Value)| {
            path.contains("dryRun=All") || body["dryRun"] == json!(["All"])
        };
        changes.into_iter().filter(|change| !is_trial(change)).collect()
    }

    fn tools(&self, policy: Policy) -> Registry {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let path = parts.uri.to_string();
                let media = parts.headers.get("content-type").and_then(|media| media.to_str().ok());
                let (code, answer) =
                    server.answer(parts.method.as_str(), &path, media.unwrap_or_default(), body);
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(http::Response::builder().status(code).body(answer).unwrap())
            }
        });
        let info = ClusterInfo { name: "prod".to_owned(), version: None, recorded: false, captured_at: None };
        let clusters = Clusters::one(Cluster::new(kube::Client::new(service, "default"), info));
        Registry::standard(Environment { clusters, aws: None, gate: Arc::new(Gate::new(policy)) })
    }
}

fn kinds() -> Value {
    let kind = |name: &str, kind: &str| json!({ "name": name, "kind": kind, "namespaced": true, "verbs": ["get", "list"] });
    json!({ "resources": [kind("configmaps", "ConfigMap"), kind("secrets", "Secret")] })
}

fn config_map(color: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": { "color": color },
        "metadata": { "name": "colors", "namespace": "shop", "uid": "u-1", "resourceVersion": "7" },
    })
}

fn writing() -> Policy {
    Policy { allow_write: true, ..Policy::default() }
}

async fn call(tools: &Registry, arguments: &Value) -> ToolOutcome {
    let caller = CallContext::new(Session::new("alice", true), 1 << 20);
    tools.call(TOOL, arguments.clone(), &caller).await
}

fn arguments(operation: &str) -> Value {
    let body = json!({ "data": { "color": "blue" } });
    json!({ "operation": operation, "kind": "configmap", "namespace": "shop", "name": "colors", "body": body })
}

#[rstest]
#[case("create", "POST", "/api/v1/namespaces/shop/configmaps?fieldManager=drydock")]
#[case("replace", "PUT", "/api/v1/namespaces/shop/configmaps/colors?fieldManager=drydock")]
#[case("patch", "PATCH", "/api/v1/namespaces/shop/configmaps/colors?fieldManager=drydock")]
#[case("delete", "DELETE", "/api/v1/namespaces/shop/configmaps/colors")]
#[tokio::test]
async fn a_change_is_shown_first_and_made_by_the_second_call(
    #[case] operation: &str,
    #[case] method: &str,
    #[case] path: &str,
) {
    let server = Server::default();
    let tools = server.tools(writing());
    let mut arguments = arguments(operation);
    let shown = call(&tools, &arguments).await;
    let pending = shown.pending.unwrap_or_else(|| panic!("{}", shown.text));
    assert!(pending.question.contains("ConfigMap shop/colors on cluster prod"), "{}", pending.question);
    assert_eq!(server.done(), []);
    arguments["plan_token"] = pending.plan_token.into();
    let done = call(&tools, &arguments).await;
    assert!(!done.is_error, "{}", done.text);
    let changes = server.done();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].0.as_str(), changes[0].1.as_str()), (method, path));
    let again = call(&tools, &arguments).await;
    assert!(again.is_error && again.text.contains("was used already"), "{}", again.text);
    assert_eq!(server.done().len(), 1);
}

#[tokio::test]
async fn a_plan_shows_the_difference() {
    let shown = call(&Server::default().tools(writing()), &arguments("patch")).await;
    assert!(shown.text.contains("-  color: red\n+  color: blue\n"), "{}", shown.text);
    let created = call(&Server::default().tools(writing()), &arguments("create")).await;
    assert!(created.text.contains("+  color: blue\n") && !created.text.contains("\n-"), "{}", created.text);
    assert!(!created.text.contains("u-1") && !created.text.contains("resourceVersion"), "{}", created.text);
}

#[tokio::test]
async fn a_deletion_is_of_the_object_that_was_shown() {
    let server = Server::default();
    call(&server.tools(writing()), &arguments("delete")).await;
    assert_eq!(server.changes.lock().unwrap()[0].2["preconditions"], json!({ "uid": "u-1" }));
}

#[rstest]
#[case::mark(json!({ "data": { "password": "***" } }))]
#[case::inside(json!({ "spec": ["postgres://app:***@db"] }))]
#[case::of_data(json!({ "data": { "password": "cmVkYWN0ZWQ=" } }))]
#[tokio::test]
async fn what_stands_for_a_secret_is_not_written_back(#[case] body: Value) {
    let server = Server::default();
    let mut arguments = arguments("patch");
    arguments["body"] = body;
    let outcome = call(&server.tools(writing()), &arguments).await;
    assert!(outcome.is_error && outcome.text.contains("stand for secrets"), "{}", outcome.text);
    assert!(server.changes.lock().unwrap().is_empty());
}

#[rstest]
#[case::kind(Denied::Kind("configmap".to_owned()))]
#[case::namespace(Denied::Namespace("shop".to_owned()))]
#[tokio::test]
async fn what_the_server_denies_is_not_even_tried(#[case] denied: Denied) {
    let server = Server::default();
    let policy = Policy { denied: vec![denied], ..writing() };
    let outcome = call(&server.tools(policy), &arguments("patch")).await;
    assert!(outcome.is_error && outcome.text.contains("does not change"), "{}", outcome.text);
    assert!(server.changes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_is_read_only_where_sensitive_data_may_be() {
    let read = json!({ "kind": "secret", "namespace": "shop", "name": "x" });
    let outcome = call(&Server::default().tools(writing()), &read).await;
    assert!(outcome.text.contains("--allow-sensitive-data"), "{}", outcome.text);
}

#[tokio::test]
async fn a_kind_without_strategic_merge_is_patched_with_a_plain_merge() {
    let server = Server { plain_merge: true, ..Server::default() };
    let shown = call(&server.tools(writing()), &arguments("patch")).await;
    assert!(shown.pending.is_some(), "{}", shown.text);
    assert_eq!(server.changes.lock().unwrap().len(), 1);
}

#[rstest]
#[case::forbidden(403, "configmaps is forbidden", "nothing was changed")]
#[case::conflict(409, "the object has been modified", "the object has been modified")]
#[case::webhook(400, "denied the request: password=tiger-lily-4711", "denied the request")]
#[case::busy(503, "try later", "cannot serve now")]
#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_words(
    #[case] code: u16,
    #[case] says: &'static str,
    #[case] part: &str,
) {
    let server = Server { refusal: Some((code, says)), ..Server::default() };
    let outcome = call(&server.tools(writing()), &arguments("patch")).await;
    assert!(outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
    assert!(!outcome.text.contains("tiger-lily") && !outcome.text.contains('\n'), "{}", outcome.text);
}

#[tokio::test]
async fn a_recording_cannot_be_changed() {
    let gate = Arc::new(Gate::new(writing()));
    let tools = Registry::standard(Environment { gate, ..Environment::of(super::shop::shop()) });
    let delete = json!({ "operation": "delete", "kind": "deploy", "namespace": "shop", "name": "catalog" });
    let outcome = call(&tools, &delete).await;
    assert!(outcome.is_error && outcome.text.contains("can be read, not changed"), "{}", outcome.text);
}

#[tokio::test]
async fn a_plan_that_is_cut_still_says_how_to_go_on() {
    let mut arguments = arguments("create");
    arguments["body"]["data"]["color"] = "blue\n".repeat(1000).into();
    let caller = CallContext::new(Session::new("alice", true), 1000);
    let shown = Server::default().tools(writing()).call(TOOL, arguments, &caller).await;
    let token = shown.pending.map(|pending| pending.plan_token).unwrap_or_default();
    assert!(shown.truncated && !token.is_empty() && shown.text.contains(&token), "{}", shown.text);
}

#[tokio::test]
async fn only_a_change_in_earnest_leaves_open_whether_it_was_made() {
    let refusal = Some((503, "try later"));
    let trial = Server { refusal, ..Server::default() };
    let outcome = call(&trial.tools(writing()), &arguments("patch")).await;
    assert!(!outcome.text.contains("is not known"), "{}", outcome.text);
    let server = Server { refusal, only_in_earnest: true, ..Server::default() };
    let tools = server.tools(writing());
    let mut arguments = arguments("patch");
    let pending = call(&tools, &arguments).await.pending;
    arguments["plan_token"] = pending.map(|pending| pending.plan_token).unwrap_or_default().into();
    let outcome = call(&tools, &arguments).await;
    assert!(outcome.text.contains("read the object before you try it again"), "{}", outcome.text);
}
