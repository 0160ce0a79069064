//! Where the question is about: the AWS region and the cluster, where the server works on more than one. Nothing is
//! guessed: a cluster is the one that was named, the only one that there is, or the one that the user says when asked.

use serde_json::{Value, json};

use super::Wanted;
use super::known::Known;
use super::question::Question;
use crate::model::{ConverseRequest, Turn};
use crate::tools::ToolSpec;

/// The tools that find the cluster.
pub(super) const DISCOVERY: [&str; 2] = ["set_aws_region", "list_eks_clusters"];
const WHICH_CLUSTER: &str = "Which cluster is meant?";
const WHICH_REGION: &str = "In which AWS region is the cluster?";
/// Clusters that a question lists.
const MAX_NAMED: usize = 30;

/// Regions by the names that people give them.
const REGIONS: &[(&str, &str)] = &[
    ("virginia", "us-east-1"),
    ("버지니아", "us-east-1"),
    ("ohio", "us-east-2"),
    ("오하이오", "us-east-2"),
    ("california", "us-west-1"),
    ("캘리포니아", "us-west-1"),
    ("oregon", "us-west-2"),
    ("오레곤", "us-west-2"),
    ("오리건", "us-west-2"),
    ("montreal", "ca-central-1"),
    ("ireland", "eu-west-1"),
    ("dublin", "eu-west-1"),
    ("아일랜드", "eu-west-1"),
    ("london", "eu-west-2"),
    ("런던", "eu-west-2"),
    ("paris", "eu-west-3"),
    ("파리", "eu-west-3"),
    ("frankfurt", "eu-central-1"),
    ("프랑크푸르트", "eu-central-1"),
    ("zurich", "eu-central-2"),
    ("milan", "eu-south-1"),
    ("stockholm", "eu-north-1"),
    ("스톡홀름", "eu-north-1"),
    ("seoul", "ap-northeast-2"),
    ("서울", "ap-northeast-2"),
    ("tokyo", "ap-northeast-1"),
    ("도쿄", "ap-northeast-1"),
    ("osaka", "ap-northeast-3"),
    ("오사카", "ap-northeast-3"),
    ("singapore", "ap-southeast-1"),
    ("싱가포르", "ap-southeast-1"),
    ("sydney", "ap-southeast-2"),
    ("시드니", "ap-southeast-2"),
    ("jakarta", "ap-southeast-3"),
    ("mumbai", "ap-south-1"),
    ("뭄바이", "ap-south-1"),
];

/// What has to happen before a cluster can be looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Nothing: the server works on one cluster, or what was found has to do.
    Given,
    /// This cluster has to be named in each call.
    Cluster { name: String, region: Option<String> },
    /// This call has to be made.
    Find(Wanted),
    /// The user has to answer this.
    Ask(String),
    /// There is no way on; this says why.
    Stuck(String),
}

/// The turn of the user that asks something: an answer to where the cluster is completes the question before it.
pub(super) fn asking_turn(conversation: &[Turn]) -> Option<usize> {
    let mut at = conversation.iter().rposition(|turn| matches!(turn, Turn::User { .. }))?;
    while let Some(before) = at.checked_sub(1)
        && asked_where(conversation.get(before))
        && says_only_where(conversation.get(at))
        && let Some(earlier) =
            conversation[..before].iter().rposition(|turn| matches!(turn, Turn::User { .. }))
    {
        at = earlier;
    }
    Some(at)
}

fn asked_where(turn: Option<&Turn>) -> bool {
    matches!(turn, Some(Turn::Model { text, .. }) if text.ends_with(WHICH_CLUSTER) || text.ends_with(WHICH_REGION))
}

/// A few words: nothing that could be a question of its own.
fn says_only_where(turn: Option<&Turn>) -> bool {
    matches!(turn, Some(Turn::User { text, .. }) if !text.contains('?') && words(text).count() <= 6)
}

/// Where to look, as far as it is known.
pub(super) fn place(request: &ConverseRequest, known: &Known<'_>) -> Place {
    let tool = |name: &str| request.tools.iter().find(|tool| is_named(tool, name));
    // A server of one cluster takes no region for it.
    let any_region =
        tool("diagnose_cluster").is_some_and(|tool| !tool.input_schema["properties"]["region"].is_null());
    if !any_region || tool("list_eks_clusters").is_none() {
        return Place::Given;
    }
    let region = said(request).find_map(region_in);
    if let Some(region) = region.as_deref()
        && tool("set_aws_region").is_some()
        && !known.has_called("set_aws_region", &json!({ "region": region }))
    {
        return Place::Find(("set_aws_region", json!({ "region": region })));
    }
    let listing = region.as_ref().map_or_else(|| json!({}), |region| json!({ "region": region }));
    let Some(listed) = known.results_of("list_eks_clusters").last() else {
        return Place::Find(("list_eks_clusters", listing));
    };
    if listed.outcome.is_error {
        let why =
            format!("The EKS clusters cannot be listed: {}.", listed.outcome.text.trim_end_matches('.'));
        return match region {
            None => Place::Ask(format!("{why}\n\n{WHICH_REGION}")),
            Some(_) => Place::Stuck(why),
        };
    }
    let names = listed.outcome.structured["clusters"].as_array();
    let names: Vec<&str> = names.into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    let region = region.or_else(|| listed.outcome.structured["region"].as_str().map(str::to_owned));
    choose(request, &names, region)
}

