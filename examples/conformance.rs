//! An A2A server whose agent does what the message says, for clients that want to see every course a task can take:
//! `hold`, `slow`, `big`, `ask`, `fail`, `reject`, or an echo.
//!
//! `cargo run --example conformance -- --port 9000 [--data DIR]`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use drydock::agent_card::{self, Publication, PublishedCard};
use drydock::app::{App, Reception};
use drydock::tasks::{RunnerLimits, SqliteTaskStore};
use tokio::net::TcpListener;

#[path = "../tests/it/support/script.rs"]
mod script;

#[derive(Parser)]
struct Args {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Folder for tasks
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    std::fs::create_dir_all(&args.data)?;
    let store = SqliteTaskStore::open(&args.data.join("tasks.db")).await?;
    let card = PublishedCard::new(agent_card::load(None)?, &Publication::at(&url))?;
    let limits = RunnerLimits { max_concurrent: 2048, ..RunnerLimits::default() };
    let reception = Reception { limits, ..Reception::open(card) };
    let app = App::assemble(Arc::new(store), Arc::new(script::Scripted), reception);
    println!("listening on {url}/");
    app.serve(listener, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await
}
