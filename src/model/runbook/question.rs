//! What is asked: the topic, and the names that the question mentions. English and Korean.

use serde_json::Value;

use crate::diagnosis::report::Scope;

/// What kind of answer is wanted beside the diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// What is wrong, and why.
    Health,
    /// What is used of what there is, and why something is slow.
    Performance,
    /// The list of pods.
    Pods,
    /// The list of nodes.
    Nodes,
    /// Deployments, StatefulSets and DaemonSets with their progress.
    Rollouts,
    /// The log of a container.
    Logs,
    /// Recent events.
    Events,
    /// What the API server offers.
    ApiVersions,
}

/// A name that the question mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// As written, in lower case.
    pub(super) name: String,
    /// The kind that stands beside it, in the singular (`pod`, `deployment`).
    pub(super) kind: Option<&'static str>,
    /// Certainly meant as a name: it is quoted, has a hyphen or a digit, or a kind stands beside it.
    pub(super) certain: bool,
}

/// A question, understood as far as words go; what the names mean is for [`super::target`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) topic: Topic,
    /// Namespaces said to be such (`in namespace shop`, `-n shop`, `shop namespace`).
    pub(super) namespaces: Vec<String>,
    pub(super) mentions: Vec<Mention>,
    /// A structured request of a peer: a data part `{"scope": {…}}`.
    pub(super) scope: Option<Scope>,
}

/// Words that say which topic is meant; the first that is found decides.
const TOPICS: &[(Topic, &[&str])] = &[
    (Topic::Logs, &["log", "logs", "logged", "stacktrace", "로그"]),
    (Topic::Events, &["event", "events", "이벤트"]),
    (
        Topic::Performance,
        &[
            "slow",
            "slower",
            "slowly",
            "slowness",
            "latency",
            "performance",
            "cpu",
            "metrics",
            "utilization",
            "usage",
            "throttled",
            "throttling",
            "느려",
            "느린",
            "느립",
            "느리",
            "성능",
            "지연",
            "메트릭",
            "사용량",
            "사용률",
        ],
    ),
    (Topic::Nodes, &["node", "nodes", "capacity", "노드", "용량"]),
    (
        Topic::Rollouts,
        &["rollout", "rollouts", "rolled", "deployments", "statefulsets", "daemonsets", "롤아웃", "배포"],
    ),
    (Topic::Pods, &["pods", "pod", "파드", "포드"]),
    (Topic::ApiVersions, &["crd", "crds", "api-versions", "api-resources"]),
];

/// Kinds as people write them, with the singular that the tools understand.
const KINDS: &[(&str, &str)] = &[
    ("pod", "pod"),
    ("po", "pod"),
    ("deployment", "deployment"),
    ("deploy", "deployment"),
    ("statefulset", "statefulset"),
    ("sts", "statefulset"),
    ("daemonset", "daemonset"),
    ("ds", "daemonset"),
    ("replicaset", "replicaset"),
    ("rs", "replicaset"),
    ("job", "job"),
    ("cronjob", "cronjob"),
    ("service", "service"),
    ("svc", "service"),
    ("ingress", "ingress"),
    ("ing", "ingress"),
    ("node", "node"),
    ("pvc", "persistentvolumeclaim"),
    ("persistentvolumeclaim", "persistentvolumeclaim"),
    ("configmap", "configmap"),
    ("secret", "secret"),
    ("파드", "pod"),
    ("디플로이먼트", "deployment"),
    ("서비스", "service"),
    ("노드", "node"),
];

const NAMESPACE_WORDS: &[&str] = &["namespace", "ns", "네임스페이스"];

