use rstest::rstest;

use super::*;

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "get_pod_logs".to_owned(), arguments: json!({ "namespace": "shop" }) }
}

fn outcome(text: &str) -> ToolOutcome {
    ToolOutcome::new(Value::Null, text.to_owned())
}

fn begin(budget: Budget) -> (Investigation, Vec<Effect>) {
    let spec = ToolSpec::named("get_pod_logs", json!({}));
    let user = Turn::User { text: "why?".to_owned(), data: Vec::new() };
    Investigation::begin(vec![user], vec![spec], budget, OutputModes::of(&[]))
}

fn says(investigation: &mut Investigation, deltas: Vec<ModelDelta>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for delta in deltas.into_iter().chain([ModelDelta::Done]) {
        effects.extend(investigation.handle(Input::ModelDelta(delta)));
    }
    effects
}

fn finished(investigation: &mut Investigation, id: &str, text: &str) -> Vec<Effect> {
    investigation.handle(Input::ToolFinished {
        call_id: id.to_owned(),
        outcome: outcome(text),
        duration_ms: 1,
    })
}

fn asked(effects: &[Effect]) -> Option<&ConverseRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::AskModel(request) => Some(request),
        Effect::CallTool(_) | Effect::Emit(_) | Effect::Finish(_) => None,
    })
}

fn ended(effects: &[Effect]) -> Option<(Outcome, TaskState, Option<String>)> {
    let Some(Effect::Finish(outcome)) = effects.last() else { return None };
    let Effect::Emit(TaskEvent::Status { state, message, .. }) = &effects[effects.len() - 2] else {
        panic!("the last event is a status")
    };
    Some((*outcome, *state, message.as_ref().map(Message::text)))
}

fn answers(text: &str) -> Vec<ModelDelta> {
    vec![ModelDelta::Text(text.to_owned())]
}

fn calls(ids: &[&str]) -> Vec<ModelDelta> {
    ids.iter().map(|id| ModelDelta::ToolCall(call(id))).collect()
}

#[test]
fn it_begins_by_saying_that_it_works_and_asking_the_model_with_its_tools() {
    let (_, effects) = begin(Budget::default());
    assert!(matches!(&effects[0], Effect::Emit(TaskEvent::Status { state: TaskState::Working, .. })));
    assert_eq!(asked(&effects).map(|request| request.tools.len()), Some(1));
}

#[test]
fn an_answer_completes_the_task_after_its_last_chunk() {
    let (mut investigation, _) = begin(Budget::default());
    let effects = says(&mut investigation, answers("All is well."));
    assert!(matches!(&effects[0], Effect::Emit(TaskEvent::Artifact { last_chunk: true, .. })));
    assert_eq!(ended(&effects), Some((Outcome::Answered, TaskState::Completed, None)));
}

#[test]
fn a_question_of_the_model_waits_for_the_user() {
    let (mut investigation, _) = begin(Budget::default());
    let effects = says(&mut investigation, vec![ModelDelta::Ask("Which cluster?".to_owned())]);
    let expected = (Outcome::Asked, TaskState::InputRequired, Some("Which cluster?".to_owned()));
    assert_eq!(ended(&effects), Some(expected));
}

#[test]
fn a_question_beside_calls_waits_for_nobody() {
    let (mut investigation, _) = begin(Budget::default());
    let turn = [calls(&["1"]), vec![ModelDelta::Ask("Which cluster?".to_owned())]].concat();
    let effects = says(&mut investigation, turn);
    assert!(matches!(effects.last(), Some(Effect::CallTool(_))));
}

#[test]
fn results_reach_the_model_in_the_order_of_its_calls_whatever_finishes_first() {
    let (mut investigation, _) = begin(Budget::default());
    let effects = says(&mut investigation, calls(&["a", "b"]));
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::CallTool(_))).count(), 2);
    assert!(asked(&finished(&mut investigation, "b", "second")).is_none());
    let effects = finished(&mut investigation, "a", "first");
    let request = asked(&effects).expect("the model is asked again");
    let Some(Turn::Tools(results)) = request.conversation.last() else { panic!("tool results come last") };
    let texts: Vec<&str> = results.iter().map(|result| result.outcome.text.as_str()).collect();
    assert_eq!(texts, ["first", "second"]);
}

