//! `drydock card`.

use clap::Subcommand;

use super::Exit;

/// Shows the agent card.
#[derive(Debug, Subcommand)]
pub(super) enum CardCommand {
    /// Prints the card.
    Show,
}

pub(super) async fn run(command: CardCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock card is being built ({command:?})")
}
