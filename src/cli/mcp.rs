//! `drydock mcp`.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;

use super::Exit;
use super::serve::{listen, stop_signal, unless_stopped};
use super::terminal::{BOLD, print, styled};
use crate::app::{ConnectionLimits, McpSettings, environment, serve_mcp};
use crate::config::{ApprovalMode, AuthArgs, AuthMode, ClusterArgs, ToolArgs, check_exposure, web_url};
use crate::mcp::{MCP_PATH, McpServer, Offer, serve_stdio};
use crate::tools::Registry;

/// Serves the tools to MCP clients: editors, assistants, agents
///
/// On stdin and stdout, for a client that starts it, or with --http on the network. Offers the tools of the EKS MCP
/// server under their names, and drydock's own: root causes without a language model. Reads only, unless --allow-write.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct McpArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    tools: ToolArgs,
    /// Serve over HTTP (Streamable HTTP at /mcp) instead of stdin and stdout
    #[arg(long, env = "DRYDOCK_MCP_HTTP")]
    pub(super) http: bool,
    /// Port with --http; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000, env = "DRYDOCK_MCP_PORT")]
    port: u16,
    /// Address to listen on with --http
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", env = "DRYDOCK_HOST")]
    host: IpAddr,
    /// Keep no sessions with --http, and take those that others make up: for Amazon Bedrock AgentCore Runtime, and for
    /// several replicas behind one address
    #[arg(long, env = "DRYDOCK_MCP_STATELESS")]
    stateless: bool,
    /// URL under which clients reach it, without /mcp [default: the host that each client asks]
    #[arg(long, value_name = "URL", env = "DRYDOCK_PUBLIC_URL", value_parser = web_url)]
    public_url: Option<String>,
    /// Serve beyond this machine although callers are not authenticated
    #[arg(long, env = "DRYDOCK_ALLOW_UNAUTHENTICATED")]
    allow_unauthenticated: bool,
    #[command(flatten)]
    auth: AuthArgs,
}

const EXAMPLES: &str = r#"Examples:
  drydock mcp --allow-sensitive-data                 for the configuration of a client, see below
  drydock mcp --bundle ./recorded --http             a recorded cluster, at http://127.0.0.1:8000/mcp
  drydock mcp --allow-write --deny-namespace kube-system --audit changes.jsonl
  drydock mcp --http --host 0.0.0.0 --issuer https://idp.example.com --required-scope tools

In the configuration of a client:
  { "mcpServers": { "drydock": { "command": "drydock", "args": ["mcp", "--allow-sensitive-data"] } } }

Changes:
  With --allow-write the tools that change something are offered, too. Each answers with its plan
  first. A client that can ask its user does so; others call again with the plan's token. Over HTTP
  with --issuer, a caller needs the scope of --write-scope besides.

Inside Amazon Bedrock AgentCore Runtime:
  drydock mcp --http --host 0.0.0.0 --stateless --auth platform

Exit codes:
  0   the client closed the connection, or stopped on request
  2   could not start: the port is taken, or the cluster unreachable
  64  wrong usage"#;

pub(super) async fn run(args: McpArgs) -> anyhow::Result<Exit> {
    let mut stop = pin!(stop_signal().context("signals cannot be received")?);
    if args.http {
        return over_http(args, stop).await;
    }
    ensure!(args.auth.mode() == AuthMode::None, "a client on stdin is not asked for a token: add --http");
    let Some(offer) = unless_stopped(stop.as_mut(), offer(&args)).await? else { return Ok(Exit::Fine) };
    if std::io::stdin().is_terminal() {
        eprintln!(
            "drydock: speaking MCP on stdin and stdout; clients start this, people want drydock diagnose"
        );
    }
    serve_stdio(offer, stop).await?;
    Ok(Exit::Fine)
}

async fn over_http(args: McpArgs, mut stop: Pin<&mut impl Future<Output = ()>>) -> anyhow::Result<Exit> {
    let asks = args.auth.mode() != AuthMode::None;
    check_exposure(args.host, args.allow_unauthenticated || asks)?;
    args.tools.check_callers(args.host, asks)?;
    let authenticator = args.auth.authenticator()?;
    let Some(offer) = unless_stopped(stop.as_mut(), offer(&args)).await? else { return Ok(Exit::Fine) };
    let listener = listen((args.host, args.port).into()).await?;
    print(&announcement(&args, listener.local_addr()?))?;
    let settings = McpSettings {
        authenticator,
        public_url: args.public_url,
        stateless: args.stateless,
        connections: ConnectionLimits::default(),
    };
    serve_mcp(McpServer::over_http(offer), settings, listener, stop).await?;
    Ok(Exit::Fine)
}

async fn offer(args: &McpArgs) -> anyhow::Result<Offer> {
    Ok(Offer::own(Arc::new(own_tools(&args.cluster, &args.tools).await?)))
}

/// drydock's own tools, on what these flags name.
pub(super) async fn own_tools(cluster: &ClusterArgs, tools: &ToolArgs) -> anyhow::Result<Registry> {
    let environment = Box::pin(environment(&cluster.source(), tools.gate()?)).await?;
    Ok(Registry::standard(environment).keeping(tools.keep_cut.saturating_mul(1 << 20)))
}

fn announcement(args: &McpArgs, address: SocketAddr) -> String {
    let reads = if args.tools.allow_sensitive_data { "read" } else { "read, but for logs and events" };
    let changes = match (args.tools.allow_write, args.tools.approval) {
        (false, _) => "",
        (true, Some(ApprovalMode::None)) => "; change what they are asked to, unapproved",
        (true, _) => "; change what is approved",
    };
    format!(
        "{title}\n\
         \n  listening on  http://{address}{MCP_PATH}  (MCP, Streamable HTTP)\
         \n  callers       {callers}\
         \n  tools may     {reads}{changes}\n\n",
        title = styled(BOLD, "drydock serves its tools"),
        callers = super::serve::callers(&args.auth),
    )
}
