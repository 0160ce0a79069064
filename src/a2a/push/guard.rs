//! Where notifications may go, so that nobody can send this agent to a place that only it can reach.
//!
//! What a URL shows is checked when it is registered and before each delivery. What a name resolves to is checked where
//! the connection is made, by the resolver of the HTTP client: an address that is not allowed is never connected to,
//! whatever the name resolved to before.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Reach, reach};
use super::allow::AllowRule;

/// Longest URL of a receiver, in bytes.
const MAX_URL: usize = 2048;

/// Finds the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// By what right a receiver is reached, which says what its name may resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// As anyone could: HTTPS to a global address, or to one on the allow list.
    Public,
    /// Plain HTTP to a name that is not on the allow list: only to addresses that are.
    Listed,
    /// The operator vouches for the name, or for the very address.
    Named,
}

/// A name that resolves to addresses that must not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("forbidden address")]
pub(super) struct ForbiddenAddress;

/// What may be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    allow: Arc<[AllowRule]>,
}

impl Guard {
    pub(super) fn new(allow: Vec<AllowRule>) -> Self {
        Self { allow: allow.into() }
    }

    /// The URL of a receiver and how it may be reached, or what is wrong with it.
    pub(super) fn check(&self, text: &str) -> Result<(Url, Route), String> {
        if text.len() > MAX_URL {
            return Err(format!("must not be longer than {MAX_URL} bytes"));
        }
        if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err("must not contain spaces or control characters".to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("must be a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user or password; use authentication".to_owned());
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment".to_owned());
        }
        let route = self.route(&url)?;
        Ok((url, route))
    }

    fn route(&self, url: &Url) -> Result<Route, String> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let vouched = match address {
            Some(address) => self.allow.iter().any(|rule| rule.holds_socket(address, port)),
            None => self.allow.iter().any(|rule| rule.names(host, port)),
        };
        if port == 0 {
            return Err("must not have port 0".to_owned());
        }
        if vouched {
            return Ok(Route::Named);
        }
        let allows_local = self.allow.iter().any(|rule| rule.holds(Ipv4Addr::LOCALHOST.into()));
        if address.is_some_and(|address| reach(address) != Reach::Global) || (is_local(host) && !allows_local)
        {
            return Err("must not be on a private network or this machine".to_owned());
        }
        let lists_addresses = self.allow.iter().any(|rule| matches!(rule, AllowRule::Net(_)));
        match url.scheme() {
            "https" if port != 443 && port < 1024 => Err("must have port 443, or one above 1023".to_owned()),
            "https" => Ok(Route::Public),
            _ if address.is_none() && lists_addresses => Ok(Route::Listed),
            _ => Err("must begin with https://".to_owned()),
        }
    }

    /// Whether a connection to `address` may be made.
    fn admits(&self, address: IpAddr, route: Route) -> bool {
        let listed = || self.allow.iter().any(|rule| rule.holds(address));
        match (reach(address), route) {
            (Reach::Global, Route::Public | Route::Named) | (Reach::Private, Route::Named) => true,
            (Reach::Global, Route::Listed)
            | (Reach::Private, Route::Public | Route::Listed)
            | (Reach::Never, Route::Public | Route::Listed | Route::Named) => listed(),
        }
    }
}

