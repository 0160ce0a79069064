//! The approval of an act by the person at the client: elicitation in the revisions that have sessions, an input request
//! with the plan as its state (MRTR) in 2026-07-28. Clients that have neither are given the plan's token.

use std::collections::BTreeMap;

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitationAction, ElicitationSchema, InputRequest,
    InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};

use crate::tools::{PendingAct, ToolOutcome};

/// The argument of tools that carries an approved plan.
pub(super) const TOKEN: &str = "plan_token";
/// The one input that is asked for.
const INPUT: &str = "approval";
/// The member of the form.
const APPROVE: &str = "approve";
/// Longest preview in a question, in characters: people read it in a dialog.
const MAX_PREVIEW: usize = 4_000;

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// To go on.
    Approved,
    /// Not to, or nothing that means yes.
    Declined,
}

/// How a person was asked.
pub(super) enum Asked {
    /// There was nobody to ask: the client shows the plan itself.
    Nobody,
    /// The client asks, and calls again.
    Later(InputRequiredResult),
    /// The client asked.
    Now(Answer),
}

/// What came back with a second call.
pub(super) fn answer(responses: Option<&InputResponses>) -> Answer {
    let response = responses.and_then(|responses| responses.get(INPUT));
    let is_yes =
        |response: &serde_json::Value| response["action"] == "accept" && response["content"][APPROVE] == true;
    if response.is_some_and(is_yes) { Answer::Approved } else { Answer::Declined }
}

/// Asks the person at the client, where the client can.
pub(super) async fn ask(cx: &RequestContext<RoleServer>, pending: &PendingAct, preview: &str) -> Asked {
    let can_ask = cx.client_capabilities().is_some_and(|client| client.elicitation.is_some());
    let Some(question) = question(pending, preview).filter(|_| can_ask) else { return Asked::Nobody };
    let is_stateless = cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if is_stateless {
        let request = InputRequest::Elicitation(ElicitRequest::new(question));
        let requests = BTreeMap::from([(INPUT.to_owned(), request)]);
        return Asked::Later(InputRequiredResult::new(Some(requests), Some(pending.plan_token.clone())));
    }
    let asked = tokio::select! {
        () = cx.ct.cancelled() => return Asked::Now(Answer::Declined),
        asked = cx.peer.create_elicitation(question) => asked,
    };
    match asked {
        Ok(said) => {
            let approved = said.content.is_some_and(|content| content[APPROVE] == true);
            let approved = said.action == ElicitationAction::Accept && approved;
            Asked::Now(if approved { Answer::Approved } else { Answer::Declined })
        }
        Err(error) => {
            tracing::debug!(%error, "the client could not ask");
            Asked::Nobody
        }
    }
}

fn question(pending: &PendingAct, preview: &str) -> Option<ElicitRequestParams> {
    let requested_schema = ElicitationSchema::builder()
        .required_bool_property(APPROVE, |approve| {
            approve.title("Approve").description("Yes: it is done at once. No: nothing is changed.")
        })
        .build()
        .ok()?;
    let mut message = pending.question.clone();
    if !preview.is_empty() {
        let shown: String = preview.chars().take(MAX_PREVIEW).collect();
        let rest = if shown.len() < preview.len() {
            "\n(the plan goes on; the tool's answer has it whole)"
        } else {
            ""
        };
        message = format!("{message}\n\n{shown}{rest}");
    }
    Some(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

/// What the model is told when a person does not want it.
pub(super) fn declined() -> ToolOutcome {
    ToolOutcome::failed(
        "The user did not approve this. Nothing was changed; do not try it again unasked.".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::yes(json!({ "approval": { "action": "accept", "content": { "approve": true } } }), Answer::Approved)]
    #[case::no(json!({ "approval": { "action": "accept", "content": { "approve": false } } }), Answer::Declined)]
    #[case::nearly_yes(json!({ "approval": { "action": "accept", "content": { "approve": "true" } } }), Answer::Declined)]
    #[case::a_tick_and_decline(json!({ "approval": { "action": "decline", "content": { "approve": true } } }), Answer::Declined)]
    #[case::without_a_form(json!({ "approval": { "action": "accept" } }), Answer::Declined)]
    #[case::another_question(json!({ "other": { "action": "accept", "content": { "approve": true } } }), Answer::Declined)]
    fn only_a_clear_yes_approves(#[case] responses: serde_json::Value, #[case] expected: Answer) {
        let responses: InputResponses = serde_json::from_value(responses).unwrap();
        assert_eq!(answer(Some(&responses)), expected);
    }

    #[test]
    fn no_answer_approves_nothing() {
        assert_eq!(answer(None), Answer::Declined);
    }
}
