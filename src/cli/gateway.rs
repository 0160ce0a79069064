//! `drydock gateway`.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;

use super::Exit;
use super::mcp::own_tools;
use super::serve::{callers, listen, stop_signal, unless_stopped};
use super::terminal::{BOLD, print, styled};
use crate::app::{ConnectionLimits, McpSettings, serve_mcp};
use crate::config::{
    AuthArgs, AuthMode, ClusterArgs, Place, TargetArgs, TargetSettings, ToolArgs, check_exposure, web_url,
};
use crate::mcp::{Credentials, Gateway, MCP_PATH, McpServer, Offer, RemoteToolbox, Target};
use crate::tools::Toolbox;

/// Serves the tools of several MCP servers as one, under target___tool names
///
/// Servers over HTTP, programs, and drydock's own tools. A server that does not answer loses its tools from the list, and
/// only those. x_amz_bedrock_agentcore_search finds the tools that fit a description.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct GatewayArgs {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    tools: ToolArgs,
    /// Port; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000, env = "DRYDOCK_MCP_PORT")]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", env = "DRYDOCK_HOST")]
    host: IpAddr,
    /// Keep no sessions, and take those that others make up
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

const EXAMPLES: &str = "\
Examples:
  drydock gateway --target eks=drydock: --target docs=https://docs.example.com/mcp
  drydock gateway --target files=run:mcp-server-filesystem\\ ./docs --target own=drydock: --bundle ./recorded
  drydock gateway --target eks=https://eks.example.com/mcp --target-auth eks=client:ID:env=EKS_SECRET \\
    --target-token-url eks=https://idp.example.com/oauth2/token --target-scope eks=eks/invoke \\
    --host 0.0.0.0 --issuer https://idp.example.com --allowed-client ID \\
    --required-scope gateway:read --write-scope gateway:write

How a target is told who calls (--target-auth NAME=HOW); SECRET is env=VARIABLE or file=PATH:
  bearer:SECRET           a fixed token
  header:NAME:SECRET      a header
  query:NAME:SECRET       a parameter of the query
  client:ID:SECRET        OAuth2 client credentials; a token that is refused is renewed once
  sigv4:SERVICE:REGION    AWS Signature Version 4, with the credentials of the environment
  pass-through            the caller's own token: that server can then act as the caller elsewhere, too
  Redirects are not followed, and only https, or this machine, gets credentials.

What callers may do:
  With --issuer a caller without the scope of --write-scope is offered, and can call, only what a
  target says changes nothing (readOnlyHint). Targets are believed that: name only those you trust.
  --allow-write and the other flags of tools are about drydock's own.

Exit codes:
  0   stopped on request
  2   could not start: the port is taken, or the cluster unreachable
  64  wrong usage";

pub(super) async fn run(args: GatewayArgs) -> anyhow::Result<Exit> {
    let asks = args.auth.mode() != AuthMode::None;
    check_exposure(args.host, args.allow_unauthenticated || asks)?;
    args.tools.check_callers(args.host, asks)?;
    let targets = args.targets.targets()?;
    let pass_tokens = targets.iter().any(|target| matches!(target.credentials, Credentials::PassThrough));
    ensure!(
        asks || !pass_tokens,
        "pass-through passes on the tokens of callers, and callers are asked for none: add --issuer URL"
    );
    let authenticator = args.auth.authenticator()?;
    let mut stop = pin!(stop_signal().context("signals cannot be received")?);
    let behind = unless_stopped(stop.as_mut(), behind(&targets, &args)).await?;
    let Some(behind) = behind else { return Ok(Exit::Fine) };
    let offer = Offer { pass_tokens, ..Offer::gateway(Arc::new(Gateway::new(behind)?)) };
    let listener = listen((args.host, args.port).into()).await?;
    print(&announcement(&args, &targets, listener.local_addr()?))?;
    let settings = McpSettings {
        authenticator,
        public_url: args.public_url,
        stateless: args.stateless,
        connections: ConnectionLimits::default(),
    };
    serve_mcp(McpServer::over_http(offer), settings, listener, stop).await?;
    Ok(Exit::Fine)
}

async fn behind(targets: &[TargetSettings], args: &GatewayArgs) -> anyhow::Result<Vec<Target>> {
    let mut behind = Vec::new();
    for target in targets {
        let toolbox = toolbox(target, args).await?;
        behind.push(Target { name: target.name.clone(), toolbox, timeout: args.targets.timeout() });
    }
    Ok(behind)
}

async fn toolbox(target: &TargetSettings, args: &GatewayArgs) -> anyhow::Result<Arc<dyn Toolbox>> {
    let TargetSettings { name, place, credentials } = target;
    Ok(match place {
        Place::Own => Arc::new(own_tools(&args.cluster, &args.tools).await?),
        Place::Url(url) => Arc::new(RemoteToolbox::at(name, url, credentials.clone())?),
        Place::Program(program) => Arc::new(RemoteToolbox::run(name, program.clone())),
    })
}

fn announcement(args: &GatewayArgs, targets: &[TargetSettings], address: SocketAddr) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    format!(
        "{title}\n\
         \n  listening on  http://{address}{MCP_PATH}  (MCP, Streamable HTTP)\
         \n  callers       {callers}\
         \n  targets       {targets}\n\n",
        title = styled(BOLD, "drydock serves the tools of others"),
        callers = callers(&args.auth),
        targets = names.join(", "),
    )
}
