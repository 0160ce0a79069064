use rstest::rstest;
use serde_json::json;

use super::super::Session;
use super::*;

fn caller(name: &str) -> CallContext {
    CallContext::new(Session::new(name, true), 1 << 20)
}

fn gate(approval: Approval) -> Gate {
    Gate::new(Policy { allow_write: true, approval, ..Policy::default() })
}

fn act<'a>(arguments: &'a Value, state: &'a Value) -> Act<'a> {
    Act {
        tool: "manage_k8s_resource",
        summary: "delete Pod shop/web",
        place: "cluster prod",
        preview: "- all of it",
        arguments,
        state,
    }
}

fn planned(gate: &Gate, call: &CallContext, act: &Act<'_>) -> String {
    match gate.decide(call, None, act).unwrap() {
        Decision::Ask(outcome) => outcome.pending.unwrap().plan_token,
        Decision::Act(_) => panic!("done without a plan"),
    }
}

#[test]
fn an_act_is_shown_first_and_then_done_once() {
    let (gate, alice) = (gate(Approval::Ask), caller("alice"));
    let (arguments, state) = (json!({ "name": "web", "kind": "pod" }), json!("7"));
    let token = planned(&gate, &alice, &act(&arguments, &state));
    let again = json!({ "kind": "pod", "name": "web", "plan_token": token });
    let second = gate.decide(&alice, Some(&token), &act(&again, &state)).unwrap();
    assert!(matches!(second, Decision::Act(_)));
    let third = gate.decide(&alice, Some(&token), &act(&again, &state)).unwrap_err().to_string();
    assert!(third.contains("was used already"), "{third}");
}

#[rstest]
#[case::of_another_caller("mallory", json!({ "name": "web" }), json!("7"))]
#[case::for_other_arguments("alice", json!({ "name": "db" }), json!("7"))]
#[case::for_another_state("alice", json!({ "name": "web" }), json!("8"))]
fn a_token_is_no_good(#[case] name: &str, #[case] arguments: Value, #[case] state: Value) {
    let gate = gate(Approval::Ask);
    let token = planned(&gate, &caller("alice"), &act(&json!({ "name": "web" }), &json!("7")));
    let refused = gate.decide(&caller(name), Some(&token), &act(&arguments, &state)).unwrap_err().to_string();
    assert!(refused.contains("does not fit"), "{refused}");
}

#[test]
fn a_token_that_was_changed_or_made_up_is_no_good() {
    let (gate, alice) = (gate(Approval::Ask), caller("alice"));
    let (arguments, state) = (json!({}), json!(null));
    let token = planned(&gate, &alice, &act(&arguments, &state));
    let later = format!("B{}", &token[1..]);
    for token in [later.as_str(), "", "x", "****"] {
        assert!(gate.decide(&alice, Some(token), &act(&arguments, &state)).is_err(), "{token}");
    }
}

#[test]
fn a_plan_is_good_for_ten_minutes() {
    let plans = Plans::default();
    let (arguments, state) = (json!({}), json!(null));
    let token = plans.issue("alice", &act(&arguments, &state), 1000).unwrap();
    let late = plans.redeem(&token, "alice", &act(&arguments, &state), 1601).unwrap_err().to_string();
    assert!(late.contains("too old"), "{late}");
    assert!(plans.redeem(&token, "alice", &act(&arguments, &state), 1600).is_ok());
}

#[test]
fn where_nobody_has_to_approve_it_is_done_at_once() {
    let decided = gate(Approval::None).decide(&caller("alice"), None, &act(&json!({}), &json!(null)));
    assert!(matches!(decided, Ok(Decision::Act(_))));
}

#[rstest]
#[case::server(false, true)]
#[case::caller(true, false)]
fn who_may_not_write_gets_no_plan(#[case] server: bool, #[case] may_write: bool) {
    let gate = Gate::new(Policy { allow_write: server, ..Policy::default() });
    let call = CallContext::new(Session::new("alice", may_write), 1 << 20);
    assert!(gate.decide(&call, None, &act(&json!({}), &json!(null))).is_err());
}

#[rstest]
#[case::kind("ClusterRole", None, "x", true)]
#[case::kind_elsewhere("ConfigMap", Some("shop"), "x", false)]
#[case::namespace("ConfigMap", Some("kube-system"), "x", true)]
#[case::the_namespace_itself("Namespace", None, "kube-system", true)]
#[case::another_object_of_that_name("Node", None, "kube-system", false)]
fn what_is_on_the_list_is_not_changed(
    #[case] kind: &str,
    #[case] namespace: Option<&str>,
    #[case] name: &str,
    #[case] denied: bool,
) {
    let denied_list = vec![Denied::Kind("clusterrole".into()), Denied::Namespace("kube-system".into())];
    let gate = Gate::new(Policy { denied: denied_list, ..Policy::default() });
    assert_eq!(gate.check_target(kind, namespace, name).is_err(), denied);
}

#[test]
fn what_was_done_is_in_the_audit_file_also_if_the_call_was_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let policy = Policy { allow_write: true, approval: Approval::None, ..Policy::default() };
    let gate = Gate::with_audit_file(policy, &path).unwrap();
    let (arguments, state) = (json!({ "token": "hunter2" }), json!(null));
    for result in [Some(Ok(())), Some(Err(ToolError::NotFound("no such\npod".into()))), None] {
        let Decision::Act(approved) = gate.decide(&caller("alice"), None, &act(&arguments, &state)).unwrap()
        else {
            panic!("asked")
        };
        match result {
            Some(result) => gate.record(approved, &result),
            None => drop(approved),
        }
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<&str> = lines.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(
        outcomes,
        [
            "begun",
            "done",
            "begun",
            "failed: no such pod",
            "begun",
            "unknown: the call ended before the answer came"
        ]
    );
    assert_eq!((&lines[0]["caller"], &lines[0]["act"]), (&json!("alice"), &json!("delete Pod shop/web")));
    assert!(!text.contains("hunter2"));
}
