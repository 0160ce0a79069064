//! Containers that the kernel kills for their memory (FAILURES E1, E3).

use crate::diagnosis::draft::{Draft, change, in_namespace, kubectl_name, log_line, sh};
use crate::diagnosis::facts::{Container, Facts, Read, quantity};
use crate::diagnosis::report::{Remediation, Risk};

use super::{End, duration};
use crate::diagnosis::rules::pods::Group;
use crate::diagnosis::rules::{kubectl, logs, revisions};

pub(super) fn check(facts: &Facts<'_>, group: &Group<'_, '_>, container: &Container<'_>) -> Draft {
    let limit = container.spec.maybe_text("/resources/limits/memory");
    let name = container.name();
    let title = match limit {
        Some(limit) => {
            format!("{}: container {name} is OOMKilled at its memory limit of {limit}", group.name())
        }
        None => format!(
            "{}: container {name} is OOMKilled; it has no memory limit, so the node ran out",
            group.name()
        ),
    };
    let mut summary = match limit {
        Some(limit) => {
            format!("The kernel kills container {name} when it needs more than its limit of {limit}.")
        }
        None => format!(
            "Container {name} has no memory limit of its own: the kernel killed it because the node had no memory left."
        ),
    };
    if let Some(lifetime) = container.last_end().and_then(|_| End::of(container)?.lifetime()) {
        summary.push_str(&format!(" It lived {} before that.", duration(lifetime)));
    }
    let heap = heap(container, limit);
    let former = former_limit(facts, group, name).filter(|former| Some(*former) != limit);
    summary.push_str(&heap.as_ref().map(|heap| format!(" {}", heap.text(limit))).unwrap_or_default());
    summary.push_str(
        &former.map(|former| format!(" The revision before had a limit of {former}.")).unwrap_or_default(),
    );
    summary.push_str(&group.impact());
    let telling = logs::of_ended(facts, group.sample().pod, container);
    let speaks_of_memory = telling.filter(|telling| {
        let line = telling.line.to_lowercase();
        ["out of memory", "outofmemory", "heap space", "heap limit", "cannot allocate"]
            .iter()
            .any(|sign| line.contains(sign))
    });
    let raised = raised(limit, heap.as_ref(), former);
    group
        .draft("oom-killed", title)
        .cause(name)
        .summary(summary)
        .evidence(group.spec_field(&format!("{}/resources/limits/memory", container.spec_pointer())))
        .evidence(heap.and_then(|heap| group.spec_field(&heap.pointer)))
        .evidence(speaks_of_memory.map(|telling| log_line(group.sample().pod.object, name, telling.line)))
        .remedy(raise_memory(group, name, limit, &raised))
        .remedies(kubectl::rollback(group.workload))
}

/// What the revision before allowed the container.
fn former_limit<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, container: &str) -> Option<&'a str> {
    let former = revisions::former_template(facts, group.workload)?.list("/spec/containers");
    former.iter().find(|spec| spec["name"] == container)?.maybe_text("/resources/limits/memory")
}

/// A limit that is enough: the former one where that was higher, else twice the present one, and room beside the heap.
fn raised(limit: Option<&str>, heap: Option<&Heap>, former: Option<&str>) -> String {
    let Some(limit) = limit.and_then(quantity::parse) else { return "<LIMIT>".to_owned() };
    let beside_heap = heap.map_or(0.0, |heap| heap.bytes * 1.5);
    let former = former.and_then(quantity::parse).filter(|former| *former > limit && *former >= beside_heap);
    quantity::show("memory", former.unwrap_or_else(|| (limit * 2.0).max(beside_heap)))
}

/// A heap that is set to about the limit or above it.
struct Heap {
    /// JSON pointer of the setting, below the pod's spec.
    pointer: String,
    flag: &'static str,
    bytes: f64,
}

impl Heap {
    fn text(&self, limit: Option<&str>) -> String {
        let heap = quantity::show("memory", self.bytes);
        format!(
            "{} lets the heap alone grow to {heap}, next to a limit of {}.",
            self.flag,
            limit.unwrap_or_default()
        )
    }
}

fn heap(container: &Container<'_>, limit: Option<&str>) -> Option<Heap> {
    let limit = quantity::parse(limit?)?;
    let pointer = container.spec_pointer();
    let environment = container.spec.list("/env").iter().enumerate();
    let environment = environment
        .filter_map(|(i, env)| Some((format!("{pointer}/env/{i}/value"), env.maybe_text("/value")?)));
    let words = ["command", "args"].into_iter().flat_map(|list| {
        let words = container.spec.list(&format!("/{list}")).iter().enumerate();
        let pointer = pointer.clone();
        words.filter_map(move |(i, word)| Some((format!("{pointer}/{list}/{i}"), word.as_str()?)))
    });
    let set = environment.chain(words).find_map(|(pointer, text)| {
        let (flag, bytes) = heap_flag(text)?;
        Some(Heap { pointer, flag, bytes })
    });
    set.filter(|heap| heap.bytes >= limit * 0.8)
}

/// `-Xmx1g` of a JVM, `--max-old-space-size=512` (MiB) of Node.js: the flag, and bytes.
fn heap_flag(text: &str) -> Option<(&'static str, f64)> {
    let after = |flag: &str| {
        let rest = &text[text.find(flag)? + flag.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        Some((number, rest[end..].chars().next()))
    };
    if let Some((number, unit)) = after("-Xmx") {
        let factor = match unit.map(|unit| unit.to_ascii_lowercase()) {
            Some('k') => 1024.0,
            Some('m') => 1_048_576.0,
            Some('g') => 1_073_741_824.0,
            _ => 1.0,
        };
        return Some(("-Xmx", number * factor));
    }
    after("--max-old-space-size=").map(|(number, _)| ("--max-old-space-size", number * 1_048_576.0))
}

fn raise_memory(group: &Group<'_, '_>, container: &str, limit: Option<&str>, raised: &str) -> Remediation {
    let workload = &group.workload.reference;
    let (namespace, name) = (in_namespace(workload), kubectl_name(workload));
    let set = |value: &str| {
        format!("kubectl {namespace}set resources {name} -c {} --limits=memory={value}", sh(container))
    };
    change(
        "Raise the memory limit, or make the program need less",
        format!("kubectl {namespace}top pod --containers"),
        set(raised),
        limit.map_or_else(|| kubectl::undo(group.workload), set),
        kubectl::verify(group.workload),
        Risk::Medium,
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("-Xms256m -Xmx2g -XX:+UseG1GC", Some(2_147_483_648.0))]
    #[case("--max-old-space-size=512", Some(536_870_912.0))]
    #[case("-Xmx", None)]
    #[case("nothing", None)]
    fn heap_sizes_are_read(#[case] text: &str, #[case] bytes: Option<f64>) {
        assert_eq!(heap_flag(text).map(|(_, bytes)| bytes), bytes);
    }
}
