//! One request to the API server: its answer within bounds of time and size, or a [`ClusterError`] that says what to do.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::link::LinkError;
use super::{ClusterError, redact};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a log may take: a node that is gone makes the API server wait for it.
const LOG_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 128 << 20;
/// How often a request is repeated when the server asks to come back later.
const RETRIES: u32 = 3;
/// Fields of one manager that a conflict names.
const MAX_FIELDS: usize = 20;
/// The longest time that a server may ask to wait before a repetition.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Answers and their errors of a client, with the name under which the cluster appears in messages.
pub(super) struct Requests<'a> {
    pub(super) client: &'a kube::Client,
    pub(super) cluster: &'a str,
}

impl Requests<'_> {
    /// The whole answer.
    pub(super) async fn bytes(&self, path: &str) -> Result<Vec<u8>, ClusterError> {
        let read = async {
            let body = self.answer(path).await?.into_body();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| self.cut_off(error))?;
            Ok(Vec::from(body.to_bytes()))
        };
        self.within(TIMEOUT, read).await
    }

    /// The answer as JSON of a known shape.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClusterError> {
        let bytes = self.bytes(path).await?;
        serde_json::from_slice(&bytes).map_err(|error| not_kubernetes(self.cluster, &error))
    }

    /// The newest part of the answer, at most `keep` bytes.
    pub(super) async fn tail(&self, path: &str, keep: usize) -> Result<Tail, ClusterError> {
        let read = async {
            let mut body = self.answer(path).await?.into_body();
            let mut tail = Tail::default();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| self.cut_off(error.into()))?;
                if let Ok(data) = frame.into_data() {
                    tail.push(&data, keep);
                }
            }
            tail.shorten(keep);
            Ok(tail)
        };
        self.within(LOG_TIMEOUT, read).await
    }

    /// The answer to a request that is sent once: its status, success or "unsupported media type", and its JSON.
    pub(super) async fn once(&self, request: Request<Body>) -> Result<(StatusCode, Value), ClusterError> {
        let send = async {
            let sent = self.client.send(request).await;
            let response = sent.map_err(|error| unreachable(self.cluster, &error))?;
            match response.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Ok((response.status(), Value::Null)),
                StatusCode::FORBIDDEN => {
                    let said = status_of(response).await.and_then(message_of);
                    let said = said.unwrap_or_else(|| "forbidden".to_owned());
                    Err(ClusterError::Forbidden(format!("{said}; nothing was changed")))
                }
                code if code.is_success() => {
                    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
                    let bytes = body.map_err(|error| self.cut_off(error))?.to_bytes();
                    let answer = serde_json::from_slice(&bytes);
                    Ok((code, answer.map_err(|error| not_kubernetes(self.cluster, &error))?))
                }
                _ => Err(self.refusal(response).await),
            }
        };
        self.within(TIMEOUT, send).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let message = format!("the cluster {} did not answer within {} s", self.cluster, limit.as_secs());
            Err(ClusterError::Unreachable(message))
        })
    }

    /// A successful answer. A busy server is asked again when it says so.
    async fn answer(&self, path: &str) -> Result<Response<Body>, ClusterError> {
        let mut attempt = 0;
        loop {
            let request = Request::get(path).body(Body::empty());
            let request =
                request.map_err(|_| ClusterError::Invalid(format!("{path:?} is not a path of an API")))?;
            let sent = self.client.send(request).await;
            let response = sent.map_err(|error| unreachable(self.cluster, &error))?;
            if response.status().is_success() {
                return Ok(response);
            }
            match wait_before_retry(&response).filter(|_| attempt < RETRIES) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(self.refusal(response).await),
            }
            attempt += 1;
        }
    }

    async fn refusal(&self, response: Response<Body>) -> ClusterError {
        let code = response.status();
        let status = status_of(response).await;
        match status.as_ref().and_then(held_by_others) {
            Some(held) => ClusterError::Conflict(held),
            None => refused(self.cluster, code, status.and_then(message_of)),
        }
    }

    fn cut_off(&self, error: Box<dyn std::error::Error + Send + Sync>) -> ClusterError {
        if error.is::<http_body_util::LengthLimitError>() {
            return ClusterError::Invalid(format!(
                "the answer is larger than {} MiB; ask for less at a time (limit), or for one namespace",
                MAX_ANSWER >> 20
            ));
        }
        tracing::debug!(cluster = self.cluster, %error, "an answer broke off");
        ClusterError::Unreachable(format!(
            "the connection to the cluster {} broke in the middle of an answer; try again",
            self.cluster
        ))
    }
}

async fn status_of(response: Response<Body>) -> Option<Status> {
    let body = Limited::new(response.into_body(), 64 << 10).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    serde_json::from_slice(&body).ok()
}

