//! Settings: what the command line and the environment say. The only reader of the environment (`DRYDOCK_*` through
//! clap, and the variables that say where a user keeps data and whether a terminal wants colours).

mod auth;
mod targets;
mod tools;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use secrecy::SecretString;

pub use auth::{AuthArgs, AuthMode};
pub use targets::{Named, Place, TargetArgs, TargetSettings, ToolServerArgs};
pub use tools::{ApprovalMode, ToolArgs};

use crate::a2a::AllowRule;
use crate::agent::Budget;
use crate::cluster::ClusterSource;

/// Which cluster a command works on.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Recorded cluster instead of a live one: a directory or a .tar.gz
    #[arg(long, value_name = "PATH", env = "DRYDOCK_BUNDLE", conflicts_with = "context")]
    pub bundle: Option<PathBuf>,
    /// Context of the kubeconfig [default: in-cluster service account, else the current context]
    #[arg(long, value_name = "NAME", env = "DRYDOCK_CONTEXT")]
    pub context: Option<String>,
    /// EKS cluster by its name or ARN, with the credentials and the region that AWS tools use (AWS_PROFILE, AWS_REGION…)
    /// [without NAME: any that these can see; one command on one cluster takes the only one of the region]
    #[arg(
        long,
        value_name = "NAME",
        env = "DRYDOCK_EKS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with_all = ["bundle", "context"]
    )]
    pub eks: Option<String>,
}

impl ClusterArgs {
    /// The cluster that these arguments mean.
    pub fn source(&self) -> ClusterSource {
        match (&self.bundle, &self.context, &self.eks) {
            (Some(path), _, _) => ClusterSource::Bundle(path.clone()),
            (None, Some(context), _) => ClusterSource::Context(context.clone()),
            (None, None, Some(name)) => {
                ClusterSource::Eks(Some(name.clone()).filter(|name| !name.is_empty()))
            }
            (None, None, None) => ClusterSource::Infer,
        }
    }
}

/// Where a server listens and what it may cost.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Port of the A2A server; 0 picks a free one
    #[arg(long, default_value_t = 9000, env = "DRYDOCK_PORT")]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", env = "DRYDOCK_HOST")]
    pub host: IpAddr,
    /// Serve beyond this machine although callers are not authenticated
    #[arg(long, env = "DRYDOCK_ALLOW_UNAUTHENTICATED")]
    pub allow_unauthenticated: bool,
    /// URL under which clients reach this server, for the agent card [default: the address it listens on, or the host that each client asks where it listens on all]
    #[arg(long, value_name = "URL", env = "DRYDOCK_PUBLIC_URL", value_parser = web_url)]
    pub public_url: Option<String>,
    /// The URL of this agent on AgentCore Runtime, which sets the variable; it counts more than the public URL
    #[arg(long, value_name = "URL", env = "AGENTCORE_RUNTIME_URL", value_parser = web_url, hide = true)]
    pub agentcore_runtime_url: Option<String>,
    /// Private key (PEM: P-256, Ed25519 or RSA) to sign the agent card with; several while one replaces another
    #[arg(long, value_name = "FILE", env = "DRYDOCK_CARD_KEY", value_delimiter = ',')]
    pub card_key: Vec<PathBuf>,
    /// Agent card to serve instead of the built-in one
    #[arg(long, value_name = "FILE", env = "DRYDOCK_CARD")]
    pub card: Option<PathBuf>,
    /// Tasks that are worked on at the same time; others wait
    #[arg(long, value_name = "N", default_value_t = 64, env = "DRYDOCK_MAX_CONCURRENT_TASKS")]
    pub max_concurrent_tasks: usize,
    /// Tasks of one caller that are worked on or wait at the same time; further ones are refused with 429
    #[arg(long, value_name = "N", default_value_t = 2048, env = "DRYDOCK_MAX_TASKS_PER_CALLER")]
    pub max_tasks_per_caller: usize,
    /// Requests of one caller in a second, twice as many in a burst; further ones are refused with 429 [default: no limit]
    #[arg(long, value_name = "N", env = "DRYDOCK_MAX_REQUESTS_PER_SECOND")]
    pub max_requests_per_second: Option<NonZeroU32>,
    /// Receiver of push notifications that may be on a private network and speak plain HTTP: HOST, *.SUFFIX, HOST:PORT,
    /// ADDRESS or ADDRESS/BITS; may be repeated
    #[arg(long, value_name = "RECEIVER", env = "DRYDOCK_PUSH_ALLOW", value_delimiter = ',')]
    pub push_allow: Vec<AllowRule>,
    /// Time limit of one task, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, env = "DRYDOCK_TASK_TIMEOUT")]
    pub task_timeout: u64,
    /// Who may call.
    #[command(flatten)]
    pub auth: AuthArgs,
}

