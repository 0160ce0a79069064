//! `drydock diagnose`.

use clap::Args;

use super::Exit;

/// Diagnoses a cluster, live or recorded, and prints the root causes.
#[derive(Debug, Args)]
pub(super) struct DiagnoseArgs {}

pub(super) async fn run(args: DiagnoseArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock diagnose is being built ({args:?})")
}
