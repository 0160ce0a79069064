//! `drydock bundle`: a recorded cluster for kubectl, and recordings of clusters.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Exit;
use super::serve::{listen, stop_signal};
use super::terminal::one_line;
use crate::cluster::{
    Bundle, CaptureLimits, Captured, Cluster, ClusterInfo, Damaged, Progress, capture, serve_bundle,
};
use crate::config::{ClusterArgs, check_exposure};

/// Recorded clusters: serves one to kubectl, records one
///
/// A bundle is a folder or a .tar.gz with cluster.json, resources/*.json (or YAML: what `kubectl get -o json` writes) and
/// logs/NAMESPACE/POD/CONTAINER.log. Every command that takes --bundle works on one.
#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    Serve(BundleServeArgs),
    Capture(CaptureArgs),
}

/// Serves a bundle as a read-only Kubernetes API, so that kubectl can look at it
///
/// get, describe, logs and events work as on the live cluster, as of the time of the recording; what would change
/// something is refused. Values of Secrets, and what looks like a credential, are replaced.
#[derive(Debug, Args)]
#[command(after_long_help = SERVE_EXAMPLES)]
pub(super) struct BundleServeArgs {
    /// The bundle: a directory or a .tar.gz
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Serve beyond this machine although callers are not authenticated
    #[arg(long)]
    allow_unauthenticated: bool,
    /// Writes a kubeconfig for it to FILE, once it listens
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  drydock bundle serve ./recorded
  kubectl --kubeconfig /dev/null --server http://127.0.0.1:8001 get pods -A

  drydock bundle serve ./recorded.tar.gz --port 0 --kubeconfig /tmp/recorded.kubeconfig &
  export KUBECONFIG=/tmp/recorded.kubeconfig
  kubectl describe pod web-1 -n shop
  kubectl logs web-1 -n shop --previous

Exit codes:
  0 stopped on request · 2 could not start (no bundle, port taken) · 64 wrong usage";

/// Records a cluster as a bundle, secrets redacted
///
/// Reads every kind that a diagnosis reads, custom resource definitions and leases, and the newest lines of the log of
/// every container, also of the instance before where it was restarted. Only get and list are used. What cannot be read is
/// named, and the rest recorded.
#[derive(Debug, Args)]
#[command(after_long_help = CAPTURE_EXAMPLES)]
pub(super) struct CaptureArgs {
    /// Where to: a new folder, or a new file that ends in .tar.gz
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Newest lines of each log; 0 records no logs
    #[arg(long, value_name = "N", default_value_t = CaptureLimits::default().log_lines)]
    log_lines: u32,
}

const CAPTURE_EXAMPLES: &str = "\
Examples:
  drydock bundle capture ./recorded                       the current kubeconfig context
  drydock bundle capture shop.tar.gz --context shop-prod  another one, as an archive
  drydock diagnose --bundle shop.tar.gz                   later, and elsewhere

Values of Secrets, last-applied annotations, and what looks like a credential in environment variables, arguments,
ConfigMaps and logs are replaced. Look through a recording before you give it away: no list of patterns is complete.

Exit codes:
  0 recorded · 2 could not (cluster unreachable, PATH exists) · 64 wrong usage";

pub(super) async fn run(command: BundleCommand) -> anyhow::Result<Exit> {
    match command {
        BundleCommand::Serve(args) => serve(args).await,
        BundleCommand::Capture(args) => record(args).await,
    }
}

async fn serve(args: BundleServeArgs) -> anyhow::Result<Exit> {
    check_exposure(args.host, args.allow_unauthenticated)?;
    let stop = stop_signal().context("signals cannot be received")?;
    let path = args.path.clone();
    let bundle = tokio::task::spawn_blocking(move || Bundle::load(&path)).await??;
    let listener = listen((args.host, args.port).into()).await?;
    let server = server_url(listener.local_addr()?);
    if let Some(file) = &args.kubeconfig {
        let written = tokio::fs::write(file, kubeconfig(&server, bundle.info())).await;
        written.with_context(|| format!("cannot write the kubeconfig {}", file.display()))?;
    }
    eprint!("{}", announcement(&bundle, &server, args.kubeconfig.as_deref()));
    serve_bundle(Arc::new(bundle), listener, stop).await?;
    Ok(Exit::Fine)
}

/// How kubectl on this machine reaches it.
fn server_url(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}", address.port()),
        false => format!("http://{address}"),
    }
}

fn kubeconfig(server: &str, info: &ClusterInfo) -> String {
    let name = format!("bundle-{}", info.name);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{ "name": name, "cluster": { "server": server } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "users": [{ "name": name, "user": {} }],
    });
    format!("{config:#}\n")
}

fn announcement(bundle: &Bundle, server: &str, kubeconfig: Option<&Path>) -> String {
    let info = bundle.info();
    let version = info.version.as_deref().unwrap_or("unknown version");
    let recorded = info.captured_at.map(|time| format!(", recorded {time}")).unwrap_or_default();
    let kubectl = match kubeconfig {
        Some(file) => format!("kubectl --kubeconfig {}", file.display()),
        None => format!("kubectl --kubeconfig /dev/null --server {server}"),
    };
    let damaged: String = bundle.damaged().iter().map(damage).collect();
    format!(
        "serving {} ({version}{recorded}) on {server}, read-only\n{damaged}\n  {kubectl} get pods -A\n\nCtrl-C stops it.\n",
        one_line(&info.name)
    )
}

fn damage(damaged: &Damaged) -> String {
    format!("  not used: {}: {}\n", one_line(&damaged.file), one_line(&damaged.why))
}

async fn record(args: CaptureArgs) -> anyhow::Result<Exit> {
    let cluster = Cluster::open(&args.cluster.source()).await?;
    let limits = CaptureLimits { log_lines: args.log_lines, ..CaptureLimits::default() };
    let live = io::stderr().is_terminal();
    let captured = capture(&cluster, &args.path, limits, |step| show(&step, live)).await?;
    eprint!("{}", summary(&cluster.info.name, &args.path, &captured));
    Ok(Exit::Fine)
}

/// On a terminal one line that is written over; in a file only what ends a step.
fn show(step: &Progress, live: bool) {
    match step {
        Progress::Read { done, of, objects } if done == of => {
            eprintln!("{}{objects} objects of {of} kinds", if live { "\r\x1b[K" } else { "" });
        }
        Progress::Read { done, of, objects } if live => {
            eprint!("\r\x1b[K{done}/{of} kinds, {objects} objects")
        }
        Progress::Logs { count } => eprintln!("reading {count} logs"),
        Progress::Read { .. } | Progress::Reasoning => {}
    }
}

fn summary(cluster: &str, path: &Path, captured: &Captured) -> String {
    let missing: String = captured
        .missing
        .iter()
        .map(|missing| format!("  not recorded: {}: {}\n", one_line(&missing.what), one_line(&missing.why)))
        .collect();
    let path = path.display();
    format!(
        "{missing}recorded {} with {} objects and {} logs at {path}\n\n  drydock diagnose --bundle {path}\n",
        one_line(cluster),
        captured.objects,
        captured.logs
    )
}
