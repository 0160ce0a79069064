//! `drydock serve`.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::Exit;
use super::terminal::{BOLD, print, styled};
use crate::a2a::{PushSettings, RequestLimits};
use crate::agent_card::{CardSigner, KEYS_PATH, Publication};
use crate::app::{App, Settings, Storage, Work, environment};
use crate::cluster::{Cluster, ClusterSource};
use crate::config::{AuthArgs, AuthMode, ClusterArgs, ServerArgs, ToolServerArgs, default_data_dir};
use crate::mcp::{BareNames, RemoteToolbox};
use crate::tasks::RunnerLimits;
use crate::tools::{Environment, Gate};

/// Serves the agent, so that other agents can ask it over A2A
///
/// Speaks A2A 1.0 and 0.3 on the same address. Tasks are kept in a folder: they outlive connections and restarts, and a
/// process that was killed takes its unfinished tasks up at the next start.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    tools: ToolServerArgs,
    /// Folder for tasks [default: $XDG_DATA_HOME/drydock or ~/.local/share/drydock]
    #[arg(long, value_name = "DIR", env = "DRYDOCK_DATA")]
    data: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  drydock serve                                   the current kubeconfig context
  drydock serve --bundle ./recorded --port 9100   a recorded cluster
  drydock serve --eks                             any EKS cluster that the AWS credentials can see
  drydock serve --tools http://127.0.0.1:8000/mcp the tools of an MCP server or gateway
  drydock serve --host 0.0.0.0 --public-url https://dd.example.com \\
    --issuer https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example \\
    --allowed-client 1example23456789 --required-scope drydock/read

  curl http://127.0.0.1:9000/.well-known/agent-card.json
  drydock ask http://127.0.0.1:9000 \"Why is checkout down?\"

Authentication:
  With --issuer every call but the card and /health needs a bearer token of that issuer: Amazon
  Cognito, Okta, Entra ID, Keycloak, Auth0 and others that speak OpenID Connect. Its keys are
  fetched with the first token and renewed by themselves. Each caller sees its own tasks only.
  Inside Amazon Bedrock AgentCore Runtime say --auth platform --host 0.0.0.0: the platform checks
  callers before they get here. Allow it to forward Authorization to keep callers apart.

Signals:
  SIGINT and SIGTERM stop it: it takes no new tasks, running ones get five seconds, and what is
  left is taken up at the next start. A second signal stops it at once.

Exit codes:
  0   stopped on request
  2   could not start: the port is taken, the cluster unreachable, or the folder in use
  64  wrong usage";

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<Exit> {
    args.server.check_exposure()?;
    let authenticator = args.server.auth.authenticator()?;
    let folder = args.data.clone().or_else(default_data_dir);
    let folder = folder.context("where is the folder for tasks? There is no HOME: say --data DIR")?;
    let mut stop = pin!(stop_signal().context("signals cannot be received")?);
    let Some(work) = unless_stopped(stop.as_mut(), work(&args)).await? else { return Ok(Exit::Fine) };
    let listener = listen((args.server.host, args.server.port).into()).await?;
    let address = listener.local_addr()?;
    let publication = publication(&args.server, address)?;
    let callers = callers(&args.server.auth);
    let mut announcement = announcement(&looks_at(&args, &work), address, &publication, &callers, &folder);
    if let Some(url) = &args.tools.tools {
        announcement.push_str(&format!("  tools         {url}\n\n"));
    }
    let settings = Settings {
        storage: Storage::Folder(folder.clone()),
        card: args.server.card.clone(),
        publication,
        authenticator,
        limits: limits(&args.server),
        requests: requests(&args.server),
        push: PushSettings { allow: args.server.push_allow.clone(), ..PushSettings::default() },
        budget: args.server.budget(),
    };
    let app = App::build(settings, work).await?;
    print(&announcement)?;
    app.serve(listener, stop).await?;
    Ok(Exit::Fine)
}

/// What the agent may look at. It changes nothing: nobody can be asked for an approval yet. Which cluster is meant is said
/// at the start, but for EKS, where it can be found out.
async fn agents_environment(cluster: &ClusterArgs) -> anyhow::Result<Environment> {
    match cluster.source() {
        source @ ClusterSource::Eks(_) => Box::pin(environment(&source, Gate::read_only())).await,
        source => Ok(Environment::of(Box::pin(Cluster::open(&source)).await?)),
    }
}

