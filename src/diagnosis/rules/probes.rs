//! Containers that run and are not ready, and those that are killed by their probes (FAILURES F, E10, E11).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::diagnosis::draft::{Draft, event, in_namespace, kubectl_name, log_line, shorten};
use crate::diagnosis::facts::{Container, Facts, KubeEvent, Read};
use crate::diagnosis::report::{Confidence, Remediation, Risk};

use super::crashes::{End, duration, repair_command};
use super::pods::{self, Group};
use super::{dependencies, kubectl, logs};

/// What is wrong between a probe and the program that it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Nothing listens there; the program listens on `listens`, or declares `declared`.
    WrongPort { asked: String, listens: Option<i64>, declared: Vec<i64> },
    /// The port's name is not declared.
    PortNameUnknown(String),
    /// The program listens on the loopback address only.
    LoopbackOnly(String),
    /// 404.
    WrongPath(String),
    /// HTTP where HTTPS is spoken, or the other way round.
    WrongScheme,
    /// 401, 403, a redirect to a login.
    NotAllowed(i64),
    /// 5xx: the program says itself that it is not well.
    Unwell(i64),
    /// No answer in time.
    Timeout,
    /// The right port, and nothing listens.
    Refused(String),
    /// The command of an exec probe is not in the image.
    CommandMissing,
    /// Something else, or unknown.
    Other,
}

/// While other pods of a workload serve, a new one may take this long, in seconds, to become ready.
const START_GRACE: i64 = 300;

impl Fault {
    /// A program that needs longer to start shows these too.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Unwell(_) | Self::Timeout | Self::Refused(_) | Self::Other)
    }
}

/// The probes of a container: member of its spec, word in events.
const PROBES: &[(&str, &str)] =
    &[("startupProbe", "Startup"), ("livenessProbe", "Liveness"), ("readinessProbe", "Readiness")];

/// A container that runs and is not ready, unless it may only need longer to start.
pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Option<Draft> {
    let container = group.sample().container?;
    let (member, word) = if is_starting(&container) { PROBES[0] } else { PROBES[2] };
    let told = newest(facts, group, word);
    let fault = fault(facts, group, &container, member, told);
    if fault.may_pass() && group.cases.iter().all(|case| has_time_left(facts, group, case)) {
        return None;
    }
    Some(not_ready(facts, group, &container, member, told, &fault))
}

/// Its startup probe has not succeeded yet; until then no other probe asks.
fn is_starting(container: &Container<'_>) -> bool {
    container.spec.get("startupProbe").is_some() && !container.status.flag("/started")
}

/// Within what its startup probe grants; or new, while other pods serve, as in a rollout.
fn has_time_left(facts: &Facts<'_>, group: &Group<'_, '_>, case: &pods::Case<'_, '_>) -> bool {
    let Some(container) = case.container else { return false };
    let since = running_for(facts, &container);
    let is_granted = is_starting(&container) && since <= granted(&container, "startupProbe");
    is_granted || (since <= START_GRACE && group.workload.ready().is_some_and(|ready| ready > 0))
}

fn running_for(facts: &Facts<'_>, container: &Container<'_>) -> i64 {
    container.running_since().map_or(0, |time| facts.seconds_since(time))
}

/// How long a container has until a probe gives up for the first time, in seconds.
fn granted(container: &Container<'_>, member: &str) -> i64 {
    let seconds =
        |field: &str, default: i64| container.spec.int(&format!("/{member}/{field}")).unwrap_or(default);
    seconds("initialDelaySeconds", 0) + seconds("periodSeconds", 10) * seconds("failureThreshold", 3)
}

