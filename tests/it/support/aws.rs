//! AWS inside the process: each request of an SDK is answered by a function, at once, so that time may stand still.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use drydock::aws::Aws;
use drydock::tools::{CallContext, Environment, Gate, Policy, Registry, Session, ToolOutcome, Toolbox};
use serde_json::Value;

/// A request, as far as tests look at it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `StartQuery`, of whichever protocol.
    pub action: String,
    /// The body: JSON, or a form.
    pub body: String,
    /// Which host would have been asked.
    pub host: String,
}

impl Asked {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A parameter of the form.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut parameters = form_urlencoded::parse(self.body.as_bytes());
        parameters.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

type Answer = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// See the module.
#[derive(Clone)]
pub struct StandIn {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answer>,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandIn")
    }
}

impl StandIn {
    /// Answers each request by this function.
    pub fn new(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self { asked: Arc::default(), answer: Arc::new(answer) }
    }

    /// The requests of an action, in their order.
    pub fn asked(&self, action: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.action == action).cloned().collect()
    }

    /// The tools on the recorded shop and on this account.
    pub fn tools(&self, cluster: drydock::cluster::Cluster, policy: Policy) -> Registry {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new("AKID", "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let environment = Environment::of(cluster);
        let gate = Arc::new(Gate::new(policy));
        Registry::standard(Environment { aws: Some(Aws::with_config(sdk)), gate, ..environment })
    }
}

impl HttpConnector for StandIn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let uri: http::Uri = request.uri().parse().unwrap();
        let mut asked =
            Asked { action: String::new(), body, host: uri.host().unwrap_or_default().to_owned() };
        asked.action = match target {
            Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            None => asked.parameter("Action").unwrap_or_default(),
        };
        self.asked.lock().unwrap().push(asked.clone());
        let (status, body) = (self.answer)(&asked);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body.into())))
    }
}

/// Calls a tool as someone who may write.
pub async fn call(tools: &Registry, name: &str, arguments: Value) -> ToolOutcome {
    tools.call(name, arguments, &CallContext::new(Session::new("alice", true), 1 << 20)).await
}
