//! The command line: one file per command.

mod ask;
mod bundle;
mod card;
mod demo;
mod diagnose;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Finds out why a Kubernetes workload is broken, with evidence, without a language model.
///
/// Peer agents call `drydock serve` over A2A; people run `drydock diagnose` in a terminal. Nothing is ever changed in
/// a cluster. Start with `drydock demo`.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Ask(ask::AskArgs),
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    #[command(subcommand)]
    Card(card::CardCommand),
}

/// Exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Findings (`diagnose`), or a failed task (`ask`).
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
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("drydock: cannot start the async runtime: {error}");
            return Exit::Failed.into();
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("drydock: {error:#}");
            Exit::Failed.into()
        }
    }
}

async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Diagnose(args) => diagnose::run(args).await,
        Command::Ask(args) => ask::run(args).await,
        Command::Bundle(command) => bundle::run(command).await,
        Command::Card(command) => card::run(command).await,
    }
}
