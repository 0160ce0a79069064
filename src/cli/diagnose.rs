//! `drydock diagnose`.

mod target;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::Exit;
use super::terminal::print;
use crate::cluster::{self, Cluster, Progress, SnapshotLimits};
use crate::config::ClusterArgs;
use crate::diagnosis::render;
use crate::diagnosis::report::{Report, Verdict};

use self::target::Named;

/// Diagnoses a cluster, live or recorded, and prints the root causes
///
/// Reads the cluster's objects and events, and the logs of its suspects; changes nothing. Each finding names the object
/// to change, the evidence, and the commands to check, change, undo and verify.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DiagnoseArgs {
    /// Only what explains this object, such as pod/web-0 or deploy/web
    #[arg(value_name = "KIND/NAME")]
    object: Option<Named>,
    /// Only this namespace; may be given several times
    #[arg(short, long = "namespace", value_name = "NS")]
    namespaces: Vec<String>,
    /// All namespaces, which is the default
    #[arg(short = 'A', long, conflicts_with = "namespaces")]
    all_namespaces: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How to print the report
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal
    #[default]
    Text,
    /// drydock.report/v1
    Json,
    /// drydock.report/v1
    Yaml,
    /// For tickets and chats
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  drydock diagnose                                 everything in the current kubeconfig context
  drydock diagnose -n shop -n payments             two namespaces
  drydock diagnose deploy/web -n shop              why is this one broken?
  drydock diagnose --context staging -o markdown   another cluster, for a ticket
  drydock diagnose --bundle ./recorded -o json | jq '.findings[] | select(.rootCause) | .title'

Exit codes:
  0   healthy
  1   something is wrong: there are critical findings or warnings
  2   could not tell: the cluster is not reachable, or too little of it could be read
  64  wrong usage

Environment:
  KUBECONFIG (where clusters are found), DRYDOCK_CONTEXT or DRYDOCK_BUNDLE (which one),
  NO_COLOR (no colours)";

pub(super) async fn run(args: DiagnoseArgs) -> anyhow::Result<Exit> {
    let cluster = Cluster::open(&args.cluster.source()).await?;
    let scope = target::scope(&cluster, args.object.as_ref(), &args.namespaces).await?;
    let line = ProgressLine::new();
    let report =
        cluster::diagnose(&cluster, &scope, SnapshotLimits::default(), |step| line.show(&step)).await;
    line.clear();
    let report = report?;
    print(&rendered(&report, args.output)?)?;
    Ok(match report.verdict {
        Verdict::Healthy => Exit::Fine,
        Verdict::Degraded | Verdict::Failing => Exit::Findings,
        Verdict::Unknown => Exit::Failed,
    })
}

fn rendered(report: &Report, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Text => render::text(report, true),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Output::Yaml => serde_saphyr::to_string(report).context("the report cannot be written as YAML")?,
        Output::Markdown => render::markdown(report),
    })
}

/// One line on stderr that is written over and over, where stderr is a terminal.
struct ProgressLine {
    wanted: bool,
    written: AtomicBool,
}

impl ProgressLine {
    fn new() -> Self {
        Self { wanted: io::stderr().is_terminal(), written: AtomicBool::new(false) }
    }

    fn show(&self, step: &Progress) {
        if self.wanted {
            self.written.store(true, Ordering::Relaxed);
            let _ = write!(io::stderr(), "\r\x1b[2K{step}");
        }
    }

    fn clear(&self) {
        if self.written.load(Ordering::Relaxed) {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
