//! A Kubernetes API on a real port, which lists pods when the test says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use drydock::cluster::{Bundle, BundleApi};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A recorded cluster whose pods cannot be listed until the gate is open.
pub struct GatedCluster {
    address: String,
    gate: watch::Sender<bool>,
}

impl GatedCluster {
    pub async fn serve(bundle: &Path) -> Self {
        let bundle = Arc::new(Bundle::load(bundle).expect("the bundle is right"));
        let (gate, open) = watch::channel(false);
        let wait = move |request: Request, next: Next| {
            let mut open = open.clone();
            async move {
                if request.uri().path().ends_with("/pods") {
                    let _ = open.wait_for(|open| *open).await;
                }
                next.run(request).await
            }
        };
        let api = Router::new().fallback_service(BundleApi::new(bundle)).layer(middleware::from_fn(wait));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, api).await });
        Self { address, gate }
    }

    pub fn open(&self) {
        self.gate.send_replace(true);
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let path = folder.join("kubeconfig");
        let address = &self.address;
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{ name: test, cluster: {{ server: '{address}' }} }}]\n\
             users: [{{ name: test, user: {{}} }}]\n\
             contexts: [{{ name: test, context: {{ cluster: test, user: test }} }}]\n"
        );
        std::fs::write(&path, config).expect("the folder can be written");
        path
    }
}
