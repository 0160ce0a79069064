//! `apply_yaml`: one plan for several documents, tried on the server, approved by token, applied in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use drydock::cluster::{Cluster, ClusterInfo, Clusters};
use drydock::tools::{
    Approval, CallContext, Denied, Environment, Gate, Policy, Registry, Session, ToolOutcome, Toolbox,
};
use http_body_util::BodyExt;
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};

/// An API server that knows namespaces, ConfigMaps, Secrets and definitions, and applies in earnest or not.
#[derive(Clone, Default)]
struct Server {
    objects: Arc<Mutex<BTreeMap<String, Value>>>,
    /// Each apply: how often it was asked for, in which order.
    applied: Arc<Mutex<Vec<String>>>,
    trials: Arc<Mutex<Vec<String>>>,
    /// It refuses to apply the object of this name in earnest.
    refuses: Option<&'static str>,
    /// It never answers what would change the object of this name in earnest.
    hangs_on: Option<&'static str>,
    /// So many requests for a new kind are answered with "not found".
    slow_definitions: Arc<Mutex<u32>>,
}

const COLORS: &str = "/api/v1/namespaces/shop/configmaps/colors";

impl Server {
    /// With a namespace, and a ConfigMap of which kubectl manages the color.
    fn of_a_shop() -> Self {
        let server = Self::default();
        server.put("/api/v1/namespaces/shop", json!({ "apiVersion": "v1", "kind": "Namespace" }));
        let colors = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "color": "red" }, "managers": "kubectl" });
        server.put(COLORS, colors);
        server
    }

    fn put(&self, path: &str, mut object: Value) {
        let mut objects = self.objects.lock().unwrap();
        let version = objects
            .get(path)
            .and_then(|old| old["metadata"]["resourceVersion"].as_str()?.parse::<u32>().ok());
        let metadata = json!({
            "name": path.rsplit('/').next(), "uid": format!("uid of {path}"),
            "resourceVersion": (version.unwrap_or(0) + 1).to_string(), "annotations": object["metadata"]["annotations"],
        });
        object["metadata"] = metadata;
        objects.insert(path.to_owned(), object);
    }

    fn stored(&self, path: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    fn applied(&self) -> Vec<String> {
        self.applied.lock().unwrap().clone()
    }

    fn answer(&self, method: &str, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let kind = |name: &str, kind: &str, namespaced: bool| json!({ "name": name, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"] });
        match (method, path) {
            ("GET", "/apis") => {
                let versions = json!([{ "groupVersion": "apiextensions.k8s.io/v1" }]);
                (200, json!({ "groups": [{ "versions": versions }] }))
            }
            ("GET", "/api/v1") => {
                let namespaced = [kind("configmaps", "ConfigMap", true), kind("secrets", "Secret", true)];
                (
                    200,
                    json!({ "resources": [namespaced[0], namespaced[1], kind("namespaces", "Namespace", false)] }),
                )
            }
            ("GET", "/apis/apiextensions.k8s.io/v1") => (
                200,
                json!({ "resources": [kind("customresourcedefinitions", "CustomResourceDefinition", false)] }),
            ),
            ("GET", path) => match self.stored(path) {
                Some(object) => (200, object),
                None => (404, status(404, "not found")),
            },
            ("PATCH", path) => self.apply(path, query, body),
            _ => (405, status(405, "only apply is expected")),
        }
    }

    fn apply(&self, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let trial = query.contains("dryRun=All");
        let list = if trial { &self.trials } else { &self.applied };
        list.lock().unwrap().push(path.to_owned());
        if let Some((code, message)) = self.missing(path).or_else(|| self.refused(path, trial)) {
            return (code, status(code, &message));
        }
        let before = self.stored(path);
        let held = before
            .as_ref()
            .is_some_and(|before| before["managers"] == "kubectl" && before["data"] != body["data"]);
        if held && query.contains("force=false") {
            let causes = ["color", "shape"].map(|field| {
                json!({ "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using v1", "field": format!(".data.{field}") })
            });
            let mut status = status(409, "Apply failed with 2 conflicts");
            status["details"] = json!({ "causes": causes });
            return (409, status);
        }
        let mut after = before.unwrap_or_else(|| json!({ "metadata": {} }));
        for member in ["apiVersion", "kind", "data"] {
            after[member] = body[member].clone();
        }
        if !trial {
            self.put(path, after.clone());
        }
        (200, after)
    }

    /// Says what has to be there first.
    fn missing(&self, path: &str) -> Option<(u16, String)> {
        let segments: Vec<&str> = path.split('/').collect();
        let namespace =
            segments.iter().position(|part| *part == "namespaces").filter(|at| segments.len() > at + 2);
        let namespace = namespace.map(|at| segments[at + 1]);
        if let Some(name) =
            namespace.filter(|name| self.stored(&format!("/api/v1/namespaces/{name}")).is_none())
        {
            return Some((404, format!("namespaces \"{name}\" not found")));
        }
        let mut slow = self.slow_definitions.lock().unwrap();
        let is_new = path.starts_with("/apis/shop.example/") && *slow > 0;
        *slow -= u32::from(is_new);
        is_new.then(|| (404, "404 page not found".to_owned()))
    }

    fn refused(&self, path: &str, trial: bool) -> Option<(u16, String)> {
        let is_it = |name: &str| path.ends_with(&format!("/{name}"));
        match self.refuses.filter(|name| is_it(name) && !trial) {
            Some(_) => Some((403, "denied by policy, password=tiger-lily-4711".to_owned())),
            None if is_it("invalid") => Some((422, "data.x: Required value".to_owned())),
            None if is_it("unknown-field") => Some((
                500,
                "failed to create typed patch object: .foo: field not declared in schema".to_owned(),
            )),
            None => None,
        }
    }

    fn tools(&self, policy: Policy) -> Registry {
        self.behind(Gate::new(policy))
    }

    fn behind(&self, gate: Gate) -> Registry {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
                let hangs =
                    server.hangs_on.is_some_and(|name| path.ends_with(name) && parts.method == "PATCH");
                if hangs && !query.contains("dryRun") {
                    std::future::pending::<()>().await;
                }
                let (code, answer) = server.answer(parts.method.as_str(), path, query, &body);
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(http::Response::builder().status(code).body(answer).unwrap())
            }
        });
        let info = ClusterInfo { name: "prod".to_owned(), version: None, recorded: false, captured_at: None };
        let clusters = Clusters::one(Cluster::new(kube::Client::new(service, "default"), info));
        Registry::standard(Environment { clusters, aws: None, gate: Arc::new(gate) })
    }
}

