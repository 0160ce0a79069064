//! What holds for whatever the types can say: it is read as it was written, and 0.3 carries all that it has words for.

use drydock::a2a::types::{
    Artifact, ContextId, Message, Metadata, Part, PartContent, Role, StreamResponse, Task,
    TaskArtifactUpdateEvent, TaskId, TaskStatus, TaskStatusUpdateEvent, Timestamp,
};
use drydock::a2a::v03;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::tasks::reducer::any_state;

/// Numbers are those that have the same digits everywhere.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| json!(f64::from(eighths) / 8.0)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,6}", inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_metadata() -> impl Strategy<Value = Option<Metadata>> {
    let members = btree_map("[a-z:/.]{1,8}", any_json(), 1..3);
    option::of(members.prop_map(|members| members.into_iter().collect()))
}

fn any_part() -> impl Strategy<Value = Part> {
    let content = prop_oneof![
        ".{0,20}".prop_map(PartContent::Text),
        "[A-Za-z0-9+/]{4}".prop_map(PartContent::Raw),
        "https://[a-z]{1,8}/[a-z]{0,8}".prop_map(PartContent::Url),
        any_json().prop_map(PartContent::Data),
    ];
    let media_type = option::of("(text|application)/[a-z+]{1,8}");
    (content, media_type, option::of(".{0,8}"), any_metadata()).prop_map(
        |(content, media_type, filename, metadata)| Part { content, media_type, filename, metadata },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let links = (option::of(any_context()), option::of(any_task_id()), vec(any_task_id(), 0..3));
    let role = prop_oneof![Just(Role::User), Just(Role::Agent)];
    (".{1,8}", role, links, vec(any_part(), 0..4), any_metadata(), vec(any_uri(), 0..3)).prop_map(
        |(message_id, role, (context_id, task_id, reference_task_ids), parts, metadata, extensions)| {
            Message { message_id, context_id, task_id, role, parts, metadata, extensions, reference_task_ids }
        },
    )
}

fn any_uri() -> impl Strategy<Value = String> {
    "urn:[a-z]{1,8}"
}

fn any_task_id() -> impl Strategy<Value = TaskId> {
    ".{1,8}".prop_map(TaskId)
}

fn any_context() -> impl Strategy<Value = ContextId> {
    ".{1,8}".prop_map(ContextId)
}

fn any_status() -> impl Strategy<Value = TaskStatus> {
    let time = (0_i64..4_102_444_800_000).prop_map(|milliseconds| {
        Timestamp::from(jiff::Timestamp::from_millisecond(milliseconds).expect("before 2100"))
    });
    (any_state(), option::of(any_message()), time).prop_map(|(state, message, timestamp)| TaskStatus {
        state,
        message,
        timestamp,
    })
}

fn any_artifact() -> impl Strategy<Value = Artifact> {
    let about = (option::of(".{0,8}"), option::of(".{0,8}"));
    (".{1,8}", about, vec(any_part(), 0..4), any_metadata(), vec(any_uri(), 0..3)).prop_map(
        |(artifact_id, (name, description), parts, metadata, extensions)| Artifact {
            artifact_id,
            name,
            description,
            parts,
            metadata,
            extensions,
        },
    )
}

fn any_task() -> impl Strategy<Value = Task> {
    let content = (vec(any_artifact(), 0..3), vec(any_message(), 0..3));
    (any_task_id(), any_context(), any_status(), content, any_metadata()).prop_map(
        |(id, context_id, status, (artifacts, history), metadata)| Task {
            id,
            context_id,
            status,
            artifacts,
            history,
            metadata,
        },
    )
}

fn any_item() -> impl Strategy<Value = StreamResponse> {
    let status = (any_task_id(), any_context(), any_status(), any_metadata());
    let artifact = (any_task_id(), any_context(), any_artifact(), any::<[bool; 2]>(), any_metadata());
    prop_oneof![
        any_task().prop_map(StreamResponse::Task),
        any_message().prop_map(StreamResponse::Message),
        status.prop_map(|(task_id, context_id, status, metadata)| {
            StreamResponse::StatusUpdate(TaskStatusUpdateEvent { task_id, context_id, status, metadata })
        }),
        artifact.prop_map(|(task_id, context_id, artifact, [append, last_chunk], metadata)| {
            StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                task_id,
                context_id,
                artifact,
                append,
                last_chunk,
                metadata,
            })
        }),
    ]
}