/// The agent's tools: those of a server elsewhere, or our own.
async fn work(args: &ServeArgs) -> anyhow::Result<Work> {
    Ok(match args.tools.server()? {
        Some((url, credentials)) => {
            let remote = RemoteToolbox::at("tools", &url, credentials)?;
            Work::elsewhere(Arc::new(BareNames::new(Arc::new(remote))))
        }
        None => Work::here(agents_environment(&args.cluster).await?),
    })
}

fn looks_at(args: &ServeArgs, work: &Work) -> String {
    match (work.cluster(), &args.tools.tools) {
        (Some(cluster), _) => cluster.name.clone(),
        (None, Some(_)) => "the clusters of another server's tools".to_owned(),
        (None, None) => "the EKS clusters of this AWS account".to_owned(),
    }
}

fn limits(args: &ServerArgs) -> RunnerLimits {
    RunnerLimits {
        max_concurrent: args.max_concurrent_tasks,
        max_per_owner: args.max_tasks_per_caller,
        ..RunnerLimits::default()
    }
}

fn requests(args: &ServerArgs) -> RequestLimits {
    RequestLimits { per_second: args.max_requests_per_second, ..RequestLimits::default() }
}

/// Who may call, in a few words.
pub(super) fn callers(auth: &AuthArgs) -> String {
    match auth.mode() {
        AuthMode::None => "anyone, nobody is asked (--issuer URL changes that)".to_owned(),
        AuthMode::Jwt => format!("with a token of {}", auth.issuers.join(" or ")),
        AuthMode::Platform => "as the platform in front says; nothing else may reach this port".to_owned(),
    }
}

/// Where the agent is reached and who signs its card.
fn publication(args: &ServerArgs, address: SocketAddr) -> anyhow::Result<Publication> {
    let known = args.agentcore_runtime_url.as_ref().or(args.public_url.as_ref());
    let url = known.cloned().unwrap_or_else(|| local_url(address));
    // AgentCore Runtime passes on what is posted to its URL, and nothing below; a URL with a query has nothing below.
    let is_endpoint = args.agentcore_runtime_url.is_some() || url.contains('?');
    let mut signers = Vec::new();
    for path in &args.card_key {
        let signer = CardSigner::load(path, None);
        let signer = signer.with_context(|| format!("{} cannot sign the agent card", path.display()))?;
        signers.push(match is_endpoint {
            true => signer,
            false => signer.published_at(&format!("{}{KEYS_PATH}", url.trim_end_matches('/'))),
        });
    }
    let url_from_host = known.is_none() && address.ip().is_unspecified();
    if url_from_host {
        tracing::info!(
            "the agent card names the host that each client asks: set --public-url if a proxy changes it"
        );
    }
    Ok(Publication { url_from_host, rest: !is_endpoint, signers, ..Publication::at(&url) })
}

/// Where this machine reaches the server.
fn local_url(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

fn announcement(
    cluster: &str,
    address: SocketAddr,
    publication: &Publication,
    callers: &str,
    folder: &Path,
) -> String {
    let base = publication.url.trim_end_matches('/');
    let local = local_url(address);
    format!(
        "{title} the agent of {cluster}\n\
         \n  listening on  http://{address}/  (A2A 1.0 and 0.3; HTTP+JSON below /rest)\
         \n  agent card    {base}/.well-known/agent-card.json\
         \n  callers       {callers}\
         \n  tasks         {folder}\
         \n\
         \n  try           drydock ask {local} \"Is anything wrong in my cluster?\"\n\n",
        title = styled(BOLD, "drydock serves"),
        folder = folder.display(),
    )
}

/// Listens, or says what to do about it.
pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} of {} is taken: stop what listens there, or choose another with --port (0 picks a free one)",
            address.port(),
            address.ip()
        ),
        _ => anyhow::anyhow!("cannot listen on {address}: {error}"),
    })
}

/// The result of work, or none where the signal to stop comes first: opening a cluster may take a while.
pub(super) async fn unless_stopped<T>(
    stop: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        () = stop => Ok(None),
        done = work => done.map(Some),
    }
}

/// Ends with the first signal that asks the process to stop. From then on a second one stops it at once.
#[cfg(unix)]
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut next = async move || {
        tokio::select! {
            Some(()) = interrupt.recv() => {}
            Some(()) = terminate.recv() => {}
            else => pending().await,
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            std::process::exit(i32::from(Exit::Failed as u8));
        });
    })
}

/// Ends with the first signal that asks the process to stop.
#[cfg(not(unix))]
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            pending().await
        }
    })
}
