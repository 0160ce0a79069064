//! A receiver of push notifications on a real port, which answers as the test says.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::task::AbortOnDropHandle;

/// What a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// 200, and the connection is closed.
    Close,
    /// 307 to this URL.
    Redirect(String),
    /// Nothing, ever.
    Hang,
}

/// What a receiver got.
#[derive(Debug, Clone)]
pub struct Notification {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub raw: Bytes,
    /// What it was answered; none where it was left hanging.
    pub answered: Option<u16>,
}

/// Listens until dropped.
pub struct Receiver {
    pub address: SocketAddr,
    seen: tokio::sync::Mutex<UnboundedReceiver<Notification>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    connections: Arc<AtomicUsize>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Desk {
    seen: UnboundedSender<Notification>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

/// An address of this machine that no other test uses, so that a port on it stays free while nobody listens.
pub fn own_address() -> IpAddr {
    let [_, a, b, c] = uuid::Uuid::new_v4().as_u128().to_le_bytes()[..4] else { unreachable!("four bytes") };
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254)).into()
}

impl Receiver {
    /// A receiver that answers 200.
    pub async fn start() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), []).await
    }

    /// A receiver that gives these answers first, and then 200.
    pub async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), replies).await
    }

    pub async fn at(address: SocketAddr, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, receiver) = mpsc::unbounded_channel();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let desk = Desk { seen, replies: Arc::clone(&replies) };
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let router = Router::new().fallback(take).with_state(desk);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self {
            address,
            seen: tokio::sync::Mutex::new(receiver),
            replies,
            connections,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?key=in-the-url", self.address)
    }

    /// What to answer next.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).extend(replies);
    }

    /// Waits for the next notification.
    pub async fn next(&self) -> Notification {
        self.seen.lock().await.recv().await.expect("the receiver is there")
    }

    /// Waits for this many.
    pub async fn take(&self, count: usize) -> Vec<Notification> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// What was taken (2xx) up to the one with which its task has ended.
    pub async fn take_to_the_end(&self) -> Vec<Notification> {
        let mut taken: Vec<Notification> = Vec::new();
        while !taken.last().is_some_and(Notification::is_terminal) {
            taken.extend(Some(self.next().await).filter(Notification::was_taken));
        }
        taken
    }

    /// True where nothing has come that the test has not seen.
    pub async fn is_quiet(&self) -> bool {
        self.seen.lock().await.is_empty()
    }

    /// How often someone has connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn take(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, raw: Bytes) -> Response {
    let reply = desk.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let response = match &reply {
        None => StatusCode::OK.into_response(),
        Some(Reply::Status(status)) => StatusCode::from_u16(*status).expect("a status").into_response(),
        Some(Reply::Close) => (StatusCode::OK, [(header::CONNECTION, "close")]).into_response(),
        Some(Reply::Redirect(to)) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to.as_str())]).into_response()
        }
        Some(Reply::Hang) => {
            let _ = desk.seen.send(Notification { uri, headers, raw, answered: None });
            return std::future::pending().await;
        }
    };
    let answered = Some(response.status().as_u16());
    let _ = desk.seen.send(Notification { uri, headers, raw, answered });
    response
}

impl Notification {
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("a notification is JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// The number of the entry.
    pub fn sequence(&self) -> u64 {
        let id = self.header("drydock-notification-id").expect("each has an id");
        id.rsplit_once('/').expect("task and entry").1.parse().expect("a number")
    }

    pub fn was_taken(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }

    /// The state it tells of, in either dialect.
    pub fn state(&self) -> Option<String> {
        let body = self.body();
        let status = [&body["statusUpdate"]["status"], &body["task"]["status"], &body["status"]]
            .map(|s| s["state"].as_str());
        status.into_iter().flatten().next().map(str::to_owned)
    }

    pub fn is_terminal(&self) -> bool {
        let ends =
            ["COMPLETED", "FAILED", "CANCELED", "REJECTED", "completed", "failed", "canceled", "rejected"];
        self.state().is_some_and(|state| ends.contains(&state.trim_start_matches("TASK_STATE_")))
    }
}
