//! The tools of another MCP server as a toolbox.
//!
//! - Nothing is asked before the first use. All callers share one connection, unless the credentials are the caller's.
//! - What certainly was not done is tried again, a few times with pauses; what may have been done is not, unless it only
//!   reads. A session that the server lost is renewed.
//! - How long a call may take is its caller's decision: a call that is dropped or canceled is canceled at the server.

mod connection;
mod convert;
mod credentials;
mod failure;
mod fetched;
mod handler;
mod http;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Url;
use rmcp::model::{CallToolRequestParams, CallToolResult, JsonObject};
use serde_json::Value;

use crate::auth::{ProviderError, checked};
use crate::tools::{CallContext, ToolError, ToolOutcome, ToolSpec, Toolbox, bound};

pub use connection::Program;
pub use credentials::Credentials;
pub use failure::Failure;

use connection::{Connector, Listed, Live};
use fetched::Fetched;

/// How often something is tried that certainly was not done.
const ATTEMPTS: u32 = 4;
/// The pause after the first attempt; each one after it is three times as long.
const PAUSE: Duration = Duration::from_millis(150);

/// Why there is no toolbox for a server.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Not a URL that its credentials may go to.
    #[error(transparent)]
    Insecure(#[from] ProviderError),
    /// Not the URL of a server.
    #[error(
        "{0:?} is no address of an MCP server: it has to be a URL like https://host/mcp, without a password"
    )]
    Url(String),
    /// There is no HTTP client.
    #[error("no HTTP client can be made: check the proxy variables and the system's certificates")]
    Http,
}

/// The tools of another MCP server.
pub struct RemoteToolbox {
    name: String,
    connector: Arc<Connector>,
    live: Fetched<Arc<Live>>,
    listed: Fetched<Listed>,
}

impl RemoteToolbox {
    /// The server at a URL, which is called `name` in errors. The URL is used as it is.
    ///
    /// # Errors
    /// It is no URL, or not one that credentials may go to: they need https, or this machine.
    pub fn at(name: &str, url: &str, credentials: Credentials) -> Result<Self, RemoteError> {
        if credentials.are_secret() {
            checked(url, "the address of a server that gets credentials")?;
        } else if !is_server(url) {
            return Err(RemoteError::Url(without_password(url)));
        }
        let http = http::client().map_err(|_| RemoteError::Http)?;
        Ok(Self::of(name, Connector::Http { url: url.into(), http, credentials: Arc::new(credentials) }))
    }

    /// A program that is run with the first use, and again when it has ended.
    pub fn run(name: &str, program: Program) -> Self {
        Self::of(name, Connector::Program(program))
    }

    fn of(name: &str, connector: Connector) -> Self {
        let (live, listed) = (Fetched::default(), Fetched::default());
        Self { name: name.to_owned(), connector: Arc::new(connector), live, listed }
    }

    /// The connection, and whether it is a new one.
    async fn live(&self, cx: &CallContext) -> Result<(Arc<Live>, bool), Failure> {
        if self.connector.is_per_caller() {
            return Ok((self.connector.connect(cx.session.bearer.clone()).await?, true));
        }
        let known = self.live.known();
        let connector = Arc::clone(&self.connector);
        let connect = || async move { connector.connect(None).await }.boxed();
        let live = self.live.get(|live| live.is_open(), connect).await?;
        let is_new = known.is_none_or(|known| !Arc::ptr_eq(&known, &live));
        Ok((live, is_new))
    }

