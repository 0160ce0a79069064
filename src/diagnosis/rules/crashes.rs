//! Containers that start and end, again and again (FAILURES E).

mod memory;
mod start;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::diagnosis::draft::{Draft, field, log_line, shorten};
use crate::diagnosis::facts::{Container, ContainerRole, Facts, Key, KubeEvent, Pod, Read};
use crate::diagnosis::report::{Confidence, Remediation, Risk};

use super::dependencies::{self, Dependency};
use super::logs::{self, Complaint, Telling};
use super::pods::{self, Group};
use super::{kubectl, probes};

pub(super) use start::check as check_start;

/// How the newest instance of a container ended.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) value: &'a Value,
    /// Where that stands, below the container's status.
    pub(super) pointer: &'static str,
    pub(super) code: i64,
}

impl<'a> End<'a> {
    pub(super) fn of(container: &Container<'a>) -> Option<Self> {
        let (value, pointer) = container.last_end()?;
        Some(Self { value, pointer, code: value.int("/exitCode").unwrap_or(-1) })
    }

    fn reason(&self) -> &'a str {
        self.value.text("/reason")
    }

    /// How long the instance lived, in seconds.
    pub(super) fn lifetime(&self) -> Option<i64> {
        let (started, finished) = (self.value.time("/startedAt")?, self.value.time("/finishedAt")?);
        Some(finished.duration_since(started).as_secs().max(0))
    }
}

pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Draft {
    let case = group.sample();
    let Some((container, end)) = case.container.and_then(|container| Some((container, End::of(&container)?)))
    else {
        return unexplained(facts, group, None);
    };
    let killed = probe_kill(facts, case.pod, &container);
    let draft = match (end.reason(), end.code, killed) {
        ("OOMKilled", ..) => memory::check(facts, group, &container),
        (_, _, Some((kill, probe))) => probes::killed(facts, group, &kill, probe),
        (_, 0, None) if container.role != ContainerRole::Init => completes(group, &container, &end),
        (_, _, None) => by_log(facts, group, &container, &end),
    };
    let restarts = if container.restarts() > 0 { group.status_field("/restartCount") } else { None };
    draft
        .evidence(group.status_field(&format!("{}/reason", end.pointer)))
        .evidence(group.status_field(&format!("{}/exitCode", end.pointer)))
        .evidence(restarts)
}

/// The `Killing` event of a probe, and which probe it was.
fn probe_kill<'a>(
    facts: &Facts<'a>,
    pod: &Pod<'a>,
    container: &Container<'a>,
) -> Option<(KubeEvent<'a>, &'static str)> {
    pods::events(facts, pod, container).filter(|event| event.reason == "Killing").find_map(|event| {
        let probes = [("failed liveness probe", "Liveness"), ("failed startup probe", "Startup")];
        let (_, probe) = probes.into_iter().find(|(sign, _)| event.message.contains(sign))?;
        Some((event, probe))
    })
}

fn completes(group: &Group<'_, '_>, container: &Container<'_>, end: &End<'_>) -> Draft {
    let name = container.name();
    let lifetime =
        end.lifetime().map(|lifetime| format!(" after {}", duration(lifetime))).unwrap_or_default();
    let pointer = container.spec_pointer();
    group
        .draft(
            "container-completes",
            format!("{}: container {name} ends with exit code 0 (Completed) and is restarted", group.name()),
        )
        .cause(name)
        .summary(format!(
            "The program of container {name} ends well{lifetime}, but the pod's restartPolicy is Always, so it is started again with growing pauses. Its command is no long-running process: a shell without a command, a program that goes into the background, or a one-off task that should be a Job.{}",
            group.impact()
        ))
        .evidence(group.spec_field(&format!("{pointer}/command")))
        .evidence(group.spec_field(&format!("{pointer}/args")))
        .evidence(group.spec_field("/restartPolicy"))
        .remedy(repair_command(group, "Give it a command that stays in the foreground, or make it a Job"))
        .remedies(kubectl::rollback(group.workload))
}

/// Edits the workload: for faults in a command or setting, where only a person knows the right one.
pub(super) fn repair_command(group: &Group<'_, '_>, summary: &str) -> Remediation {
    crate::diagnosis::draft::change(
        summary,
        kubectl::get(&group.workload.reference, "yaml"),
        kubectl::edit(&group.workload.reference),
        kubectl::undo(group.workload),
        kubectl::verify(group.workload),
        Risk::Low,
    )
}

/// What a rule about an ending program is called, and what its title says.
struct Verdict {
    rule: &'static str,
    says: String,
    confidence: Confidence,
}

