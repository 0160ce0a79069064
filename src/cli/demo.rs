//! `drydock demo`.

use clap::Args;

use super::Exit;

/// Shows the main job on a recorded, broken shop: no cluster, no cloud, no model needed.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {}

pub(super) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("drydock demo is being built ({args:?})")
}
