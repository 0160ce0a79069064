//! An executor that emits what the test tells it to, when the test tells it to.

use drydock::a2a::types::TaskState;
use drydock::tasks::{AgentExecutor, ExecutionRequest, TaskEvent};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::{Mutex, mpsc};

use super::script::{chunks, status};

/// Hands each execution to the test.
pub struct Puppet {
    stage: mpsc::UnboundedSender<Strings>,
    audience: Mutex<mpsc::UnboundedReceiver<Strings>>,
}

/// One execution. Dropping it ends the executor's stream.
pub struct Strings {
    /// What the executor was asked to do.
    pub request: ExecutionRequest,
    events: mpsc::UnboundedSender<TaskEvent>,
}

impl Default for Puppet {
    fn default() -> Self {
        let (stage, audience) = mpsc::unbounded_channel();
        Self { stage, audience: Mutex::new(audience) }
    }
}

impl Puppet {
    /// Waits for the next execution to begin.
    pub async fn next(&self) -> Strings {
        self.audience.lock().await.recv().await.expect("an execution begins")
    }

    /// True where no execution has begun that the test does not hold yet.
    pub async fn is_idle(&self) -> bool {
        self.audience.lock().await.is_empty()
    }
}

impl AgentExecutor for Puppet {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        let (events, receiver) = mpsc::unbounded_channel();
        let _ = self.stage.send(Strings { request, events });
        stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|event| (event, receiver))
        })
        .boxed()
    }
}

impl Strings {
    pub fn emit(&self, event: TaskEvent) {
        let _ = self.events.send(event);
    }

    pub fn status(&self, state: TaskState) {
        self.emit(status(state, None));
    }

    /// An artifact in chunks.
    pub fn answer(&self, texts: &[&str]) {
        for chunk in chunks(texts.iter().map(|text| (*text).to_owned()).collect()) {
            self.emit(chunk);
        }
    }

    /// True until the runner has dropped the executor's stream.
    pub async fn dropped(&self) {
        self.events.closed().await;
    }
}
