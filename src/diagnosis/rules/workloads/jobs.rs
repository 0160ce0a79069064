//! Jobs that fail or never end (FAILURES J5, E15).

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, advice, change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Container, ContainerRole, Facts, Key, KubeEvent, Object, Pod, Read, Workload};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;

/// A failure that is older, in seconds, is history.
const RECENT: i64 = 24 * 3600;
/// Failed attempts after which a Job that still tries is in trouble.
const MANY_FAILURES: i64 = 3;
/// A container that runs this long, in seconds, after the others of a Job have ended keeps it from ending.
const LEFT_BEHIND: i64 = 600;

pub(in crate::diagnosis::rules) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    for job in facts.all("Job") {
        drafts.extend(failed(facts, *job));
    }
    for pod in facts.pods().iter().filter(|pod| pod.phase() == "Running" && job_of(facts, pod).is_some()) {
        let is_known = drafts
            .iter()
            .any(|draft| draft.rule == "job-sidecar-runs-on" && draft.breaks.contains(&pod.workload.key()));
        if !is_known {
            drafts.extend(left_behind(facts, pod));
        }
    }
}

/// True for the newest failed pod of a Job that fails now: it tells why, although it is over.
pub(in crate::diagnosis::rules) fn is_telling(facts: &Facts<'_>, pod: &Pod<'_>) -> bool {
    let owner = pod.object.controller().filter(|owner| owner["kind"] == "Job" && pod.phase() == "Failed");
    let Some(owner) = owner else { return false };
    let is_sibling =
        |other: &&Pod<'_>| other.object.controller().is_some_and(|other| other["uid"] == owner["uid"]);
    let is_wanted = match job_of(facts, pod) {
        Some(job) => is_failing(facts, job),
        // Whether the Job has succeeded since is not known; a pod that failed lately is worth a look.
        None => !facts.was_read("Job") && is_recent(facts, pod.object.created()),
    };
    let siblings = || facts.pods_in(pod.object.namespace()).filter(is_sibling);
    let newest = || siblings().max_by_key(|sibling| (sibling.object.created(), sibling.object.name()));
    is_wanted && newest().is_some_and(|newest| newest.object.name() == pod.object.name())
}

fn is_recent(facts: &Facts<'_>, time: Option<jiff::Timestamp>) -> bool {
    time.is_none_or(|time| facts.seconds_since(time) <= RECENT)
}

/// It has failed, or has tried in vain for often enough.
fn is_failing(facts: &Facts<'_>, job: Object<'_>) -> bool {
    let count = |field: &str| job.value().int(&format!("/status/{field}")).unwrap_or(0);
    match failure(job) {
        Some(condition) => is_current(facts, job, condition),
        None => {
            let has_tried = count("failed") >= MANY_FAILURES || count("active") == 0;
            !is_complete(job) && count("succeeded") == 0 && has_tried
        }
    }
}

fn job_of<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Option<Object<'a>> {
    let owner = pod.object.controller().filter(|owner| owner["kind"] == "Job")?;
    facts.get("Job", pod.object.namespace(), owner.text("/name"))
}

fn is_true(condition: &Value) -> bool {
    condition["status"] == "True"
}

fn is_complete(job: Object<'_>) -> bool {
    job.condition("Complete").is_some_and(is_true)
}

/// The condition that says that the Job has failed.
fn failure(job: Object<'_>) -> Option<&Value> {
    ["Failed", "FailureTarget"]
        .iter()
        .find_map(|name| job.condition(name).filter(|condition| is_true(condition)))
}

/// The failure is not long past, and nothing of the same kind has succeeded since.
fn is_current(facts: &Facts<'_>, job: Object<'_>, condition: &Value) -> bool {
    let when = condition.time("/lastTransitionTime").or(job.created());
    if !is_recent(facts, when) {
        return false;
    }
    let others = facts.all_in("Job", job.namespace()).filter(|other| other.name() != job.name());
    let mut repeats = others.filter(|other| is_repeat(*other, job));
    let is_over = repeats.any(|other| {
        // The next run of a CronJob decides, however it ends; a Job made by hand only when it succeeds.
        let is_newer = other.created() > job.created();
        is_newer && (is_complete(other) || (failure(other).is_some() && job.controller().is_some()))
    });
    !is_over
}

