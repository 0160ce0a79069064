//! `drydock bundle`.

use clap::Subcommand;

use super::Exit;

/// Serves and records cluster bundles.
#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Serves a bundle as a Kubernetes API.
    Serve,
}

pub(super) async fn run(command: BundleCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock bundle is being built ({command:?})")
}
