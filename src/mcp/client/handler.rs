//! What a server says without being asked: how far a call is, and that its tools have changed. What it asks (for an
//! approval, for a model's answer) is declined.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam, ProgressToken,
    ProtocolVersion,
};
use rmcp::service::{NotificationContext, RoleClient};

use super::convert;
use crate::tools::CallContext;

/// Listens on one connection.
#[derive(Default)]
pub(super) struct Handler {
    calls: Mutex<HashMap<ProgressToken, Listener>>,
    /// The tools have changed since they were listed.
    pub(super) changed: AtomicBool,
}

struct Listener {
    cx: CallContext,
    done: Option<u32>,
}

impl Handler {
    /// Passes the progress of a call on to its caller, until what is returned is dropped.
    pub(super) fn listen(&self, token: ProgressToken, cx: &CallContext) -> Listening<'_> {
        self.calls().insert(token.clone(), Listener { cx: cx.clone(), done: None });
        Listening { handler: self, token }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<ProgressToken, Listener>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose progress is passed on.
pub(super) struct Listening<'a> {
    handler: &'a Handler,
    token: ProgressToken,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.handler.calls().remove(&self.token);
    }
}

impl ClientHandler for Handler {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let progress = convert::progress(&params);
        if let Some(listener) = self.calls().get_mut(&params.progress_token)
            && listener.done < Some(progress.done)
        {
            listener.done = Some(progress.done);
            listener.cx.report(progress.done, progress.total, progress.says);
        }
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }

    fn get_info(&self) -> ClientConfig {
        let ours = Implementation::new("drydock", env!("CARGO_PKG_VERSION"));
        let mut config = ClientConfig::new(ClientCapabilities::default(), ours);
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config
    }
}