fn not_ready<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    member: &str,
    told: Option<KubeEvent<'a>>,
    fault: &Fault,
) -> Draft {
    let says = says(fault, member, container);
    group
        .draft(rule(fault), format!("{} is not ready: {says}", group.name()))
        .confidence(confidence(fault, told.is_some()))
        .cause(format!("{} {member}", container.name()))
        .summary(format!(
            "Container {} has run for {}, but is not ready, so Services send it no traffic: {says}.{}",
            container.name(),
            duration(running_for(facts, container)),
            group.impact()
        ))
        .evidence(group.spec_field(&format!("{}/{member}", container.spec_pointer())))
        .evidence(group.spec_field(&format!("{}/ports", container.spec_pointer())))
        .evidence(told.map(|found| event(&found)))
        .evidence(telling_line(facts, group, container, fault))
        .explained_by(explanations(facts, group, container, fault))
        .remedy(remedy(group, container, member, fault))
        .remedies(kubectl::rollback(group.workload))
}

/// A container that the kubelet kills because a probe fails.
pub(super) fn killed<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    kill: &KubeEvent<'a>,
    word: &'static str,
) -> Draft {
    let Some(container) = group.sample().container else {
        return group.draft("liveness-probe-kills", group.name());
    };
    let member = if word == "Startup" { "startupProbe" } else { "livenessProbe" };
    let told = newest(facts, group, word);
    let fault = fault(facts, group, &container, member, told);
    let slow = is_slow_start(facts, group, &container, member, &fault);
    let says = says(&fault, member, &container);
    let name = container.name();
    let (rule, title) = match slow {
        true => (
            "startup-too-slow",
            format!("{}: container {name} is killed before it has started: {says}", group.name()),
        ),
        false => (
            "liveness-probe-kills",
            format!(
                "{}: container {name} is killed by its {} probe: {says}",
                group.name(),
                word.to_lowercase()
            ),
        ),
    };
    let lifetime = End::of(&container).and_then(|end| end.lifetime()).map(duration).unwrap_or_default();
    let (advice, more_time) = more_time(member);
    let advice = if slow { advice } else { "" };
    group
        .draft(rule, title)
        .confidence(confidence(&fault, told.is_some()))
        .cause(format!("{name} {member}"))
        .summary(format!(
            "The kubelet restarts container {name} each time its {} probe has failed too often{}: {says}.{advice}{}",
            word.to_lowercase(),
            if lifetime.is_empty() { String::new() } else { format!(" (the last instance lived {lifetime})") },
            group.impact()
        ))
        .evidence(group.spec_field(&format!("{}/{member}", container.spec_pointer())))
        .evidence(group.spec_field(&format!("{}/ports", container.spec_pointer())))
        .evidence(std::iter::once(event(kill)))
        .evidence(told.map(|found| event(&found)))
        .evidence(telling_line(facts, group, &container, &fault))
        .explained_by(explanations(facts, group, &container, &fault))
        .remedy(match slow {
            true => repair_command(group, more_time),
            false => remedy(group, &container, member, &fault),
        })
        .remedies(kubectl::rollback(group.workload))
}

/// What a program needs that is killed while it starts: advice for the summary, and the remedy.
fn more_time(member: &str) -> (&'static str, &'static str) {
    match member {
        "startupProbe" => (
            " It needs longer to start than its startup probe grants.",
            "Raise failureThreshold or periodSeconds of the startupProbe: their product is the time for the start",
        ),
        _ => (
            " It needs longer to start than the probe grants: give it a startupProbe.",
            "Add a startupProbe with enough failureThreshold × periodSeconds for the start",
        ),
    }
}

/// The newest `Unhealthy` event of a probe, of any pod of the group.
fn newest<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, word: &str) -> Option<KubeEvent<'a>> {
    let events = group.cases.iter().filter_map(|case| {
        let container = case.container?;
        pods::unhealthy(facts, case.pod, &container, word).next()
    });
    events.max_by_key(|event| event.last)
}

