//! The clusters of an account, reached with tokens that are made for them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drydock::cluster::{Bundle, BundleApi};
use drydock::tools::{Policy, ToolOutcome};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::account::{Account, Answer, Asked, call, found, not_found};

/// An API server that takes the tokens of EKS, or none.
struct Server {
    url: String,
    tokens: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(accepts: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tokens: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&tokens);
        let check = move |request: Request, next: Next| {
            let given =
                request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            let mut seen = seen.lock().unwrap();
            seen.push(given.unwrap_or_default());
            async move {
                let mut answer = match accepts {
                    true => next.run(request).await,
                    false => StatusCode::UNAUTHORIZED.into_response(),
                };
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                answer
            }
        };
        let router = Router::new().fallback_service(api()).layer(middleware::from_fn(check));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, tokens, serving }
    }

    /// Nobody is there any more: connections were closed with each answer.
    async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }
}

fn api() -> BundleApi {
    let cluster = json!({ "name": "any", "kubernetesVersion": "v1.31.4" }).to_string();
    let pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web-1", "namespace": "shop" } });
    let files = [("cluster.json", cluster), ("resources/pod.json", pod.to_string())];
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes()));
    BundleApi::new(Arc::new(Bundle::from_files("any", files)))
}

fn cluster(name: &str, more: Value) -> Value {
    let mut cluster = json!({
        "name": name, "arn": format!("arn:aws:eks:eu-west-1:111122223333:cluster/{name}"), "status": "ACTIVE",
        "resourcesVpcConfig": { "vpcId": "vpc-1", "endpointPublicAccess": true, "publicAccessCidrs": ["0.0.0.0/0"] },
    });
    for (member, value) in more.as_object().unwrap() {
        cluster[member] = value.clone();
    }
    cluster
}

/// EKS with these clusters, two to a page.
fn eks(asked: &Asked, clusters: &[Value]) -> Answer {
    if let Some(name) = asked.path.strip_prefix("/clusters/") {
        let known = clusters.iter().find(|cluster| cluster["name"] == name);
        return known.map_or_else(|| not_found("no"), |cluster| found(&json!({ "cluster": cluster })));
    }
    let from = asked.path.split_once("nextToken=").and_then(|(_, token)| token.parse().ok()).unwrap_or(0);
    let names: Vec<&Value> = clusters.iter().skip(from).take(2).map(|cluster| &cluster["name"]).collect();
    let next = (from + 2 < clusters.len()).then(|| (from + 2).to_string());
    found(&json!({ "clusters": names, "nextToken": next }))
}

async fn account(clusters: Vec<Value>) -> Account {
    Account::start(move |asked| eks(asked, &clusters)).await
}

async fn pods(account: &Account, name: Option<&str>) -> ToolOutcome {
    account.call("list_k8s_resources", json!({ "cluster_name": name, "kind": "pods" })).await
}

/// The address that a token leads to.
fn signed_url(bearer: &str) -> String {
    let encoded = bearer.strip_prefix("Bearer k8s-aws-v1.").unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

#[tokio::test]
async fn a_cluster_is_described_once_and_gets_a_token_made_for_it() {
    let server = Server::start(true).await;
    let account = account(vec![cluster("prod", json!({ "endpoint": server.url }))]).await;
    let tools = account.tools(Policy::reads_all(), None).await;
    for _ in 0..2 {
        let listed =
            call(&tools, "list_k8s_resources", json!({ "cluster_name": "prod", "kind": "pods" })).await;
        assert!(listed.text.contains("web-1"), "{}", listed.text);
    }
    assert_eq!(account.count("GET /clusters/prod"), 1);
    let tokens = server.tokens();
    assert!(tokens.len() > 2 && tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    let url = signed_url(&tokens[0]);
    assert!(url.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"), "{url}");
}

#[rstest]
#[case::unknown(
    Some("prd"),
    "there is no EKS cluster \"prd\" in eu-west-1 that this identity can see; there are: prod"
)]
#[case::several_and_none_named(
    None,
    "cluster_name is required here, because eu-west-1 has several EKS clusters: "
)]
#[case::no_name(Some("prod/../x"), "is not the name of an EKS cluster")]
#[case::of_another_account(
    Some("arn:aws:eks:eu-west-1:999999999999:cluster/prod"),
    "in account 999999999999 pass role_arn"
)]
#[case::being_made(Some("new"), "its status is CREATING")]
#[case::bad_authority(Some("odd"), "the certificate authority is not valid")]
#[case::in_the_clear(Some("clear"), "the endpoint has no TLS")]
#[tokio::test]
async fn what_is_in_the_way_of_a_cluster_is_said(#[case] name: Option<&str>, #[case] part: &str) {
    let server = Server::start(true).await;
    let authority = json!({ "data": "bm8gY2VydGlmaWNhdGU=" });
    let account = account(vec![
        cluster("prod", json!({ "endpoint": server.url })),
        cluster("new", json!({ "status": "CREATING" })),
        cluster("odd", json!({ "endpoint": "https://127.0.0.1:1", "certificateAuthority": authority })),
        cluster("clear", json!({ "endpoint": "http://eks.example" })),
    ]);
    let refused = pods(&account.await, name).await;
    assert!(refused.is_error && refused.text.contains(part), "{}", refused.text);
}

