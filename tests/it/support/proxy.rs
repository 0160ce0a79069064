//! A network that breaks when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on, and cuts all of them on request.
pub struct BreakingProxy {
    pub url: String,
    target: watch::Sender<String>,
    breaks: watch::Sender<()>,
    connections: Arc<AtomicUsize>,
}

impl BreakingProxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (target, targets) = watch::channel(String::new());
        let (breaks, cut) = watch::channel(());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (address, mut cut) = (targets.borrow().clone(), cut.clone());
                tokio::spawn(async move {
                    cut.mark_unchanged();
                    let mut server = TcpStream::connect(address).await.expect("the server is there");
                    tokio::select! {
                        _ = cut.changed() => {}
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                    }
                });
            }
        });
        Self { url, target, breaks, connections }
    }

    pub fn forward_to(&self, url: &str) {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        self.target.send_replace(address);
    }

    /// Cuts every connection there is.
    pub fn break_connections(&self) {
        self.breaks.send_replace(());
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