fn choose(request: &ConverseRequest, names: &[&str], region: Option<String>) -> Place {
    let named = said(request).find_map(|text| {
        let mentioned = |name: &&&str| words(text).any(|word| is_word(word, name));
        names.iter().filter(mentioned).max_by_key(|name| name.len()).copied()
    });
    let here = region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
    match (named.or(scope_cluster(request)), names) {
        (Some(name), _) => Place::Cluster { name: name.to_owned(), region },
        (None, [only]) => Place::Cluster { name: (*only).to_owned(), region },
        (None, []) => {
            Place::Ask(format!("There are no EKS clusters{here} that can be seen.\n\n{WHICH_REGION}"))
        }
        (None, several) => {
            let shown: Vec<String> = several.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
            let more = several.len().saturating_sub(MAX_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Place::Ask(format!(
                "There are {} EKS clusters{here}: {}{more}.\n\n{WHICH_CLUSTER}",
                several.len(),
                shown.join(", ")
            ))
        }
    }
}

/// The cluster of a structured request.
fn scope_cluster(request: &ConverseRequest) -> Option<&str> {
    let users = request.conversation.iter().rev();
    users
        .filter_map(|turn| match turn {
            Turn::User { data, .. } => Some(data),
            Turn::Model { .. } | Turn::Tools(_) => None,
        })
        .flatten()
        .find_map(|data| data["scope"]["cluster"].as_str())
}

/// The call where a cluster has to be named, with it.
pub(super) fn at(place: &Place, tools: &[ToolSpec], (tool, mut arguments): Wanted) -> Wanted {
    if let Place::Cluster { name, region } = place
        && let Some(spec) = tools.iter().find(|spec| is_named(spec, tool))
    {
        let takes = |argument: &str| !spec.input_schema["properties"][argument].is_null();
        if takes("cluster_name") {
            arguments["cluster_name"] = Value::from(name.as_str());
        }
        if let Some(region) = region.as_deref().filter(|_| takes("region")) {
            arguments["region"] = Value::from(region);
        }
    }
    (tool, arguments)
}

/// The question without the words that say where: they are no names in the cluster.
pub(super) fn without_place(mut question: Question, place: &Place) -> Question {
    let Place::Cluster { name, .. } = place else { return question };
    question
        .mentions
        .retain(|mention| !mention.name.eq_ignore_ascii_case(name) && region_in(&mention.name).is_none());
    question
}

/// A tool by its own name, or by that of a gateway, which has the target's in front.
pub(super) fn is_named(tool: &ToolSpec, name: &str) -> bool {
    tool.name == name || tool.name.strip_suffix(name).is_some_and(|target| target.ends_with("___"))
}

/// What the user said, newest first.
fn said(request: &ConverseRequest) -> impl Iterator<Item = &str> {
    request.conversation.iter().rev().filter_map(|turn| match turn {
        Turn::User { text, .. } => Some(text.as_str()),
        Turn::Model { .. } | Turn::Tools(_) => None,
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    words.map(|word| word.trim_matches('-')).filter(|word| !word.is_empty())
}

/// Korean words carry their particles at the end.
fn is_word(word: &str, name: &str) -> bool {
    let word = word.to_lowercase();
    let rest = word.strip_prefix(&name.to_lowercase());
    rest.is_some_and(|rest| rest.chars().next().is_none_or(|next| !next.is_ascii()))
}

/// The region that a text names, by its code or by its place.
fn region_in(text: &str) -> Option<String> {
    words(text).find_map(|word| {
        let code: String =
            word.to_lowercase().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if is_region(&code) {
            return Some(code);
        }
        let known = REGIONS.iter().find(|(name, _)| is_word(word, name));
        known.map(|(_, region)| (*region).to_owned())
    })
}

/// `eu-west-1`, `us-gov-east-1`: the parts of a region's code.
fn is_region(code: &str) -> bool {
    let parts: Vec<&str> = code.split('-').collect();
    let [area, middle @ .., number] = parts.as_slice() else { return false };
    let compass =
        ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];
    let names_a_side = middle.last().is_some_and(|side| compass.contains(side));
    area.len() == 2
        && middle.len() <= 2
        && names_a_side
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::code("what is wrong in eu-west-1?", Some("eu-west-1"))]
    #[case::in_capitals("EU-WEST-1", Some("eu-west-1"))]
    #[case::with_a_particle("us-west-2에서 확인해줘", Some("us-west-2"))]
    #[case::government("us-gov-east-1", Some("us-gov-east-1"))]
    #[case::a_city("the cluster in Frankfurt", Some("eu-central-1"))]
    #[case::korean("서울 리전의 클러스터", Some("ap-northeast-2"))]
    #[case::korean_with_a_particle("도쿄에 있는 클러스터", Some("ap-northeast-1"))]
    #[case::a_workload("why is web-east-1 down", None)]
    #[case::nothing("why is checkout down", None)]
    fn regions_are_known_by_code_and_by_place(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(region_in(text).as_deref(), expected);
    }
}