/// The message of a refusal.
fn message_of(status: Status) -> Option<String> {
    Some(redact::text(&status.message)).filter(|message| !message.is_empty())
}

/// `"kubectl" manages .spec.replicas, .data.color; "hpa" manages …`, where that is why something was refused.
fn held_by_others(status: &Status) -> Option<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for cause in causes.filter(|cause| cause.reason == "FieldManagerConflict") {
        let manager = cause.message.split('"').nth(1).unwrap_or("another manager");
        held.entry(manager).or_default().push(&cause.field);
    }
    let held: Vec<String> = held.iter().map(|(manager, fields)| held_by(manager, fields)).collect();
    Some(redact::text(&held.join("; "))).filter(|held| !held.is_empty())
}

fn held_by(manager: &str, fields: &[&str]) -> String {
    let named = fields.iter().take(MAX_FIELDS).copied().collect::<Vec<_>>().join(", ");
    let more = match fields.len().saturating_sub(MAX_FIELDS) {
        0 => String::new(),
        more => format!(" and {more} more fields"),
    };
    format!("{manager:?} manages {named}{more}")
}

/// The newest bytes of something that may be long.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    fn push(&mut self, data: &[u8], keep: usize) {
        self.bytes.extend_from_slice(data);
        // Moving the rest to the front each time would be quadratic.
        if self.bytes.len() > keep.saturating_mul(2) {
            self.shorten(keep);
        }
    }

    fn shorten(&mut self, keep: usize) {
        if let Some(surplus) = self.bytes.len().checked_sub(keep).filter(|surplus| *surplus > 0) {
            self.bytes.drain(..surplus);
            self.cut = true;
        }
    }

    /// As text, from the first whole line on.
    pub(super) fn into_text(self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        match text.split_once('\n').filter(|_| self.cut) {
            Some((_, whole)) => whole.to_owned(),
            None => text.into_owned(),
        }
    }
}

fn wait_before_retry(response: &Response<Body>) -> Option<Duration> {
    let busy = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| busy && *wait <= LONGEST_WAIT)
}

fn refused(cluster: &str, code: StatusCode, said: Option<String>) -> ClusterError {
    let said_or = |otherwise: &str| said.clone().unwrap_or_else(|| otherwise.to_owned());
    match code {
        StatusCode::UNAUTHORIZED => ClusterError::Unreachable(format!(
            "the cluster {cluster} does not accept the credentials (401): log in again, or check the user of this context \
             with `kubectl config view --minify`"
        )),
        StatusCode::FORBIDDEN => ClusterError::Forbidden(format!(
            "{}; drydock needs get and list for what it reads (a ClusterRole such as `view`)",
            said_or("forbidden")
        )),
        StatusCode::NOT_FOUND => ClusterError::NotFound(said_or("not found")),
        StatusCode::GONE => {
            ClusterError::Expired(said_or("the continue token is too old; list again without it"))
        }
        StatusCode::METHOD_NOT_ALLOWED => ClusterError::Forbidden(said_or("not allowed")),
        code if code.is_client_error() && code != StatusCode::TOO_MANY_REQUESTS => {
            ClusterError::Invalid(said_or(&format!("the cluster {cluster} refused the request ({code})")))
        }
        // What an apply says that the kind does not know has this code.
        StatusCode::INTERNAL_SERVER_ERROR
            if said_or("").starts_with("failed to create typed patch object") =>
        {
            ClusterError::Invalid(said_or(""))
        }
        code => {
            let detail = said.map(|said| format!(": {said}")).unwrap_or_default();
            ClusterError::Unreachable(format!(
                "the cluster {cluster} answers, but cannot serve now ({code}){detail}; try again"
            ))
        }
    }
}

/// An answer that does not look like the API server's: a proxy's page, a load balancer's.
pub(super) fn not_kubernetes(cluster: &str, cause: &dyn std::error::Error) -> ClusterError {
    tracing::debug!(cluster, error = %cause, "an answer is not Kubernetes'");
    ClusterError::Unreachable(format!(
        "what answers for the cluster {cluster} is not a Kubernetes API: is the server's address in the kubeconfig right, \
         or is a proxy in the way?"
    ))
}

/// A request that got no answer.
pub(super) fn unreachable(cluster: &str, error: &kube::Error) -> ClusterError {
    // What a credential program printed may be a token.
    if !causes(error).any(|cause| cause.is::<kube::client::AuthError>()) {
        let chain: Vec<String> = causes(error).map(ToString::to_string).collect();
        tracing::debug!(cluster, error = chain.join(": "), "no answer");
    }
    ClusterError::Unreachable(format!("cannot reach the cluster {cluster}: {}", why_unreachable(error)))
}