fn by_log<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, container: &Container<'a>, end: &End<'a>) -> Draft {
    let pod = group.sample().pod;
    let telling = logs::of_ended(facts, pod, container);
    let dependency = telling
        .filter(|telling| is_about_a_peer(telling))
        .and_then(|telling| dependencies::of_line(facts, pod.object.namespace(), telling.line));
    let verdict = verdict(facts, end, telling, dependency.as_ref());
    let is_init = container.role == ContainerRole::Init;
    let rule = if is_init { "init-container-fails" } else { verdict.rule };
    let which = if is_init {
        format!("init container {} fails", container.name())
    } else {
        format!("container {} crashes", container.name())
    };
    let title = format!("{}: {which}: {}", group.name(), verdict.says);
    let namespace = pod.object.namespace();
    group
        .draft(rule, title)
        .confidence(verdict.confidence)
        .cause(format!("{} {}", container.name(), verdict.rule))
        .summary(crash_summary(facts, group, container, end, telling, dependency.as_ref()))
        .explained_by(explanations(facts, pod, telling, dependency.as_ref()))
        .evidence(telling.map(|telling| log_line(pod.object, container.name(), telling.line)))
        .evidence(dependency.iter().filter(|dependency| !dependency.exists).map(|dependency| {
            let text = format!("there is no Service {} in namespace {namespace}", dependency.service.name);
            crate::diagnosis::draft::absent(dependency.service.clone(), text)
        }))
        .evidence(dependency.as_ref().and_then(|dependency| {
            let service =
                facts.get("Service", dependency.service.namespace.as_deref()?, &dependency.service.name)?;
            dependency.wrong_port(facts)?;
            field(service, "/spec/ports")
        }))
        .remedy(crash_remedy(group, container, verdict.rule))
        .remedies(kubectl::rollback(group.workload))
}

fn is_about_a_peer(telling: &Telling<'_>) -> bool {
    matches!(
        telling.complaint,
        Some(Complaint::Unreachable | Complaint::Credentials | Complaint::Other) | None
    )
}

/// What would explain a crash: the Service that its log names; where the log says nothing of its own, any Service that its
/// settings name.
fn explanations(
    facts: &Facts<'_>,
    pod: &Pod<'_>,
    telling: Option<Telling<'_>>,
    dependency: Option<&Dependency>,
) -> Vec<Key> {
    if let Some(dependency) = dependency {
        return vec![dependency.key()];
    }
    match telling.and_then(|telling| telling.complaint) {
        None | Some(Complaint::Unreachable) => dependencies::of_pod(facts, pod).into_iter().collect(),
        Some(_) => Vec::new(),
    }
}

fn verdict(
    facts: &Facts<'_>,
    end: &End<'_>,
    telling: Option<Telling<'_>>,
    dependency: Option<&Dependency>,
) -> Verdict {
    let line = telling.map(|telling| shorten(logs::without_time(telling.line), 160)).unwrap_or_default();
    let of = |rule, says: String, confidence| Verdict { rule, says, confidence };
    let likely = Confidence::Likely;
    match (telling.and_then(|telling| telling.complaint), dependency) {
        (Some(Complaint::Architecture), _) => of(
            "wrong-architecture",
            "its program was built for another processor (exec format error)".to_owned(),
            likely,
        ),
        (Some(Complaint::Unreachable), Some(peer)) => {
            of("app-dependency-unavailable", peer_says(facts, peer, &line), likely)
        }
        (Some(Complaint::Unreachable), None) => of("app-dependency-unavailable", line, likely),
        (Some(Complaint::Setting | Complaint::FileMissing), _) => of("app-config-error", line, likely),
        (Some(Complaint::Permission | Complaint::Forbidden | Complaint::Credentials), _) => {
            of("app-permission-denied", line, likely)
        }
        _ if matches!(end.code, 126 | 127) => of("command-not-found", exit_says(end), likely),
        (Some(_), _) => of("app-crash", line, likely),
        (None, _) => of("app-crash", exit_says(end), Confidence::Possible),
    }
}

fn peer_says(facts: &Facts<'_>, peer: &Dependency, line: &str) -> String {
    let service = &peer.service.name;
    let address = if peer.address.starts_with(service.as_str()) {
        format!("Service {}", peer.address)
    } else {
        format!("Service {service} ({})", peer.address)
    };
    match (peer.exists, peer.wrong_port(facts)) {
        (false, _) => format!("it needs {}, but there is no Service {service}", peer.address),
        (true, Some(ports)) => {
            let ports: Vec<String> = ports.iter().map(i64::to_string).collect();
            format!("it uses {}, but Service {service} offers port {}", peer.address, ports.join(", "))
        }
        (true, None) => format!("{address} {}", logs::how_unreachable(line)),
    }
}

/// ` There is no Service order-db; orders-db may be meant.`
fn no_service(facts: &Facts<'_>, peer: &Dependency) -> String {
    let meant = peer.meant(facts).map(|meant| format!("; {meant} may be meant")).unwrap_or_default();
    format!(" There is no Service {}{meant}.", peer.service.name)
}

/// What an exit code means (FAILURES 1.3).
fn exit_says(end: &End<'_>) -> String {
    let meaning = match end.code {
        0 => "it ended without an error",
        2 => "misuse of a shell builtin, or a Go panic",
        126 => "the command cannot be executed",
        127 => "the command was not found",
        132 => "SIGILL: an instruction that this processor does not have",
        134 => "SIGABRT: the program aborted",
        135 => "SIGBUS: often /dev/shm is too small",
        136 => "SIGFPE",
        137 => "SIGKILL",
        139 => "SIGSEGV: segmentation fault",
        143 => "SIGTERM",
        255 => "a failure of the runtime or the node, or a general error",
        _ => "an error of the program",
    };
    format!("exit code {} ({meaning})", end.code)
}