/// Another run of the same: by the same CronJob, or with the same programs.
fn is_repeat(other: Object<'_>, job: Object<'_>) -> bool {
    let owner = |job: Object<'_>| job.controller().map(|owner| owner["uid"].clone());
    if owner(other).is_some() || owner(job).is_some() {
        return owner(other) == owner(job);
    }
    let programs = |job: Object<'_>| -> Vec<(String, Value, Value)> {
        let containers = job.value().list("/spec/template/spec/containers").iter();
        containers
            .map(|spec| {
                let image =
                    spec.text("/image").rsplit_once(':').map_or(spec.text("/image"), |(name, _)| name);
                (image.to_owned(), spec["command"].clone(), spec["args"].clone())
            })
            .collect()
    };
    programs(other) == programs(job)
}

fn failed<'a>(facts: &Facts<'a>, job: Object<'a>) -> Option<Draft> {
    let condition = failure(job).filter(|condition| is_current(facts, job, condition))?;
    let workload = facts.workload(job);
    let reason = condition.text("/reason");
    let deadline = job.value().int("/spec/activeDeadlineSeconds");
    let what = match (reason, deadline) {
        ("DeadlineExceeded", Some(deadline)) => {
            format!("it did not end within its deadline of {deadline} s (DeadlineExceeded)")
        }
        ("BackoffLimitExceeded", _) => {
            format!(
                "its pods failed too often (BackoffLimitExceeded, {} failed)",
                job.value().int("/status/failed").unwrap_or(0)
            )
        }
        ("PodFailurePolicy", _) => "a rule of its podFailurePolicy ended it".to_owned(),
        ("", _) => condition.text("/message").to_owned(),
        (reason, _) => reason.to_owned(),
    };
    let pods: Vec<Object<'a>> =
        facts.children(job).iter().copied().filter(|child| child.kind() == "Pod").collect();
    let severity = if job.controller().is_some() { Severity::Warning } else { Severity::Critical };
    let is_deadline = reason == "DeadlineExceeded";
    Some(
        Draft::new(
            "job-failed",
            severity,
            workload.reference.clone(),
            format!("Job {} failed: {what}", job.name()),
        )
        .confidence(if is_deadline { Confidence::Certain } else { Confidence::Likely })
        .cause(reason)
        .summary(summary(facts, job, reason, &pods))
        .evidence(draft::condition(job, condition.text("/type")))
        .evidence(draft::field(
            job,
            if is_deadline { "/spec/activeDeadlineSeconds" } else { "/spec/backoffLimit" },
        ))
        .evidence(exit(&pods))
        .evidence(former_events(facts, job).iter().take(2).map(draft::event))
        .breaks([job.key(), workload.key()])
        .explained_by(pods.iter().map(|pod| pod.key()).chain([workload.key(), job.key()]))
        .remedies(remedies(job, &workload, is_deadline)),
    )
}