#[tokio::test]
async fn the_only_cluster_of_a_region_need_not_be_named() {
    let server = Server::start(true).await;
    let listed = pods(&account(vec![cluster("prod", json!({ "endpoint": server.url }))]).await, None).await;
    assert!(listed.text.contains("web-1"), "{}", listed.text);
}

#[tokio::test]
async fn the_default_cluster_is_meant_where_none_is_named() {
    let server = Server::start(true).await;
    let clusters = ["a", "b", "prod"].map(|name| cluster(name, json!({ "endpoint": server.url })));
    let account = account(clusters.to_vec()).await;
    let tools = account.tools(Policy::reads_all(), Some("prod")).await;
    let listed = call(&tools, "list_k8s_resources", json!({ "kind": "pods" })).await;
    assert!(!listed.is_error, "{}", listed.text);
    assert_eq!(account.asked().iter().map(Asked::line).collect::<Vec<_>>(), ["GET /clusters/prod"]);
}

#[tokio::test]
async fn an_arn_says_in_which_region_to_look() {
    let server = Server::start(true).await;
    let account = account(vec![cluster("prod", json!({ "endpoint": server.url }))]).await;
    pods(&account, Some("arn:aws:eks:us-east-2:111122223333:cluster/prod")).await;
    let asked = account.asked();
    assert!(asked[0].authorization.contains("/us-east-2/eks/aws4_request"), "{asked:?}");
}

#[tokio::test]
async fn a_cluster_that_does_not_know_the_identity_is_told_as_that() {
    let server = Server::start(false).await;
    let refused =
        pods(&account(vec![cluster("prod", json!({ "endpoint": server.url }))]).await, Some("prod")).await;
    assert!(refused.is_error && refused.text.contains("create-access-entry"), "{}", refused.text);
    assert_eq!(server.tokens().len(), 2, "it is tried with a second token");
}

#[tokio::test]
async fn a_private_endpoint_that_does_not_answer_says_from_where_it_does() {
    let mut server = Server::start(true).await;
    server.stop().await;
    let private = json!({ "vpcId": "vpc-1", "endpointPublicAccess": false, "endpointPrivateAccess": true });
    let private = cluster("prod", json!({ "endpoint": server.url, "resourcesVpcConfig": private }));
    let refused = pods(&account(vec![private]).await, Some("prod")).await;
    assert!(refused.text.contains("it answers only from vpc-1"), "{}", refused.text);
}

#[tokio::test]
async fn a_cluster_that_has_moved_is_described_anew() {
    let (mut old, new) = (Server::start(true).await, Server::start(true).await);
    let clusters = Arc::new(Mutex::new(vec![cluster("prod", json!({ "endpoint": old.url }))]));
    let known = Arc::clone(&clusters);
    let account = Account::start(move |asked| eks(asked, &known.lock().unwrap())).await;
    let tools = account.tools(Policy::reads_all(), None).await;
    let list = || call(&tools, "list_k8s_resources", json!({ "cluster_name": "prod", "kind": "pods" }));
    assert!(!list().await.is_error);
    old.stop().await;
    clusters.lock().unwrap()[0]["endpoint"] = new.url.clone().into();
    assert!(list().await.is_error);
    let listed = list().await;
    assert!(listed.text.contains("web-1"), "{}", listed.text);
    assert_eq!(account.count("GET /clusters/prod"), 2);
}
