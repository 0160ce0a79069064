//! `drydock card`.

mod verify;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Exit;
use super::terminal::print;
use crate::agent_card::{self, CardSigner, CardSource, Form, Publication, PublishedCard};
use crate::config::web_url;

/// Shows, signs and verifies agent cards, which say who an agent is
#[derive(Debug, Subcommand)]
pub(super) enum CardCommand {
    Show(ShowArgs),
    Sign(SignArgs),
    Verify(verify::VerifyArgs),
}

/// Which card.
#[derive(Debug, Args)]
struct SourceArgs {
    /// URL under which clients reach the agent
    #[arg(
        long,
        value_name = "URL",
        env = "DRYDOCK_PUBLIC_URL",
        default_value = "http://127.0.0.1:9000",
        value_parser = web_url
    )]
    url: String,
    /// Card instead of the built-in one
    #[arg(long, value_name = "FILE", env = "DRYDOCK_CARD")]
    card: Option<PathBuf>,
}

/// Prints the card as `drydock serve` publishes it
///
/// The card is checked on the way; a member that is missing or wrong is named (exit code 2).
#[derive(Debug, Args)]
#[command(after_long_help = SHOW_EXAMPLES)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The form that A2A 0.3 clients read
    #[arg(long)]
    v03: bool,
    /// The form for clients that do not say which version they read
    #[arg(long, conflicts_with = "v03")]
    merged: bool,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  drydock card show --url https://drydock.example.com
  drydock card show --card my-card.json       checks a card of your own
  drydock card show --v03 | jq .skills";

/// Prints the card with a signature (JWS, as A2A 1.0 defines it)
///
/// `drydock serve --card-key` signs what it serves by itself; this is for cards that are published by other means. A file
/// that is a complete card already (it has supportedInterfaces) keeps its URLs and the signatures that it has.
#[derive(Debug, Args)]
#[command(after_long_help = SIGN_EXAMPLES)]
pub(super) struct SignArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Private key: an unencrypted PEM with a P-256, Ed25519 or RSA key
    #[arg(long, value_name = "FILE", env = "DRYDOCK_CARD_KEY")]
    key: PathBuf,
    /// Name of the key in the signature [default: its thumbprint, RFC 7638]
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// Where the public key is published, as a JSON Web Key Set
    #[arg(long, value_name = "URL", value_parser = web_url)]
    jku: Option<String>,
}

const SIGN_EXAMPLES: &str = "\
Examples:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out card-key.pem
  openssl pkey -in card-key.pem -pubout -out card-key.pub.pem
  drydock card sign --key card-key.pem --url https://drydock.example.com > card.json
  drydock card verify card.json --key card-key.pub.pem";

pub(super) async fn run(command: CardCommand) -> anyhow::Result<Exit> {
    match command {
        CardCommand::Show(args) => show(&args),
        CardCommand::Sign(args) => sign(args),
        CardCommand::Verify(args) => verify::run(args).await,
    }
}

fn show(args: &ShowArgs) -> anyhow::Result<Exit> {
    let published = publish(agent_card::load(args.source.card.as_deref())?, &args.source.url)?;
    let form = match (args.v03, args.merged) {
        (true, _) => Form::V03,
        (false, true) => Form::Merged,
        (false, false) => Form::V1,
    };
    print(&format!("{:#}\n", published.public(form)))?;
    Ok(Exit::Fine)
}

fn sign(args: SignArgs) -> anyhow::Result<Exit> {
    let signer = CardSigner::load(&args.key, args.key_id);
    let signer = signer.with_context(|| format!("{} cannot sign a card", args.key.display()))?;
    let signer = match &args.jku {
        Some(jku) => signer.published_at(jku),
        None => signer,
    };
    let mut card = complete_card(&args.source)?;
    agent_card::sign(&mut card, &[signer]);
    print(&format!("{card:#}\n"))?;
    Ok(Exit::Fine)
}

/// The card of a file that is complete already, else the one that `drydock serve` would publish.
fn complete_card(source: &SourceArgs) -> anyhow::Result<Value> {
    let Some(path) = &source.card else {
        return Ok(publish(agent_card::load(None)?, &source.url)?.public(Form::V1));
    };
    let card = read_json(path)?;
    match card.get("supportedInterfaces") {
        Some(_) => Ok(card),
        None => Ok(publish(CardSource::read(card)?, &source.url)?.public(Form::V1)),
    }
}

fn publish(card: CardSource, url: &str) -> anyhow::Result<PublishedCard> {
    Ok(PublishedCard::new(card, &Publication { rest: true, push: true, ..Publication::at(url) })?)
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}
