//! A receiver of push notifications on a free port of this machine.

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::sync::mpsc;

pub struct Webhook {
    pub url: String,
    received: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
}

impl Webhook {
    pub async fn start() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let receive = move |headers: HeaderMap, body: String| async move {
            let _ = sender.send((headers, serde_json::from_str(&body).expect("JSON")));
            Json(())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(receive))).await });
        Self { url, received }
    }

    /// The headers and the body of the next notification.
    pub async fn next(&mut self) -> (HeaderMap, Value) {
        self.received.recv().await.expect("a notification")
    }
}