#[rstest]
#[case::turns(Budget { turns: 2, ..Budget::default() }, "limit of model turns")]
#[case::tool_calls(Budget { tool_calls: 1, ..Budget::default() }, "limit of tool calls")]
#[case::tool_bytes(Budget { tool_bytes: 4, ..Budget::default() }, "limit of tool output")]
fn a_spent_budget_still_ends_with_an_answer(#[case] budget: Budget, #[case] says_why: &str) {
    let (mut investigation, _) = begin(budget);
    says(&mut investigation, calls(&["a"]));
    let effects = finished(&mut investigation, "a", "a long log");
    assert_eq!(asked(&effects).map(|request| request.tools.len()), Some(0), "no tools are offered any more");
    let effects = says(&mut investigation, answers("What I know so far."));
    let (outcome, state, note) = ended(&effects).expect("it ends");
    assert_eq!((outcome, state), (Outcome::Answered, TaskState::Completed));
    assert!(note.unwrap_or_default().contains(says_why));
}

#[test]
fn a_model_that_wants_tools_after_the_budget_is_spent_fails_the_task() {
    let (mut investigation, _) = begin(Budget { turns: 1, ..Budget::default() });
    let effects = says(&mut investigation, calls(&["a"]));
    assert!(matches!(ended(&effects), Some((Outcome::Failed, TaskState::Failed, Some(_)))));
}

#[test]
fn calls_beyond_the_budget_are_answered_without_being_made() {
    let (mut investigation, _) = begin(Budget { tool_calls: 1, ..Budget::default() });
    let effects = says(&mut investigation, calls(&["a", "b"]));
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::CallTool(_))).count(), 1);
    let effects = finished(&mut investigation, "a", "log");
    let request = asked(&effects).expect("the model is asked again");
    let Some(Turn::Tools(results)) = request.conversation.last() else { panic!("tool results come last") };
    assert!(results[1].outcome.is_error && results[1].outcome.text.contains("not called"));
}

#[rstest]
#[case::while_the_model_speaks(false)]
#[case::while_a_tool_runs(true)]
fn cancellation_ends_it_and_keeps_what_was_said(#[case] during_tool: bool) {
    let (mut investigation, _) = begin(Budget::default());
    investigation.handle(Input::ModelDelta(ModelDelta::Text("So far: ".to_owned())));
    if during_tool {
        says(&mut investigation, calls(&["a"]));
    }
    let effects = investigation.handle(Input::Cancelled);
    assert!(matches!(&effects[0], Effect::Emit(TaskEvent::Artifact { last_chunk: true, .. })));
    assert!(matches!(ended(&effects), Some((Outcome::Cancelled, TaskState::Canceled, _))));
    assert!(finished(&mut investigation, "a", "too late").is_empty(), "what comes later is ignored");
}

#[test]
fn a_failing_model_fails_the_task_with_a_reason() {
    let (mut investigation, _) = begin(Budget::default());
    let error = ModelError::Unavailable("no route".to_owned());
    let effects = investigation.handle(Input::ModelFailed(error));
    let (_, state, says) = ended(&effects).expect("it ends");
    assert_eq!((state, says.as_deref()), (TaskState::Failed, Some("the model is not available: no route")));
}

#[test]
fn a_report_among_the_results_becomes_an_artifact() {
    let (mut investigation, _) = begin(Budget::default());
    says(&mut investigation, calls(&["a"]));
    let report =
        ToolOutcome { structured: json!({ "schema": "drydock.report/v1" }), ..outcome("1 root cause") };
    let effects = investigation.handle(Input::ToolFinished {
        call_id: "a".to_owned(),
        outcome: report,
        duration_ms: 3,
    });
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Emit(TaskEvent::Artifact { artifact, .. }) if artifact.name.as_deref() == Some(REPORT_ARTIFACT)
    )));
}
