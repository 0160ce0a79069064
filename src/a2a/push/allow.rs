//! Receivers that the operator vouches for: they may be on a private network, and may speak plain HTTP.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::Url;

use super::address::plain;

/// A receiver, or several, that the operator vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowRule {
    /// Addresses, on every port: `10.1.0.0/16`, `127.0.0.1`.
    Net(IpNet),
    /// One address and port: `127.0.0.1:8080`.
    Socket(SocketAddr),
    /// A name, on one port where that is given: `hooks.internal`, `hooks.internal:8080`.
    Host {
        /// The name, in lower case.
        name: String,
        /// The port.
        port: Option<u16>,
    },
    /// All names below one: `*.svc.cluster.local`.
    Suffix {
        /// What they end in, with its first dot.
        suffix: String,
        /// The port.
        port: Option<u16>,
    },
}

/// A text that is no [`AllowRule`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of HOST, *.SUFFIX, HOST:PORT, ADDRESS and ADDRESS/BITS")]
pub struct AllowRuleError(String);

impl FromStr for AllowRule {
    type Err = AllowRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AllowRuleError(text.to_owned());
        let text = text.trim();
        if text.contains('/') {
            return text.parse().map(|net: IpNet| Self::Net(net.trunc())).map_err(|_| wrong());
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Net(plain(address).into()));
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self::Socket(SocketAddr::new(plain(socket.ip()), socket.port())));
        }
        let (host, port) = match text.split_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
        };
        match host.strip_prefix("*.") {
            Some(suffix) => {
                Ok(Self::Suffix { suffix: format!(".{}", name(suffix).ok_or_else(wrong)?), port })
            }
            None => Ok(Self::Host { name: name(host).ok_or_else(wrong)?, port }),
        }
    }
}

/// A name as it stands in a URL: in lower case, and in ASCII.
fn name(text: &str) -> Option<String> {
    if text.is_empty() || text.contains(['*', '@', '?', '#', '\\', ' ']) {
        return None;
    }
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    (host.parse::<IpAddr>().is_err() && !host.starts_with('[') && !host.is_empty()).then(|| host.to_owned())
}

impl AllowRule {
    /// True where the rule is about this name and port.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.');
        let same_port = |rule: &Option<u16>| rule.is_none_or(|rule| rule == port);
        match self {
            Self::Host { name, port } => host == name && same_port(port),
            Self::Suffix { suffix, port } => host.ends_with(suffix.as_str()) && same_port(port),
            Self::Net(_) | Self::Socket(_) => false,
        }
    }

    /// True where the rule is about this address, whatever the port.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&plain(address)),
            Self::Socket(_) | Self::Host { .. } | Self::Suffix { .. } => false,
        }
    }

    /// True where the rule is about this address and port.
    pub(super) fn holds_socket(&self, address: IpAddr, port: u16) -> bool {
        match self {
            Self::Socket(socket) => *socket == SocketAddr::new(plain(address), port),
            Self::Net(_) | Self::Host { .. } | Self::Suffix { .. } => self.holds(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("hooks.internal", "hooks.internal", 443, true)]
    #[case("hooks.internal", "hooks.internal.", 443, true)]
    #[case("Hooks.Internal", "hooks.internal", 8080, true)]
    #[case("hooks.internal", "evil-hooks.internal", 443, false)]
    #[case("hooks.internal:8080", "hooks.internal", 8080, true)]
    #[case("hooks.internal:8080", "hooks.internal", 8081, false)]
    #[case("*.svc.cluster.local", "a.b.svc.cluster.local", 80, true)]
    #[case("*.svc.cluster.local", "svc.cluster.local", 80, false)]
    #[case("*.svc.cluster.local", "evilsvc.cluster.local", 80, false)]
    #[case("*.svc.cluster.local:80", "a.svc.cluster.local", 81, false)]
    #[case("파드.example", "xn--hy1bl68c.example", 443, true)]
    fn names_are_whole_and_ports_count(
        #[case] rule: &str,
        #[case] host: &str,
        #[case] port: u16,
        #[case] expected: bool,
    ) {
        let rule: AllowRule = rule.parse().unwrap();
        assert_eq!(rule.names(host, port), expected, "{rule:?}");
    }

    #[rstest]
    #[case("10.1.2.3/16", "10.1.255.255", 80, true)]
    #[case("10.1.0.0/16", "10.2.0.0", 80, false)]
    #[case("10.1.0.0/16", "::ffff:10.1.0.1", 80, true)]
    #[case("127.0.0.1", "127.0.0.1", 9, true)]
    #[case("127.0.0.1:8080", "127.0.0.1", 8080, true)]
    #[case("127.0.0.1:8080", "127.0.0.1", 8081, false)]
    #[case("[fd00::1]", "fd00::1", 9, true)]
    #[case("fd00::/16", "fd00::2", 9, true)]
    #[case("[fd00::1]:443", "fd00::1", 443, true)]
    fn addresses_are_found_in_any_spelling(
        #[case] rule: &str,
        #[case] address: &str,
        #[case] port: u16,
        #[case] expected: bool,
    ) {
        let rule: AllowRule = rule.parse().unwrap();
        assert_eq!(rule.holds_socket(address.parse().unwrap(), port), expected, "{rule:?}");
    }

    #[rstest]
    fn what_is_no_rule_is_refused(
        #[values(
            "",
            "*",
            "*.",
            "a.*",
            "a b",
            "https://a",
            "a/b",
            "a:b",
            "a:70000",
            "10.0.0.0/33",
            "a@b",
            "127.1"
        )]
        text: &str,
    ) {
        assert!(text.parse::<AllowRule>().is_err());
    }
}
