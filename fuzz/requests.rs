//! Fuzz target: whatever a request holds, the server answers, and its answer is well-formed.
//!
//! An input is a request as text: `METHOD PATH`, headers, an empty line, the body; see `seeds/`. `@waiting` stands for the
//! id of a task that waits for its client, `@done` for one that has ended.
#![no_main]

mod oracle;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use drydock::a2a::types::{Artifact, Message, Part, TaskState};
use drydock::a2a::{RequestLimits, Surface, router};
use drydock::agent_card::{Publication, PublishedCard, load};
use drydock::auth::Authenticator;
use drydock::tasks::{AgentExecutor, ExecutionRequest, RunnerLimits, SqliteTaskStore, TaskEvent, TaskRunner};
use futures::stream::{self, BoxStream, StreamExt};
use http::Request;
use http_body_util::BodyExt;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
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
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir_in(scratch()).expect("a folder");
        let store = SqliteTaskStore::open(&folder.path().join("tasks.db")).await.expect("a store");
        let publication = Publication { rest: true, ..Publication::at("http://localhost:9000") };
        let surface = Surface {
            runner: TaskRunner::new(Arc::new(store), Arc::new(AtOnce), RunnerLimits::default()),
            card: PublishedCard::new(load(None).expect("the card"), &publication).expect("the card"),
            authenticator: Authenticator::anonymous(),
            limits: RequestLimits::default(),
        };
        let mut server = Self { router: router(surface), done: String::new(), requests: 0, _folder: folder };
        server.done = server.new_task("well").await;
        server
    }

    async fn new_task(&self, text: &str) -> String {
        let params =
            json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": text }] } });
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
            input = input.replace("@waiting", &self.new_task("ask").await);
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

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(input) = std::str::from_utf8(input) else { return Corpus::Reject };
    RUNTIME.with(|runtime| {
        SERVER.with_borrow_mut(|server| {
            if server.as_ref().is_none_or(|server| server.requests > REQUESTS) {
                *server = None;
                *server = Some(runtime.block_on(Server::start()));
            }
            let server = server.as_mut().expect("it was started");
            match runtime.block_on(server.try_input(input)) {
                true => Corpus::Keep,
                false => Corpus::Reject,
            }
        })
    })
});