/// Without that for which 0.3 has no words: what kind of text or data a part is, and a name for it.
fn as_v03_can_say_it(mut item: StreamResponse) -> StreamResponse {
    let parts: Vec<&mut Part> = match &mut item {
        StreamResponse::Task(task) => {
            let artifacts = task.artifacts.iter_mut().flat_map(|artifact| &mut artifact.parts);
            let messages = task.history.iter_mut().chain(&mut task.status.message);
            artifacts.chain(messages.flat_map(|message| &mut message.parts)).collect()
        }
        StreamResponse::Message(message) => message.parts.iter_mut().collect(),
        StreamResponse::StatusUpdate(event) => {
            event.status.message.iter_mut().flat_map(|message| &mut message.parts).collect()
        }
        StreamResponse::ArtifactUpdate(event) => event.artifact.parts.iter_mut().collect(),
    };
    for part in parts {
        if matches!(part.content, PartContent::Text(_) | PartContent::Data(_)) {
            part.media_type = None;
            part.filename = None;
        }
    }
    item
}

/// Every member of every object in `value` that is not free content.
fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                found.push(name.clone());
                if !matches!(name.as_str(), "metadata" | "data") {
                    names(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(item in any_item()) {
        let text = serde_json::to_string(&item).unwrap();
        prop_assert_eq!(serde_json::from_str::<StreamResponse>(&text).unwrap(), item);
    }

    #[test]
    fn v03_carries_all_that_it_has_words_for(item in any_item()) {
        let there = v03::stream_to_v03(serde_json::to_value(&item).unwrap());
        let back: StreamResponse = serde_json::from_value(v03::stream_from_v03(there)).unwrap();
        prop_assert_eq!(back, as_v03_can_say_it(item));
    }

    #[test]
    fn what_v03_said_it_says_again(item in any_item()) {
        let said = v03::stream_to_v03(serde_json::to_value(&item).unwrap());
        prop_assert_eq!(v03::stream_to_v03(v03::stream_from_v03(said.clone())), said);
    }

    #[test]
    fn v03_speaks_with_its_own_words_only(item in any_item()) {
        let said = v03::stream_to_v03(serde_json::to_value(&item).unwrap());
        let mut used = Vec::new();
        names(&said, &mut used);
        let foreign = ["mediaType", "filename", "raw", "url", "statusUpdate", "artifactUpdate", "task"];
        prop_assert!(used.iter().all(|name| !foreign.contains(&name.as_str())), "{}", said);
        let kind = said["kind"].as_str().unwrap();
        prop_assert!(["task", "message", "status-update", "artifact-update"].contains(&kind));
    }

    #[test]
    fn a_message_sent_in_v03_is_the_message_sent_in_v1(message in any_message(), blocking in any::<bool>()) {
        let message = serde_json::to_value(&message).unwrap();
        let configuration = json!({ "blocking": blocking, "historyLength": 3, "acceptedOutputModes": ["text/plain"] });
        let params = json!({ "message": v03::message_to_v03(message.clone()), "configuration": configuration });
        let read = v03::send_from_v03(params.clone());
        prop_assert_eq!(&read["configuration"]["returnImmediately"], !blocking);
        prop_assert_eq!(&read["message"], &v03::message_from_v03(v03::message_to_v03(message)));
        prop_assert_eq!(v03::send_to_v03(read), params);
    }
}