fn fault<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    member: &str,
    told: Option<KubeEvent<'a>>,
) -> Fault {
    let Some(probe) = container.spec.get(member) else { return Fault::Other };
    let declared = declared_ports(container);
    let Some(port) = port(probe, container) else {
        return by_message(told.map_or("", |event| event.message), probe);
    };
    let asked = match port {
        Ok(port) => port,
        Err(name) => return Fault::PortNameUnknown(name),
    };
    let refused = told.is_some_and(|event| event.message.to_lowercase().contains("connection refused"));
    let listens = listening(facts, group, container);
    let is_elsewhere = listens.as_ref().is_some_and(|(port, _)| *port != asked);
    let is_undeclared = !declared.is_empty() && !declared.contains(&asked);
    match told {
        Some(_) if refused && (is_elsewhere || is_undeclared) => {
            Fault::WrongPort { asked: asked.to_string(), listens: listens.map(|(port, _)| port), declared }
        }
        Some(_) if refused && listens.is_some_and(|(_, loopback)| loopback) => {
            Fault::LoopbackOnly(asked.to_string())
        }
        Some(_) if refused => Fault::Refused(asked.to_string()),
        Some(event) => by_message(event.message, probe),
        None if is_undeclared => {
            Fault::WrongPort { asked: asked.to_string(), listens: listens.map(|(port, _)| port), declared }
        }
        None => Fault::Other,
    }
}

/// The port that a probe asks; `Err` where it is a name that the container does not declare. None for exec probes.
fn port(probe: &Value, container: &Container<'_>) -> Option<Result<i64, String>> {
    let places = ["/httpGet/port", "/tcpSocket/port", "/grpc/port"];
    let port = places.into_iter().find_map(|place| probe.pointer(place))?;
    match port {
        Value::Number(number) => Some(Ok(number.as_i64()?)),
        Value::String(name) => Some(match name.parse::<i64>() {
            Ok(number) => Ok(number),
            Err(_) => {
                let ports = container.spec.list("/ports").iter();
                let found = ports
                    .filter(|port| port["name"] == name.as_str())
                    .find_map(|port| port.int("/containerPort"));
                found.ok_or_else(|| name.clone())
            }
        }),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn declared_ports(container: &Container<'_>) -> Vec<i64> {
    container.spec.list("/ports").iter().filter_map(|port| port.int("/containerPort")).collect()
}

/// What programs say when they listen: the address, if any, and the port.
static LISTENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:listen\w*|serving|started|running|bound|ready)\b.{0,60}?(?:(127\.0\.0\.1|localhost|0\.0\.0\.0|\[?::1?\]?|[\w.-]+)?:|port[ =:]+)(\d{2,5})\b",
    )
    .ok()
});

/// The port that the log says the program listens on, and whether on the loopback address only.
fn listening<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, container: &Container<'a>) -> Option<(i64, bool)> {
    let logs = group.cases.iter().flat_map(|case| {
        [false, true]
            .into_iter()
            .filter_map(|previous| facts.log(case.pod.object, container.name(), previous))
    });
    logs.flat_map(str::lines).find_map(listens_on)
}

/// The port on which a program says that it listens, and whether on the loopback address only.
pub(super) fn listens_on(line: &str) -> Option<(i64, bool)> {
    let found = LISTENS.as_ref()?.captures(logs::without_time(line))?;
    let loopback =
        found.get(1).is_some_and(|host| ["127.0.0.1", "localhost", "::1", "[::1]"].contains(&host.as_str()));
    Some((found[2].parse().ok()?, loopback))
}

fn by_message(message: &str, probe: &Value) -> Fault {
    let lower = message.to_lowercase();
    let has = |sign: &str| lower.contains(sign);
    let status = lower.split("statuscode:").nth(1).and_then(|rest| rest.trim().get(..3)?.parse::<i64>().ok());
    if has("http request to an https server")
        || has("http response to https client")
        || has("malformed http response")
        || has("first record does not look like a tls handshake")
    {
        Fault::WrongScheme
    } else if has("executable file not found")
        || (probe.get("exec").is_some() && has("no such file or directory"))
    {
        Fault::CommandMissing
    } else if let Some(status) = status {
        match status {
            404 => Fault::WrongPath(probe.text("/httpGet/path").to_owned()),
            400 if probe.text("/httpGet/scheme") != "HTTPS" => Fault::WrongScheme,
            401 | 403 => Fault::NotAllowed(status),
            500.. => Fault::Unwell(status),
            _ => Fault::Other,
        }
    } else if has("deadline exceeded") || has("timed out") || has("timeout") {
        Fault::Timeout
    } else if has("connection refused") {
        Fault::Refused(String::new())
    } else {
        Fault::Other
    }
}