/// Words that are never names, whatever the cluster holds.
const COMMON: &str = "a about after again all an analyse analyze and any anything application app apps are at available bad be because been \
before being broken but by can cannot check cluster clusters come connect container containers could crash \
crashed crashes crashing crashloopbackoff describe did diagnose do does doing down eks error errors every everything \
exist explain fail failed failing fails failure failures find fine fix for from get gets give going got had has have \
health healthy help here how i image imagepullbackoff in into is issue issues it its just keep keeps kill killed \
kubernetes k8s last list long look looks loop many me memory my new no not nothing now of off ok okay on one oom \
oomkilled or other our out over pending please problem problems pull reach ready receive receives restart restarted \
restarting restarts run running see server service services show shows site slow so some something start started \
starting starts state stay stays status stuck tell than that the their them then there these they this those to \
today traffic unavailable unhealthy up us was we well went were what when where which while who why will with work \
working workload workloads works would wrong you your";

impl Question {
    /// Reads the text and data parts of a message.
    pub(super) fn parse(text: &str, data: &[Value]) -> Self {
        let words = words(text);
        let (namespaces, mentions) = names(&words);
        let scope = data.iter().find_map(|value| serde_json::from_value(value.get("scope")?.clone()).ok());
        Self { topic: topic(&words), namespaces, mentions, scope }
    }

    /// True where the answer depends on what the cluster has by these names.
    pub(super) fn names_something(&self) -> bool {
        self.scope.is_none() && !self.mentions.is_empty()
    }
}

/// A word of the question, without quotes and punctuation, in lower case.
struct Word {
    text: String,
    quoted: bool,
}

fn words(text: &str) -> Vec<Word> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '?' | '!' | '(' | ')' | '[' | ']'))
        .filter_map(|raw| {
            let word = raw.trim_matches(|c: char| !c.is_alphanumeric() && c != '-');
            let quoted = raw.starts_with(['`', '"', '\'', '“', '‘']);
            (!word.is_empty()).then(|| Word { text: word.to_lowercase(), quoted })
        })
        .collect()
}

fn topic(words: &[Word]) -> Topic {
    let has = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is_word(&word.text, name)));
    TOPICS.iter().find(|(_, names)| has(names)).map_or(Topic::Health, |(topic, _)| *topic)
}

/// Korean words carry their particles at the end; others have to match in full.
fn is_word(word: &str, name: &str) -> bool {
    word == name || (!name.is_ascii() && word.starts_with(name))
}

fn kind_of(word: &str) -> Option<&'static str> {
    KINDS.iter().find(|(name, _)| is_word(word, name)).map(|(_, kind)| *kind)
}

fn names(words: &[Word]) -> (Vec<String>, Vec<Mention>) {
    let mut namespaces = Vec::new();
    let mut mentions: Vec<Mention> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| words.get(before)).map(|word| word.text.as_str());
        let after = words.get(index + 1).map(|word| word.text.as_str());
        let (kind_prefix, name) = split_kind(&word.text);
        let Some(name) = object_name(name) else { continue };
        let beside = |names: &[&str], word: Option<&str>| {
            word.is_some_and(|word| names.iter().any(|name| is_word(word, name)))
        };
        if before == Some("-n")
            || (beside(NAMESPACE_WORDS, before) && !is_common(&name))
            || (beside(NAMESPACE_WORDS, after) && !is_common(&name))
        {
            namespaces.push(name);
            continue;
        }
        let kind = kind_prefix.or_else(|| before.and_then(kind_of)).or_else(|| after.and_then(kind_of));
        let looks_like_a_name = name.contains('-') || name.contains(|c: char| c.is_ascii_digit());
        let certain = kind_prefix.is_some() || word.quoted || looks_like_a_name;
        if !certain && (is_common(&name) || kind_of(&name).is_some() || is_topic_word(&name)) {
            continue;
        }
        if mentions.iter().all(|mention| mention.name != name) {
            mentions.push(Mention { certain: certain || kind.is_some(), name, kind });
        }
    }
    (namespaces, mentions)
}

