//! Opening a cluster: a bundle, a context of the kubeconfig, or the service account of the pod that this runs in.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde::Deserialize;

use super::request::{Requests, not_kubernetes, unreachable};
use super::{Bundle, Cluster, ClusterError, ClusterInfo, ClusterSource};

/// How long a TCP connection with TLS may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a credential program may take: it may ask a person to log in.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Opens a cluster, and makes sure that it answers.
    pub async fn open(source: &ClusterSource) -> Result<Self, ClusterError> {
        match source {
            ClusterSource::Bundle(path) => open_bundle(path.clone()).await,
            ClusterSource::Context(name) => open_context(Some(name.clone())).await,
            ClusterSource::Infer => match Config::incluster() {
                Ok(config) => connect("in-cluster".to_owned(), config).await,
                Err(_) => open_context(None).await,
            },
        }
    }
}

async fn open_bundle(path: PathBuf) -> Result<Cluster, ClusterError> {
    let load = tokio::task::spawn_blocking(move || Bundle::load(&path)).await;
    let bundle = load.map_err(|_| ClusterError::Invalid("the bundle cannot be read".to_owned()))??;
    Ok(Cluster::from_bundle(bundle))
}

async fn open_context(context: Option<String>) -> Result<Cluster, ClusterError> {
    let kubeconfig = tokio::task::spawn_blocking(Kubeconfig::read).await;
    let kubeconfig = kubeconfig.map_err(|_| misconfigured("the kubeconfig cannot be read"))?;
    let kubeconfig = kubeconfig.map_err(|error| explain(error, context.as_deref(), &[]))?;
    let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let name = cluster_name(&kubeconfig, context.as_deref());
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| explain(error, context.as_deref(), &known))?;
    connect(name, config).await
}

/// The name of the kubeconfig's cluster entry.
fn cluster_name(kubeconfig: &Kubeconfig, context: Option<&str>) -> String {
    let wanted = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default();
    let entry = kubeconfig.contexts.iter().find(|known| known.name == wanted);
    let entry = entry.and_then(|entry| entry.context.as_ref());
    entry.map_or_else(|| wanted.to_owned(), |entry| entry.cluster.clone())
}

async fn connect(name: String, mut config: Config) -> Result<Cluster, ClusterError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Its many repetitions would keep a caller waiting for minutes; `Requests` repeats when the server asks for it.
    config.default_retry = false;
    if is_loopback(&config.cluster_url) {
        config.proxy_url = None;
    }
    let place = format!("{name} at {}", config.cluster_url);
    // It runs the credential program, and waits for it.
    let building = tokio::task::spawn_blocking(|| ClientBuilder::try_from(config).map(ClientBuilder::build));
    let built = tokio::time::timeout(CREDENTIALS_TIMEOUT, building).await;
    let built = built.map_err(|_| misconfigured("the kubeconfig's credential program does not end"))?;
    let client = built.map_err(|_| misconfigured("the Kubernetes client cannot be built"))?;
    let client = client.map_err(|error| unreachable(&place, &error))?;
    let version = server_version(&client, &place).await?;
    Ok(Cluster::new(client, ClusterInfo { name, version, recorded: false, captured_at: None }))
}

fn is_loopback(url: &http::Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The first request: it shows that the server is there and takes the credentials.
async fn server_version(client: &kube::Client, place: &str) -> Result<Option<String>, ClusterError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }
    match (Requests { client, cluster: place }).json::<Version>("/version").await {
        Ok(version) => Ok(Some(version.git_version)),
        // Some clusters keep their version to themselves.
        Err(ClusterError::Forbidden(_)) => Ok(None),
        Err(error @ ClusterError::NotFound(_)) => Err(not_kubernetes(place, &error)),
        Err(error) => Err(error),
    }
}

fn misconfigured(message: &str) -> ClusterError {
    ClusterError::Unreachable(message.to_owned())
}

/// What is wrong with the kubeconfig. Parse errors quote the file, so they are not passed on.
fn explain(error: KubeconfigError, context: Option<&str>, known: &[String]) -> ClusterError {
    let contexts = match known {
        [] => "it has no contexts".to_owned(),
        known => format!("it has: {}", known.join(", ")),
    };
    let message = match &error {
        KubeconfigError::FindPath | KubeconfigError::ReadConfig(..) => return no_kubeconfig(&error),
        KubeconfigError::CurrentContextNotSet => {
            format!("the kubeconfig has no current context; name one with --context ({contexts})")
        }
        KubeconfigError::LoadContext(name) => {
            let hint = if context.is_some() { "" } else { " (its current context)" };
            format!("the kubeconfig has no context {name:?}{hint}; {contexts}")
        }
        KubeconfigError::Parse(cause) => {
            let place = cause.location().map(|place| format!(" (line {})", place.line())).unwrap_or_default();
            format!("the kubeconfig is not valid YAML{place}; `kubectl config view` shows what is wrong")
        }
        other => format!("the kubeconfig cannot be used: {other}"),
    };
    ClusterError::Unreachable(message)
}

fn no_kubeconfig(error: &KubeconfigError) -> ClusterError {
    let place = match error {
        KubeconfigError::ReadConfig(cause, path) => format!("{}: {cause}", path.display()),
        other => other.to_string(),
    };
    misconfigured(&format!(
        "there is no kubeconfig ({place}), and this is not a pod in a cluster. Set KUBECONFIG, or make one (EKS: `aws eks \
         update-kubeconfig --name CLUSTER`), or give a recorded cluster with --bundle PATH"
    ))
}