fn rule(fault: &Fault) -> &'static str {
    match fault {
        Fault::WrongPort { .. } | Fault::PortNameUnknown(_) => "probe-wrong-port",
        Fault::WrongPath(_) => "probe-wrong-path",
        Fault::WrongScheme => "probe-wrong-scheme",
        Fault::Timeout => "probe-timeout",
        Fault::LoopbackOnly(_)
        | Fault::NotAllowed(_)
        | Fault::Unwell(_)
        | Fault::Refused(_)
        | Fault::CommandMissing
        | Fault::Other => "readiness-failing",
    }
}

fn confidence(fault: &Fault, was_told: bool) -> Confidence {
    match fault {
        Fault::PortNameUnknown(_) => Confidence::Certain,
        _ if !was_told => Confidence::Possible,
        Fault::WrongPort { listens: Some(_), .. }
        | Fault::WrongPath(_)
        | Fault::WrongScheme
        | Fault::CommandMissing => Confidence::Certain,
        _ => Confidence::Likely,
    }
}

/// `readiness probe`, with what it does.
fn probe_text(member: &str, container: &Container<'_>) -> String {
    let word = member.trim_end_matches("Probe");
    let path = container.spec.get(member).map_or("", |probe| probe.text("/httpGet/path"));
    if path.is_empty() { format!("its {word} probe") } else { format!("its {word} probe (GET {path})") }
}

fn says(fault: &Fault, member: &str, container: &Container<'_>) -> String {
    let probe = probe_text(member, container);
    let list = |ports: &[i64]| ports.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    match fault {
        Fault::WrongPort { asked, listens: Some(listens), .. } => {
            format!("{probe} asks port {asked}, where nothing listens; the program listens on {listens}")
        }
        Fault::WrongPort { asked, listens: None, declared } => {
            format!(
                "{probe} asks port {asked}, where nothing listens; the container declares {}",
                list(declared)
            )
        }
        Fault::PortNameUnknown(name) => {
            format!("{probe} asks port {name}, which the container does not declare")
        }
        Fault::LoopbackOnly(port) => {
            format!("{probe} is refused on port {port}, because the program listens on 127.0.0.1 only")
        }
        Fault::WrongPath(path) => {
            format!("{probe} asks for {}, which does not exist (404)", shorten(path, 80))
        }
        Fault::WrongScheme => format!("{probe} uses the wrong scheme (HTTP and HTTPS are mixed up)"),
        Fault::NotAllowed(status) => format!("{probe} is answered {status}: the path wants a login"),
        Fault::Unwell(status) => format!("{probe} is answered {status}"),
        Fault::Timeout => format!("{probe} gets no answer within {} s", timeout_seconds(member, container)),
        Fault::Refused(port) if port.is_empty() => format!("{probe} is refused: nothing listens"),
        Fault::Refused(port) => format!("{probe} is refused on port {port}: nothing listens there yet"),
        Fault::CommandMissing => format!("{probe} runs a command that is not in the image"),
        Fault::Other => format!("{probe} does not succeed"),
    }
}

fn timeout_seconds(member: &str, container: &Container<'_>) -> i64 {
    container.spec.int(&format!("/{member}/timeoutSeconds")).unwrap_or(1)
}

/// A program that is not well, or does not answer, may only wait for others.
fn explanations<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    fault: &Fault,
) -> Vec<crate::diagnosis::facts::Key> {
    let pod = group.sample().pod;
    match fault {
        Fault::Unwell(_) | Fault::Timeout | Fault::Refused(_) | Fault::Other => {
            let line = logs::of_ended(facts, pod, container).map_or("", |telling| telling.line);
            let named = dependencies::of_line(facts, pod.object.namespace(), line).map(|peer| peer.key());
            named.into_iter().chain(dependencies::of_pod(facts, pod)).collect()
        }
        Fault::WrongPort { .. }
        | Fault::PortNameUnknown(_)
        | Fault::LoopbackOnly(_)
        | Fault::WrongPath(_)
        | Fault::WrongScheme
        | Fault::NotAllowed(_)
        | Fault::CommandMissing => Vec::new(),
    }
}

