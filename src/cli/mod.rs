//! The command line: one file per command.

mod ask;
mod bundle;
mod card;
mod credentials;
mod demo;
mod diagnose;
mod gateway;
mod logging;
mod mcp;
mod serve;
mod tasks;
mod terminal;
mod transcript;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::LogArgs;

/// Finds out why a Kubernetes workload is broken, with evidence, without a language model.
///
/// Peer agents call `drydock serve` over A2A, MCP clients use `drydock mcp`; people run `drydock diagnose` in a terminal.
/// Nothing is ever changed in a cluster, unless that is allowed (`mcp --allow-write`) and approved.
#[derive(Debug, Parser)]
#[command(
    name = "drydock",
    version,
    propagate_version = true,
    after_help = "Start with `drydock demo`: it needs no cluster.",
    after_long_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logs: LogArgs,
}

const EXAMPLES: &str = "\
Examples:
  drydock demo                            a broken shop, and a peer that asks about it
  drydock diagnose                        root causes in the current kubeconfig context
  drydock diagnose deploy/web -n shop     why is this one broken?
  drydock diagnose --bundle DIR -o json   a recorded cluster, for programs
  drydock serve                           the agent on http://127.0.0.1:9000, for other agents
  drydock mcp                             the tools, for MCP clients
  drydock gateway --target NAME=URL       the tools of several MCP servers as one
  drydock ask http://127.0.0.1:9000 \"Why is checkout down?\"

Exit codes:
  0   fine
  1   findings (diagnose), or a task that did not complete (ask)
  2   could not do it, or could not tell
  64  wrong usage

Environment:
  Every option that shows [env: …] can be set there.
  KUBECONFIG says where clusters are found, NO_COLOR switches colours off.";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Ask(ask::AskArgs),
    Mcp(mcp::McpArgs),
    Gateway(gateway::GatewayArgs),
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    #[command(subcommand)]
    Card(card::CardCommand),
    #[command(subcommand)]
    Tasks(tasks::TasksCommand),
}

/// Exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Findings (`diagnose`), or a task that did not complete (`ask`).
    Findings = 1,
    /// Could not do it.
    Failed = 2,
    /// Wrong usage.
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Parses the arguments, runs the command, and reports its error on stderr.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            let _ = error.print();
            return exit.into();
        }
    };
    if let Err(problem) = logging::start(&cli.logs, default_filter(&cli.command)) {
        eprintln!("drydock: {problem}");
        return Exit::Usage.into();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("drydock: cannot start the async runtime: {error}");
            return Exit::Failed.into();
        }
    };
    let outcome = runtime.block_on(run(cli.command));
    // What was canceled may still compute; nobody waits for it.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) if terminal::is_broken_pipe(&error) => Exit::Failed.into(),
        Err(error) => {
            eprintln!("drydock: {}", terminal::sanitized(&format!("{error:#}")));
            Exit::Failed.into()
        }
    }
}

/// Servers tell what they do; commands whose result is on stdout stay quiet. The Kubernetes client logs what it also
/// answers, and we say what it means.
fn default_filter(command: &Command) -> &'static str {
    match command {
        Command::Serve(_) | Command::Mcp(mcp::McpArgs { http: true, .. }) => {
            "drydock=info,kube_client=off,rustls_platform_verifier=off,warn"
        }
        // The SDK logs each connection that breaks, and we say what it means.
        Command::Gateway(_) => "drydock=info,kube_client=off,rustls_platform_verifier=off,rmcp=off,warn",
        Command::Demo(_)
        | Command::Diagnose(_)
        | Command::Ask(_)
        | Command::Mcp(_)
        | Command::Bundle(_)
        | Command::Card(_)
        | Command::Tasks(_) => "drydock=warn,kube_client=off,rustls_platform_verifier=off,error",
    }
}

async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Diagnose(args) => diagnose::run(args).await,
        Command::Ask(args) => ask::run(args).await,
        Command::Mcp(args) => mcp::run(args).await,
        Command::Gateway(args) => gateway::run(args).await,
        Command::Bundle(command) => bundle::run(command).await,
        Command::Card(command) => card::run(command).await,
        Command::Tasks(command) => tasks::run(command).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
