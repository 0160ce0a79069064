//! What the end of a container's log says about why it ended.

use crate::diagnosis::facts::{Facts, Pod};

/// Lines at the end of a log that are looked at.
const LINES: usize = 80;

/// What kind of trouble a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    /// Something on the network does not answer or is not found.
    Unreachable,
    /// A peer does not accept the credentials.
    Credentials,
    /// The Kubernetes API does not allow it (RBAC).
    Forbidden,
    /// A setting is missing or wrong.
    Setting,
    /// The file system or the kernel does not allow it.
    Permission,
    /// The port is taken.
    PortTaken,
    /// A disk is full.
    DiskFull,
    /// A certificate is not accepted.
    Certificate,
    /// The program for another processor.
    Architecture,
    /// A file is not there.
    FileMissing,
    /// An error of another kind.
    Other,
}

/// Fragments of lines in lower case. The first kind that matches is taken.
#[rustfmt::skip]
const SIGNS: &[(Complaint, &[&str])] = &[
    (Complaint::Architecture, &["exec format error"]),
    (Complaint::Forbidden, &["is forbidden: user"]),
    (Complaint::Credentials, &["password authentication failed", "wrongpass", "noauth", "access denied for user", "authentication failed", "invalid credentials", "invalid password", "login failed", "unable to authenticate", "authentication required"]),
    (Complaint::Certificate, &["x509:", "certificate has expired", "certificate signed by unknown", "certificate verify failed", "pkix path", "ssl handshake"]),
    (Complaint::PortTaken, &["address already in use", "eaddrinuse", "port is already allocated"]),
    (Complaint::DiskFull, &["no space left on device", "disk quota exceeded", "enospc"]),
    (Complaint::Unreachable, &["connection refused", "econnrefused", "i/o timeout", "no such host", "enotfound", "eai_again", "etimedout", "temporary failure in name resolution", "name or service not known", "nodename nor servname", "unknownhostexception", "unknown host", "could not connect", "cannot connect", "can't connect", "unable to connect", "failed to connect", "could not resolve host", "connection timed out", "connect timeout", "no route to host", "connection reset by peer", "econnreset", "server misbehaving", "servfail", "communications link failure", "host is unreachable", "network is unreachable", "could not translate host name", "no address associated", "connection closed", "deadline exceeded", "timed out connecting", "refused to connect", "connectexception", "unavailable: ", "cannot reach", "could not reach", "is unreachable"]),
    (Complaint::Setting, &["environment variable", "env var", "missing required", "must be set", "is not set", "not set:", "is required", "required setting", "required config", "missing config", "missing key", "keyerror", "could not resolve placeholder", "invalid config", "configuration error", "config error", "bad configuration", "failed to parse", "cannot parse", "could not parse", "parse error", "parsing error", "error parsing", "unmarshal", "yaml:", "toml:", "unknown flag", "unknown option", "unrecognized option", "unrecognized argument", "unknown command", "flag provided but not defined", "invalid value", "invalid argument", "illegal option", "undefined variable", "unsupported value", "missing property", "no configuration", "unknown directive", "emerg]", "missing environment"]),
    (Complaint::Permission, &["permission denied", "eacces", "operation not permitted", "eperm", "read-only file system", "erofs", "accessdenied", "access denied", "unauthorizedoperation", "not authorized to perform"]),
    (Complaint::FileMissing, &["no such file or directory", "enoent", "filenotfound", "cannot find module", "modulenotfounderror", "no module named", "cannot open"]),
    (Complaint::Other, &["panic:", "fatal", "exception", "traceback", "error", "critical", "unhandled", "abort", "segmentation fault", "failed"]),
];

impl Complaint {
    pub(super) fn of(line: &str) -> Option<Self> {
        let line = line.to_lowercase();
        SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| line.contains(sign))).map(|(kind, _)| *kind)
    }
}

/// The line of a log that tells most, and what it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Telling<'a> {
    pub(super) line: &'a str,
    pub(super) complaint: Option<Complaint>,
}