fn crash_summary<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    container: &Container<'a>,
    end: &End<'a>,
    telling: Option<Telling<'a>>,
    dependency: Option<&Dependency>,
) -> String {
    let lifetime =
        end.lifetime().map(|lifetime| format!(" after {}", duration(lifetime))).unwrap_or_default();
    let mut text = format!("Container {} ends{lifetime}: {}.", container.name(), exit_says(end));
    match telling {
        Some(telling) => {
            text.push_str(&format!(" Its log says: “{}”.", shorten(logs::without_time(telling.line), 300)))
        }
        None => text.push_str(" Its log could not be read or is empty."),
    }
    if let Some(peer) = dependency {
        let says = match (peer.exists, peer.wrong_port(facts).is_some()) {
            (false, _) => no_service(facts, peer),
            (true, true) => format!(" Service {} does not offer that port.", peer.service.name),
            (true, false) => format!(" The address is that of Service {}.", peer.service.name),
        };
        text.push_str(&says);
    }
    text.push_str(&group.impact());
    text
}

fn crash_remedy(group: &Group<'_, '_>, container: &Container<'_>, rule: &str) -> Remediation {
    let summary = match rule {
        "app-dependency-unavailable" => {
            "Make what it needs available, or correct the address in its settings"
        }
        "app-config-error" => "Correct the setting that the log names",
        "app-permission-denied" => "Give it the right that the log names, or correct its credentials",
        "wrong-architecture" => "Use an image that is built for the node's processor",
        _ => "Correct the program or its settings",
    };
    let check = kubectl::logs(group.sample().pod.object, container.name(), container.restarts() > 0);
    Remediation { check, ..repair_command(group, summary) }
}

fn unexplained(facts: &Facts<'_>, group: &Group<'_, '_>, container: Option<&Container<'_>>) -> Draft {
    let name = container.map_or("", |container| container.name());
    group
        .draft("app-crash", format!("{} crashes again and again", group.name()))
        .confidence(Confidence::Possible)
        .cause(name)
        .summary(format!(
            "The kubelet backs off from restarting it, and neither status nor log says why.{}",
            group.impact()
        ))
        .explained_by(dependencies::of_pod(facts, group.sample().pod))
        .evidence(group.status_field("/state/waiting/message"))
        .remedy(repair_command(group, "Read its log, and correct the program or its settings"))
}

/// An init container that runs and runs.
pub(super) fn check_init_wait<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Draft {
    let pod = group.sample().pod;
    let Some(container) = group.sample().container else { return unexplained(facts, group, None) };
    let log = facts.log(pod.object, container.name(), false);
    let line = log.and_then(|log| log.lines().rev().find(|line| !line.trim().is_empty()));
    let words = ["command", "args"].into_iter().flat_map(|list| container.spec.list(&format!("/{list}")));
    let waits_for =
        line.and_then(|line| dependencies::of_line(facts, pod.object.namespace(), line)).or_else(|| {
            words
                .filter_map(Value::as_str)
                .find_map(|word| dependencies::of_line(facts, pod.object.namespace(), word))
        });
    let says = match (&waits_for, line) {
        (Some(peer), _) if !peer.exists => {
            format!("it waits for {}, but there is no such Service", peer.address)
        }
        (Some(peer), _) => format!("it waits for {}", peer.address),
        (None, Some(line)) => shorten(logs::without_time(line), 120),
        (None, None) => "its log says nothing".to_owned(),
    };
    let since = container.running_since().map_or(0, |time| facts.seconds_since(time));
    group
        .draft(
            "init-container-waits",
            format!("{}: init container {} does not end: {says}", group.name(), container.name()),
        )
        .confidence(Confidence::Likely)
        .cause(container.name())
        .summary(format!(
            "Init container {} has run for {} and does not end, so the pod's containers are not started.{}{}",
            container.name(),
            duration(since),
            waits_for
                .as_ref()
                .filter(|peer| !peer.exists)
                .map(|peer| no_service(facts, peer))
                .unwrap_or_default(),
            group.impact()
        ))
        .explained_by(match &waits_for {
            Some(peer) => vec![peer.key()],
            None => dependencies::of_pod(facts, pod).into_iter().collect(),
        })
        .evidence(group.status_field("/state/running/startedAt"))
        .evidence(line.map(|line| log_line(pod.object, container.name(), line)))
        .evidence(group.spec_field(&format!("{}/command", container.spec_pointer())))
        .remedy(Remediation {
            check: kubectl::logs(pod.object, container.name(), false),
            ..repair_command(group, "Make what it waits for available, or correct what it waits for")
        })
}

/// `4 s`, `11 min`, `3 h`.
pub(super) fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