fn causes(error: &kube::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error: &&(dyn std::error::Error + 'static)| error.source())
}

fn why_unreachable(error: &kube::Error) -> String {
    if let Some(auth) = causes(error).find_map(|cause| cause.downcast_ref::<kube::client::AuthError>()) {
        return why_no_credentials(auth);
    }
    if let Some(link) = causes(error).find_map(|cause| cause.downcast_ref::<LinkError>()) {
        return link.to_string();
    }
    if let Some(proxy) = why_no_proxy(error) {
        return proxy;
    }
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    let says = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.contains(word)));
    if says(&["certificate", "UnknownIssuer"]) {
        let detail: String = texts.last().map(|text| text.chars().take(160).collect()).unwrap_or_default();
        return format!(
            "its TLS certificate is not trusted ({detail}); is a proxy in between, or is the certificate authority (in the \
             kubeconfig: certificate-authority-data) that of another cluster?"
        );
    }
    if says(&["dns error", "failed to lookup address"]) {
        return "the server's name cannot be resolved; check the address, and whether a VPN is needed"
            .to_owned();
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            "connection refused; is it running, and is the server's address right?".to_owned()
        }
        Some(io::ErrorKind::TimedOut) => {
            "no answer; is a VPN needed, or does the API server's list of allowed addresses leave this machine out?"
                .to_owned()
        }
        _ => format!(
            "{}; check the server's address, and the network",
            texts.last().map(String::as_str).unwrap_or("no answer")
        ),
    }
}

fn why_no_credentials(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecStart(cause) if cause.kind() == io::ErrorKind::NotFound => {
            "the program that the kubeconfig names for credentials (users[].user.exec.command) is not installed, or not \
             on the PATH; for EKS it is the AWS CLI"
                .to_owned()
        }
        AuthError::AuthExecStart(cause) => format!("the kubeconfig's credential program cannot be run: {cause}"),
        AuthError::AuthExecRun { out, .. } => format!(
            "the kubeconfig's credential program failed ({}); run it by hand to see why (`kubectl config view --minify` \
             shows it), perhaps you have to log in",
            out.status
        ),
        AuthError::ReadTokenFile(cause, path) => format!("the token file {} cannot be read: {cause}", path.display()),
        _ => "the credentials in the kubeconfig cannot be used; check the user of this context with `kubectl config view \
              --minify`"
            .to_owned(),
    }
}

fn why_no_proxy(error: &kube::Error) -> Option<String> {
    let proxy = match error {
        kube::Error::ProxyProtocolUnsupported { proxy_url }
        | kube::Error::ProxyProtocolDisabled { proxy_url, .. } => proxy_url.host().unwrap_or("?"),
        _ => return None,
    };
    Some(format!(
        "it is behind the proxy {proxy} (proxy-url in the kubeconfig, or HTTPS_PROXY), which is none of http:// or \
         https://; reach it through one of these, or without one (NO_PROXY), or record it with kubectl and use --bundle"
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fits(&["one\n", "two\n"], 100, "one\ntwo\n")]
    #[case::exactly(&["one\n", "two\n"], 8, "one\ntwo\n")]
    #[case::whole_lines_only(&["one\ntw", "o\nthree\n"], 9, "three\n")]
    #[case::many_parts(&["1\n2\n3\n", "4\n5\n6\n", "7\n8\n9\n"], 5, "8\n9\n")]
    #[case::one_long_line(&["0123456789"], 4, "6789")]
    fn of_a_log_the_newest_lines_are_kept(#[case] parts: &[&str], #[case] keep: usize, #[case] text: &str) {
        let mut tail = Tail::default();
        for part in parts {
            tail.push(part.as_bytes(), keep);
            assert!(tail.bytes.len() <= 2 * keep.max(part.len()));
        }
        tail.shorten(keep);
        assert_eq!(tail.into_text(), text);
    }

    #[rstest]
    #[case(StatusCode::UNAUTHORIZED, "log in again")]
    #[case(StatusCode::FORBIDDEN, "get and list")]
    #[case(StatusCode::NOT_FOUND, "no such thing")]
    #[case(StatusCode::GONE, "no such thing")]
    #[case(StatusCode::BAD_REQUEST, "no such thing")]
    #[case(StatusCode::TOO_MANY_REQUESTS, "try again")]
    #[case(StatusCode::BAD_GATEWAY, "try again")]
    fn a_refusal_says_what_the_server_said_or_what_to_do(#[case] code: StatusCode, #[case] text: &str) {
        let error = refused("shop", code, Some("no such thing".to_owned())).to_string();
        assert!(error.contains(text), "{error}");
    }
}