/// The last line with a specific complaint; else the last error; else the last line.
pub(super) fn telling(log: &str) -> Option<Telling<'_>> {
    let lines: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    let complaining = |wanted: fn(Complaint) -> bool| {
        let found =
            lines.iter().find_map(|line| Some((*line, Complaint::of(line).filter(|kind| wanted(*kind))?)));
        found.map(|(line, complaint)| Telling { line, complaint: Some(complaint) })
    };
    complaining(|kind| kind != Complaint::Other)
        .or_else(|| complaining(|_| true))
        .or_else(|| lines.first().map(|line| Telling { line, complaint: None }))
}

/// What the log of a container's newest ended instance tells. While it waits for its next start, the current log is that
/// of the instance that ended last.
pub(super) fn of_ended<'a>(
    facts: &Facts<'a>,
    pod: &Pod<'a>,
    container: &crate::diagnosis::facts::Container<'a>,
) -> Option<Telling<'a>> {
    let log = |previous| facts.log(pod.object, container.name(), previous).and_then(telling);
    let order = if container.is_running() { [true, false] } else { [false, true] };
    let specific = |found: &Telling<'_>| found.complaint.is_some();
    let all: Vec<Telling<'a>> = order.into_iter().filter_map(log).collect();
    all.iter().copied().find(specific).or_else(|| all.first().copied())
}

/// How a peer fails to answer, as a predicate: the difference matters (FAILURES 1.4).
pub(super) fn how_unreachable(line: &str) -> &'static str {
    let line = line.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| line.contains(sign));
    if has(&["refused", "econnrefused"]) {
        "refuses connections"
    } else if has(&[
        "no such host",
        "enotfound",
        "unknown host",
        "unknownhost",
        "not known",
        "could not resolve",
    ]) {
        "cannot be resolved"
    } else if has(&["eai_again", "temporary failure", "server misbehaving", "servfail"]) {
        "cannot be resolved: DNS does not answer"
    } else if has(&["timeout", "timed out", "etimedout", "deadline"]) {
        "does not answer in time"
    } else if has(&["reset"]) {
        "resets connections"
    } else {
        "cannot be reached"
    }
}

/// The text of a line without the time at its beginning.
pub(super) fn without_time(line: &str) -> &str {
    let line = line.trim();
    match line.split_once(char::is_whitespace) {
        Some((first, rest)) if first.parse::<jiff::Timestamp>().is_ok() => rest.trim_start(),
        Some(_) | None => line,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ERROR connect to loans-db:5432: connection refused", Complaint::Unreachable)]
    #[case("Error: getaddrinfo EAI_AGAIN redis", Complaint::Unreachable)]
    #[case("Caused by: java.net.UnknownHostException: orders-db", Complaint::Unreachable)]
    #[case("FATAL: password authentication failed for user \"app\"", Complaint::Credentials)]
    #[case("pods is forbidden: User \"system:serviceaccount:a:b\" cannot list", Complaint::Forbidden)]
    #[case("KeyError: 'DATABASE_URL'", Complaint::Setting)]
    #[case("panic: environment variable DB_HOST is not set", Complaint::Setting)]
    #[case("nginx: [emerg] unknown directive \"listn\" in /etc/nginx/nginx.conf:3", Complaint::Setting)]
    #[case("open /data/x: permission denied", Complaint::Permission)]
    #[case("listen tcp :8080: bind: address already in use", Complaint::PortTaken)]
    #[case("exec /app/server: exec format error", Complaint::Architecture)]
    #[case("panic: runtime error: index out of range", Complaint::Other)]
    fn lines_are_understood(#[case] line: &str, #[case] complaint: Complaint) {
        assert_eq!(Complaint::of(line), Some(complaint));
    }

    #[rstest]
    #[case::the_last_specific_one(
        "error: connection refused by db:1\nretrying\nKeyError: 'X'\nerror: exiting",
        "KeyError: 'X'"
    )]
    #[case::any_error("ready\npanic: oh no\ngoroutine 1", "panic: oh no")]
    #[case::the_last_line("starting\nbye", "bye")]
    fn the_most_telling_line_is_taken(#[case] log: &str, #[case] line: &str) {
        assert_eq!(telling(log).map(|telling| telling.line), Some(line));
    }

    #[test]
    fn an_empty_log_tells_nothing() {
        assert_eq!(telling("\n \n"), None);
    }
}
