//! An MCP server of fixtures, for the conformance suite of the protocol: tools, prompts and resources that show every kind
//! of content, of notification and of question that a server can have. What is between them and the network is what
//! `drydock mcp --http` has. Two more tools show clients whether what they cancel ends.
//!
//! `cargo run --example mcp_conformance -- [--port 8000] [--stateless] [--before http://127.0.0.1:8001/mcp]`
#![expect(deprecated, reason = "revisions before 2026-07-28 log and sample, and the suite asks for it")]

mod asking;
mod library;
mod server;
mod tools;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use drydock::app::{ConnectionLimits, McpSettings, serve_mcp};
use drydock::auth::Authenticator;
use drydock::mcp::{BareNames, Credentials, Gateway, MCP_PATH, McpServer, Offer, RemoteToolbox, Target};
use tokio::net::TcpListener;

#[derive(Parser)]
struct Args {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Keep no sessions
    #[arg(long)]
    stateless: bool,
    /// Be the gateway before the server at this URL instead, with its tools under their own names
    #[arg(long, value_name = "URL")]
    before: Option<String>,
}

/// What `drydock gateway --target fixtures=URL` serves, but for the names: the suite calls the tools by those that they have.
fn gateway(url: &str) -> anyhow::Result<McpServer> {
    let toolbox = Arc::new(RemoteToolbox::at("fixtures", url, Credentials::None)?);
    let target = Target { name: "fixtures".to_owned(), toolbox, timeout: Duration::from_secs(60) };
    let tools = BareNames::new(Arc::new(Gateway::new(vec![target])?));
    Ok(McpServer::over_http(Offer::gateway(Arc::new(tools))))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    println!("listening on http://{}{}", listener.local_addr()?, MCP_PATH);
    let settings = McpSettings {
        authenticator: Authenticator::anonymous(),
        public_url: None,
        stateless: args.stateless,
        connections: ConnectionLimits::default(),
    };
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    match &args.before {
        Some(url) => serve_mcp(gateway(url)?, settings, listener, stop).await,
        None => serve_mcp(server::Fixtures::new()?, settings, listener, stop).await,
    }
}
