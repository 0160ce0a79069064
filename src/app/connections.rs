//! Connections: so many at a time, each with a limit on how long the head of a request may take to arrive, and on how
//! long a client may leave unread what is sent to it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;

/// Upper bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Open at the same time; further ones wait in the kernel's queue. Fewer where the system gives the process fewer
    /// open files.
    pub open: usize,
    /// How long the head of a request may take to arrive, and how long a connection may idle before it.
    pub head_timeout: Duration,
    /// How long a client may read nothing while there is something to send. Longer than the pause between two events
    /// that keep a stream alive.
    pub write_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { open: 10_000, head_timeout: Duration::from_secs(30), write_timeout: Duration::from_secs(60) }
    }
}

/// How long to wait where the system gives no more connections.
const EXHAUSTED: Duration = Duration::from_millis(200);
/// How long it is not said again that it gives none.
const SAID: Duration = Duration::from_secs(60);
/// Open files that are not for connections: the task store, the cluster, models, webhooks.
const OTHER_FILES: usize = 64;

/// Serves until `stopping` fires; then accepts no more, and ends when the open connections have ended.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stopping: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(possible(limits.open)));
    let mut exhausted = None;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout);
    // Dropped with this function: connections do not outlive their server.
    let mut connections = JoinSet::new();
    loop {
        let (slot, stream) = tokio::select! {
            accepted = accept(&listener, &slots, &mut exhausted) => accepted,
            () = stopping.cancelled() => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(limits.write_timeout));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// As many connections of those that are wanted as there are open files for, where the process takes all that it may.
fn possible(wanted: usize) -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files is not known");
        u64::MAX
    });
    let possible =
        wanted.min(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES)).max(1);
    if possible < wanted {
        tracing::info!(
            connections = possible,
            files,
            "the limit of open files bounds the connections (ulimit -n)"
        );
    }
    possible
}

/// The next connection, when there is room for it. `exhausted` is when it was last said that the system gives none.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    exhausted: &mut Option<Instant>,
) -> (Option<tokio::sync::OwnedSemaphorePermit>, TcpStream) {
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A stream's events are small and wanted at once.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return (slot, stream);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if is_due(exhausted, Instant::now()) {
                    tracing::error!(%error, "no connection can be accepted; trying again");
                }
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// True where it was not said for a while, and then it counts as said.
fn is_due(said: &mut Option<Instant>, now: Instant) -> bool {
    let due = said.is_none_or(|said| now.duration_since(said) >= SAID);
    if due {
        *said = Some(now);
    }
    due
}

/// True where only the connection to be accepted is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_are_no_connections_is_said_once_a_minute() {
        let start = Instant::now();
        let mut said = None;
        let times = [0, 1, 59, 60, 61, 119, 120];
        let due = times.map(|seconds| is_due(&mut said, start + Duration::from_secs(seconds)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
