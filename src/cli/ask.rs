//! `drydock ask`.

use clap::Args;

use super::Exit;

/// Asks a question of an A2A agent and prints the answer as it streams.
#[derive(Debug, Args)]
pub(super) struct AskArgs {}

pub(super) async fn run(args: AskArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock ask is being built ({args:?})")
}
