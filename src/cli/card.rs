//! `drydock card`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Exit;
use super::terminal::print;
use crate::agent_card::{self, Form, Publication, PublishedCard};

/// Shows the agent card: who the agent is, what it can do, how it is reached
#[derive(Debug, Subcommand)]
pub(super) enum CardCommand {
    Show(ShowArgs),
}

/// Prints the card as `drydock serve` publishes it
///
/// The card is checked on the way; a member that is missing or wrong is named (exit code 2).
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// URL under which clients reach the agent
    #[arg(long, value_name = "URL", env = "DRYDOCK_PUBLIC_URL", default_value = "http://127.0.0.1:9000")]
    url: String,
    /// Card to show instead of the built-in one
    #[arg(long, value_name = "FILE", env = "DRYDOCK_CARD")]
    card: Option<PathBuf>,
    /// The form that A2A 0.3 clients read
    #[arg(long)]
    v03: bool,
}

const EXAMPLES: &str = "\
Examples:
  drydock card show --url https://drydock.example.com
  drydock card show --card my-card.json       checks a card of your own
  drydock card show --v03 | jq .skills";

pub(super) async fn run(command: CardCommand) -> anyhow::Result<Exit> {
    let CardCommand::Show(args) = command;
    let published = PublishedCard::new(agent_card::load(args.card.as_deref())?, &Publication::at(&args.url))?;
    let form = published.public(if args.v03 { Form::V03 } else { Form::V1 });
    print(&format!("{form:#}\n"))?;
    Ok(Exit::Fine)
}