/// Names that mean this machine, wherever they are asked.
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Resolves names for one route, and keeps what must not be connected to from the HTTP client.
pub(super) struct GuardedResolver {
    pub(super) guard: Guard,
    pub(super) route: Route,
    pub(super) lookup: Lookup,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, route) = (self.guard.clone(), self.route);
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let mut addresses = found.await?;
            let is_known = !addresses.is_empty();
            addresses.retain(|address| guard.admits(*address, route));
            if is_known && addresses.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            // Port 0 stands for the URL's.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// What the system's resolver finds.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|socket| socket.ip()).collect())
        })
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn guard(rules: &[&str]) -> Guard {
        Guard::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[rstest]
    fn public_receivers_speak_https(
        #[values(
            "https://hooks.example.com/a?b=c",
            "https://hooks.example.com:8443/",
            "https://8.8.8.8/",
            "https://[2600::1]/",
            "HTTPS://HOOKS.EXAMPLE.COM"
        )]
        url: &str,
    ) {
        assert_eq!(guard(&[]).check(url).unwrap().1, Route::Public);
    }

    #[rstest]
    #[case::not_a_url("hooks", "URL")]
    #[case::empty("", "URL")]
    #[case::plain_http("http://hooks.example.com/", "https://")]
    #[case::other_schemes("ftp://hooks.example.com/", "https://")]
    #[case::a_file("file:///etc/passwd", "https://")]
    #[case::data("data:text/plain,x", "https://")]
    #[case::a_user("https://user@hooks.example.com/", "user")]
    #[case::a_password("https://:secret@hooks.example.com/", "password")]
    #[case::a_fragment("https://hooks.example.com/#x", "fragment")]
    #[case::a_line_end("https://hooks.example.com/\r\nX: y", "control")]
    #[case::a_tab("https://ho\toks.example.com/", "control")]
    #[case::a_space("https://hooks.example.com/ ", "spaces")]
    #[case::port_of_mail("https://hooks.example.com:25/", "port 443")]
    #[case::port_of_ssh("https://hooks.example.com:22/", "port 443")]
    #[case::port_0("https://hooks.example.com:0/", "port 0")]
    #[case::loopback("https://127.0.0.1/", "private")]
    #[case::loopback_in_short("https://127.1/", "private")]
    #[case::loopback_as_a_number("https://2130706433/", "private")]
    #[case::loopback_in_hexadecimal("https://0x7f.0.0.1/", "private")]
    #[case::loopback_in_octal("https://0177.0.0.1/", "private")]
    #[case::loopback_with_a_dot("https://127.0.0.1./", "private")]
    #[case::loopback_in_wide_digits("https://127.0.0.１/", "private")]
    #[case::loopback_v6("https://[::1]/", "private")]
    #[case::loopback_mapped("https://[::ffff:127.0.0.1]/", "private")]
    #[case::metadata("https://169.254.169.254/latest/meta-data/", "private")]
    #[case::metadata_over_http("http://169.254.169.254/latest/meta-data/", "private")]
    #[case::metadata_mapped("https://[::ffff:a9fe:a9fe]/", "private")]
    #[case::this_network("https://0/", "private")]
    #[case::local_name("https://localhost/", "this machine")]
    #[case::local_name_with_a_dot("https://LOCALHOST./", "this machine")]
    #[case::below_localhost("https://a.localhost/", "this machine")]
    fn what_can_be_seen_is_refused_at_once(#[case] url: &str, #[case] problem: &str) {
        let error = guard(&[]).check(url).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }

    #[test]
    fn a_url_has_a_longest() {
        let url = format!("https://hooks.example.com/{}", "x".repeat(MAX_URL));
        assert!(guard(&[]).check(&url).unwrap_err().contains("2048"));
    }

    #[rstest]
    #[case("hooks.internal", "http://hooks.internal/", Ok(Route::Named))]
    #[case("hooks.internal:8080", "http://hooks.internal:8080/", Ok(Route::Named))]
    #[case("hooks.internal:8080", "http://hooks.internal:8081/", Err(()))]
    #[case("hooks.internal:8080", "https://hooks.internal:8443/", Ok(Route::Public))]
    #[case("127.0.0.1", "http://127.0.0.1:8080/", Ok(Route::Named))]
    #[case("127.0.0.1:8080", "http://127.0.0.1:8080/", Ok(Route::Named))]
    #[case("127.0.0.1:8080", "http://127.0.0.1:22/", Err(()))]
    #[case("10.0.0.0/8", "http://hooks.example.com/", Ok(Route::Listed))]
    #[case("10.0.0.0/8", "http://11.0.0.1/", Err(()))]
    #[case("localhost", "http://localhost:8080/", Ok(Route::Named))]
    #[case("127.0.0.1", "http://localhost:8080/", Ok(Route::Listed))]
    #[case("127.0.0.1:8080", "http://localhost:8080/", Err(()))]
    fn the_allow_list_opens_what_it_names(
        #[case] rule: &str,
        #[case] url: &str,
        #[case] expected: Result<Route, ()>,
    ) {
        assert_eq!(guard(&[rule]).check(url).map(|(_, route)| route).map_err(|_| ()), expected);
    }

    #[rstest]
    #[case::public(Route::Public, &["8.8.8.8", "10.1.0.1"], &["10.2.0.1", "127.0.0.1", "169.254.169.254", "::1"])]
    #[case::listed(Route::Listed, &["10.1.0.1"], &["8.8.8.8", "10.2.0.1", "127.0.0.1"])]
    #[case::named(Route::Named, &["8.8.8.8", "10.2.0.1", "127.0.0.1", "::1"], &["169.254.169.254", "fd00:ec2::254", "224.0.0.1", "0.0.0.0"])]
    fn each_route_admits_its_addresses(
        #[case] route: Route,
        #[case] admitted: &[&str],
        #[case] refused: &[&str],
    ) {
        let guard = guard(&["10.1.0.0/16"]);
        for address in admitted {
            assert!(guard.admits(address.parse().unwrap(), route), "{address}");
        }
        for address in refused {
            assert!(!guard.admits(address.parse().unwrap(), route), "{address}");
        }
    }
}
