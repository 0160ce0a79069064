//! The composition root: the one place where stores, executors, models and clusters are put together.

mod browsers;
mod connections;
mod environment;
mod mcp;
mod security;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use connections::ConnectionLimits;
pub use environment::environment;
pub use mcp::{McpSettings, serve_mcp};

use crate::a2a::{self, JwtSigner, Push, PushSettings, RequestLimits, Surface};
use crate::agent::{Agent, Budget};
use crate::agent_card::{self, Publication, PublishedCard};
use crate::auth::Authenticator;
use crate::cluster::ClusterInfo;
use crate::model::Runbook;
use crate::tasks::{AgentExecutor, Recovered, RunnerLimits, SqliteTaskStore, TaskRunner, TaskStore};
use crate::tools::{Environment, Registry, Toolbox};

/// How long running tasks may take to end when the server stops. What is not done then is for the next start.
const TASK_GRACE: Duration = Duration::from_secs(5);
/// How long clients may take to read what was sent to them before the server stopped.
const CONNECTION_GRACE: Duration = Duration::from_secs(2);
/// How long push notifications that are under way may take to arrive. They are sent again at the next start if they do not.
const PUSH_GRACE: Duration = Duration::from_secs(2);

/// Longest name of a cluster, and of its version, that a card tells, in characters.
const MAX_NAME: usize = 200;

/// Where tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In this folder, which is made if it is not there.
    Folder(PathBuf),
    /// In a folder that vanishes with the app.
    Temporary,
}

/// What an app is built of, apart from the cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where tasks are kept.
    pub storage: Storage,
    /// Agent card to serve instead of the built-in one.
    pub card: Option<PathBuf>,
    /// What the card is completed with, apart from who may call and which cluster this is.
    pub publication: Publication,
    /// Says who calls.
    pub authenticator: Authenticator,
    /// Bounds of the runner.
    pub limits: RunnerLimits,
    /// Bounds of requests.
    pub requests: RequestLimits,
    /// Push notifications.
    pub push: PushSettings,
    /// Bounds of one task.
    pub budget: Budget,
}

/// What an agent works with.
pub struct Work {
    /// Its tools.
    toolbox: Arc<dyn Toolbox>,
    /// The cluster that it looks at, where it is only one and known.
    cluster: Option<ClusterInfo>,
}

impl Work {
    /// drydock's own tools, in this process.
    pub fn here(environment: Environment) -> Self {
        let cluster = environment.clusters.only().map(|cluster| cluster.info.clone());
        Self { toolbox: Arc::new(Registry::standard(environment)), cluster }
    }

    /// The tools of a server elsewhere, which knows its clusters.
    pub fn elsewhere(toolbox: Arc<dyn Toolbox>) -> Self {
        Self { toolbox, cluster: None }
    }

    /// The cluster that it looks at, where it is only one and known.
    pub fn cluster(&self) -> Option<&ClusterInfo> {
        self.cluster.as_ref()
    }
}

/// How an agent meets its callers.
#[derive(Debug, Clone)]
pub struct Reception {
    /// Says who the agent is.
    pub card: PublishedCard,
    /// Says who calls.
    pub authenticator: Authenticator,
    /// Bounds of the runner.
    pub limits: RunnerLimits,
    /// Bounds of requests.
    pub requests: RequestLimits,
    /// Push notifications.
    pub push: PushSettings,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
}

impl Reception {
    /// Lets everyone in, with the usual limits.
    pub fn open(card: PublishedCard) -> Self {
        Self {
            card,
            authenticator: Authenticator::anonymous(),
            limits: RunnerLimits::default(),
            requests: RequestLimits::default(),
            push: PushSettings::default(),
            connections: ConnectionLimits::default(),
        }
    }
}

/// One agent, ready to be served.
pub struct App {
    runner: TaskRunner,
    push: Push,
    router: Router,
    /// The host of the agent's public URL.
    public_host: Option<String>,
    /// True where nobody is asked who they are.
    anonymous: bool,
    connections: ConnectionLimits,
    _scratch: Option<Scratch>,
}

impl App {
    /// The agent that works with these tools.
    ///
    /// # Errors
    /// The storage is in use or cannot be opened; the card is wrong.
    pub async fn build(settings: Settings, work: Work) -> anyhow::Result<Self> {
        let card = build_card(&settings, work.cluster.as_ref())?;
        let push = build_push(&settings);
        let (store, scratch) = build_store(&settings.storage).await?;
        let executor = build_agent(work, settings.budget);
        let reception = Reception {
            card,
            authenticator: settings.authenticator,
            limits: settings.limits,
            requests: settings.requests,
            push,
            connections: ConnectionLimits::default(),
        };
        Ok(Self { _scratch: scratch, ..Self::assemble(store, executor, reception) })
    }

