//! Fuzz target: whatever a request holds, the server answers, and its answer is well-formed.
//!
//! An input is a request as text: `METHOD PATH`, headers, an empty line, the body; see `seeds/`. `@waiting` stands for the
//! id of a task that waits for its client, `@pushed` for one of which somebody is notified, `@done` for one that has ended.
#![no_main]

mod oracle;

use std::cell::RefCell;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use drydock::a2a::types::{Artifact, Message, Part, TaskState};
use drydock::a2a::{Push, PushConcurrency, PushSettings, RequestLimits, Surface, router};
use drydock::agent_card::{Publication, PublishedCard, load};
use drydock::auth::Authenticator;
use drydock::tasks::{AgentExecutor, ExecutionRequest, RunnerLimits, SqliteTaskStore, TaskEvent, TaskRunner};
use futures::stream::{self, BoxStream, StreamExt};
use http::Request;
use http_body_util::BodyExt;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// Requests to one server before it is replaced: its database grows.
const REQUESTS: u32 = 2_000;
/// How long a stream is watched that does not end.
const WATCHED: Duration = Duration::from_millis(20);

/// Ends at once: waits for its client where the text begins with `ask`, else completes.
struct AtOnce;

impl AgentExecutor for AtOnce {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        let asks = request.message.text().starts_with("ask") && request.task.history.len() < 2;
        let status = |state, text| TaskEvent::Status { state, message: text, metadata: None };
        if asks {
            let question = Message::agent_text("Which namespace?");
            return stream::iter([status(TaskState::InputRequired, Some(question))]).boxed();
        }
        let artifact = Artifact {
            artifact_id: "answer".to_owned(),
            name: None,
            description: None,
            parts: vec![Part::text(request.message.text(), "text/plain")],
            metadata: None,
            extensions: Vec::new(),
        };
        let chunk = TaskEvent::Artifact { artifact, append: false, last_chunk: true };
        stream::iter([status(TaskState::Working, None), chunk, status(TaskState::Completed, None)]).boxed()
    }
}

struct Server {
    router: Router,
    done: String,
    requests: u32,
    /// A receiver of notifications that says nothing.
    receiver: TcpListener,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir_in(scratch()).expect("a folder");
        let receiver = TcpListener::bind("127.0.0.1:0").expect("a port");
        let store = Arc::new(SqliteTaskStore::open(&folder.path().join("tasks.db")).await.expect("a store"));
        let publication = Publication { rest: true, push: true, ..Publication::at("http://localhost:9000") };
        let runner = TaskRunner::new(store.clone(), Arc::new(AtOnce), RunnerLimits::default());
        let surface = Surface {
            push: Push::new(store, runner.clone(), one_at_a_time()),
            runner,
            card: PublishedCard::new(load(None).expect("the card"), &publication).expect("the card"),
            authenticator: Authenticator::anonymous(),
            limits: RequestLimits::default(),
        };
        let mut server =
            Self { router: router(surface), done: String::new(), requests: 0, receiver, _folder: folder };
        server.done = server.new_task("well", None).await;
        server.occupy_delivery().await;
        server
    }

    /// Whom a request names is never connected to: notifications wait for the one that the silent receiver got.
    async fn occupy_delivery(&self) {
        let address = self.receiver.local_addr().expect("an address");
        self.new_task("ask", Some(&format!("http://{address}/"))).await;
        self.receiver.set_nonblocking(true).expect("it does not block");
        while self.receiver.accept().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn new_task(&self, text: &str, receiver: Option<&str>) -> String {
        let message = json!({ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": text }] });
        let push = receiver.map(|url| json!({ "id": "p1", "url": url }));
        let params = json!({ "message": message, "configuration": { "taskPushNotificationConfig": push } });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params });
        let request = Request::post("/").header("A2A-Version", "1.0").body(Body::from(body.to_string()));
        let answer = self.router.clone().oneshot(request.expect("a request")).await.expect("an answer");
        let answer = answer.into_body().collect().await.expect("a body").to_bytes();
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["result"]["task"]["id"].as_str().expect("a task").to_owned()
    }

    /// Sends the request of an input. False where it is none.
    async fn try_input(&mut self, input: &str) -> bool {
        let mut input = input.replace("@done", &self.done);
        if input.contains("@waiting") {
            input = input.replace("@waiting", &self.new_task("ask", None).await);
        }
        if input.contains("@pushed") {
            input = input.replace("@pushed", &self.new_task("ask", Some("https://example.com/hook")).await);
        }
        let Some((request, asked)) = read(&input) else { return false };
        self.requests += 1;
        let answer = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                bytes.extend(frame.into_data().unwrap_or_default());
            }
        };
        let ended = tokio::time::timeout(WATCHED, read).await.is_ok();
        oracle::check(&asked, &parts, &bytes, ended);
        true
    }
}

/// One delivery at a time, which takes as long as it takes.
fn one_at_a_time() -> PushSettings {
    let concurrency = PushConcurrency { total: 1, per_owner: 1, per_receiver: 1 };
    let allow = vec!["127.0.0.1".parse().expect("an address")];
    PushSettings { allow, concurrency, timeout: Duration::from_secs(86_400), ..PushSettings::default() }
}

/// Memory where there is such a folder: the store writes at every commit.
fn scratch() -> &'static str {
    if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }
}

/// A request as text, and what the oracle has to know of it.
fn read(input: &str) -> Option<(Request<Body>, oracle::Asked)> {
    let (head, body) = input.split_once("\n\n")?;
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    let request = request.body(Body::from(body.to_owned())).ok()?;
    let asked = oracle::Asked {
        method: method.to_owned(),
        path: request.uri().path().to_owned(),
        body: body.to_owned(),
    };
    Some((request, asked))
}

/// A server and what it runs on, so that both end together.
struct Running {
    server: Server,
    runtime: Runtime,
}

impl Running {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { server: runtime.block_on(Server::start()), runtime }
    }
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(input) = std::str::from_utf8(input) else { return Corpus::Reject };
    RUNNING.with_borrow_mut(|running| {
        if running.as_ref().is_none_or(|running| running.server.requests > REQUESTS) {
            *running = None;
            *running = Some(Running::start());
        }
        let Running { server, runtime } = running.as_mut().expect("it was started");
        match runtime.block_on(server.try_input(input)) {
            true => Corpus::Keep,
            false => Corpus::Reject,
        }
    })
});