/// The line of the log that bears the fault out.
fn telling_line<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    fault: &Fault,
) -> Option<crate::diagnosis::report::Evidence> {
    let pod = group.sample().pod;
    let wants_listening = matches!(fault, Fault::WrongPort { listens: Some(_), .. } | Fault::LoopbackOnly(_));
    let log = facts
        .log(pod.object, container.name(), false)
        .or_else(|| facts.log(pod.object, container.name(), true))?;
    let line = match wants_listening {
        true => log.lines().find(|line| line.to_lowercase().contains("listen"))?,
        false => logs::telling(log).filter(|telling| telling.complaint.is_some())?.line,
    };
    Some(log_line(pod.object, container.name(), line))
}

/// Killed at about the time at which the probe gives up for the first time, by a program that had not begun to listen.
fn is_slow_start<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    member: &str,
    fault: &Fault,
) -> bool {
    if !matches!(fault, Fault::Refused(_) | Fault::Timeout | Fault::Unwell(_)) {
        return false;
    }
    let period = container.spec.int(&format!("/{member}/periodSeconds")).unwrap_or(10);
    let longest = granted(container, member) + 30 + period;
    let lifetime = End::of(container).and_then(|end| end.lifetime());
    let never_listened = listening(facts, group, container).is_none();
    never_listened
        && lifetime.is_some_and(|lifetime| lifetime <= longest)
        && matches!(fault, Fault::Refused(_))
}

fn remedy(group: &Group<'_, '_>, container: &Container<'_>, member: &str, fault: &Fault) -> Remediation {
    let (summary, patch) = match fault {
        Fault::WrongPort { listens: Some(port), .. } => (
            "Let the probe ask the port on which the program listens",
            Some(port_patch(container, member, *port)),
        ),
        Fault::WrongPort { declared, .. } if declared.len() == 1 => (
            "Let the probe ask the port that the container declares",
            Some(port_patch(container, member, declared[0])),
        ),
        Fault::WrongPort { .. } | Fault::PortNameUnknown(_) => {
            ("Let the probe ask the port on which the program listens", None)
        }
        Fault::WrongPath(_) => ("Let the probe ask for a path that exists", None),
        Fault::WrongScheme => ("Set the probe's scheme to what the program speaks", None),
        Fault::LoopbackOnly(_) => ("Let the program listen on 0.0.0.0", None),
        Fault::NotAllowed(_) => ("Let the probe ask for a path that needs no login", None),
        Fault::Timeout => ("Find out why it answers so slowly, or raise the probe's timeoutSeconds", None),
        Fault::CommandMissing => ("Let the probe run a command that the image has", None),
        Fault::Unwell(_) | Fault::Refused(_) | Fault::Other => {
            ("Find out from its log why the program is not ready", None)
        }
    };
    let workload = &group.workload.reference;
    let check = match fault {
        Fault::Unwell(_) | Fault::Refused(_) | Fault::Other | Fault::Timeout => {
            kubectl::logs(group.sample().pod.object, container.name(), false)
        }
        _ => kubectl::describe(&group.sample().pod.object.reference()),
    };
    let command = match patch.filter(|_| kubectl::has_rollout(group.workload)) {
        Some(patch) => {
            format!("kubectl {}patch {} -p '{patch}'", in_namespace(workload), kubectl_name(workload))
        }
        None => kubectl::edit(workload),
    };
    Remediation { check, command, risk: Risk::Low, ..repair_command(group, summary) }
}

