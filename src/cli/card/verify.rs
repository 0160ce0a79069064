//! `drydock card verify`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::Value;

use super::super::Exit;
use super::super::terminal::{BAD, GOOD, one_line, print, styled};
use crate::a2a::VERSION_HEADER;
use crate::agent_card::{Coverage, Outcome, TrustedKeys, Verified, verify};

/// Says which signatures of an agent card hold
///
/// A signature proves something only if its key is trusted: say which keys are. With --trust-jku the card says it itself,
/// which proves that nobody changed it on the way, but not whose it is.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct VerifyArgs {
    /// The card: a file, the agent's base URL, or the card's own
    #[arg(value_name = "FILE|URL")]
    card: String,
    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct TrustArgs {
    /// Public key that is trusted (PEM)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// JSON Web Key Set that is trusted
    #[arg(long, value_name = "FILE|URL")]
    jwks: Vec<String>,
    /// Trust the key set that the signatures name
    #[arg(long)]
    trust_jku: bool,
}

const EXAMPLES: &str = "\
Examples:
  drydock card verify https://drydock.example.com --key card-key.pub.pem
  drydock card verify card.json --jwks https://drydock.example.com/.well-known/jwks.json

Exit codes:
  0   a trusted key signed the card
  1   none did, or the card is not signed
  2   the card or a key could not be read
  64  wrong usage";

/// Largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1 << 20;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Key sets that a card may name.
const MAX_KEY_SETS: usize = 4;

pub(super) async fn run(args: VerifyArgs) -> anyhow::Result<Exit> {
    let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).build()?;
    let card = read(&client, &card_location(&args.card)).await?;
    let card: Value = serde_json::from_slice(&card).context("the card is not JSON")?;
    let keys = trusted(&client, &args.trust, &card).await?;
    let verified = verify(&card, &keys);
    if verified.is_empty() {
        print("The card is not signed.\n")?;
    }
    for signature in &verified {
        print(&line(signature))?;
    }
    let is_good = verified.iter().any(|signature| matches!(signature.outcome, Outcome::Good(_)));
    Ok(if is_good { Exit::Fine } else { Exit::Findings })
}

/// A base URL means the card below it.
fn card_location(card: &str) -> String {
    match is_url(card) && !card.ends_with(".json") {
        true => format!("{}/.well-known/agent-card.json", card.trim_end_matches('/')),
        false => card.to_owned(),
    }
}

fn is_url(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}

async fn trusted(client: &Client, trust: &TrustArgs, card: &Value) -> anyhow::Result<TrustedKeys> {
    let mut keys = TrustedKeys::default();
    let files = trust.key.iter().map(|path| path.display().to_string());
    for location in files.chain(trust.jwks.iter().cloned()) {
        let text = read(client, &location).await?;
        keys.extend(TrustedKeys::read(&text).with_context(|| format!("{location} cannot verify a card"))?);
    }
    if trust.trust_jku {
        // Names only: without keys no signature holds.
        let named: BTreeSet<String> =
            verify(card, &TrustedKeys::default()).into_iter().filter_map(|signature| signature.jku).collect();
        for location in named.into_iter().take(MAX_KEY_SETS) {
            check_jku(&location)?;
            let text = read(client, &location).await?;
            keys.extend(
                TrustedKeys::read(&text).with_context(|| format!("{location} cannot verify a card"))?,
            );
        }
    }
    Ok(keys)
}

/// Keys come over a safe way: https, or from this machine.
fn check_jku(location: &str) -> anyhow::Result<()> {
    let url = Url::parse(location).with_context(|| format!("{location} is no URL"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_here;
    ensure!(is_safe, "the card names the keys at {location}, and keys are only fetched over https");
    Ok(())
}

async fn read(client: &Client, location: &str) -> anyhow::Result<Vec<u8>> {
    if !is_url(location) {
        return tokio::fs::read(location).await.with_context(|| format!("{location} cannot be read"));
    }
    let response = client.get(location).header(VERSION_HEADER, "1.0").send().await;
    let mut response = response.with_context(|| format!("{location} cannot be reached"))?;
    ensure!(response.status().is_success(), "{location} answered HTTP {}", response.status().as_u16());
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await.with_context(|| format!("{location} broke off"))? {
        document.extend_from_slice(&chunk);
        ensure!(document.len() <= MAX_DOCUMENT, "{location} is larger than {MAX_DOCUMENT} bytes");
    }
    Ok(document)
}

fn line(signature: &Verified) -> String {
    let (style, outcome) = match signature.outcome {
        Outcome::Good(Coverage::Whole) => (GOOD, "good: it covers the whole card"),
        Outcome::Good(Coverage::Known | Coverage::KnownNotEmpty) => {
            (GOOD, "good: it covers what A2A 1.0 knows of the card, not its other members")
        }
        Outcome::UnknownKey => (BAD, "not trusted: no trusted key has this name"),
        Outcome::Wrong => (BAD, "wrong: this key did not sign this card"),
        Outcome::Malformed => (BAD, "malformed: it is no signature that is understood"),
    };
    let text = |value: &Option<String>| one_line(value.as_deref().unwrap_or("-"));
    format!("{} key {}  {}\n", text(&signature.algorithm), text(&signature.key_id), styled(style, outcome))
}
