//! One story for every task store.

use drydock::a2a::types::{ContextId, Message, Role, Task, TaskId, TaskState, TaskStatus, Timestamp};
use drydock::tasks::{
    Created, IdempotencyKey, LogEntry, Owner, SqliteTaskStore, StoredEntry, TaskEvent, TaskStore,
    TaskStoreError, apply,
};

use crate::support::script::{chunks, status};
use crate::support::store_in;

fn new_task() -> Task {
    Task {
        id: TaskId::generate(),
        context_id: ContextId::generate(),
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: Timestamp::now() },
        artifacts: Vec::new(),
        history: vec![Message { role: Role::User, ..Message::agent_text("☸ 왜?") }],
        metadata: None,
    }
}

fn entry(sequence: u64, entry: LogEntry) -> StoredEntry {
    StoredEntry { sequence, at: Timestamp::now(), entry }
}

fn update(sequence: u64, event: TaskEvent) -> StoredEntry {
    entry(sequence, LogEntry::Update(event))
}

fn first(task: &Task) -> StoredEntry {
    entry(1, LogEntry::Created(task.clone()))
}

async fn append_one(store: &dyn TaskStore, task: Task, next: &StoredEntry) -> Task {
    let task = apply(Some(task), next).unwrap();
    store.append(&task.id, next.sequence - 1, std::slice::from_ref(next), &task).await.unwrap();
    task
}

async fn keeps_what_it_is_given(store: &dyn TaskStore) {
    let owner = Owner("me".to_owned());
    let mut task = new_task();
    assert_eq!(store.create(&owner, &first(&task), &task, None).await.unwrap(), Created::New);
    let mut log = vec![first(&task)];
    log[0].at = store.entries(&task.id, 0, 1).await.unwrap()[0].at;
    let mut events = vec![status(TaskState::Working, Some("reading"))];
    events.extend(chunks(vec!["line\n".to_owned(); 300]));
    for (event, sequence) in events.into_iter().zip(2..) {
        let next = update(sequence, event);
        task = append_one(store, task, &next).await;
        log.push(next);
        if sequence % 37 == 0 {
            let loaded = store.load(&task.id).await.unwrap();
            assert_eq!((&loaded.task, loaded.sequence), (&task, sequence), "readable at every point");
        }
    }
    let loaded = store.load(&task.id).await.unwrap();
    assert_eq!((loaded.owner, loaded.task, loaded.sequence), (owner, task.clone(), 302));
    let mut read = store.entries(&task.id, 0, 100).await.unwrap();
    while let Some(last) = read.last().map(|stored| stored.sequence).filter(|last| *last < 302) {
        read.extend(store.entries(&task.id, last, 100).await.unwrap());
    }
    assert_eq!(read, log);
    assert_eq!(store.entries(&task.id, 302, 100).await.unwrap(), []);
}

async fn refuses_what_does_not_follow(store: &dyn TaskStore) {
    let task = new_task();
    store.create(&Owner::anonymous(), &first(&task), &task, None).await.unwrap();
    let next = update(2, status(TaskState::Working, None));
    let task = append_one(store, task, &next).await;
    for after in [0, 1, 3] {
        let again = update(after + 1, status(TaskState::Completed, None));
        let refused = store.append(&task.id, after, &[again], &task).await;
        assert!(matches!(refused, Err(TaskStoreError::Conflict)), "after {after}");
    }
    assert_eq!(store.load(&task.id).await.unwrap().sequence, 2);
    let nobody = TaskId::from("nobody");
    assert!(matches!(store.load(&nobody).await, Err(TaskStoreError::NotFound)));
    assert!(matches!(store.begin_attempt(&nobody).await, Err(TaskStoreError::NotFound)));
    assert_eq!(store.entries(&nobody, 0, 10).await.unwrap(), []);
}

async fn knows_what_is_unfinished(store: &dyn TaskStore) {
    let before = store.unfinished().await.unwrap();
    let mut ids = Vec::new();
    for state in [TaskState::Working, TaskState::InputRequired, TaskState::Completed, TaskState::Canceled] {
        let task = new_task();
        store.create(&Owner::anonymous(), &first(&task), &task, None).await.unwrap();
        let task = append_one(store, task, &update(2, status(state, None))).await;
        ids.push(task.id);
    }
    let mut unfinished = store.unfinished().await.unwrap();
    unfinished.retain(|id| !before.contains(id));
    assert_eq!(unfinished, ids[..1]);
    assert_eq!(store.begin_attempt(&ids[0]).await.unwrap(), 1);
    assert_eq!(store.begin_attempt(&ids[0]).await.unwrap(), 2);
    assert_eq!(store.load(&ids[0]).await.unwrap().attempts, 2);
}

async fn finds_a_task_by_its_key(store: &dyn TaskStore) {
    let (me, you) = (Owner("me".to_owned()), Owner("you".to_owned()));
    let key = IdempotencyKey { key: "k".to_owned(), request: "digest".to_owned() };
    let (mine, again, yours) = (new_task(), new_task(), new_task());
    assert_eq!(store.create(&me, &first(&mine), &mine, Some(&key)).await.unwrap(), Created::New);
    let existing = Created::Existing { task_id: mine.id.clone(), request: "digest".to_owned() };
    assert_eq!(store.create(&me, &first(&again), &again, Some(&key)).await.unwrap(), existing);
    assert!(matches!(store.load(&again.id).await, Err(TaskStoreError::NotFound)));
    assert_eq!(store.create(&you, &first(&yours), &yours, Some(&key)).await.unwrap(), Created::New);
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_a_task_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    keeps_what_it_is_given(&store).await;
    refuses_what_does_not_follow(&store).await;
    knows_what_is_unfinished(&store).await;
    finds_a_task_by_its_key(&store).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let task = new_task();
    let store = store_in(folder.path()).await;
    store.create(&Owner::anonymous(), &first(&task), &task, None).await.unwrap();
    drop(store);
    assert_eq!(store_in(folder.path()).await.load(&task.id).await.unwrap().task, task);
}

#[tokio::test]
async fn two_processes_cannot_share_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let _first = store_in(folder.path()).await;
    let second = SqliteTaskStore::open(&folder.path().join("tasks.db")).await;
    let error = second.expect_err("it is in use").to_string();
    assert!(error.contains("in use") && error.contains("--data"), "{error}");
}
