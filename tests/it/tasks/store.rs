//! One story for every task store.

use std::collections::BTreeMap;

use drydock::a2a::types::{ContextId, Message, Role, Task, TaskId, TaskState, TaskStatus, Timestamp};
use drydock::tasks::{
    Created, IdempotencyKey, ListPosition, LogEntry, Owner, PushAuthentication, PushConfig, PushFormat,
    PushLimits, PushProgress, PushStart, PushState, PutPush, RequestOptions, Secret, SqliteTaskStore,
    StoredEntry, StoredPush, StoredTask, TaskEvent, TaskFilter, TaskStore, TaskStoreError, apply,
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

fn stored(owner: &Owner, task: &Task) -> StoredTask {
    StoredTask::first(owner.clone(), task.clone(), RequestOptions::default())
}

async fn create(store: &dyn TaskStore, owner: &Owner, task: &Task) {
    assert_eq!(store.create(&stored(owner, task), &first(task), None).await.unwrap(), Created::New);
}

async fn append_one(store: &dyn TaskStore, task: Task, next: &StoredEntry) -> Task {
    let task = apply(Some(task), next).unwrap();
    let after = StoredTask { sequence: next.sequence, ..stored(&Owner::anonymous(), &task) };
    store.append(next.sequence - 1, std::slice::from_ref(next), &after, None).await.unwrap();
    task
}

async fn keeps_what_it_is_given(store: &dyn TaskStore) {
    let owner = Owner("me".to_owned());
    let mut task = new_task();
    create(store, &owner, &task).await;
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
    create(store, &Owner::anonymous(), &task).await;
    let next = update(2, status(TaskState::Working, None));
    let task = append_one(store, task, &next).await;
    for after in [0, 1, 3] {
        let again = update(after + 1, status(TaskState::Completed, None));
        let refused = store.append(after, &[again], &stored(&Owner::anonymous(), &task), None).await;
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
        create(store, &Owner::anonymous(), &task).await;
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
    assert_eq!(store.create(&stored(&me, &mine), &first(&mine), Some(&key)).await.unwrap(), Created::New);
    let existing = Created::Existing { task_id: mine.id.clone(), request: "digest".to_owned() };
    assert_eq!(store.create(&stored(&me, &again), &first(&again), Some(&key)).await.unwrap(), existing);
    assert!(matches!(store.load(&again.id).await, Err(TaskStoreError::NotFound)));
    assert_eq!(store.create(&stored(&you, &yours), &first(&yours), Some(&key)).await.unwrap(), Created::New);
}

async fn lists_the_newest_status_first(store: &dyn TaskStore) {
    let (me, you) = (Owner("lister".to_owned()), Owner("another".to_owned()));
    let context = ContextId::from("talk");
    let mut expected = Vec::new();
    for number in 0..7_i64 {
        let mut task = new_task();
        // Two of each time, so that the id has to decide.
        task.status.timestamp = jiff::Timestamp::from_second(1_800_000_000 + number / 2).unwrap().into();
        task.status.state = if number % 2 == 0 { TaskState::Completed } else { TaskState::Working };
        if number < 3 {
            task.context_id = context.clone();
        }
        create(store, &me, &task).await;
        expected.insert(0, task);
    }
    create(store, &you, &new_task()).await;
    let all = store.list(&me, &TaskFilter::default(), None, 100).await.unwrap();
    assert_eq!((&all.tasks, all.total, &all.next), (&expected, 7, &None));
    let (mut paged, mut position): (Vec<Task>, Option<ListPosition>) = (Vec::new(), None);
    loop {
        let page = store.list(&me, &TaskFilter::default(), position.as_ref(), 3).await.unwrap();
        assert_eq!(page.total, 7, "the total does not depend on the page");
        paged.extend(page.tasks);
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected, "pages join without gap or repeat");
    let filtered = |filter: TaskFilter| async move {
        store.list(&Owner("lister".to_owned()), &filter, None, 100).await.unwrap()
    };
    let in_context = filtered(TaskFilter { context_id: Some(context), ..TaskFilter::default() }).await;
    assert_eq!(in_context.tasks, expected[4..]);
    let working = filtered(TaskFilter { state: Some(TaskState::Working), ..TaskFilter::default() }).await;
    assert_eq!(working.total, 3);
    let since = expected[1].status.timestamp;
    let recent = filtered(TaskFilter { since: Some(since), ..TaskFilter::default() }).await;
    assert_eq!(recent.tasks, expected[..3], "a task of just that time belongs to it");
}

fn push(task: &Task, id: &str) -> PushConfig {
    PushConfig {
        task_id: task.id.clone(),
        id: id.to_owned(),
        owner: Owner("pushed".to_owned()),
        format: PushFormat::V03,
        url: "https://hooks.example/".to_owned(),
        token: Some(Secret::new("t")),
        authentication: Some(PushAuthentication {
            scheme: "Bearer".to_owned(),
            credentials: Some(Secret::new("c")),
        }),
    }
}

async fn put(store: &dyn TaskStore, config: &PushConfig, start: PushStart) -> StoredPush {
    let put = store.put_push(config, start, PushLimits { per_task: 2, per_owner: 3 }).await.unwrap();
    assert_eq!(put, PutPush::Kept);
    let kept = store.pushes(&config.task_id).await.unwrap();
    kept.into_iter().find(|stored| stored.config.id == config.id).unwrap()
}

async fn keeps_push_configurations(store: &dyn TaskStore) {
    let task = new_task();
    create(store, &Owner("pushed".to_owned()), &task).await;
    let nobody = PushConfig { task_id: "nobody".into(), ..push(&task, "a") };
    let unknown = store.put_push(&nobody, PushStart::Now, PushLimits::default()).await;
    assert!(matches!(unknown, Err(TaskStoreError::NotFound)));
    let first = put(store, &push(&task, "a"), PushStart::First).await;
    let now = put(store, &push(&task, "b"), PushStart::Now).await;
    assert_eq!((&first.config, first.progress.cursor, now.progress.cursor), (&push(&task, "a"), 0, 1));
    assert_eq!(store.pushes(&task.id).await.unwrap(), [first.clone(), now.clone()]);
    let tried = PushProgress {
        attempts: 2,
        refusals: 1,
        failing_since: Some(Timestamp::now()),
        next_attempt_at: Some(Timestamp::now()),
        last_error: Some("HTTP 503".to_owned()),
        ..PushProgress::after(1)
    };
    store.record_push(&first, &tried).await.unwrap();
    assert_eq!(store.pushes(&task.id).await.unwrap()[0].progress, tried);
    let changed = PushConfig { url: "https://elsewhere.example/".to_owned(), ..push(&task, "a") };
    let replaced = put(store, &changed, PushStart::First).await;
    assert_eq!((&replaced.config, &replaced.progress), (&changed, &PushProgress::after(1)));
    let late = store.record_push(&first, &PushProgress::after(9)).await;
    assert!(matches!(late, Err(TaskStoreError::Conflict)), "what was replaced notes nothing any more");
    store.remove_push(&task.id, "a").await.unwrap();
    store.remove_push(&task.id, "a").await.unwrap();
    assert!(matches!(store.record_push(&replaced, &tried).await, Err(TaskStoreError::Conflict)));
    let again = put(store, &changed, PushStart::First).await;
    assert_ne!(again.revision, replaced.revision);
}

async fn bounds_push_configurations(store: &dyn TaskStore) {
    let limits = PushLimits { per_task: 2, per_owner: 3 };
    let before = store.active_pushes(&Owner("pushed".to_owned())).await.unwrap();
    assert_eq!(before, 2);
    let task = new_task();
    create(store, &Owner("pushed".to_owned()), &task).await;
    let third = put(store, &push(&task, "a"), PushStart::First).await;
    let full = store.put_push(&push(&task, "b"), PushStart::First, limits).await.unwrap();
    assert_eq!(full, PutPush::OwnerIsFull);
    put(store, &push(&task, "a"), PushStart::First).await;
    let done = PushProgress { state: PushState::Done, ..PushProgress::after(1) };
    let third = StoredPush { revision: store.pushes(&task.id).await.unwrap()[0].revision, ..third };
    store.record_push(&third, &done).await.unwrap();
    put(store, &push(&task, "b"), PushStart::First).await;
    let full = store.put_push(&push(&task, "c"), PushStart::First, limits).await.unwrap();
    assert_eq!(full, PutPush::TaskIsFull, "what is done counts, too");
    let (mut active, mut last): (Vec<StoredPush>, Option<(TaskId, String)>) = (Vec::new(), None);
    loop {
        let after = last.as_ref().map(|(task_id, id)| (task_id, id.as_str()));
        let page = store.pushes_in_state(PushState::Active, after, 2).await.unwrap();
        let Some(end) = page.last() else { break };
        last = Some((end.config.task_id.clone(), end.config.id.clone()));
        active.extend(page);
    }
    let ids: Vec<&str> = active.iter().map(|stored| stored.config.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "b"], "pages join without gap or repeat");
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_a_task_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    keeps_what_it_is_given(&store).await;
    refuses_what_does_not_follow(&store).await;
    knows_what_is_unfinished(&store).await;
    finds_a_task_by_its_key(&store).await;
    lists_the_newest_status_first(&store).await;
    keeps_push_configurations(&store).await;
    bounds_push_configurations(&store).await;
}

#[test]
fn secrets_of_push_configurations_are_not_printed() {
    let printed =
        format!("{:?}", PushConfig { token: Some(Secret::new("s3cret")), ..push(&new_task(), "a") });
    assert!(printed.contains("hooks.example") && !printed.contains("s3cret"), "{printed}");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let task = new_task();
    let store = store_in(folder.path()).await;
    create(&store, &Owner::anonymous(), &task).await;
    drop(store);
    assert_eq!(store_in(folder.path()).await.load(&task.id).await.unwrap().task, task);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files_of_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let store = store_in(folder.path()).await;
    create(&store, &Owner("a".to_owned()), &new_task()).await;
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
    let modes: BTreeMap<_, _> = files
        .map(|file| {
            (file.file_name(), format!("{:o}", file.metadata().unwrap().permissions().mode() & 0o777))
        })
        .collect();
    assert_eq!(modes.len(), 4, "the file, its log and its index, and the lock: {modes:?}");
    assert!(modes.values().all(|mode| mode == "600"), "{modes:?}");
}

#[tokio::test]
async fn two_processes_cannot_share_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let _first = store_in(folder.path()).await;
    let second = SqliteTaskStore::open(&folder.path().join("tasks.db")).await;
    let error = second.expect_err("it is in use").to_string();
    assert!(error.contains("in use") && error.contains("--data"), "{error}");
}
