//! The pure reducer, over everything that can come.

use drydock::a2a::types::{
    Artifact, ContextId, Message, Part, PartContent, Role, Task, TaskId, TaskState, TaskStatus, Timestamp,
};
use drydock::tasks::{IllegalEvent, LogEntry, StoredEntry, TaskEvent, apply};
use proptest::prelude::*;

fn task() -> Task {
    Task {
        id: TaskId::from("t"),
        context_id: ContextId::from("c"),
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: Timestamp::now() },
        artifacts: Vec::new(),
        history: vec![Message { role: Role::User, ..Message::agent_text("x") }],
        metadata: None,
    }
}

fn stored(entry: LogEntry) -> StoredEntry {
    StoredEntry { sequence: 1, at: Timestamp::now(), entry }
}

pub fn any_state() -> impl Strategy<Value = TaskState> {
    proptest::sample::select(vec![
        TaskState::Submitted,
        TaskState::Working,
        TaskState::Completed,
        TaskState::Failed,
        TaskState::Canceled,
        TaskState::InputRequired,
        TaskState::Rejected,
        TaskState::AuthRequired,
    ])
}

fn any_chunk() -> impl Strategy<Value = LogEntry> {
    ("[ab]", "[a-z\n]{0,6}", any::<bool>(), any::<bool>()).prop_map(|(id, text, append, last_chunk)| {
        let artifact = Artifact {
            artifact_id: id,
            name: None,
            description: None,
            parts: vec![Part::text(text, "text/plain")],
            metadata: None,
            extensions: Vec::new(),
        };
        LogEntry::Update(TaskEvent::Artifact { artifact, append, last_chunk })
    })
}

fn any_entry() -> impl Strategy<Value = LogEntry> {
    prop_oneof![
        6 => any_chunk(),
        3 => (any_state(), proptest::option::of("[a-z]{1,4}")).prop_map(|(state, says)| {
            let message = says.map(Message::agent_text);
            LogEntry::Update(TaskEvent::Status { state, message, metadata: None })
        }),
        1 => Just(LogEntry::Received(Message { role: Role::User, ..Message::agent_text("more") })),
        1 => Just(LogEntry::Created(task())),
    ]
}

/// The text of an artifact.
fn text(task: &Task, id: &str) -> Option<String> {
    let artifact = task.artifacts.iter().find(|artifact| artifact.artifact_id == id)?;
    let texts = artifact.parts.iter().map(|part| match &part.content {
        PartContent::Text(text) => text.as_str(),
        PartContent::Raw(_) | PartContent::Url(_) | PartContent::Data(_) => "",
    });
    Some(texts.collect())
}

proptest! {
    #[test]
    fn no_sequence_of_events_leaves_a_terminal_state(entries in proptest::collection::vec(any_entry(), 0..40)) {
        let mut now = task();
        for entry in entries {
            let next = apply(Some(now.clone()), &stored(entry));
            if now.status.state.is_terminal() {
                prop_assert!(next.is_err());
            }
            now = next.unwrap_or(now);
        }
    }

    #[test]
    fn an_artifact_is_its_last_replacement_and_what_was_appended_since(
        chunks in proptest::collection::vec(any_chunk(), 0..40)
    ) {
        let mut now = task();
        let mut expected: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
        for entry in chunks {
            let LogEntry::Update(TaskEvent::Artifact { artifact, append, .. }) = &entry else { unreachable!() };
            let PartContent::Text(chunk) = &artifact.parts[0].content else { unreachable!() };
            let id = artifact.artifact_id.clone();
            match (append, apply(Some(now.clone()), &stored(entry.clone()))) {
                (true, Err(error)) => {
                    prop_assert!(!expected.contains_key(&id));
                    prop_assert_eq!(error, IllegalEvent::UnknownArtifact(id));
                }
                (false, Err(error)) => return Err(TestCaseError::fail(error.to_string())),
                (append, Ok(next)) => {
                    let known = expected.entry(id).or_default();
                    if !append {
                        known.clear();
                    }
                    known.push_str(chunk);
                    now = next;
                }
            }
        }
        for (id, content) in expected {
            prop_assert_eq!(text(&now, &id), Some(content));
        }
    }

    #[test]
    fn the_history_only_grows(entries in proptest::collection::vec(any_entry(), 0..40)) {
        let mut now = task();
        for entry in entries {
            let Ok(next) = apply(Some(now.clone()), &stored(entry)) else { continue };
            prop_assert_eq!(&next.history[..now.history.len()], &now.history[..]);
            now = next;
        }
    }
}

#[test]
fn text_that_continues_text_becomes_one_part() {
    let chunk = |text: &str, append| {
        let artifact = Artifact {
            artifact_id: "a".to_owned(),
            name: None,
            description: None,
            parts: vec![Part::text(text, "text/plain")],
            metadata: None,
            extensions: Vec::new(),
        };
        stored(LogEntry::Update(TaskEvent::Artifact { artifact, append, last_chunk: append }))
    };
    let begun = apply(Some(task()), &chunk("one ", false)).unwrap();
    let whole = apply(Some(begun), &chunk("two", true)).unwrap();
    assert_eq!(whole.artifacts[0].parts, [Part::text("one two", "text/plain")]);
}