    /// Asks, again where that does no harm. `only_reads`: asking twice does no harm.
    async fn ask<'a, T>(
        &self,
        cx: &CallContext,
        only_reads: bool,
        ask: impl Fn(Arc<Live>) -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let mut attempt = 1;
        loop {
            let (asked, is_new) = match self.live(cx).await {
                Ok((live, is_new)) => {
                    (ask(Arc::clone(&live)).await.inspect_err(|failure| live.fails(failure)), is_new)
                }
                Err(failure) => (Err(failure), true),
            };
            match asked {
                Err(failure) if attempt < ATTEMPTS && is_worth_trying(&failure, is_new, only_reads) => {
                    tracing::debug!(server = self.name, attempt, %failure, "asking a server again");
                }
                ended => return ended,
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    /// The tools; those that were listed a short while ago, unless they have changed.
    async fn tools(&self, cx: &CallContext) -> Result<Arc<[ToolSpec]>, Failure> {
        let shared = !self.connector.is_per_caller();
        let list = |live: Arc<Live>| {
            async move {
                if !shared {
                    return live.list().await;
                }
                let list = || Arc::clone(&live).listed().boxed();
                self.listed.get(|listed| listed.is_fresh_from(&live), list).await
            }
            .boxed()
        };
        Ok(self.ask(cx, true, list).await?.tools)
    }

    async fn try_call(
        &self,
        name: &str,
        arguments: Value,
        cx: &CallContext,
    ) -> Result<CallToolResult, Failure> {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            Value::Null => JsonObject::new(),
            _ => return Err(Failure::Refused("the arguments must be an object".to_owned())),
        };
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        let call = |live: Arc<Live>| {
            let params = params.clone();
            async move { live.call(params, cx).await }.boxed()
        };
        self.ask(cx, self.only_reads(name), call).await
    }

    /// True of tools that are known, and say that they change nothing.
    fn only_reads(&self, name: &str) -> bool {
        let known = self.listed.known();
        let known = known.as_ref().and_then(|listed| listed.tools.iter().find(|tool| tool.name == name));
        known.is_some_and(|tool| tool.annotations.read_only_hint)
    }

    /// True where the server is the matter. Of the token of one caller nothing follows for the others.
    fn blames(&self, failure: &Failure) -> bool {
        let is_of_caller = matches!(failure, Failure::Unauthorized | Failure::NoCredentials(_));
        failure.is_of_server() && !(is_of_caller && self.connector.is_per_caller())
    }

    /// For the caller, who may log it. A list of before says nothing about a server that fails.
    fn told(&self, failure: &Failure) -> String {
        if self.blames(failure) {
            self.listed.forget();
            tracing::debug!(server = self.name, %failure, "a server was of no use");
        }
        format!("{} {failure}", self.name)
    }
}

/// True where asking again may help and cannot do something twice.
fn is_worth_trying(failure: &Failure, is_new: bool, only_reads: bool) -> bool {
    match failure {
        failure if failure.is_harmless() => true,
        Failure::Lost => only_reads,
        // A server that was started anew may not know the session any more; it says so before it does anything.
        failure => failure.ends_connection() && !is_new,
    }
}

/// Longer with each attempt, and never the same for two that wait.
fn pause(attempt: u32) -> Duration {
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 4;
    PAUSE * 3_u32.pow(attempt - 1) + Duration::from_millis(jitter)
}

async fn until_canceled<T>(
    cx: &CallContext,
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cx.cancellation.cancelled() => Err(Failure::Canceled),
        asked = asked => asked,
    }
}

fn is_server(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let known = matches!(url.scheme(), "http" | "https");
        known && url.has_host() && url.username().is_empty() && url.password().is_none()
    })
}

/// What stands before an `@` may be a password.
fn without_password(url: &str) -> String {
    let shown = url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"));
    failure::words(&shown)
}

#[async_trait]
impl Toolbox for RemoteToolbox {
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        match until_canceled(cx, self.tools(cx)).await {
            Ok(tools) => Ok(tools.to_vec()),
            Err(Failure::Canceled) => Err(ToolError::Canceled),
            Err(failure) if self.blames(&failure) => Err(ToolError::Remote(self.told(&failure))),
            Err(failure) => Err(ToolError::Refused(self.told(&failure))),
        }
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        match until_canceled(cx, self.try_call(name, arguments, cx)).await {
            Ok(result) => bound(convert::outcome(result), cx.max_bytes, None),
            Err(Failure::Canceled) => ToolOutcome::failed(ToolError::Canceled.to_string()),
            Err(failure) => {
                ToolOutcome { unreachable: self.blames(&failure), ..ToolOutcome::failed(self.told(&failure)) }
            }
        }
    }
}

impl fmt::Debug for RemoteToolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteToolbox").field("name", &self.name).finish_non_exhaustive()
    }
}