fn summary(facts: &Facts<'_>, job: Object<'_>, reason: &str, pods: &[Object<'_>]) -> String {
    let gone = match pods.is_empty() {
        true => " Its pods are gone, and their logs with them.",
        false => "",
    };
    let said = former_events(facts, job)
        .first()
        .map(|event| format!(" The last that is known of its pods: {}.", event.message));
    let what = match reason {
        "DeadlineExceeded" => {
            "Kubernetes ends a Job that is active for longer than its activeDeadlineSeconds, and deletes its pods: the work takes longer than planned, or its pods could not run."
        }
        "BackoffLimitExceeded" => "The pods of the Job ended with an error until no attempt was left.",
        _ => "The Job will not be tried again.",
    };
    format!("{what}{gone}{}", said.unwrap_or_default())
}

/// The exit code of a container of a failed pod.
fn exit(pods: &[Object<'_>]) -> Option<Evidence> {
    let failed = pods.iter().filter(|pod| pod.value().text("/status/phase") == "Failed");
    let newest = failed.max_by_key(|pod| pod.created())?;
    let statuses = newest.value().list("/status/containerStatuses");
    let index =
        statuses.iter().position(|status| status.int("/state/terminated/exitCode").unwrap_or(0) != 0)?;
    draft::field(*newest, &format!("/status/containerStatuses/{index}/state/terminated"))
}

/// Warnings about pods that the Job had and that are gone, by the names in its own events.
fn former_events<'a>(facts: &Facts<'a>, job: Object<'a>) -> Vec<KubeEvent<'a>> {
    let created = facts.events(job).filter(|event| event.reason == "SuccessfulCreate");
    let names =
        created.filter_map(|event| event.message.rsplit_once("Created pod: ").map(|(_, name)| name.trim()));
    let gone = names.filter(|name| facts.get("Pod", job.namespace(), name).is_none());
    let mut warnings: Vec<KubeEvent<'a>> = Vec::new();
    for name in gone {
        let pod = Key::new("Pod", job.namespace(), name);
        warnings.extend(facts.events_named(&pod).iter().filter(|event| event.is_warning));
    }
    warnings
}

fn remedies(job: Object<'_>, workload: &Workload<'_>, is_deadline: bool) -> Vec<Remediation> {
    let (namespace, name) = (sh(job.namespace()), sh(job.name()));
    let backup = format!("kubectl -n {namespace} get job {name} -o yaml > job-backup.yaml");
    let again = match workload.kind() {
        "CronJob" => change(
            "Correct the template of the CronJob, then start a Job from it",
            kubectl::get(&workload.reference, "yaml"),
            format!(
                "kubectl -n {namespace} create job {} --from={}",
                sh(&format!("{}-retry", workload.reference.name)),
                kubectl_name(&workload.reference)
            ),
            format!(
                "kubectl -n {namespace} delete job {}",
                sh(&format!("{}-retry", workload.reference.name))
            ),
            format!("kubectl -n {namespace} get jobs"),
            Risk::Medium,
        ),
        _ => change(
            match is_deadline {
                true => {
                    "Find out what took so long; then make the Job again with a longer activeDeadlineSeconds"
                }
                false => "Correct the cause, then make the Job again: its template cannot be changed",
            },
            backup,
            format!("kubectl -n {namespace} delete job {name}"),
            "kubectl create -f job-backup.yaml".to_owned(),
            format!("kubectl -n {namespace} get job {name}"),
            Risk::Medium,
        ),
    };
    let look = advice(
        "Look at what its pods said",
        format!(
            "kubectl -n {namespace} describe job {name}; kubectl -n {namespace} logs job/{name} --all-containers"
        ),
        format!("kubectl -n {namespace} get job {name}"),
    );
    vec![look, again]
}

/// A pod of a Job that does not end because one container runs on.
fn left_behind<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Option<Draft> {
    let apps = || pod.containers.iter().filter(|container| container.role == ContainerRole::App);
    let ended = apps().filter_map(|container| Some((container, container.terminated()?)));
    let (done, end) = ended.max_by_key(|(_, end)| end.time("/finishedAt"))?;
    let running: Vec<&Container<'a>> = apps().filter(|container| container.is_running()).collect();
    let since = end.time("/finishedAt").map_or(0, |time| facts.seconds_since(time));
    let first = running.first()?;
    if end.int("/exitCode") != Some(0) || since < LEFT_BEHIND {
        return None;
    }
    let workload = &pod.workload;
    let name = format!("{} {}", workload.kind(), workload.reference.name);
    Some(
        Draft::new(
            "job-sidecar-runs-on",
            Severity::Warning,
            workload.reference.clone(),
            format!("{name} does not end: container {} runs on after {} is done", first.name(), done.name()),
        )
        .confidence(Confidence::Likely)
        .cause(first.name())
        .summary(format!(
            "A Job ends when all containers of its pod have ended. {} ended well, {} still runs. A helper like this belongs to initContainers with restartPolicy Always (a native sidecar), which Kubernetes stops by itself.",
            done.name(),
            first.name()
        ))
        .evidence(draft::field(pod.object, &format!("{}/state", done.status_pointer())))
        .evidence(draft::field(pod.object, &format!("{}/state", first.status_pointer())))
        .breaks([workload.key()])
        .remedy(change(
            format!("Make {} a native sidecar", first.name()),
            kubectl::get(&workload.reference, "yaml"),
            kubectl::edit(&workload.reference),
            kubectl::undo(workload),
            format!("kubectl {}get jobs", in_namespace(&workload.reference)),
            Risk::Low,
        )),
    )
}
