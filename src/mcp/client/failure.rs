//! Why another server did not do what was asked.

use reqwest::StatusCode;
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use crate::tools::{plain, shorten};

/// Largest answer that is read, in bytes.
pub(super) const MAX_ANSWER: usize = 8 << 20;
/// Characters of another server's words that are passed on in an error.
const MAX_WORDS: usize = 500;

/// Why another server did not do what was asked. `Display` goes on after the server's name: one line, with the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody is there. Nothing was asked.
    #[error("cannot be reached: check that it runs, and its address")]
    Unreachable,
    /// It took the connection and said nothing.
    #[error("does not answer: check that it runs, and that its address is that of an MCP server")]
    Silent,
    /// The program is not there, or ended at once.
    #[error(
        "cannot be started as {0:?}: check that the program is there, and run it by hand to see what it says"
    )]
    NotStarted(String),
    /// The connection broke while it was working.
    #[error(
        "broke off before it answered: what was asked may have been done or not, so look before you ask again"
    )]
    Lost,
    /// What proves who we are could not be had.
    #[error("was not asked, because there are no credentials for it: {0}")]
    NoCredentials(String),
    /// Its credentials are the caller's, and the caller has none.
    #[error("was not asked: it needs the caller's own token, and this call came without one")]
    NoCaller,
    /// It does not know who we are.
    #[error("refuses the credentials that it is given (HTTP 401): check those of this target")]
    Unauthorized,
    /// It knows who we are, and does not let us.
    #[error(
        "does not let these credentials do that (HTTP 403): give them the scope or the right that it asks for"
    )]
    Forbidden,
    /// It is asked too often.
    #[error("is asked too often (HTTP 429): wait some seconds and try again")]
    Limited,
    /// Another HTTP status.
    #[error("answered HTTP {0}{hint}", hint = hint(*.0))]
    Status(u16),
    /// Its answer is longer than anyone reads.
    #[error("answered more than {} MiB: ask for less", MAX_ANSWER >> 20)]
    TooLarge,
    /// It has more pages of tools, or more of them in bytes, than anyone reads.
    #[error("lists its tools without end: it repeats its pages, or has too many, or too long ones")]
    Endless,
    /// It is no MCP server.
    #[error(
        "does not answer as an MCP server does: check that its address is that of the MCP endpoint, often /mcp"
    )]
    NotUnderstood,
    /// JSON-RPC's error.
    #[error("refused it: {0}")]
    Refused(String),
    /// It asks a person for something in between.
    #[error(
        "asks a person for an approval or for more before it does that, which cannot be passed on: have it approved \
         there, or call that server without this one in between"
    )]
    NeedsInput,
    /// The caller did not want to wait.
    #[error("canceled")]
    Canceled,
}

impl Failure {
    /// True where nothing was done, so that it can be asked again without harm.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self, Self::Unreachable | Self::NotStarted(_) | Self::Limited)
    }

    /// True where a new connection may help.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Lost | Self::Status(400 | 404 | 410) | Self::NotUnderstood | Self::NotStarted(_))
    }

    /// True where the server, and not what it was asked, is the matter.
    pub(super) fn is_of_server(&self) -> bool {
        match self {
            Self::Unreachable
            | Self::Silent
            | Self::NotStarted(_)
            | Self::Lost
            | Self::NoCredentials(_)
            | Self::Unauthorized
            | Self::Endless
            | Self::NotUnderstood => true,
            Self::Status(status) => *status >= 500 || *status == 404,
            Self::NoCaller
            | Self::Forbidden
            | Self::Limited
            | Self::TooLarge
            | Self::Refused(_)
            | Self::NeedsInput
            | Self::Canceled => false,
        }
    }

    /// Why a request came to nothing.
    pub(super) fn of_request(error: &ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Refused(words(&error.message)),
            ServiceError::TransportSend(error) => Self::of_transport(error),
            // Not by the caller, who does not wait for this answer then: the connection is being closed.
            ServiceError::Cancelled { .. } => Self::Lost,
            ServiceError::Timeout { .. } => Self::Silent,
            ServiceError::UnexpectedResponse => Self::NotUnderstood,
            ServiceError::InputRequiredRoundsExceeded { .. } => Self::NeedsInput,
            _ => Self::Lost,
        }
    }

    /// Why there is no connection.
    pub(super) fn of_start(error: &ClientInitializeError) -> Self {
        match error {
            ClientInitializeError::TransportError { error, .. } => Self::of_transport(error),
            ClientInitializeError::JsonRpcError(error) => Self::Refused(words(&error.message)),
            ClientInitializeError::LegacyFallbackFailed { fallback, .. } => Self::of_start(fallback),
            ClientInitializeError::ConnectionClosed(_) => Self::Lost,
            _ => Self::NotUnderstood,
        }
    }

    fn of_transport(error: &DynamicTransportError) -> Self {
        match error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
            Some(error) => Self::of_http(error),
            None => Self::Lost,
        }
    }

    fn of_http(error: &StreamableHttpError<reqwest::Error>) -> Self {
        match error {
            StreamableHttpError::Client(error) if error.is_connect() || error.is_builder() => {
                Self::Unreachable
            }
            StreamableHttpError::HttpStatus(error) => Self::of_status(error.status),
            StreamableHttpError::AuthRequired(_) => Self::Unauthorized,
            StreamableHttpError::InsufficientScope(_) => Self::Forbidden,
            StreamableHttpError::UnexpectedServerResponse(text) => match status_of(text) {
                Some(status) => Self::of_status(status),
                None => Self::NotUnderstood,
            },
            StreamableHttpError::ResponseBodyTooLarge { .. } => Self::TooLarge,
            StreamableHttpError::UnexpectedContentType(_) | StreamableHttpError::Deserialize(_) => {
                Self::NotUnderstood
            }
            StreamableHttpError::Io(error) => {
                let failure = error.get_ref().and_then(|error| error.downcast_ref::<Self>());
                failure.cloned().unwrap_or(Self::Lost)
            }
            _ => Self::Lost,
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            429 => Self::Limited,
            status => Self::Status(status),
        }
    }
}

/// The status that the transport puts in front of what it does not understand: `HTTP 302 Found: …`.
pub(super) fn status_of(text: &str) -> Option<u16> {
    let status = text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()?;
    StatusCode::from_u16(status).ok().map(|status| status.as_u16())
}

fn hint(status: u16) -> &'static str {
    match status {
        300..400 => ": it redirects, which is not followed; give the address that it redirects to",
        404 => ": check the path of its address, often /mcp",
        405 | 406 | 415 => ": check that its address is that of the MCP endpoint",
        500.. => ": try again later, and look at its log if that does not help",
        _ => "",
    }
}

/// What another server says, for an error: one short line.
pub(super) fn words(text: &str) -> String {
    shorten(plain(text).trim(), MAX_WORDS)
}
