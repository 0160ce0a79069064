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
/// Longest preview in a question, in characters: what is approved is shown whole, or it is not asked about.
const MAX_PREVIEW: usize = 16_000;

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// To go on.
    Approved,
    /// Not to, or nothing that means yes.
    Declined,
    /// Nothing: the client says that it can ask, and did not.
    Unasked,
    /// Nothing: the plan is too long to be shown whole.
    TooLong,
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
pub(super) async fn ask(
    cx: &RequestContext<RoleServer>,
    pending: &PendingAct,
    preview: Option<&str>,
) -> Asked {
    let elicitation = cx.client_capabilities().and_then(|client| client.elicitation);
    // Before there were forms and URLs, a client that said neither meant forms.
    if !elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none()) {
        return Asked::Nobody;
    }
    let Some(preview) = preview.filter(|preview| preview.chars().count() <= MAX_PREVIEW) else {
        return Asked::Now(Answer::TooLong);
    };
    let Some(question) = question(pending, preview) else { return Asked::Now(Answer::Unasked) };
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
            // A plan's token is for clients that cannot ask: who can, and does not, gets none.
            tracing::info!(%error, "the client did not ask its user");
            Asked::Now(Answer::Unasked)
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
    let mut message = visible(&pending.question);
    if !preview.is_empty() {
        message = format!("{message}\n\n{}", visible(preview));
    }
    Some(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

/// The text as it is read: nothing that moves the cursor, hides, or turns the direction of what follows.
fn visible(text: &str) -> String {
    let hides = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{061c}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { '\u{fffd}' } else { c }).collect()
}

/// What the model is told when nobody said yes.
pub(super) fn refused(answer: Answer) -> ToolOutcome {
    let why = match answer {
        Answer::Approved | Answer::Declined => {
            "The user did not approve this. Nothing was changed; do not try it again unasked."
        }
        Answer::Unasked => {
            "The user could not be asked to approve this. Nothing was changed; tell the user what was meant to be done."
        }
        Answer::TooLong => {
            "Nothing was changed: the plan is too long to be shown to the user whole. Do it in smaller pieces."
        }
    };
    ToolOutcome::failed(why.to_owned())
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