    /// An app of ready-made parts.
    pub fn assemble(
        store: Arc<dyn TaskStore>,
        executor: Arc<dyn AgentExecutor>,
        reception: Reception,
    ) -> Self {
        let Reception { card, authenticator, limits, requests, connections, push } = reception;
        let runner = TaskRunner::new(Arc::clone(&store), executor, limits);
        let push = Push::new(store, runner.clone(), push);
        let (public_host, anonymous) = (card.host(), authenticator.is_anonymous());
        let surface =
            Surface { runner: runner.clone(), push: push.clone(), card, authenticator, limits: requests };
        let router = a2a::router(surface).layer(CatchPanicLayer::custom(|_| internal_error()));
        Self { runner, push, router, public_host, anonymous, connections, _scratch: None }
    }

    /// Takes up unfinished tasks, then serves until `shutdown`; then lets running tasks end for a short while.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let recovered = self.runner.recover().await.context("unfinished tasks cannot be read")?;
        if recovered != Recovered::default() {
            tracing::info!(
                resumed = recovered.resumed,
                given_up = recovered.given_up,
                "took up unfinished tasks"
            );
        }
        let resumed = self.push.resume().await.context("push configurations cannot be read")?;
        if resumed > 0 {
            tracing::info!(resumed, "took up push notifications");
        }
        let stopping = CancellationToken::new();
        let address = listener.local_addr().context("the server has no address")?.ip();
        let router = browsers::guarded(self.router, address, self.anonymous, self.public_host.as_deref());
        let mut server =
            tokio::spawn(connections::serve(listener, router, self.connections, stopping.clone()));
        shutdown.await;
        tracing::info!(active = self.runner.active(), "stopping");
        stopping.cancel();
        self.runner.shutdown(TASK_GRACE).await;
        self.push.shutdown(PUSH_GRACE).await;
        if tokio::time::timeout(CONNECTION_GRACE, &mut server).await.is_err() {
            server.abort();
        }
        Ok(())
    }
}

fn build_card(settings: &Settings, cluster: Option<&ClusterInfo>) -> anyhow::Result<PublishedCard> {
    let security = security::security(&settings.authenticator);
    let publication = Publication {
        push: true,
        extended: security.is_some(),
        security,
        details: Some(match cluster {
            Some(cluster) => looks_at(cluster),
            None => "It looks at the cluster that is named, and asks where that is not clear.".to_owned(),
        }),
        ..settings.publication.clone()
    };
    Ok(PublishedCard::new(agent_card::load(settings.card.as_deref())?, &publication)?)
}

/// Webhooks can check that it was this agent who called them, where its card is signed.
fn build_push(settings: &Settings) -> PushSettings {
    let signer = settings.publication.signers.first().cloned();
    let signer = signer.map(|signer| {
        JwtSigner::new(settings.publication.url.clone(), move |claims: &Value| signer.token(claims))
    });
    PushSettings { signer, ..settings.push.clone() }
}

/// What only authenticated callers are told: which cluster this is.
fn looks_at(cluster: &ClusterInfo) -> String {
    let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect() };
    let version = cluster.version.as_deref().map(|version| format!(" (Kubernetes {})", plain(version)));
    let recorded = match (cluster.recorded, cluster.captured_at) {
        (false, _) => String::new(),
        (true, None) => ", which was recorded".to_owned(),
        (true, Some(time)) => format!(", which was recorded at {time}"),
    };
    format!("It looks at the cluster \"{}\"{}{recorded}.", plain(&cluster.name), version.unwrap_or_default())
}

fn build_agent(work: Work, budget: Budget) -> Arc<dyn AgentExecutor> {
    let name = work.cluster.map(|cluster| cluster.name);
    Arc::new(Agent::new(Arc::new(Runbook), work.toolbox, name, budget))
}

async fn build_store(storage: &Storage) -> anyhow::Result<(Arc<dyn TaskStore>, Option<Scratch>)> {
    let (folder, scratch) = match storage {
        Storage::Folder(folder) => (folder.clone(), None),
        Storage::Temporary => {
            let folder = std::env::temp_dir().join(format!("drydock-{}", uuid::Uuid::new_v4()));
            (folder.clone(), Some(Scratch(folder)))
        }
    };
    make_private(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let store = SqliteTaskStore::open(&folder.join("tasks.db")).await;
    let store = store.with_context(|| format!("the tasks in {} cannot be opened", folder.display()))?;
    Ok((Arc::new(store), scratch))
}

/// Makes a folder that only its owner can read: answers tell about the cluster.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A folder that is removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, folder = %self.0.display(), "a temporary folder was left behind");
        }
    }
}

fn internal_error() -> Response {
    tracing::error!("bug: a request handler panicked");
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error"}}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("active", &self.runner.active()).finish_non_exhaustive()
    }
}
