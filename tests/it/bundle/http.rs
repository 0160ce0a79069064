//! A served bundle over real HTTP, as kubectl uses it.

use std::sync::Arc;

use drydock::cluster::serve_bundle;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use reqwest::{Client, Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{bundle_of, files, list, names, pod};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

struct Served {
    url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

async fn serve(files: &[(String, String)]) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let (stop, stopped) = oneshot::channel();
    let bundle = Arc::new(bundle_of(files));
    let serving = tokio::spawn(serve_bundle(bundle, listener, async move {
        let _ = stopped.await;
    }));
    Served { url, stop, serving }
}

impl Served {
    async fn get(&self, path: &str) -> Response {
        Client::new().get(format!("{}{path}", self.url)).send().await.expect("it answers")
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    async fn table(&self, path: &str) -> Value {
        let request = Client::new().get(format!("{}{path}", self.url)).header(ACCEPT, TABLE);
        request.send().await.expect("it answers").json().await.expect("JSON")
    }
}

#[tokio::test]
async fn discovery_names_groups_kinds_and_what_can_be_done_with_them() {
    let served = serve(&files()).await;
    assert_eq!(served.json("/api").await["versions"], json!(["v1"]));
    let groups = served.json("/apis").await;
    let apps = groups["groups"].as_array().unwrap().iter().find(|group| group["name"] == "apps").unwrap();
    assert_eq!(apps["preferredVersion"]["groupVersion"], "apps/v1");
    let resources = served.json("/apis/apps/v1").await;
    let resources = resources["resources"].as_array().unwrap();
    let deployments = resources.iter().find(|resource| resource["name"] == "deployments").unwrap();
    assert_eq!(deployments["verbs"], json!(["get", "list"]));
    assert_eq!(deployments["shortNames"], json!(["deploy"]));
    assert_eq!(deployments["categories"], json!(["all"]));
    let core = served.json("/api/v1").await;
    assert!(core["resources"].as_array().unwrap().iter().any(|resource| resource["name"] == "pods/log"));
}

#[tokio::test]
async fn a_custom_resource_is_addressed_as_its_definition_says() {
    let mut files = files();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "geese.farm.example" },
        "spec": {
            "group": "farm.example", "scope": "Namespaced",
            "names": { "kind": "Goose", "plural": "geese", "shortNames": ["gs"] },
            "versions": [{ "name": "v1", "served": true }, { "name": "v1alpha1", "served": false }],
        },
    });
    let goose = json!({ "apiVersion": "farm.example/v1", "kind": "Goose", "metadata": { "name": "g", "namespace": "shop" } });
    files.push(("resources/all.json".to_owned(), list(&[definition, goose])));
    let served = serve(&files).await;
    assert_eq!(served.json("/apis/farm.example/v1/namespaces/shop/geese/g").await["kind"], "Goose");
    assert_eq!(served.json("/apis/farm.example").await["versions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn older_versions_stand_in_for_the_built_in_one() {
    let mut files = files();
    let tick = json!({ "apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": { "name": "tick", "namespace": "shop" } });
    files.push(("resources/cronjobs.json".to_owned(), list(&[tick])));
    let served = serve(&files).await;
    let of = |resources: Value| names_of_resources(&resources);
    assert_eq!(of(served.json("/apis/batch/v1").await), ["jobs"]);
    assert_eq!(of(served.json("/apis/batch/v1beta1").await), ["cronjobs"]);
}

fn names_of_resources(resources: &Value) -> Vec<String> {
    let resources = resources["resources"].as_array().unwrap().iter();
    resources.map(|resource| resource["name"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::one_by_one(1)]
#[case::in_threes(3)]
#[case::in_one(100)]
#[tokio::test]
async fn no_object_is_lost_or_doubled_between_pages(#[case] limit: usize) {
    let mut files = files();
    let pods: Vec<Value> =
        (0..20).map(|n| pod("shop", &format!("web-{n:02}"), &json!({ "n": (n % 2).to_string() }))).collect();
    files[1].1 = list(&pods);
    let served = serve(&files).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/pods?limit={limit}&labelSelector=n%3D1&continue={token}");
        let page = served.json(&path).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        seen.extend(names(items).into_iter().map(str::to_owned));
        match page["metadata"]["continue"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let odd: Vec<String> = (0..20).filter(|n| n % 2 == 1).map(|n| format!("web-{n:02}")).collect();
    assert_eq!(seen, odd);
}

#[tokio::test]
async fn kubectl_gets_a_table_and_the_namespace_of_each_row() {
    let served = serve(&files()).await;
    let table = served.table("/api/v1/pods").await;
    assert_eq!(table["kind"], "Table");
    let columns: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(columns[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    let row = &table["rows"][0];
    assert_eq!(
        row["cells"].as_array().unwrap()[..5],
        json!(["web-1", "1/1", "Running", "1", "60m"]).as_array().unwrap()[..]
    );
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(row["object"]["metadata"]["namespace"], "other");
    let one = served.table("/api/v1/namespaces/shop/pods/db-0").await;
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    let whole = served.table("/api/v1/pods?includeObject=Object").await;
    assert_eq!(whole["rows"][0]["object"]["spec"]["nodeName"], "node-1");
}

#[tokio::test]
async fn describe_finds_the_events_of_an_object() {
    let mut files = files();
    let event = |name: &str, pod: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": "shop" }, "reason": "BackOff",
            "involvedObject": { "kind": "Pod", "namespace": "shop", "name": pod, "uid": format!("uid-{pod}") },
        })
    };
    files.push(("resources/events.json".to_owned(), list(&[event("a", "web-1"), event("b", "web-2")])));
    let served = serve(&files).await;
    let selector =
        "involvedObject.name%3Dweb-1%2CinvolvedObject.namespace%3Dshop%2CinvolvedObject.uid%3Duid-web-1";
    let events = served.json(&format!("/api/v1/namespaces/shop/events?fieldSelector={selector}")).await;
    assert_eq!(names(events["items"].as_array().unwrap()), ["a"]);
}

#[rstest]
#[case::current("", "2025-03-11T07:50:00Z one\n2025-03-11T07:58:00Z two\n2025-03-11T07:59:30Z three\n")]
#[case::previous("?previous=true", "2025-03-11T07:40:00Z it crashed\n")]
#[case::tail("?tailLines=1&container=app", "2025-03-11T07:59:30Z three\n")]
#[case::since_seconds("?sinceSeconds=150", "2025-03-11T07:58:00Z two\n2025-03-11T07:59:30Z three\n")]
#[case::since_time("?sinceTime=2025-03-11T07:59:00Z", "2025-03-11T07:59:30Z three\n")]
#[case::bytes("?limitBytes=10", "2025-03-11")]
#[tokio::test]
async fn logs_over_http(#[case] query: &str, #[case] log: &str) {
    let served = serve(&files()).await;
    let response = served.get(&format!("/api/v1/namespaces/shop/pods/web-1/log{query}")).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    assert_eq!(response.text().await.unwrap(), log);
}

#[tokio::test]
async fn a_line_without_a_time_belongs_to_the_line_before_it() {
    let mut files = files();
    let log = "2025-03-11T07:50:00Z old\n  at old\n2025-03-11T07:59:30Z young\n  at young\n";
    files[3].1 = log.to_owned();
    let served = serve(&files).await;
    let response = served.get("/api/v1/namespaces/shop/pods/web-1/log?sinceSeconds=60").await;
    assert_eq!(response.text().await.unwrap(), "2025-03-11T07:59:30Z young\n  at young\n");
}

#[rstest]
#[case::create(Method::POST, "/api/v1/namespaces/shop/pods", 405, "MethodNotAllowed")]
#[case::delete(Method::DELETE, "/api/v1/namespaces/shop/pods/web-1", 405, "MethodNotAllowed")]
#[case::patch(Method::PATCH, "/apis/apps/v1/namespaces/shop/deployments/web", 405, "MethodNotAllowed")]
#[case::replace(Method::PUT, "/apis/apps/v1/namespaces/shop/deployments/web", 405, "MethodNotAllowed")]
#[case::exec(Method::POST, "/api/v1/namespaces/shop/pods/web-1/exec?command=sh", 405, "MethodNotAllowed")]
#[case::watch(Method::GET, "/api/v1/pods?watch=true", 405, "MethodNotAllowed")]
#[case::no_such_object(Method::GET, "/api/v1/namespaces/shop/pods/nobody", 404, "NotFound")]
#[case::no_such_kind(Method::GET, "/api/v1/namespaces/shop/unicorns", 404, "NotFound")]
#[case::no_such_group(Method::GET, "/apis/unicorns.example/v1", 404, "NotFound")]
#[case::namespaced_without_namespace(Method::GET, "/api/v1/pods/web-1", 404, "NotFound")]
#[case::nodes_have_no_namespace(Method::GET, "/api/v1/namespaces/shop/nodes", 404, "NotFound")]
#[case::bad_selector(Method::GET, "/api/v1/pods?labelSelector=a+in+b", 400, "BadRequest")]
#[case::bad_limit(Method::GET, "/api/v1/pods?limit=many", 400, "BadRequest")]
#[case::bad_token(Method::GET, "/api/v1/pods?continue=xyz", 410, "Expired")]
#[case::unknown_container(
    Method::GET,
    "/api/v1/namespaces/shop/pods/web-1/log?container=x",
    400,
    "BadRequest"
)]
#[tokio::test]
async fn what_cannot_be_is_refused_with_a_status(
    #[case] method: Method,
    #[case] path: &str,
    #[case] code: u16,
    #[case] reason: &str,
) {
    let served = serve(&files()).await;
    let request = Client::new().request(method, format!("{}{path}", served.url));
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), code);
    let status: Value = response.json().await.unwrap();
    assert_eq!((status["kind"].as_str(), status["reason"].as_str()), (Some("Status"), Some(reason)));
    assert_eq!(status["code"], code);
}

#[tokio::test]
async fn a_name_of_another_machine_is_not_answered() {
    let served = serve(&files()).await;
    let request =
        Client::new().get(format!("{}/api/v1/secrets", served.url)).header(HOST, "attacker.example");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let served = serve(&files()).await;
    assert_eq!(served.get("/healthz").await.text().await.unwrap(), "ok");
    served.stop.send(()).unwrap();
    served.serving.await.unwrap().unwrap();
}
