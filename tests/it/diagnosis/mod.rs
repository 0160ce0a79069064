//! Every recorded cluster under `tests/fixtures/clusters`, and the shop of `drydock demo`, is diagnosed the way a live one
//! is, and compared with its truth.

mod recording;
mod truth;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drydock::cluster::{Bundle, Cluster, SnapshotLimits, diagnose};
use drydock::diagnosis::report::{Finding, Report, Scope, Severity, Verdict};
use rstest::rstest;

use recording::Recording;
use truth::{Truth, says};

/// A recorded cluster, what is wrong with it, and what the engine says.
struct Case {
    recording: Recording,
    truth: Truth,
    report: Report,
}

impl Case {
    async fn of(truth: &Path) -> Self {
        let folder = recording_of(truth);
        Self {
            recording: Recording::load(&folder),
            truth: Truth::load(truth),
            report: report_of(&folder).await,
        }
    }

    fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|finding| finding.root_cause)
    }

    /// Fails with all problems at once, and with what the engine took for root causes.
    fn must_be_free_of(&self, problems: &[String]) {
        let roots: Vec<String> = self.roots().map(in_short).collect();
        assert!(
            problems.is_empty(),
            "{}: {}\n  {}\nroot causes in the report:\n  {}\n",
            self.truth.id,
            self.truth.title,
            problems.join("\n  "),
            roots.join("\n  ")
        );
    }
}

/// A truth lies in its recording. The shop's lies beside it: the program carries the recording, but not the answers.
fn recording_of(truth: &Path) -> PathBuf {
    let beside = truth.with_file_name(Truth::load(truth).id);
    if beside.is_dir() { beside } else { truth.parent().unwrap().to_owned() }
}

async fn report_of(folder: &Path) -> Report {
    let cluster = Cluster::from_bundle(Bundle::load(folder).unwrap());
    diagnose(&cluster, &Scope::default(), SnapshotLimits::default(), |_| ()).await.unwrap()
}

fn in_short(finding: &Finding) -> String {
    let object = &finding.object;
    let namespace = object.namespace.as_deref().unwrap_or("-");
    format!("{} {} {namespace}/{}: {}", finding.rule, object.kind, object.name, finding.title)
}

#[rstest]
#[tokio::test]
async fn the_root_causes_are_those_of_the_truth_and_no_others(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let meant = |finding: &Finding| {
        let named = case.recording.workload(&finding.object);
        case.truth.root_causes.iter().position(|cause| cause.is(&named))
    };
    let places: Vec<Option<usize>> = case.roots().map(meant).collect();
    let extra = case.roots().zip(&places).filter(|(_, place)| place.is_none());
    let mut problems: Vec<String> =
        extra.map(|(finding, _)| format!("not in the truth: {}", in_short(finding))).collect();
    for (place, cause) in case.truth.root_causes.iter().enumerate() {
        match places.iter().filter(|found| **found == Some(place)).count() {
            0 => problems.push(format!("missing: {cause}")),
            1 => {}
            times => problems.push(format!("found {times} times: {cause}")),
        }
    }
    case.must_be_free_of(&problems);
}

#[rstest]
#[tokio::test]
async fn each_finding_says_what_has_to_be_said(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let all: Vec<&Finding> = case.report.findings.iter().collect();
    let mut problems: Vec<String> = Vec::new();
    for pattern in case.truth.must_mention.iter().filter(|pattern| !says(&all, pattern)) {
        problems.push(format!("nothing mentions {pattern}"));
    }
    for finding in case.roots() {
        let named = case.recording.workload(&finding.object);
        let Some(cause) = case.truth.root_causes.iter().find(|cause| cause.is(&named)) else { continue };
        if cause.rule.as_ref().is_some_and(|rule| *rule != finding.rule) {
            problems.push(format!("{cause} is not meant to be {}", finding.rule));
        }
        for pattern in cause.must_mention.iter().filter(|pattern| !says(&[finding], pattern)) {
            problems.push(format!("{cause} does not mention {pattern}"));
        }
        for pattern in cause.must_not_mention.iter().filter(|pattern| says(&[finding], pattern)) {
            problems.push(format!("{cause} mentions {pattern}"));
        }
    }
    case.must_be_free_of(&problems);
}

