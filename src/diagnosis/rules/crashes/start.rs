//! Containers that the runtime cannot start (FAILURES D7, D9, D12).

use serde_json::Value;

use crate::diagnosis::draft::{Draft, event, shorten};
use crate::diagnosis::facts::{Container, Facts, Read};

use super::{End, repair_command, unexplained};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::pods::{self, Group};

/// The runtime could not start the container: its command, or what it runs with.
pub(in crate::diagnosis::rules) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Draft {
    let case = group.sample();
    let Some(container) = case.container else { return unexplained(facts, group, None) };
    let end = End::of(&container);
    let ended = end.map(|end| end.value.text("/message")).filter(|message| !message.is_empty());
    let waiting = container.waiting_message();
    let backs_off = waiting.is_empty() || waiting.starts_with("back-off");
    let told = pods::events(facts, case.pod, &container)
        .find(|event| matches!(event.reason, "Failed" | "FailedPostStartHook") && event.is_warning);
    let message = match (backs_off, ended) {
        (false, _) => waiting,
        (true, Some(ended)) => ended,
        (true, None) => told.map_or(waiting, |event| event.message),
    };
    let (rule, says) = start_says(&container, message);
    let pointer = container.spec_pointer();
    group
        .draft(rule, format!("{}: container {} does not start: {says}", group.name(), container.name()))
        .cause(container.name())
        .summary(format!("The container runtime says: {}.{}", shorten(message, 400), group.impact()))
        .evidence(group.spec_field(&format!("{pointer}/command")))
        .evidence(group.spec_field(&format!("{pointer}/args")))
        .evidence(end.and_then(|end| group.status_field(&format!("{}/message", end.pointer))))
        .evidence(told.map(|found| event(&found)))
        .remedy(repair_command(group, "Correct the command, or use an image that has it"))
        .remedies(kubectl::rollback(group.workload))
}

/// The rule that a runtime's message belongs to, and the message in short.
fn start_says(container: &Container<'_>, message: &str) -> (&'static str, String) {
    let command =
        ["command", "args"].into_iter().find_map(|list| container.spec.list(&format!("/{list}")).first());
    let command = command.and_then(Value::as_str).map_or("its command".to_owned(), |word| shorten(word, 80));
    let lower = message.to_lowercase();
    let has = |sign: &str| lower.contains(sign);
    if has("executable file not found") || has("no such file or directory") {
        ("command-not-found", format!("{command} is not in the image ({})", fragment(message)))
    } else if has("permission denied") || has("is a directory") {
        ("command-not-executable", format!("{command} cannot be executed ({})", fragment(message)))
    } else if has("oom-killed") || has("memory limit too low") {
        let limit = container.spec.text("/resources/limits/memory");
        ("oom-killed", format!("its memory limit of {limit} is too low even to start (OOM)"))
    } else if has("exec format error") {
        ("wrong-architecture", "its program was built for another processor (exec format error)".to_owned())
    } else {
        ("container-start-failed", shorten(message, 160))
    }
}

/// The end of a runtime's nested message, which is the reason.
fn fragment(message: &str) -> String {
    let reason = ["exec: ", "stat ", "fork/exec "].into_iter().find_map(|sign| message.find(sign));
    shorten(message[reason.unwrap_or(0)..].trim_end_matches(": unknown"), 120)
}