fn status(code: u16, message: &str) -> Value {
    json!({ "kind": "Status", "status": "Failure", "message": message, "code": code })
}

fn writing() -> Policy {
    Policy { allow_write: true, ..Policy::default() }
}

async fn call(tools: &Registry, arguments: &Value) -> ToolOutcome {
    let caller = CallContext::new(Session::new("alice", true), 1 << 20);
    tools.call("apply_yaml", arguments.clone(), &caller).await
}

/// Has the plan shown, and then done.
async fn approved(tools: &Registry, mut arguments: Value) -> ToolOutcome {
    let shown = call(tools, &arguments).await;
    arguments["plan_token"] = shown.pending.unwrap_or_else(|| panic!("{}", shown.text)).plan_token.into();
    call(tools, &arguments).await
}

fn config(namespace: &str, name: &str, color: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{color: {color}}}\n"
    )
}

fn namespace(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

#[tokio::test]
async fn documents_are_shown_in_one_plan_and_applied_by_the_second_call() {
    let server = Server::of_a_shop();
    let tools = server.tools(writing());
    let arguments = json!({ "yaml": config("shop", "shapes", "blue") + &config("shop", "sizes", "green") });
    let shown = call(&tools, &arguments).await;
    let question = shown.pending.as_ref().map(|pending| pending.question.as_str());
    assert_eq!(question, Some("create ConfigMap shop/shapes, create ConfigMap shop/sizes on cluster prod?"));
    assert!(
        shown.text.contains("create ConfigMap shop/shapes\n") && shown.text.contains("+  color: green\n"),
        "{}",
        shown.text
    );
    assert_eq!(server.applied(), Vec::<String>::new());
    let done = approved(&tools, arguments).await;
    assert!(!done.is_error, "{}", done.text);
    assert!(
        done.text.starts_with("Applied 2 documents: 2 created, 0 changed, 0 as they were\n"),
        "{}",
        done.text
    );
    let path = |name: &str| format!("/api/v1/namespaces/shop/configmaps/{name}");
    assert_eq!(server.applied(), [path("shapes"), path("sizes")]);
    assert_eq!(
        (&done.structured["created"], &done.structured["documents"][1]["result"]),
        (&json!(2), &json!("applied"))
    );
}

#[tokio::test]
async fn a_namespace_of_the_set_comes_first_and_what_lives_in_it_is_not_tried() {
    let server = Server::of_a_shop();
    let tools = server.tools(writing());
    let arguments = json!({ "yaml": config("new", "colors", "blue") + &namespace("new") });
    let shown = call(&tools, &arguments).await;
    assert!(shown.text.contains("(not tried: its namespace is made by this plan)\n"), "{}", shown.text);
    assert_eq!(*server.trials.lock().unwrap(), ["/api/v1/namespaces/new"]);
    let done = approved(&tools, arguments).await;
    assert!(!done.is_error, "{}", done.text);
    assert_eq!(server.applied(), ["/api/v1/namespaces/new", "/api/v1/namespaces/new/configmaps/colors"]);
}

#[tokio::test]
async fn a_namespace_that_nobody_makes_is_a_refusal() {
    let tools = Server::of_a_shop().tools(writing());
    let outcome = call(&tools, &json!({ "yaml": config("nope", "colors", "blue") })).await;
    assert_eq!(outcome.text, "nothing was applied: ConfigMap nope/colors: namespaces \"nope\" not found");
}

const DEFINITION: &str = "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: coupons.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {kind: Coupon, plural: coupons}
  versions: [{name: v1, served: true, storage: true}]
";
const COUPON: &str = "---\napiVersion: shop.example/v1\nkind: Coupon\nmetadata: {name: spring}\n";

#[tokio::test(start_paused = true)]
async fn an_object_of_a_kind_that_the_set_defines_waits_until_the_kind_is_there() {
    let server = Server { slow_definitions: Arc::new(Mutex::new(3)), ..Server::of_a_shop() };
    let tools = server.tools(writing());
    let arguments = json!({ "yaml": format!("{COUPON}{DEFINITION}"), "namespace": "shop" });
    let shown = call(&tools, &arguments).await;
    assert!(
        shown.text.contains("create Coupon shop/spring (not tried: its kind is defined"),
        "{}",
        shown.text
    );
    let done = approved(&tools, arguments).await;
    assert!(!done.is_error, "{}", done.text);
    let coupon = "/apis/shop.example/v1/namespaces/shop/coupons/spring";
    assert_eq!(server.applied().iter().filter(|path| *path == coupon).count(), 4);
    assert!(server.stored(coupon).is_some());
}

#[tokio::test]
async fn a_kind_that_nobody_defines_is_named_with_its_document() {
    let tools = Server::of_a_shop().tools(writing());
    let yaml = config("shop", "a", "blue") + COUPON;
    let outcome = call(&tools, &json!({ "yaml": yaml })).await;
    assert!(
        outcome.text.starts_with("nothing was applied: document 2: this cluster has no kind \"Coupon\""),
        "{}",
        outcome.text
    );
}

#[tokio::test]
async fn fields_of_others_are_a_conflict_that_force_resolves() {
    let server = Server::of_a_shop();
    let tools = server.tools(writing());
    let mut arguments = json!({ "yaml": config("shop", "colors", "blue") });
    let outcome = call(&tools, &arguments).await;
    assert_eq!(
        outcome.text,
        "nothing was applied: ConfigMap shop/colors: \"kubectl\" manages .data.color, .data.shape; leave these fields out, \
         or take them over with force=true"
    );
    arguments["force"] = true.into();
    let shown = call(&tools, &arguments).await;
    assert!(shown.text.contains("-  color: red\n+  color: blue\n"), "{}", shown.text);
    assert!(shown.text.contains("taking over fields that others manage"), "{}", shown.text);
    let done = approved(&tools, arguments).await;
    assert_eq!((done.is_error, &done.structured["changed"]), (false, &json!(1)), "{}", done.text);
}

#[tokio::test]
async fn every_document_that_is_refused_is_named_and_nothing_is_applied() {
    let server = Server::of_a_shop();
    let yaml = config("shop", "fine", "blue")
        + &config("shop", "invalid", "x")
        + &config("shop", "unknown-field", "x");
    let outcome = call(&server.tools(writing()), &json!({ "yaml": yaml })).await;
    let expected = "nothing was applied: ConfigMap shop/invalid: data.x: Required value; ConfigMap shop/unknown-field: \
                    failed to create typed patch object: .foo: field not declared in schema";
    assert_eq!((outcome.is_error, outcome.text.as_str()), (true, expected));
    assert_eq!(server.applied(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_half_way_is_told_document_by_document() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let server = Server { refuses: Some("b"), ..Server::of_a_shop() };
    let tools = server.behind(Gate::with_audit_file(writing(), &audit).unwrap());
    let yaml = ["a", "b", "c"].map(|name| config("shop", name, "blue")).concat();
    let done = approved(&tools, json!({ "yaml": yaml })).await;
    assert!(done.is_error);
    let lines: Vec<&str> = done.text.lines().skip(2).collect();
    assert_eq!(lines[0], "applied  create ConfigMap shop/a");
    assert!(lines[1].starts_with("failed   create ConfigMap shop/b: denied by policy"), "{}", lines[1]);
    assert_eq!(lines[2], "skipped  create ConfigMap shop/c");
    assert!(
        done.text.starts_with("Not everything was applied: 1 created, 0 changed, 0 as they were, 2 not.")
    );
    assert!(done.structured["error"].is_string() && done.structured["documents"][1]["error"].is_string());
    assert_eq!(done.structured["documents"][2]["result"], "skipped");
    assert!(!format!("{}{}", done.text, done.structured).contains("tiger-lily"));
    let record = std::fs::read_to_string(&audit).unwrap();
    assert!(
        record.contains("failed: 1 of 3 documents applied; failed   create ConfigMap shop/b"),
        "{record}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_applied_before_time_was_up_is_told() {
    let server = Server { hangs_on: Some("b"), ..Server::of_a_shop() };
    let yaml = ["a", "b", "c"].map(|name| config("shop", name, "blue")).concat();
    let done = approved(&server.tools(writing()), json!({ "yaml": yaml })).await;
    let results: Vec<&str> = done.structured["documents"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|told| told["result"].as_str())
        .collect();
    assert_eq!((done.is_error, results), (true, vec!["applied", "unknown", "skipped"]), "{}", done.text);
}

#[tokio::test]
async fn what_is_as_it_should_be_is_left_alone_beside_what_changes() {
    let server = Server::of_a_shop();
    let yaml = config("shop", "colors", "red") + &config("shop", "sizes", "blue");
    let done = approved(&server.tools(writing()), json!({ "yaml": yaml })).await;
    assert!(
        done.text.contains("same     ConfigMap shop/colors\napplied  create ConfigMap shop/sizes\n"),
        "{}",
        done.text
    );
    assert_eq!(done.structured["documents"][0]["result"], "same");
    assert_eq!(server.applied(), ["/api/v1/namespaces/shop/configmaps/sizes"]);
}

#[tokio::test]
async fn where_the_cluster_is_as_it_should_be_there_is_nothing_to_approve() {
    let server = Server::of_a_shop();
    let outcome = call(&server.tools(writing()), &json!({ "yaml": config("shop", "colors", "red") })).await;
    assert!(outcome.text.starts_with("Nothing to do"), "{}", outcome.text);
    assert!(outcome.pending.is_none() && !outcome.is_error);
}

#[tokio::test]
async fn a_plan_is_void_when_one_of_its_objects_has_changed() {
    let server = Server::of_a_shop();
    let tools = server.tools(writing());
    let mut arguments =
        json!({ "yaml": config("shop", "new", "x") + &config("shop", "colors", "blue"), "force": true });
    let pending = call(&tools, &arguments).await.pending.unwrap();
    server.put(COLORS, json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "color": "gray" } }));
    arguments["plan_token"] = pending.plan_token.into();
    let outcome = call(&tools, &arguments).await;
    assert!(outcome.is_error && outcome.text.contains("does not fit"), "{}", outcome.text);
    assert_eq!(server.applied(), Vec::<String>::new());
}

#[tokio::test]
async fn a_trial_gives_no_token() {
    let server = Server::of_a_shop();
    let arguments = json!({ "yaml": config("shop", "new", "x"), "dry_run": true });
    let outcome = call(&server.tools(Policy { approval: Approval::None, ..writing() }), &arguments).await;
    assert!(
        outcome
            .text
            .starts_with("Nothing was changed. On cluster prod, this would create ConfigMap shop/new:\n"),
        "{}",
        outcome.text
    );
    assert!(outcome.pending.is_none() && server.applied().is_empty());
}

#[tokio::test]
async fn values_of_secrets_are_not_shown_but_that_they_change_is() {
    let server = Server::of_a_shop();
    let path = "/api/v1/namespaces/shop/secrets/db";
    server.put(path, json!({ "apiVersion": "v1", "kind": "Secret", "data": { "password": "b2xk" } }));
    let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\ndata: {password: dGlnZXItbGlseS00NzEx}\n";
    let outcome = call(&server.tools(writing()), &json!({ "yaml": yaml })).await;
    assert!(
        outcome.text.contains("change Secret shop/db\nOnly values change that are not shown"),
        "{}",
        outcome.text
    );
    let all = format!("{}{}", outcome.text, outcome.structured);
    assert!(!all.contains("dGlnZXIt") && !all.contains("b2xk"), "{all}");
}

#[rstest]
#[case::kind(Denied::Kind("configmap".to_owned()))]
#[case::namespace(Denied::Namespace("shop".to_owned()))]
#[tokio::test]
async fn what_the_server_denies_is_not_even_tried(#[case] denied: Denied) {
    let server = Server::of_a_shop();
    let policy = Policy { denied: vec![denied], ..writing() };
    let outcome =
        call(&server.tools(policy), &json!({ "yaml": namespace("x") + &config("shop", "a", "b") })).await;
    assert!(outcome.is_error && outcome.text.contains("does not change"), "{}", outcome.text);
    assert!(server.trials.lock().unwrap().is_empty());
}

#[rstest]
#[case::nothing(json!({}), "yaml is required")]
#[case::both(json!({ "yaml": "a: 1", "yaml_path": "/tmp/x.yaml" }), "yaml and yaml_path exclude each other")]
#[case::no_folder(json!({ "yaml_path": "/etc/passwd" }), "yaml_path is not allowed here")]
#[case::twice(json!({ "yaml": config("shop", "a", "b") + &config("shop", "a", "c") }), "documents 1 and 2 are the same object")]
#[tokio::test]
async fn what_cannot_be_meant_is_refused(#[case] arguments: Value, #[case] expected: &str) {
    let outcome = call(&Server::of_a_shop().tools(writing()), &arguments).await;
    assert!(outcome.is_error && outcome.text.starts_with(expected), "{}", outcome.text);
}

/// A folder that is open, with a manifest in it, and a file beside it that is not.
fn folders(root: &Path) -> Policy {
    let open = root.join("open");
    std::fs::create_dir_all(open.join("sub")).unwrap();
    std::fs::write(open.join("sub/app.yaml"), config("shop", "from-file", "blue")).unwrap();
    std::fs::write(root.join("outside.yaml"), config("shop", "from-outside", "blue")).unwrap();
    std::os::unix::fs::symlink(root.join("outside.yaml"), open.join("link.yaml")).unwrap();
    Policy { yaml_folder: Some(open), ..writing() }
}

#[rstest]
#[case::relative("sub/app.yaml")]
#[case::absolute("{root}/open/sub/app.yaml")]
#[case::with_dots("sub/../sub/app.yaml")]
#[tokio::test]
async fn a_file_in_the_open_folder_is_read(#[case] path: &str) {
    let root = tempfile::tempdir().unwrap();
    let tools = Server::of_a_shop().tools(folders(root.path()));
    let path = path.replace("{root}", &root.path().to_string_lossy());
    let outcome = call(&tools, &json!({ "yaml_path": path })).await;
    assert!(outcome.text.contains("create ConfigMap shop/from-file"), "{}", outcome.text);
}

#[rstest]
#[case::above("../outside.yaml")]
#[case::absolute("{root}/outside.yaml")]
#[case::link("link.yaml")]
#[case::folder("sub")]
#[case::nothing("nothing.yaml")]
#[case::device("/dev/zero")]
#[tokio::test]
async fn no_other_file_is_read_nor_is_said_whether_it_exists(#[case] path: &str) {
    let root = tempfile::tempdir().unwrap();
    let tools = Server::of_a_shop().tools(folders(root.path()));
    let path = path.replace("{root}", &root.path().to_string_lossy());
    let outcome = call(&tools, &json!({ "yaml_path": path })).await;
    let expected = format!("yaml_path {path:?} is not a readable text file in the folder of this server");
    assert!(outcome.is_error && outcome.text.starts_with(&expected), "{}", outcome.text);
}