#[rstest]
#[tokio::test]
async fn victims_are_not_root_causes(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let is_victim = |finding: &&Finding| {
        let named = [case.recording.workload(&finding.object), finding.object.clone()];
        case.truth.must_not_root_cause.iter().any(|victim| named.iter().any(|named| victim.matches(named)))
    };
    let problems: Vec<String> =
        case.roots().filter(is_victim).map(|finding| format!("a victim: {}", in_short(finding))).collect();
    case.must_be_free_of(&problems);
}

#[rstest]
#[tokio::test]
async fn evidence_can_be_looked_up_again(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let mut problems = Vec::new();
    for finding in &case.report.findings {
        if finding.evidence.is_empty() {
            problems.push(format!("{}: no evidence", in_short(finding)));
        }
        for evidence in &finding.evidence {
            if let Err(why) = case.recording.look_up(evidence) {
                let shown = serde_json::to_string(evidence).unwrap();
                problems.push(format!("{}: {why}: {shown}", in_short(finding)));
            }
        }
    }
    case.must_be_free_of(&problems);
}

#[rstest]
#[tokio::test]
async fn every_root_cause_has_a_way_out_and_every_change_a_way_back(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let mut problems = Vec::new();
    for finding in &case.report.findings {
        if finding.root_cause && finding.remediation.is_empty() {
            problems.push(format!("{}: no remediation", in_short(finding)));
        }
        for remedy in finding.remediation.iter().filter(|remedy| remedy.changes) {
            let parts = [&remedy.summary, &remedy.check, &remedy.command, &remedy.undo, &remedy.verify];
            if parts.iter().any(|part| part.trim().is_empty()) {
                problems.push(format!("{}: incomplete: {remedy:?}", in_short(finding)));
            }
        }
    }
    case.must_be_free_of(&problems);
}

#[rstest]
#[tokio::test]
async fn two_runs_find_the_same(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let again = report_of(&recording_of(&truth)).await;
    let (first, second) = (&case.report.findings, &again.findings);
    assert_eq!(first, second, "{}", case.truth.id);
    let fingerprints: BTreeSet<&str> = first.iter().map(|finding| finding.fingerprint.as_str()).collect();
    assert_eq!(fingerprints.len(), first.len(), "{}: two findings with one fingerprint", case.truth.id);
}

#[rstest]
#[tokio::test]
async fn the_verdict_is_healthy_where_nothing_is_wrong_and_only_there(
    #[files("tests/fixtures/clusters/*/truth.yaml")]
    #[files("demo/truth.yaml")]
    truth: PathBuf,
) {
    let case = Case::of(&truth).await;
    let is_healthy = case.truth.root_causes.is_empty();
    let alarms = case.report.findings.iter().filter(|finding| finding.severity != Severity::Info);
    let alarms: Vec<String> = alarms.map(in_short).collect();
    assert_eq!(case.report.verdict == Verdict::Healthy, is_healthy, "{}: {alarms:#?}", case.truth.id);
    assert_eq!(alarms.is_empty(), is_healthy, "{}: {alarms:#?}", case.truth.id);
}

#[rstest]
fn a_recording_is_small_and_holds_no_secret(#[files("tests/fixtures/clusters/*/truth.yaml")] truth: PathBuf) {
    let recording = Recording::load(truth.parent().unwrap());
    let id = Truth::load(&truth).id;
    assert_eq!(Some(id.as_str()), truth.parent().unwrap().file_name().unwrap().to_str());
    assert!(recording.bytes < 300_000, "{id}: {} bytes", recording.bytes);
    assert_eq!(recording.filled_secrets(), [] as [String; 0], "{id}");
}
