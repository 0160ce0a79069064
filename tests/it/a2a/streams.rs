//! Streams: their frames in each dialect, and coming back to one.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use futures::StreamExt;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Frame, Puppet, TestAgent, frames_of, v1_message, v03_message};

/// A transcript for people: one line per event.
fn transcript(frames: &[Frame], dialect: &str) -> String {
    let line = |frame: &Frame| {
        assert_eq!(frame.data["id"], 7, "each event answers the request: {}", frame.data);
        let mut result = frame.data["result"].clone();
        hide(&mut result);
        format!("{} {} {}\n", frame.id, dialect, result)
    };
    frames.iter().map(line).collect()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                match name.as_str() {
                    "id" | "taskId" | "contextId" => {
                        assert_eq!(member.as_str().map(str::len), Some(36));
                        *member = json!("*");
                    }
                    "timestamp" => {
                        assert_eq!(member.as_str().map(str::len), Some(24));
                        *member = json!("*");
                    }
                    _ => hide(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_stream_of_1_0() {
    let agent = TestAgent::scripted().await;
    let frames = frames_of(agent.rpc(Some("1.0"), "SendStreamingMessage", v1_message("hello"))).await;
    let frames: Vec<Frame> = frames.collect().await;
    insta::assert_snapshot!(transcript(&frames, "1.0"));
}

#[tokio::test]
async fn a_stream_of_0_3() {
    let agent = TestAgent::scripted().await;
    let frames = frames_of(agent.rpc(None, "message/stream", v03_message("hello"))).await;
    let frames: Vec<Frame> = frames.collect().await;
    insta::assert_snapshot!(transcript(&frames, "0.3"));
}

#[tokio::test]
async fn proxies_are_told_to_let_a_stream_through() {
    let agent = TestAgent::scripted().await;
    let response = agent.rpc(Some("1.0"), "SendStreamingMessage", v1_message("x")).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
}

#[tokio::test]
async fn the_chunks_of_a_stream_are_the_artifact_that_get_task_shows() {
    let agent = TestAgent::scripted().await;
    let frames = frames_of(agent.rpc(Some("1.0"), "SendStreamingMessage", v1_message("big 200"))).await;
    let frames: Vec<Frame> = frames.collect().await;
    let text = |update: &Value| update["artifact"]["parts"][0]["text"].as_str().map(str::to_owned);
    let chunks: Vec<&Value> = frames.iter().map(|frame| &frame.data["result"]["artifactUpdate"]).collect();
    let streamed: String = chunks.iter().filter_map(|update| text(update)).collect();
    let id = &frames[0].data["result"]["task"]["id"];
    let task = agent.v1("GetTask", json!({ "id": id })).await;
    assert_eq!(task["result"]["artifacts"][0]["parts"][0]["text"], streamed);
    let marks: Vec<(bool, bool)> = chunks
        .iter()
        .filter(|update| update.is_object())
        .map(|update| (update["append"] == true, update["lastChunk"] == true))
        .collect();
    assert_eq!(marks.first(), Some(&(false, false)));
    assert_eq!(marks.last(), Some(&(true, true)));
    assert_eq!(marks.iter().filter(|(append, last)| !append || *last).count(), 2);
}

#[rstest]
#[case::of_1_0(Some("1.0"), "SendStreamingMessage", "SubscribeToTask", "TASK_STATE_WORKING")]
#[case::of_0_3(None, "message/stream", "tasks/resubscribe", "working")]
#[tokio::test]
async fn who_resubscribes_begins_with_the_task_as_it_is_and_misses_nothing(
    #[case] version: Option<&str>,
    #[case] send: &str,
    #[case] subscribe: &str,
    #[case] working: &str,
) {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let params = if version.is_some() { v1_message("x") } else { v03_message("x") };
    let mut first = frames_of(agent.rpc(version, send, params)).await;
    let strings = puppet.next().await;
    let id = json!({ "id": strings.request.task.id });
    strings.status(TaskState::Working);
    strings.answer(&["one\n"]);
    let before: Vec<Frame> = first.by_ref().take(3).collect().await;
    let mut second = frames_of(agent.rpc(version, subscribe, id)).await;
    let snapshot = second.next().await.unwrap();
    assert_eq!(snapshot.id, before[2].id, "the snapshot is of the last event");
    let task = match version {
        Some(_) => &snapshot.data["result"]["task"],
        None => &snapshot.data["result"],
    };
    assert_eq!(task["status"]["state"], working);
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "one\n");
    strings.answer(&["two\n"]);
    strings.status(TaskState::Completed);
    let (rest, same) = tokio::join!(first.collect::<Vec<Frame>>(), second.collect::<Vec<Frame>>());
    assert_eq!(rest.len(), 2);
    assert_eq!(rest, same, "both see the same events in the same order");
}

#[rstest]
#[case::of_1_0(Some("1.0"), "SubscribeToTask")]
#[case::of_0_3(None, "tasks/resubscribe")]
#[tokio::test]
async fn who_comes_back_with_the_last_event_id_loses_and_repeats_nothing(
    #[case] version: Option<&str>,
    #[case] subscribe: &str,
) {
    let agent = TestAgent::scripted().await;
    let params = if version.is_some() { v1_message("hello") } else { v03_message("hello") };
    let send = if version.is_some() { "SendStreamingMessage" } else { "message/stream" };
    let whole: Vec<Frame> = frames_of(agent.rpc(version, send, params)).await.collect().await;
    let task = &whole[0].data["result"];
    let id = json!({ "id": if version.is_some() { &task["task"]["id"] } else { &task["id"] } });
    for (index, frame) in whole.iter().enumerate() {
        let back = agent.rpc(version, subscribe, id.clone()).header("Last-Event-ID", &frame.id);
        let rest: Vec<Frame> = frames_of(back).await.collect().await;
        assert_eq!(rest, whole[index + 1..]);
    }
}

#[tokio::test]
async fn a_last_event_id_that_is_no_number_is_refused() {
    let agent = TestAgent::scripted().await;
    let request =
        agent.rpc(Some("1.0"), "SubscribeToTask", json!({ "id": "x" })).header("Last-Event-ID", "abc");
    let answer = crate::support::json_of(request).await;
    assert_eq!(answer["error"]["code"], -32602);
}

#[tokio::test]
async fn a_task_that_waits_for_its_client_can_be_subscribed_to() {
    let agent = TestAgent::scripted().await;
    let asked = agent.v1("SendMessage", v1_message("ask")).await["result"]["task"].take();
    let mut frames = frames_of(agent.rpc(Some("1.0"), "SubscribeToTask", json!({ "id": asked["id"] }))).await;
    let first = frames.next().await.unwrap();
    assert_eq!(first.data["result"]["task"], asked);
    let mut answer = v1_message("shop");
    answer["message"]["taskId"] = asked["id"].clone();
    agent.v1("SendMessage", answer).await;
    let last = frames.collect::<Vec<Frame>>().await.pop().unwrap().data;
    assert_eq!(last["result"]["statusUpdate"]["status"]["state"], "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn a_question_that_was_answered_is_not_the_last_of_a_replayed_stream() {
    let agent = TestAgent::scripted().await;
    let asked = agent.v03("message/send", v03_message("ask")).await["result"].take();
    let mut answer = v03_message("shop");
    answer["message"]["taskId"] = asked["id"].clone();
    agent.v03("message/send", answer).await;
    let again =
        agent.rpc(None, "tasks/resubscribe", json!({ "id": asked["id"] })).header("Last-Event-ID", "0");
    let events: Vec<Frame> = frames_of(again).await.collect().await;
    let states =
        events.iter().map(|frame| &frame.data["result"]).filter(|event| event["kind"] == "status-update");
    let last: Vec<_> =
        states.map(|event| (event["status"]["state"].as_str().unwrap(), &event["final"])).collect();
    assert!(last.contains(&("input-required", &json!(false))), "{last:?}");
    assert_eq!(last.last(), Some(&("completed", &json!(true))));
}

#[tokio::test]
async fn a_stream_of_0_3_ends_where_its_client_is_asked() {
    let agent = TestAgent::scripted().await;
    let frames = frames_of(agent.rpc(None, "message/stream", v03_message("ask"))).await;
    let last = frames.collect::<Vec<Frame>>().await.pop().unwrap().data["result"].take();
    assert_eq!((&last["status"]["state"], &last["final"]), (&json!("input-required"), &json!(true)));
    let again = frames_of(agent.rpc(None, "tasks/resubscribe", json!({ "id": last["taskId"] }))).await;
    let again: Vec<Frame> = again.collect().await;
    assert_eq!(again[0].data["result"]["status"]["state"], "input-required");
}

#[tokio::test]
async fn cancel_ends_the_stream_with_the_canceled_status() {
    let agent = TestAgent::scripted().await;
    let mut frames = frames_of(agent.rpc(None, "message/stream", v03_message("hold"))).await;
    let first = frames.next().await.unwrap();
    let canceled = agent.v03("tasks/cancel", json!({ "id": first.data["result"]["id"] })).await;
    assert_eq!(canceled["result"]["status"]["state"], "canceled");
    let last = frames.collect::<Vec<Frame>>().await.pop().unwrap().data;
    assert_eq!(
        (&last["result"]["status"]["state"], &last["result"]["final"]),
        (&json!("canceled"), &json!(true))
    );
}

#[tokio::test]
async fn a_stream_shortens_the_history_as_wanted() {
    let agent = TestAgent::scripted().await;
    let mut params = v1_message("x");
    params["configuration"] = json!({ "historyLength": 0 });
    let frames = frames_of(agent.rpc(Some("1.0"), "SendStreamingMessage", params)).await;
    let first = frames.collect::<Vec<Frame>>().await.remove(0).data;
    assert!(first["result"]["task"].get("history").is_none());
}
