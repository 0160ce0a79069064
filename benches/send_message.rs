//! A SendMessage round trip without model work: real HTTP, real store, an executor that echoes in three chunks.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use drydock::agent_card::{self, Publication, PublishedCard};
use drydock::app::{App, Reception};
use drydock::tasks::SqliteTaskStore;
use futures::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

#[path = "../tests/it/support/script.rs"]
mod script;

fn main() {
    divan::main();
}

/// A served agent whose tasks are kept in a folder.
struct Served {
    runtime: Runtime,
    http: reqwest::Client,
    url: String,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start() -> anyhow::Result<Self> {
        let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
        let url = runtime.block_on(serve(&folder))?;
        Ok(Self { runtime, http: reqwest::Client::new(), url, _folder: folder })
    }

    async fn send(&self, method: &str) -> anyhow::Result<usize> {
        let message = json!({ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "hello" }] });
        let params = json!({ "message": message });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = self.http.post(&self.url).header("A2A-Version", "1.0").json(&body);
        Ok(request.send().await?.error_for_status()?.bytes().await?.len())
    }
}

async fn serve(folder: &tempfile::TempDir) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let store = SqliteTaskStore::open(&folder.path().join("tasks.db")).await?;
    let card = PublishedCard::new(agent_card::load(None)?, &Publication::at(&url))?;
    let app = App::assemble(Arc::new(store), Arc::new(script::Scripted), Reception::open(card));
    tokio::spawn(app.serve(listener, std::future::pending()));
    Ok(url)
}

fn bench(bencher: Bencher, method: &str, at_once: usize) {
    let served = Served::start().expect("the server starts");
    let answer = served.runtime.block_on(served.send("GetTask")).expect("it answers");
    assert!(answer > 0);
    bencher.counter(ItemsCount::new(at_once)).bench(|| {
        let sends = (0..at_once).map(|_| served.send(method));
        for sent in served.runtime.block_on(join_all(sends)) {
            assert!(sent.is_ok_and(|length| length > 100), "each send is answered with a task");
        }
    });
}

#[divan::bench(args = [1, 8, 64])]
fn send_message(bencher: Bencher, at_once: usize) {
    bench(bencher, "SendMessage", at_once);
}

#[divan::bench(args = [1, 8, 64])]
fn send_streaming_message(bencher: Bencher, at_once: usize) {
    bench(bencher, "SendStreamingMessage", at_once);
}
