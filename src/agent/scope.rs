//! Structured requests: a data part `{"scope": {…}}` says what to look at, so that a peer need not put it in words.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::a2a::types::{Message, PartContent, Role};

/// What the member `scope` of a data part may say. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RequestedScope {
    /// The cluster's name.
    cluster: Option<String>,
    /// Only these namespaces.
    namespaces: Vec<String>,
    /// Only what explains this object.
    object: Option<RequestedObject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestedObject {
    #[serde(default)]
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// What a request comes to before anything is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Answer the message at this place of the history.
    Answer(usize),
    /// Ask the client back.
    Ask(String),
    /// The request makes no sense.
    Refuse(String),
}

/// Reads the newest message of a history. Where the client was asked which cluster it means, its answer completes the
/// message before. An agent of several clusters (`None`) asks where it needs to, not here.
pub(super) fn read(history: &[Message], cluster: Option<&str>) -> Request {
    let newest = history.len().saturating_sub(1);
    let scopes: Result<Vec<Option<RequestedScope>>, String> = history.iter().map(scope_of).collect();
    let scopes = match scopes {
        Ok(scopes) => scopes,
        Err(problem) => return Request::Refuse(problem),
    };
    let Some(cluster) = cluster else { return Request::Answer(newest) };
    let is_elsewhere = |scope: &RequestedScope| {
        scope.cluster.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(cluster))
    };
    match scopes.last().and_then(Option::as_ref) {
        Some(scope) if is_elsewhere(scope) => return ask(scope, cluster),
        Some(_) => return Request::Answer(newest),
        None => {}
    }
    let pending = scopes.iter().rposition(|scope| scope.as_ref().is_some_and(is_elsewhere));
    let answered = |index: usize| {
        let later = &history[index + 1..];
        later.iter().any(|message| message.role == Role::User && names(message, cluster))
    };
    match pending {
        Some(index) if !answered(index) => match &scopes[index] {
            Some(scope) => ask(scope, cluster),
            None => Request::Answer(newest),
        },
        // The answer to our question says no more than the name.
        Some(index) if history.get(newest).is_some_and(|message| message.text().trim() == cluster) => {
            Request::Answer(index)
        }
        Some(_) | None => Request::Answer(newest),
    }
}

fn ask(scope: &RequestedScope, cluster: &str) -> Request {
    let wanted = scope.cluster.as_deref().unwrap_or_default();
    Request::Ask(format!(
        "This agent looks at the cluster {cluster}, not at {wanted}. Answer `{cluster}` to have that one looked at, or \
         ask the agent of {wanted}."
    ))
}

fn names(message: &Message, cluster: &str) -> bool {
    message.text().to_lowercase().contains(&cluster.to_lowercase())
}

/// The scope in a message of the client, if it has one.
fn scope_of(message: &Message) -> Result<Option<RequestedScope>, String> {
    if message.role == Role::Agent {
        return Ok(None);
    }
    let mut data = message.parts.iter().filter_map(|part| match &part.content {
        PartContent::Data(value) => value.get("scope"),
        PartContent::Text(_) | PartContent::Raw(_) | PartContent::Url(_) => None,
    });
    let Some(scope) = data.next() else { return Ok(None) };
    match serde_path_to_error::deserialize(scope) {
        Ok(scope) => Ok(Some(scope)),
        Err(error) => {
            let place = match error.path().to_string() {
                path if path == "." => String::new(),
                path => format!(".{path}"),
            };
            Err(format!(
                "The data part is not understood: scope{place}: {}. A scope has cluster, namespaces and object (kind, \
                 name, namespace), all of them optional.",
                error.inner()
            ))
        }
    }
}

/// A data part as the model gets it: a scope with all members that it needs.
pub(super) fn completed(mut data: Value) -> Value {
    if let Some(object) = data.get_mut("scope").and_then(|scope| scope.get_mut("object"))
        && let Some(object) = object.as_object_mut()
    {
        object.entry("apiVersion").or_insert_with(|| json!(""));
    }
    data
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::a2a::types::Part;

    fn says(text: &str) -> Message {
        Message { role: Role::User, ..Message::agent_text(text) }
    }

    fn wants(scope: Value) -> Message {
        Message { parts: vec![Part::data(json!({ "scope": scope }))], ..says("") }
    }

    fn answers(request: &Request) -> Option<usize> {
        match request {
            Request::Answer(index) => Some(*index),
            Request::Ask(_) | Request::Refuse(_) => None,
        }
    }

    #[rstest]
    #[case::empty(json!({}))]
    #[case::this_cluster(json!({ "cluster": "Shop" }))]
    #[case::namespaces(json!({ "namespaces": ["a", "b"] }))]
    #[case::an_object(json!({ "object": { "kind": "Deployment", "name": "web", "namespace": "a" } }))]
    fn what_can_be_looked_at_is_answered(#[case] scope: Value) {
        assert_eq!(answers(&read(&[wants(scope)], Some("shop"))), Some(0));
    }

    #[rstest]
    #[case::a_word(json!("shop"), "scope: ")]
    #[case::unknown(json!({ "namespace": "a" }), "namespace")]
    #[case::no_list(json!({ "namespaces": "a" }), "scope.namespaces")]
    #[case::no_name(json!({ "object": { "kind": "Pod" } }), "name")]
    fn what_makes_no_sense_is_refused_by_name(#[case] scope: Value, #[case] named: &str) {
        let Request::Refuse(problem) = read(&[wants(scope)], Some("shop")) else { panic!("refused") };
        assert!(problem.contains(named), "{problem}");
    }

    #[test]
    fn data_without_a_scope_is_free() {
        let free = Message { parts: vec![Part::data(json!({ "ticket": 7 }))], ..says("") };
        assert_eq!(answers(&read(&[free], Some("shop"))), Some(0));
    }

    #[test]
    fn who_wants_another_cluster_is_asked_until_the_answer_names_this_one() {
        let elsewhere = || wants(json!({ "cluster": "bank", "namespaces": ["a"] }));
        let mut history = vec![elsewhere()];
        let Request::Ask(question) = read(&history, Some("shop")) else { panic!("asked") };
        assert!(question.contains("shop") && question.contains("bank"));
        history.extend([Message::agent_text(question), says("hm")]);
        assert!(matches!(read(&history, Some("shop")), Request::Ask(_)));
        history.push(says("shop"));
        assert_eq!(answers(&read(&history, Some("shop"))), Some(0), "the first request is answered now");
        history.push(says("and why is web down in shop?"));
        assert_eq!(answers(&read(&history, Some("shop"))), Some(4));
    }
}
