//! The agent with a scripted model and tools that the test holds in its hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drydock::a2a::types::{ContextId, Message, Role, Task, TaskId, TaskState, TaskStatus, Timestamp};
use drydock::agent::{Agent, Budget};
use drydock::model::{ModelDelta, ModelError, Scripted, ScriptedTurn, ToolCall, Turn};
use drydock::tasks::{AgentExecutor, ExecutionRequest, Owner, RequestOptions, TaskEvent};
use drydock::tools::{CallContext, ToolError, ToolOutcome, ToolSpec, Toolbox};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A toolbox with `quick`, which answers, and `endless`, which says that it runs and then never ends.
#[derive(Default)]
struct TestTools {
    endless_runs: Notify,
    dropped: Arc<AtomicUsize>,
}

struct CountsItsEnd(Arc<AtomicUsize>);

impl Drop for CountsItsEnd {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Toolbox for TestTools {
    async fn list(&self, _cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        Ok(["quick", "endless"].map(|name| ToolSpec::named(name, json!({}))).into())
    }

    async fn call(&self, name: &str, arguments: Value, _cx: &CallContext) -> ToolOutcome {
        if name == "endless" {
            let _counted = CountsItsEnd(Arc::clone(&self.dropped));
            self.endless_runs.notify_one();
            std::future::pending::<()>().await;
        }
        ToolOutcome::new(Value::Null, format!("quick {arguments}"))
    }
}

fn request() -> ExecutionRequest {
    let message = Message { role: Role::User, ..Message::agent_text("Why is the shop down?") };
    ExecutionRequest {
        owner: Owner::anonymous(),
        task: Task {
            id: TaskId::generate(),
            context_id: ContextId::generate(),
            status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: Timestamp::now() },
            artifacts: Vec::new(),
            history: vec![message.clone()],
            metadata: None,
        },
        message,
        options: RequestOptions::default(),
        cancellation: CancellationToken::new(),
    }
}

fn agent(model: &Scripted, tools: &Arc<TestTools>, budget: Budget) -> Agent {
    let toolbox: Arc<dyn Toolbox> = Arc::clone(tools) as Arc<dyn Toolbox>;
    Agent::new(Arc::new(model.clone()), toolbox, None, budget)
}

fn calls(name: &str) -> ScriptedTurn {
    let call = ToolCall { id: name.to_owned(), name: name.to_owned(), arguments: json!({ "n": 1 }) };
    ScriptedTurn::Deltas(vec![ModelDelta::ToolCall(call)])
}

fn says(text: &str) -> ScriptedTurn {
    ScriptedTurn::Deltas(vec![ModelDelta::Text(text.to_owned())])
}

fn last_state(events: &[TaskEvent]) -> Option<TaskState> {
    events.iter().rev().find_map(|event| match event {
        TaskEvent::Status { state, .. } => Some(*state),
        TaskEvent::Artifact { .. } => None,
    })
}

#[tokio::test]
async fn a_tool_result_reaches_the_model_and_its_answer_completes_the_task() {
    let model = Scripted::new([calls("quick"), says("The shop is fine.\n")]);
    let agent = agent(&model, &Arc::default(), Budget::default());
    let events: Vec<TaskEvent> = agent.execute(request()).collect().await;
    assert_eq!(last_state(&events), Some(TaskState::Completed));
    let requests = model.requests();
    let Some(Turn::Tools(results)) = requests[1].conversation.last() else { panic!("results come last") };
    assert_eq!(results[0].outcome.text, r#"quick {"n":1}"#);
    assert_eq!(model.unused(), 0);
}

#[tokio::test]
async fn cancel_during_a_tool_call_ends_canceled_and_drops_the_call() {
    let model = Scripted::new([calls("endless")]);
    let tools = Arc::new(TestTools::default());
    let request = request();
    let cancellation = request.cancellation.clone();
    let run = agent(&model, &tools, Budget::default()).execute(request).collect::<Vec<TaskEvent>>();
    let cancel = async {
        tools.endless_runs.notified().await;
        cancellation.cancel();
    };
    let (events, ()) = tokio::join!(run, cancel);
    assert_eq!(last_state(&events), Some(TaskState::Canceled));
    assert_eq!(tools.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cancel_while_the_model_thinks_ends_canceled() {
    let model = Scripted::new([ScriptedTurn::Hangs]);
    let request = request();
    request.cancellation.cancel();
    let events: Vec<TaskEvent> =
        agent(&model, &Arc::default(), Budget::default()).execute(request).collect().await;
    assert_eq!(last_state(&events), Some(TaskState::Canceled));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_fails_with_the_reason() {
    let model = Scripted::new([ScriptedTurn::Hangs]);
    let budget = Budget { time: Duration::from_secs(60), ..Budget::default() };
    let events: Vec<TaskEvent> = agent(&model, &Arc::default(), budget).execute(request()).collect().await;
    let Some(TaskEvent::Status { state: TaskState::Failed, message: Some(message), .. }) = events.last()
    else {
        panic!("it fails: {events:?}")
    };
    assert!(message.text().contains("time limit"));
}

#[tokio::test]
async fn a_model_that_breaks_off_fails_the_task() {
    let model = Scripted::new([ScriptedTurn::Fails(ModelError::Unavailable("no credentials".to_owned()))]);
    let events: Vec<TaskEvent> =
        agent(&model, &Arc::default(), Budget::default()).execute(request()).collect().await;
    assert_eq!(last_state(&events), Some(TaskState::Failed));
}
