//! An MCP server of fixtures, for the conformance suite of the protocol: tools, prompts and resources that show every kind
//! of content, of notification and of question that a server can have. What is between them and the network is what
//! `drydock mcp --http` has. Two more tools show clients whether what they cancel ends.
//!
//! `cargo run --example mcp_conformance -- [--port 8000] [--stateless]`
#![expect(deprecated, reason = "revisions before 2026-07-28 log and sample, and the suite asks for it")]

mod asking;
mod library;
mod server;
mod tools;

use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use drydock::app::{ConnectionLimits, McpSettings, serve_mcp};
use drydock::auth::Authenticator;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Args {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Keep no sessions
    #[arg(long)]
    stateless: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    println!("listening on http://{}{}", listener.local_addr()?, drydock::mcp::MCP_PATH);
    let settings = McpSettings {
        authenticator: Authenticator::anonymous(),
        public_url: None,
        stateless: args.stateless,
        connections: ConnectionLimits::default(),
    };
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    serve_mcp(server::Fixtures::new()?, settings, listener, stop).await
}
