//! An A2A server whose agent does what the message says, for clients and conformance kits that want to see every course a
//! task can take; the words are in `tests/it/support/script.rs` and `kits.rs`. Everything else is what `drydock serve` serves: both
//! dialects, JSON-RPC on `/` and HTTP+JSON on `/rest`.
//!
//! `cargo run --example conformance -- [--port 9000] [--token TOKEN] [--store sqlite:FILE | --data DIR]`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use drydock::a2a::PushSettings;
use drydock::agent_card::{CardSource, Publication, PublishedCard, Security};
use drydock::app::{App, Reception};
use drydock::auth::{Authenticator, Principal};
use drydock::tasks::{RunnerLimits, SqliteTaskStore};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[path = "../tests/it/support/kits.rs"]
mod kits;
#[path = "../tests/it/support/script.rs"]
mod script;

#[derive(Parser)]
struct Args {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Let in only who has this bearer token
    #[arg(long)]
    token: Option<String>,
    /// Where tasks are kept: sqlite:FILE
    #[arg(long, conflicts_with = "data")]
    store: Option<String>,
    /// Folder for tasks; without it and --store they are gone when the server stops
    #[arg(long)]
    data: Option<PathBuf>,
    /// What a kit calls its streaming timeout, in seconds
    #[arg(long, env = "TCK_STREAMING_TIMEOUT", default_value_t = 2.0)]
    streaming_timeout: f64,
    /// Require the extension that a kit leaves out to see itself refused; it leaves it out everywhere
    #[arg(long)]
    required_extension: bool,
}

impl Args {
    /// The database file.
    fn database(&self, scratch: &tempfile::TempDir) -> anyhow::Result<PathBuf> {
        let Some(store) = &self.store else {
            let folder = self.data.clone().unwrap_or_else(|| scratch.path().to_owned());
            std::fs::create_dir_all(&folder)?;
            return Ok(folder.join("tasks.db"));
        };
        match store.split_once(':') {
            Some(("sqlite", file)) => Ok(PathBuf::from(file.trim_start_matches("//"))),
            Some(("postgres" | "postgresql", _)) => {
                bail!("--store: PostgreSQL is not built yet; use sqlite:FILE")
            }
            _ => bail!("--store: {store} is neither sqlite:FILE nor postgres:URL"),
        }
    }

    fn authenticator(&self) -> Authenticator {
        let principal = Principal { id: "conformance".to_owned(), ..Principal::anonymous() };
        let known = self.token.clone().map(|token| Authenticator::tokens([(token, principal)]));
        known.unwrap_or_else(Authenticator::anonymous)
    }

    fn card(&self) -> anyhow::Result<CardSource> {
        let mut card: Value = serde_json::from_str(include_str!("conformance-card.json"))?;
        if self.required_extension {
            let extension = json!({ "uri": "urn:a2a:tck:required-extension", "required": true });
            card["capabilities"]["extensions"] = json!([extension]);
        }
        Ok(CardSource::read(card)?)
    }

    /// The extended card is for authenticated callers, so that there is one where there is a token.
    fn publication(&self, port: u16) -> Publication {
        let guarded = self.token.is_some();
        Publication {
            rest: true,
            push: true,
            security: guarded.then(Security::default),
            extended: guarded,
            // Kits take an address in numbers for something that should not be public.
            ..Publication::at(&format!("http://localhost:{port}"))
        }
    }

    fn executor(&self) -> anyhow::Result<kits::ForKits> {
        let timeout = Duration::try_from_secs_f64(self.streaming_timeout).context("--streaming-timeout")?;
        Ok(kits::ForKits { timeout })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    let address = listener.local_addr()?;
    let scratch = tempfile::tempdir()?;
    let store = SqliteTaskStore::open(&args.database(&scratch)?).await?;
    let card = PublishedCard::new(args.card()?, &args.publication(address.port()))?;
    let limits = RunnerLimits { max_concurrent: 2048, ..RunnerLimits::default() };
    // Kits receive notifications on the machine on which they run.
    let push =
        PushSettings { allow: vec!["127.0.0.0/8".parse()?, "::1".parse()?], ..PushSettings::default() };
    let reception = Reception { authenticator: args.authenticator(), limits, push, ..Reception::open(card) };
    let app = App::assemble(Arc::new(store), Arc::new(args.executor()?), reception);
    println!("listening on http://{address}/");
    app.serve(listener, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await
}
