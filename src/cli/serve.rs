//! `drydock serve`.

use clap::Args;

use super::Exit;

/// Serves the agent over A2A.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock serve is being built ({args:?})")
}
