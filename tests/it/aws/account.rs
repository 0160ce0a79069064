//! An AWS account on one port: whatever the test lets it answer, and all that it was asked.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use drydock::aws::Aws;
use drydock::cluster::Clusters;
use drydock::tools::{CallContext, Environment, Gate, Policy, Registry, Session, ToolOutcome, Toolbox};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request as AWS gets it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    pub body: String,
    pub authorization: String,
    /// `Logs_20140328.StartQuery`, of the protocols that name the action in a header.
    pub target: String,
}

impl Asked {
    /// `Action` of a Query API, or what the header says.
    pub fn action(&self) -> &str {
        let action = self.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        action.or_else(|| self.target.rsplit('.').next()).unwrap_or_default()
    }

    /// A parameter of a Query API, decoded.
    pub fn parameter(&self, name: &str) -> String {
        let pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }

    /// `GET /clusters`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Status and body.
pub type Answer = (u16, String);

/// See the module.
#[derive(Clone)]
pub struct Account {
    asked: Arc<Mutex<Vec<Asked>>>,
    pub address: String,
}

impl Account {
    pub async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let account = Self { asked: Arc::default(), address };
        let (asked, answer) = (Arc::clone(&account.asked), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
            async move {
                let request = read(request).await;
                asked.lock().unwrap().push(request.clone());
                told(answer(&request))
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        account
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What was asked since this was called last.
    pub fn asked_since(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// How often this was asked: `GET /clusters/prod`, or an action of a Query API.
    pub fn count(&self, what: &str) -> usize {
        let is_it = |asked: &&Asked| asked.line() == what || asked.action() == what;
        self.asked().iter().filter(is_it).count()
    }

    pub async fn aws(&self) -> Aws {
        let credentials = Credentials::new("AKID", "secret", None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.address);
        Aws::with_config(config.load().await)
    }

    /// The tools on this account.
    pub async fn tools(&self, policy: Policy, default: Option<&str>) -> Registry {
        let aws = self.aws().await;
        let clusters = Clusters::eks(aws.clone(), default.map(str::to_owned));
        Registry::standard(Environment { clusters, aws: Some(aws), gate: Arc::new(Gate::new(policy)) })
    }

    /// The outcome of a tool that only reads.
    pub async fn call(&self, tool: &str, arguments: Value) -> ToolOutcome {
        call(&self.tools(Policy::reads_all(), None).await, tool, arguments).await
    }
}

/// Calls a tool as someone who may write, where the server lets them.
pub async fn call(tools: &Registry, tool: &str, arguments: Value) -> ToolOutcome {
    tools.call(tool, arguments, &CallContext::new(Session::new("alice", true), 1 << 20)).await
}

async fn read(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Asked {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        authorization: header("authorization"),
        target: header("x-amz-target"),
    }
}

fn told((status, body): Answer) -> Response {
    let media = if body.starts_with('<') { "text/xml" } else { "application/json" };
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, [("content-type", media)], body).into_response()
}

/// What EKS answers for something that is not there.
pub fn not_found(message: &str) -> Answer {
    (404, json!({ "__type": "ResourceNotFoundException", "message": message }).to_string())
}

/// What a JSON API answers.
pub fn found(answer: &Value) -> Answer {
    (200, answer.to_string())
}
