//! Web pages of elsewhere must not reach an agent on this machine through the browser of who works here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

/// What is served at this address, without what pages of elsewhere send. Where only this machine is let in, and asked
/// nothing (`anonymous`), pages must not reach it by another name either; `public_host` is one that is its own.
pub(super) fn guarded(router: Router, address: IpAddr, anonymous: bool, public_host: Option<&str>) -> Router {
    let router = router.layer(middleware::from_fn(refuse_foreign_pages));
    if !anonymous || !address.to_canonical().is_loopback() {
        return router;
    }
    let known: Option<Arc<str>> = public_host.map(Arc::from);
    router.layer(middleware::from_fn_with_state(known, refuse_foreign_hosts))
}

/// Refuses what a page of another site sends.
async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    match foreign_origin(request.headers()) {
        None => next.run(request).await,
        Some(origin) => {
            tracing::warn!(%origin, "refused a request of a web page");
            (StatusCode::FORBIDDEN, "Web pages of other sites may not call this agent\n").into_response()
        }
    }
}

/// Refuses what was sent to a name that is not this machine's: a page whose own name leads here (DNS rebinding) is of
/// the same site for its browser, which then says no `Origin`. `known` is the host of the agent's public URL.
async fn refuse_foreign_hosts(
    State(known): State<Option<Arc<str>>>,
    request: Request,
    next: Next,
) -> Response {
    match foreign_host(request.headers(), known.as_deref()) {
        None => next.run(request).await,
        Some(host) => {
            tracing::warn!(%host, "refused a request to a host that is not this agent's");
            let text = "This agent answers as localhost, as 127.0.0.1 and at its --public-url: ask it there, or \
                        start it with the --public-url of the host that you asked\n";
            (StatusCode::FORBIDDEN, text).into_response()
        }
    }
}

/// The `Origin` of a page that is not of this machine.
fn foreign_origin(headers: &HeaderMap) -> Option<String> {
    let origin = String::from_utf8_lossy(headers.get(header::ORIGIN)?.as_bytes()).into_owned();
    let host = origin.split_once("://").map_or("", |(_, authority)| host_of(authority));
    (!is_local(host)).then_some(origin)
}

/// The `Host` of a request, where it is neither this machine nor known.
fn foreign_host(headers: &HeaderMap, known: Option<&str>) -> Option<String> {
    let authority = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
    let authority = String::from_utf8_lossy(authority).into_owned();
    let host = host_of(&authority);
    let is_ours = is_local(host) || known.is_some_and(|known| host.eq_ignore_ascii_case(known));
    (!is_ours).then_some(authority)
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn headers(name: HeaderName, value: Option<&'static str>) -> HeaderMap {
        value.map(|value| (name, HeaderValue::from_static(value))).into_iter().collect()
    }

    #[rstest]
    #[case::an_agent(None, false)]
    #[case::this_machine(Some("http://localhost:8501"), false)]
    #[case::this_machine_by_address(Some("http://127.0.0.1:8501"), false)]
    #[case::this_machine_v6(Some("http://[::1]:8501"), false)]
    #[case::elsewhere(Some("https://evil.example"), true)]
    #[case::looks_local(Some("https://localhost.evil.example"), true)]
    #[case::a_sandbox(Some("null"), true)]
    fn pages_of_elsewhere_are_refused(#[case] origin: Option<&'static str>, #[case] foreign: bool) {
        assert_eq!(foreign_origin(&headers(header::ORIGIN, origin)).is_some(), foreign);
    }

    #[rstest]
    #[case::this_machine(Some("localhost:9000"), false)]
    #[case::in_capitals(Some("LOCALHOST"), false)]
    #[case::this_machine_by_address(Some("127.0.0.1:9000"), false)]
    #[case::another_address_of_it(Some("127.8.8.8"), false)]
    #[case::this_machine_v6(Some("[::1]:9000"), false)]
    #[case::the_public_host(Some("Agent.example:443"), false)]
    #[case::elsewhere(Some("evil.example:9000"), true)]
    #[case::looks_local(Some("localhost.evil.example"), true)]
    #[case::looks_local_by_address(Some("127.0.0.1.evil.example"), true)]
    #[case::looks_public(Some("agent.example.evil.example"), true)]
    #[case::another_machine(Some("10.0.0.7:9000"), true)]
    #[case::nothing(None, true)]
    fn pages_of_elsewhere_are_refused_by_any_name(#[case] host: Option<&'static str>, #[case] foreign: bool) {
        assert_eq!(foreign_host(&headers(header::HOST, host), Some("agent.example")).is_some(), foreign);
    }
}