/// `deployment/catalog` and `deploy/catalog` name a kind.
fn split_kind(word: &str) -> (Option<&'static str>, &str) {
    match word.split_once('/') {
        Some((kind, name)) if kind_of(kind).is_some() => (kind_of(kind), name),
        Some(_) | None => (None, word),
    }
}

/// The leading part of a word that may be the name of an object (RFC 1123), if it is long enough to mean something.
fn object_name(word: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let name: String = word.chars().take_while(|c| legal(*c)).collect();
    let rest_is_particle = word.chars().nth(name.len()).is_none_or(|c| !c.is_ascii());
    let name = name.trim_matches(['-', '.']).to_owned();
    let has_letter = name.contains(|c: char| c.is_ascii_lowercase());
    (rest_is_particle && has_letter && (2..=253).contains(&name.len())).then_some(name)
}

fn is_common(word: &str) -> bool {
    COMMON.split_ascii_whitespace().any(|common| common == word) || NAMESPACE_WORDS.contains(&word)
}

fn is_topic_word(word: &str) -> bool {
    TOPICS.iter().any(|(_, names)| names.contains(&word))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(text: &str) -> Question {
        Question::parse(text, &[])
    }

    #[rstest]
    #[case::health("Is anything wrong?", Topic::Health)]
    #[case::pods("Check pod status in my EKS cluster", Topic::Pods)]
    #[case::nodes("Analyze node health and capacity for sample-eks-cluster", Topic::Nodes)]
    #[case::rollouts("What is the deployment rollout status in the default namespace?", Topic::Rollouts)]
    #[case::logs("Get pod logs for the failing container", Topic::Logs)]
    #[case::events("Show me Kubernetes events for the crashing pod", Topic::Events)]
    #[case::korean_pods("shop 네임스페이스의 파드를 보여줘", Topic::Pods)]
    #[case::korean_logs("checkout의 로그를 보여줘", Topic::Logs)]
    fn the_topic_is_found(#[case] text: &str, #[case] expected: Topic) {
        assert_eq!(parse(text).topic, expected);
    }

    #[rstest]
    #[case::hyphen("Why does ledger-sync not start?", "ledger-sync", None, true)]
    #[case::plain("Why is catalog down?", "catalog", None, false)]
    #[case::kind_before("what about deployment catalog", "catalog", Some("deployment"), true)]
    #[case::kind_after("The pod of `bonus` cannot pull", "bonus", None, true)]
    #[case::slash("explain deploy/catalog", "catalog", Some("deployment"), true)]
    #[case::korean("checkout이 왜 안 되나요?", "checkout", None, false)]
    fn names_are_found(
        #[case] text: &str,
        #[case] name: &str,
        #[case] kind: Option<&'static str>,
        #[case] certain: bool,
    ) {
        assert_eq!(parse(text).mentions, [Mention { name: name.to_owned(), kind, certain }]);
    }

    #[rstest]
    #[case::flag("pods -n shop")]
    #[case::before("list the pods in namespace shop")]
    #[case::after("what is wrong in the shop namespace?")]
    #[case::korean("shop 네임스페이스에 문제가 있나요?")]
    fn namespaces_are_found(#[case] text: &str) {
        assert_eq!(parse(text).namespaces, ["shop"]);
        assert!(parse(text).mentions.is_empty());
    }

    #[rstest]
    #[case("Is anything wrong?")]
    #[case("Why is the site slow today?")]
    #[case("list all pods")]
    #[case("Analyze node health and capacity")]
    #[case("")]
    fn ordinary_words_are_not_names(#[case] text: &str) {
        assert_eq!(parse(text).mentions, []);
    }

    #[test]
    fn a_data_part_can_carry_the_scope() {
        let data = serde_json::json!({ "scope": { "namespaces": ["shop"] } });
        let question = Question::parse("diagnose", &[data]);
        assert_eq!(question.scope.map(|scope| scope.namespaces), Some(vec!["shop".to_owned()]));
    }
}