/// A strategic merge patch that sets the probe's port.
fn port_patch(container: &Container<'_>, member: &str, port: i64) -> String {
    let probe = container.spec.get(member);
    let handler = ["httpGet", "tcpSocket", "grpc"]
        .into_iter()
        .find(|handler| probe.is_some_and(|probe| probe.get(*handler).is_some()));
    serde_json::json!({ "spec": { "template": { "spec": { "containers": [
        { "name": container.name(), member: { handler.unwrap_or("httpGet"): { "port": port } } }
    ] } } } })
    .to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    fn probed(probe: &str) -> Value {
        json!({ "ports": [{ "containerPort": 8080 }], probe: { "httpGet": { "path": "/ready", "port": 9090 }, "timeoutSeconds": 1 } })
    }

    fn running() -> Value {
        json!({ "started": true, "state": { "running": { "startedAt": testing::EARLIER } } })
    }

    fn unhealthy(message: &str) -> Value {
        testing::warning("Pod", "web-1", "Unhealthy", &format!("Readiness probe failed: {message}"))
    }

    #[rstest]
    #[case::refused(
        "Get \"http://10.0.1.5:9090/ready\": dial tcp 10.0.1.5:9090: connect: connection refused",
        "probe-wrong-port"
    )]
    #[case::path("HTTP probe failed with statuscode: 404", "probe-wrong-path")]
    #[case::scheme(
        "Get \"https://x\": http: server gave HTTP response to HTTPS client",
        "probe-wrong-scheme"
    )]
    #[case::bad_request("HTTP probe failed with statuscode: 400", "probe-wrong-scheme")]
    #[case::slow(
        "Get \"http://x\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        "probe-timeout"
    )]
    #[case::unwell("HTTP probe failed with statuscode: 503", "readiness-failing")]
    #[case::login("HTTP probe failed with statuscode: 401", "readiness-failing")]
    fn the_kubelets_message_tells_probes_apart(#[case] message: &str, #[case] rule: &str) {
        let mut objects = testing::deployment("web", probed("readinessProbe"), running());
        objects.push(unhealthy(message));
        assert_eq!(testing::roots(&testing::diagnosed(objects)), [format!("{rule} Deployment/web")]);
    }

    #[test]
    fn the_port_on_which_the_program_listens_is_named_and_patched() {
        let mut objects = testing::deployment("web", probed("readinessProbe"), running());
        objects.push(unhealthy("dial tcp 10.0.1.5:9090: connect: connection refused"));
        let report = testing::diagnosed_with_log(objects, "web-1", "web", "INFO listening on 0.0.0.0:8081");
        let finding = testing::finding(&report, "probe-wrong-port");
        assert!(finding.title.contains("listens on 8081"), "{}", finding.title);
        assert!(finding.remediation[0].command.contains("\"port\":8081"), "{:?}", finding.remediation);
        assert_eq!(finding.confidence, Confidence::Certain);
    }

    #[test]
    fn a_program_on_the_loopback_address_is_told_from_a_wrong_port() {
        let mut container = probed("readinessProbe");
        container["readinessProbe"]["httpGet"]["port"] = json!(8080);
        let mut objects = testing::deployment("web", container, running());
        objects.push(unhealthy("dial tcp 10.0.1.5:8080: connect: connection refused"));
        let report = testing::diagnosed_with_log(objects, "web-1", "web", "listening on 127.0.0.1:8080");
        assert!(report.findings[0].title.contains("127.0.0.1 only"), "{}", report.findings[0].title);
    }

    #[test]
    fn a_named_port_that_is_not_declared_needs_no_event() {
        let mut container = probed("readinessProbe");
        container["readinessProbe"]["httpGet"]["port"] = json!("http");
        let report = testing::diagnosed(testing::deployment("web", container, running()));
        assert_eq!(testing::roots(&report), ["probe-wrong-port Deployment/web"]);
    }

    #[test]
    fn an_old_failure_of_a_pod_that_is_ready_is_no_finding() {
        let mut objects = testing::healthy_deployment("web", probed("readinessProbe"));
        objects.push(unhealthy("HTTP probe failed with statuscode: 503"));
        assert_eq!(testing::diagnosed(objects).findings, []);
    }

    #[rstest]
    #[case::within_its_startup_probe(json!({ "failureThreshold": 30 }), false, 8080, &[])]
    #[case::beyond_its_startup_probe(json!({ "failureThreshold": 3 }), false, 8080, &["readiness-failing Deployment/web"])]
    #[case::in_a_rollout(json!({ "failureThreshold": 3 }), true, 8080, &[])]
    #[case::time_does_not_heal_a_wrong_port(json!({ "failureThreshold": 30 }), true, 9090, &["probe-wrong-port Deployment/web"])]
    fn a_program_that_starts_is_given_time(
        #[case] probe: Value,
        #[case] others_serve: bool,
        #[case] port: i64,
        #[case] roots: &[&str],
    ) {
        let probe = testing::with(json!({ "httpGet": { "path": "/ready", "port": port } }), probe);
        let container = json!({ "ports": [{ "containerPort": 8080 }], "startupProbe": probe });
        let status =
            json!({ "started": false, "state": { "running": { "startedAt": "2026-01-01T11:58:20Z" } } });
        let mut objects = testing::deployment("web", container, status);
        objects[0]["status"]["readyReplicas"] = json!(i32::from(others_serve));
        let refused = format!("Startup probe failed: dial tcp 10.0.1.5:{port}: connect: connection refused");
        objects.push(testing::warning("Pod", "web-1", "Unhealthy", &refused));
        assert_eq!(testing::roots(&testing::diagnosed(objects)), roots);
    }

    fn killed_by(word: &str, seconds: i64, port: i64) -> Vec<Value> {
        let member = format!("{}Probe", word.to_lowercase());
        let mut container = probed(&member);
        container[&member]["httpGet"]["port"] = json!(port);
        let finished: jiff::Timestamp = "2026-01-01T11:57:00Z".parse().unwrap();
        let started = finished - jiff::SignedDuration::from_secs(seconds);
        let status = json!({
            "restartCount": 5, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 137, "reason": "Error", "startedAt": started.to_string(), "finishedAt": finished.to_string() } },
        });
        let mut objects = testing::deployment("web", container, status);
        let refused = format!("{word} probe failed: dial tcp 10.0.1.5:{port}: connect: connection refused");
        objects.push(testing::warning("Pod", "web-1", "Unhealthy", &refused));
        objects.push(testing::warning(
            "Pod",
            "web-1",
            "Killing",
            &format!("Container web failed {} probe, will be restarted", word.to_lowercase()),
        ));
        objects
    }

    #[test]
    fn a_kill_by_the_liveness_probe_is_told_from_a_crash() {
        let report = testing::diagnosed(killed_by("Liveness", 300, 9090));
        assert_eq!(testing::roots(&report), ["liveness-probe-kills Deployment/web"]);
        assert!(report.findings[0].title.contains("9090"), "{}", report.findings[0].title);
    }

    #[test]
    fn a_program_that_is_killed_before_it_listens_starts_too_slowly() {
        assert_eq!(
            testing::roots(&testing::diagnosed(killed_by("Liveness", 31, 8080))),
            ["startup-too-slow Deployment/web"]
        );
    }

    #[rstest]
    #[case::no_startup_probe("Liveness", "Add a startupProbe")]
    #[case::a_short_one("Startup", "Raise failureThreshold")]
    fn a_slow_start_is_given_time_by_a_startup_probe(#[case] word: &str, #[case] remedy: &str) {
        let report = testing::diagnosed(killed_by(word, 31, 8080));
        let finding = testing::finding(&report, "startup-too-slow");
        assert!(finding.remediation[0].summary.starts_with(remedy), "{:?}", finding.remediation);
    }

    #[test]
    fn a_503_is_explained_by_the_service_that_the_settings_name() {
        let mut container = probed("readinessProbe");
        container["env"] = json!([{ "name": "API", "value": "http://api" }]);
        let mut objects = testing::deployment("web", container, running());
        objects.push(unhealthy("HTTP probe failed with statuscode: 503"));
        objects.push(testing::service("api", "api"));
        let snapshot = testing::snapshot(objects);
        let drafts = crate::diagnosis::rules::run(&Facts::new(&snapshot));
        let service = crate::diagnosis::facts::Key::new("Service", "shop", "api");
        assert!(drafts.iter().any(|draft| draft.explained_by.contains(&service)), "{drafts:#?}");
    }
}
