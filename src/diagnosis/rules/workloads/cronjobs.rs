//! CronJobs that do not start their Jobs (FAILURES J6).

use crate::diagnosis::draft::{self, Draft, change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Read};
use crate::diagnosis::report::{Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::links::Broken;

/// What the controller says when it does not start a Job, and what that means.
const COMPLAINTS: &[(&str, &str)] = &[
    ("UnparseableSchedule", "its schedule cannot be read"),
    ("UnknownTimeZone", "its time zone is unknown"),
    // Controllers since 1.21 go on with the latest start that is not past its deadline; a start since then ends this.
    ("TooManyMissedTimes", "it has missed more than 100 start times"),
    ("FailedNeedsStart", "it has missed more than 100 start times, and does not try any more"),
    ("MissSchedule", "its start time passed before the controller could start the Job"),
];

pub(in crate::diagnosis::rules) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let broken = Broken::by(drafts);
    for cron_job in facts.all("CronJob").iter().filter(|cron_job| !cron_job.is_terminating()) {
        let found = suspended(*cron_job)
            .or_else(|| never(*cron_job))
            .or_else(|| complaint(facts, *cron_job))
            .or_else(|| blocked(facts, *cron_job, &broken));
        drafts.extend(found);
    }
}

/// Mostly meant; worth knowing when somebody asks why nothing runs.
fn suspended(cron_job: Object<'_>) -> Option<Draft> {
    cron_job.value().flag("/spec/suspend").then(|| {
        let object = cron_job.reference();
        let (namespace, name) = (in_namespace(&object), kubectl_name(&object));
        let patch = |suspend: bool| {
            format!("kubectl {namespace}patch {name} -p '{{\"spec\":{{\"suspend\":{suspend}}}}}'")
        };
        Draft::new(
            "cronjob-suspended",
            Severity::Info,
            object.clone(),
            format!("CronJob {} is suspended: it starts no Jobs", cron_job.name()),
        )
        .summary("spec.suspend is true. Start times that pass meanwhile count as missed.")
        .evidence(draft::field(cron_job, "/spec/suspend"))
        .remedy(change(
            "Resume it, if it should run",
            kubectl::get(&object, ""),
            patch(false),
            patch(true),
            kubectl::get(&object, ""),
            Risk::Medium,
        ))
    })
}

/// A day that no month of the schedule has, such as 30 February.
fn never(cron_job: Object<'_>) -> Option<Draft> {
    let schedule = cron_job.value().text("/spec/schedule");
    is_impossible(schedule).then(|| {
        Draft::new(
            "cronjob-does-not-fire",
            Severity::Warning,
            cron_job.reference(),
            format!("CronJob {} never fires: no date matches its schedule {schedule:?}", cron_job.name()),
        )
        .cause("schedule")
        .summary("The schedule names a day of the month that none of its months has.")
        .evidence(draft::field(cron_job, "/spec/schedule"))
        .remedy(edit(cron_job, "Correct the schedule"))
    })
}

fn is_impossible(schedule: &str) -> bool {
    const DAYS: [u32; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let fields: Vec<&str> = schedule.split_whitespace().filter(|field| !field.contains('=')).collect();
    let [_, _, days, months, weekdays] = fields.as_slice() else { return false };
    let numbers =
        |field: &str| -> Option<Vec<u32>> { field.split(',').map(|part| part.parse().ok()).collect() };
    // A weekday fires by itself, whatever the day of the month.
    let (Some(days), Some(months), "*" | "?") = (numbers(days), numbers(months), *weekdays) else {
        return false;
    };
    let longest = months.iter().filter_map(|month| DAYS.get(usize::try_from(*month).ok()?)).max();
    longest.is_some_and(|longest| days.iter().all(|day| day > longest))
}

fn edit(cron_job: Object<'_>, summary: &str) -> Remediation {
    let object = cron_job.reference();
    change(
        summary,
        kubectl::get(&object, "yaml"),
        kubectl::edit(&object),
        format!("apply the former manifest of {} again", kubectl_name(&object)),
        kubectl::get(&object, ""),
        Risk::Low,
    )
}

/// What the controller complained of since it last started a Job.
fn complaint(facts: &Facts<'_>, cron_job: Object<'_>) -> Option<Draft> {
    let started = cron_job.value().time("/status/lastScheduleTime");
    let of = |event: &KubeEvent<'_>| COMPLAINTS.iter().find(|(reason, _)| *reason == event.reason);
    let event = facts.events(cron_job).find(|event| of(event).is_some() && event.last > started)?;
    let (_, meaning) = of(&event)?;
    Some(
        Draft::new(
            "cronjob-does-not-fire",
            Severity::Warning,
            cron_job.reference(),
            format!("CronJob {} starts no Jobs: {meaning}", cron_job.name()),
        )
        .cause(event.reason)
        .summary(format!("The controller says: {}", event.message))
        .evidence([draft::event(&event)])
        .evidence(draft::field(cron_job, "/spec/schedule"))
        .evidence(draft::field(cron_job, "/spec/startingDeadlineSeconds"))
        .evidence(draft::field(cron_job, "/status/lastScheduleTime"))
        .remedy(edit(
            cron_job,
            "Correct the schedule, or set a startingDeadlineSeconds that leaves time enough",
        )),
    )
}

/// The run before does not end, and the next one may not start beside it.
fn blocked(facts: &Facts<'_>, cron_job: Object<'_>, broken: &Broken) -> Option<Draft> {
    let value = cron_job.value();
    let active = value.list("/status/active").first()?;
    let is_broken = broken.has(&cron_job.key());
    let skipped = facts.events(cron_job).find(|event| event.reason == "JobAlreadyActive");
    if value.text("/spec/concurrencyPolicy") != "Forbid" || !is_broken || skipped.is_none() {
        return None;
    }
    let job = Key::new("Job", cron_job.namespace(), active.text("/name"));
    let (namespace, name) = (sh(&job.namespace), sh(&job.name));
    Some(
        Draft::new(
            "cronjob-blocked",
            Severity::Warning,
            cron_job.reference(),
            format!("CronJob {} waits for Job {}, which does not end", cron_job.name(), job.name),
        )
        .summary("concurrencyPolicy is Forbid: no further Job is started while one is active.")
        .evidence(draft::field(cron_job, "/spec/concurrencyPolicy"))
        .evidence(skipped.map(|event| draft::event(&event)))
        .explained_by([cron_job.key(), job])
        .remedy(draft::advice(
            "Repair or end the Job that runs",
            format!("kubectl -n {namespace} describe job {name}"),
            format!("kubectl -n {namespace} get jobs"),
        )),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_impossible;

    #[rstest]
    #[case("0 0 30 2 *", true)]
    #[case("0 0 31 4,6 *", true)]
    #[case("TZ=UTC 0 0 31 2 *", true)]
    #[case("0 0 29 2 *", false)]
    #[case("0 0 30 2 1", false)]
    #[case("0 0 31 2,3 *", false)]
    #[case("15 2 * * *", false)]
    #[case("@daily", false)]
    fn some_schedules_never_fire(#[case] schedule: &str, #[case] impossible: bool) {
        assert_eq!(is_impossible(schedule), impossible);
    }
}