impl ServerArgs {
    /// The budget of one task.
    pub fn budget(&self) -> Budget {
        Budget { time: Duration::from_secs(self.task_timeout), ..Budget::default() }
    }

    /// Refuses a bind that would let everyone on the network in without saying so.
    pub fn check_exposure(&self) -> anyhow::Result<()> {
        check_exposure(self.host, self.allow_unauthenticated || self.auth.mode() != AuthMode::None)
    }
}

/// An absolute http or https URL, as it was written.
pub fn web_url(url: &str) -> Result<String, String> {
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url.to_owned()),
        Ok(_) | Err(_) => {
            Err("an http or https URL is needed, such as https://drydock.example.com".to_owned())
        }
    }
}

/// Refuses to listen where others reach a cluster through drydock, unless that is `allowed` aloud.
pub fn check_exposure(host: IpAddr, allowed: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        host.is_loopback() || allowed,
        "{host} is not a loopback address and callers are not authenticated: anyone who reaches it could read this \
         cluster through drydock. Listen on 127.0.0.1, let callers authenticate (serve --issuer URL), or say \
         --allow-unauthenticated if something in front of it checks who calls"
    );
    Ok(())
}

/// What is said in a list; an empty environment variable says nothing.
fn said(values: &[String]) -> BTreeSet<String> {
    values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// What is logged. Logs go to stderr, and never hold bodies or tokens.
#[derive(Debug, Clone, Default, Args)]
pub struct LogArgs {
    /// What to log: off, error, warn, info, debug, trace, or a filter such as drydock=debug,warn
    #[arg(long, value_name = "FILTER", env = "DRYDOCK_LOG", global = true, help_heading = "Logging")]
    pub log: Option<String>,
    /// How to write log lines
    #[arg(long, value_name = "FORMAT", env = "DRYDOCK_LOG_FORMAT", global = true, help_heading = "Logging")]
    pub log_format: Option<LogFormat>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where tasks are kept when `--data` does not say: `$XDG_DATA_HOME/drydock`, else `~/.local/share/drydock`.
#[expect(clippy::disallowed_methods, reason = "this module is the reader of the environment")]
pub fn default_data_dir() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    base.or_else(home).map(|base| base.join("drydock"))
}

/// The secret of this machine at an identity provider: from a file, else from `DRYDOCK_CLIENT_SECRET`. Not from the
/// command line, which other users of a machine can read.
///
/// # Errors
/// The file cannot be read.
#[expect(clippy::disallowed_methods, reason = "this module is the reader of the environment")]
pub fn client_secret(file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    let secret = match file {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .with_context(|| format!("the client secret in {} cannot be read", file.display()))?,
        ),
        None => std::env::var("DRYDOCK_CLIENT_SECRET").ok(),
    };
    Ok(secret
        .map(|secret| secret.trim().to_owned())
        .filter(|secret| !secret.is_empty())
        .map(SecretString::from))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        server: ServerArgs,
    }

    #[rstest]
    #[case::loopback(&["x", "--host", "127.0.0.1"], true)]
    #[case::loopback_v6(&["x", "--host", "::1"], true)]
    #[case::everywhere(&["x", "--host", "0.0.0.0"], false)]
    #[case::said_aloud(&["x", "--host", "0.0.0.0", "--allow-unauthenticated"], true)]
    #[case::authenticated(&["x", "--host", "0.0.0.0", "--issuer", "https://idp.example.com"], true)]
    #[case::by_the_platform(&["x", "--host", "0.0.0.0", "--auth", "platform"], true)]
    #[case::asking_nobody(&["x", "--host", "0.0.0.0", "--auth", "none"], false)]
    fn a_bind_off_loopback_has_to_be_said_aloud(#[case] arguments: &[&str], #[case] allowed: bool) {
        let cli = Cli::try_parse_from(arguments).expect("these arguments are right");
        assert_eq!(cli.server.check_exposure().is_ok(), allowed);
    }
}
