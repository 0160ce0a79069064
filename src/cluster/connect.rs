//! Opening a cluster: a bundle, a context of the kubeconfig, or the service account of the pod that this runs in.
//!
//! Proxies: `proxy-url` of the kubeconfig's cluster entry goes before everything. Otherwise, as for curl, `HTTPS_PROXY` (or
//! `https_proxy`, `ALL_PROXY`, `all_proxy`) is used for a cluster that `NO_PROXY` (`no_proxy`: names, addresses, networks)
//! does not name; never for one on this machine. A proxy may be `http://` or `https://`, with user and password.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::aws::Aws;

use super::clusters::{ClusterRef, Clusters};
use super::link::Link;
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
            ClusterSource::Eks(name) => {
                let clusters = Clusters::eks(Aws::from_environment(), name.clone());
                Box::pin(clusters.find(&ClusterRef::default())).await
            }
            ClusterSource::Infer => match Config::incluster() {
                Ok(config) => connect("in-cluster".to_owned(), config, Link::default()).await,
                Err(_) => open_context(None).await,
            },
        }
    }

    /// True in a pod of a cluster, whose service account can be used.
    pub fn is_inside() -> bool {
        Config::incluster().is_ok()
    }
}

async fn open_bundle(path: PathBuf) -> Result<Cluster, ClusterError> {
    let load = tokio::task::spawn_blocking(move || Bundle::load(&path)).await;
    let bundle = load.map_err(|_| ClusterError::Invalid("the bundle cannot be read".to_owned()))??;
    Ok(Cluster::from_bundle(bundle))
}

async fn open_context(context: Option<String>) -> Result<Cluster, ClusterError> {
    let kubeconfig = read_kubeconfig().await?;
    open_context_of(kubeconfig, context).await
}

pub(super) async fn read_kubeconfig() -> Result<Kubeconfig, ClusterError> {
    let kubeconfig = tokio::task::spawn_blocking(Kubeconfig::read).await;
    let kubeconfig = kubeconfig.map_err(|_| misconfigured("the kubeconfig cannot be read"))?;
    kubeconfig.map_err(|error| explain(error, None, &[]))
}

/// Opens a context, the current one where none is named.
pub(super) async fn open_context_of(
    kubeconfig: Kubeconfig,
    context: Option<String>,
) -> Result<Cluster, ClusterError> {
    let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let (name, proxy_url) = match cluster_entry(&kubeconfig, context.as_deref()) {
        (name, Some(entry)) => (name, entry.proxy_url.clone().filter(|url| !url.is_empty())),
        (name, None) => (name, None),
    };
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| explain(error, context.as_deref(), &known))?;
    if proxy_url.is_none() {
        config.proxy_url = proxy_for(&Matcher::from_env(), &config.cluster_url);
    }
    connect(name, config, Link::default()).await
}

/// The kubeconfig's cluster entry of a context, and its name.
fn cluster_entry<'k>(
    kubeconfig: &'k Kubeconfig,
    context: Option<&str>,
) -> (String, Option<&'k kube::config::Cluster>) {
    let wanted = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default();
    let entry = kubeconfig.contexts.iter().find(|known| known.name == wanted);
    let name = entry.and_then(|entry| entry.context.as_ref()).map_or(wanted, |entry| &entry.cluster);
    let cluster = kubeconfig.clusters.iter().find(|known| known.name == name);
    (name.to_owned(), cluster.and_then(|known| known.cluster.as_ref()))
}

/// A cluster by its address and certificate authorities alone; the link has the credentials.
pub(super) async fn connect_to(
    name: String,
    url: http::Uri,
    authorities: Option<Vec<Vec<u8>>>,
    link: Link,
) -> Result<Cluster, ClusterError> {
    let mut config = Config::new(url);
    config.root_cert = authorities;
    config.proxy_url = proxy_for(&Matcher::from_env(), &config.cluster_url);
    connect(name, config, link).await
}

async fn connect(name: String, mut config: Config, link: Link) -> Result<Cluster, ClusterError> {
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
    let broken = Arc::clone(&link.broken);
    let client = link.before(client);
    let version = server_version(&client, &place).await?;
    let info = ClusterInfo { name, version, recorded: false, captured_at: None };
    Ok(Cluster { broken, ..Cluster::new(client, info) })
}

/// The proxy that the environment gives for an address. The client's own reading of `NO_PROXY` holds it against the
/// proxy's address instead of the cluster's.
fn proxy_for(environment: &Matcher, url: &http::Uri) -> Option<http::Uri> {
    let proxy = environment.intercept(url)?;
    with_user(&proxy).or_else(|| Some(proxy.uri().clone()))
}

/// The proxy's address with user and password in it, where it has them.
fn with_user(proxy: &Intercept) -> Option<http::Uri> {
    let basic = proxy.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?;
    let basic = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (user, password) = basic.split_once(':')?;
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let (scheme, authority) = (proxy.uri().scheme_str()?, proxy.uri().authority()?);
    format!("{scheme}://{}:{}@{authority}/", encoded(user), encoded(password)).parse().ok()
}

pub(super) fn is_loopback(url: &http::Uri) -> bool {
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_cluster_outside("https://abc.eks.amazonaws.com", Some("http://proxy.example:3128/"))]
    #[case::named("https://api.shop.internal:6443", None)]
    #[case::in_a_network("https://10.1.2.3", None)]
    #[case::without_tls("http://abc.example", None)]
    fn a_proxy_is_for_clusters_that_are_not_excepted(#[case] url: &str, #[case] proxy: Option<&str>) {
        let environment =
            Matcher::builder().https("http://proxy.example:3128").no("shop.internal,10.0.0.0/8,").build();
        let found = proxy_for(&environment, &url.parse().unwrap());
        assert_eq!(found.map(|found| found.to_string()).as_deref(), proxy);
    }

    #[test]
    fn user_and_password_of_a_proxy_come_along() {
        let environment = Matcher::builder().https("http://me:p%40ss%3A@proxy.example:3128").build();
        let found = proxy_for(&environment, &"https://abc.example".parse().unwrap());
        let found = found.map(|found| found.to_string());
        assert_eq!(found.as_deref(), Some("http://me:p%40ss%3A@proxy.example:3128/"));
    }
}
