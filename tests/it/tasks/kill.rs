//! `kill -9` of the real program in the midst of its work, on a cluster that the test holds still.

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::BoxStream;
use serde_json::json;

use crate::support::process::{Server, bundle, serve};
use crate::support::{Frame, GatedCluster, frames_of, rpc_to, v1_message};

const V1: Option<&str> = Some("1.0");
/// Tasks that are worked on at the same time, and tasks that wait for their turn meanwhile.
const AT_ONCE: usize = 8;
const WAITING: usize = 4;

/// One reader's stream, and what it has seen of it.
struct Reader {
    task: String,
    seen: Vec<u64>,
    frames: BoxStream<'static, Frame>,
}

impl Reader {
    async fn open(http: &reqwest::Client, url: &str) -> Self {
        let mut frames =
            frames_of(rpc_to(http, url, V1, "SendStreamingMessage", v1_message("Is anything wrong?"))).await;
        let first = frames.next().await.unwrap();
        let task = first.data["result"]["task"]["id"].as_str().unwrap().to_owned();
        Self { task, seen: vec![first.id.parse().unwrap()], frames }
    }

    /// Reads until the task says that it calls a tool, which then hangs.
    async fn read_into_the_work(&mut self) {
        while let Some(frame) = self.frames.next().await {
            self.seen.push(frame.id.parse().unwrap());
            if frame.data["result"]["statusUpdate"]["metadata"]["tool"]["phase"] == "started" {
                return;
            }
        }
    }

    /// Comes back with the last number and reads to the end; returns the last event.
    async fn come_back(&mut self, http: &reqwest::Client, url: &str) -> Frame {
        let last = self.seen.last().unwrap().to_string();
        let request = rpc_to(http, url, V1, "SubscribeToTask", json!({ "id": self.task }));
        let frames: Vec<Frame> = frames_of(request.header("Last-Event-ID", last)).await.collect().await;
        self.seen.extend(frames.iter().map(|frame| frame.id.parse::<u64>().unwrap()));
        frames.last().unwrap().clone()
    }
}

#[tokio::test]
async fn a_process_killed_at_any_instant_leaves_no_task_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = GatedCluster::serve(&bundle("broken")).await;
    let (kubeconfig, data) = (cluster.kubeconfig(folder.path()), folder.path().join("data"));
    let start = |port: String| {
        let command = serve(&kubeconfig, &data, &port, &["--max-concurrent-tasks", &AT_ONCE.to_string()]);
        async { tokio::task::spawn_blocking(|| Server::start(command)).await.unwrap() }
    };
    let http = reqwest::Client::new();

    let server = start("0".to_owned()).await;
    let mut readers = join_all((0..AT_ONCE).map(|_| Reader::open(&http, &server.url))).await;
    join_all(readers.iter_mut().map(Reader::read_into_the_work)).await;
    readers.extend(join_all((0..WAITING).map(|_| Reader::open(&http, &server.url))).await);
    let (url, port) = (server.url.clone(), server.port());
    server.kill();
    for reader in &mut readers {
        while let Some(frame) = reader.frames.next().await {
            reader.seen.push(frame.id.parse().unwrap());
        }
    }

    cluster.open();
    let server = start(port).await;
    assert_eq!(server.url, url);
    for reader in &mut readers {
        let last = reader.come_back(&http, &url).await;
        assert_eq!(last.data["result"]["statusUpdate"]["status"]["state"], "TASK_STATE_COMPLETED");
        let expected: Vec<u64> = (1..=reader.seen.len() as u64).collect();
        assert_eq!(reader.seen, expected, "no event is lost or doubled");
        let task = rpc_to(&http, &url, V1, "GetTask", json!({ "id": reader.task }));
        let task = crate::support::json_of(task).await;
        let answer = task["result"]["artifacts"].as_array().unwrap().iter().find(|a| a["name"] != "report");
        let text = answer.unwrap()["parts"][0]["text"].as_str().unwrap();
        assert!(text.contains("catalog"), "{text}");
    }
}
