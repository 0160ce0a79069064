//! The HTTP side of a connection: every request is proved anew, a token that is refused is renewed once, and no error
//! names a URL, which may hold a key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use secrecy::SecretString;
use sse_stream::Sse;

use super::credentials::{Credentials, Proof, Signed};
use super::failure::{Failure, status_of};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Error = StreamableHttpError<reqwest::Error>;
type Headers = HashMap<HeaderName, HeaderValue>;
type Stream = BoxStream<'static, Result<Sse, SseError>>;

/// An HTTP client that follows no redirects: they could lead credentials elsewhere.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Calls in the name of who has these credentials.
#[derive(Clone)]
pub(super) struct ProvedHttp {
    pub(super) http: reqwest::Client,
    pub(super) credentials: Arc<Credentials>,
    /// The caller's own token, where the credentials are the caller's.
    pub(super) caller: Option<SecretString>,
}

impl ProvedHttp {
    /// Sends with a proof, and once more with a renewed one where that is refused.
    async fn send<'a, T>(
        &self,
        url: &Arc<str>,
        headers: &Headers,
        signed: impl FnOnce() -> Signed + Send,
        send: impl Fn(Arc<str>, Headers) -> BoxFuture<'a, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let proof = self.credentials.prove(url, self.caller.as_ref(), signed).await.map_err(failed)?;
        let sent = send(Arc::clone(&proof.url), with(headers, &proof)).await;
        let sent = match sent {
            Err(error) if is_unauthorized(&error) => match self.credentials.renew(url, &proof).await {
                Some(proof) => send(Arc::clone(&proof.url), with(headers, &proof)).await,
                None => Err(error),
            },
            sent => sent,
        };
        sent.map_err(without_url)
    }
}

fn with(headers: &Headers, proof: &Proof) -> Headers {
    let mut headers = headers.clone();
    headers.extend(proof.headers.clone());
    headers
}

fn failed(failure: Failure) -> Error {
    StreamableHttpError::Io(std::io::Error::other(failure))
}

fn is_unauthorized(error: &Error) -> bool {
    match error {
        StreamableHttpError::AuthRequired(_) => true,
        StreamableHttpError::UnexpectedServerResponse(text) => status_of(text) == Some(401),
        StreamableHttpError::Client(error) => error.status() == Some(reqwest::StatusCode::UNAUTHORIZED),
        _ => false,
    }
}

fn without_url(error: Error) -> Error {
    match error {
        StreamableHttpError::Client(error) => StreamableHttpError::Client(error.without_url()),
        other => other,
    }
}

fn nothing(method: &'static str) -> Signed {
    Signed { method, body: Vec::new() }
}

impl StreamableHttpClient for ProvedHttp {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Error> {
        // The same bytes as the ones that are sent: a message is always written in the same way.
        let body = || serde_json::to_vec(&message).unwrap_or_default();
        let signed = || Signed { method: "POST", body: body() };
        let post = |url, headers| {
            let (message, session, auth) = (message.clone(), session_id.clone(), auth_header.clone());
            self.http.post_message_with_response_limits(url, message, session, auth, headers, limits).boxed()
        };
        self.send(&uri, &custom_headers, signed, post).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Error> {
        let delete = |url, headers| {
            self.http.delete_session(url, Arc::clone(&session_id), auth_header.clone(), headers).boxed()
        };
        self.send(&uri, &custom_headers, || nothing("DELETE"), delete).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<Stream, Error> {
        let limit = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            limit,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<Stream, Error> {
        let get = |url, headers| {
            let (session, last, auth) = (session_id.clone(), last_event_id.clone(), auth_header.clone());
            let http = &self.http;
            http.get_stream_with_max_sse_event_size(url, session, last, auth, headers, max_sse_event_size)
                .boxed()
        };
        self.send(&uri, &custom_headers, || nothing("GET"), get).await
    }
}
