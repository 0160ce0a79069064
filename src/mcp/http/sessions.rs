//! The sessions of the revisions before 2026-07-28: bounded in number, and each of one caller only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

/// Sessions that are open at the same time. The one that was opened first makes room for a new one; its client opens
/// another by itself.
const MAX_SESSIONS: usize = 1024;

/// Who a session is of; nobody's while it is being opened.
#[derive(Debug)]
struct Known {
    opened: u64,
    owner: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct BoundedSessions {
    inner: LocalSessionManager,
    known: Mutex<HashMap<String, Known>>,
}

impl BoundedSessions {
    /// False where the session is another caller's.
    pub(super) fn may_use(&self, session: &str, caller: &str) -> bool {
        self.lock().get(session).is_none_or(|known| known.owner.as_deref() == Some(caller))
    }

    /// The caller that opened a session is the only one that may use it.
    pub(super) fn belongs_to(&self, session: &str, caller: &str) {
        if let Some(known) = self.lock().get_mut(session) {
            known.owner = Some(caller.to_owned());
        }
    }

    /// Remembers a new session; gives the one that has to make room.
    fn opened(&self, session: &str) -> Option<String> {
        let mut known = self.lock();
        let opened = known.values().map(|known| known.opened).max().unwrap_or_default() + 1;
        let oldest = known.iter().min_by_key(|(_, known)| known.opened).map(|(id, _)| id.clone());
        let leaving = oldest.filter(|_| known.len() >= MAX_SESSIONS);
        known.insert(session.to_owned(), Known { opened, owner: None });
        leaving
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionManager for BoundedSessions {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.inner.create_session().await?;
        if let Some(leaving) = self.opened(&id) {
            tracing::info!(
                limit = MAX_SESSIONS,
                "the session that was opened first makes room for a new one"
            );
            self.close_session(&leaving.into()).await?;
        }
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.lock().remove(&**id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.resume(id, last_event_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_of_the_caller_that_opened_it() {
        let sessions = BoundedSessions::default();
        sessions.opened("one");
        assert!(!sessions.may_use("one", "alice"), "nobody's yet");
        sessions.belongs_to("one", "alice");
        assert!(sessions.may_use("one", "alice"));
        assert!(!sessions.may_use("one", "bob"));
    }

    #[test]
    fn the_session_that_was_opened_first_makes_room() {
        let sessions = BoundedSessions::default();
        for number in 0..MAX_SESSIONS {
            assert_eq!(sessions.opened(&number.to_string()), None);
        }
        assert_eq!(sessions.opened("new").as_deref(), Some("0"));
    }

    #[tokio::test]
    async fn a_closed_session_is_forgotten() {
        let sessions = BoundedSessions::default();
        let (id, _transport) = sessions.create_session().await.unwrap();
        sessions.belongs_to(&id, "alice");
        sessions.close_session(&id).await.unwrap();
        assert!(sessions.lock().is_empty());
    }
}
