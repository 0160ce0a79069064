//! The sessions of the revisions before 2026-07-28: bounded in number, and each of one caller only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

/// Sessions that are open at the same time. The one that was used longest ago makes room for a new one; its client opens
/// another by itself.
const MAX_SESSIONS: usize = 1024;
/// Sessions of one caller.
const MAX_OF_ONE: usize = 256;

/// Who a session is of; nobody's while it is being opened.
#[derive(Debug)]
struct Known {
    /// Rises with each use of a session.
    used: u64,
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
        let mut known = self.lock();
        let next = next(&known);
        let Some(session) = known.get_mut(session) else { return true };
        session.used = next;
        session.owner.as_deref() == Some(caller)
    }

    /// The caller that opened a session is the only one that may use it. Where a caller has too many, the one that it used
    /// longest ago is closed.
    pub(super) async fn belongs_to(&self, session: &str, caller: &str) {
        if let Some(leaving) = self.given(session, caller)
            && let Err(error) = self.close_session(&leaving.into()).await
        {
            tracing::debug!(%error, "a session was not closed");
        }
    }

    fn given(&self, session: &str, caller: &str) -> Option<String> {
        let mut known = self.lock();
        known.get_mut(session)?.owner = Some(caller.to_owned());
        let own = || known.iter().filter(|(_, known)| known.owner.as_deref() == Some(caller));
        let oldest = own().min_by_key(|(_, known)| known.used).map(|(id, _)| id.clone());
        oldest.filter(|_| own().count() > MAX_OF_ONE)
    }

    /// Remembers a new session; gives the one that has to make room.
    fn opened(&self, session: &str) -> Option<String> {
        let mut known = self.lock();
        let used = next(&known);
        let oldest = known.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| id.clone());
        let leaving = oldest.filter(|_| known.len() >= MAX_SESSIONS);
        known.insert(session.to_owned(), Known { used, owner: None });
        leaving
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next(known: &HashMap<String, Known>) -> u64 {
    known.values().map(|known| known.used).max().unwrap_or_default() + 1
}

impl SessionManager for BoundedSessions {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.inner.create_session().await?;
        if let Some(leaving) = self.opened(&id) {
            tracing::info!(limit = MAX_SESSIONS, "the session used longest ago makes room for a new one");
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

    #[tokio::test]
    async fn a_session_is_of_the_caller_that_opened_it() {
        let sessions = BoundedSessions::default();
        sessions.opened("one");
        assert!(!sessions.may_use("one", "alice"), "nobody's yet");
        sessions.belongs_to("one", "alice").await;
        assert!(sessions.may_use("one", "alice"));
        assert!(!sessions.may_use("one", "bob"));
    }

    #[test]
    fn the_session_that_was_used_longest_ago_makes_room() {
        let sessions = BoundedSessions::default();
        for number in 0..MAX_SESSIONS {
            assert_eq!(sessions.opened(&number.to_string()), None);
        }
        sessions.may_use("0", "alice");
        assert_eq!(sessions.opened("new").as_deref(), Some("1"));
    }

    #[test]
    fn who_opens_too_many_loses_its_own() {
        let sessions = BoundedSessions::default();
        sessions.opened("bobs");
        assert_eq!(sessions.given("bobs", "bob"), None);
        for number in 0..MAX_OF_ONE {
            sessions.opened(&number.to_string());
            assert_eq!(sessions.given(&number.to_string(), "alice"), None);
        }
        sessions.opened("more");
        assert_eq!(sessions.given("more", "alice").as_deref(), Some("0"));
    }

    #[tokio::test]
    async fn a_closed_session_is_forgotten() {
        let sessions = BoundedSessions::default();
        let (id, _transport) = sessions.create_session().await.unwrap();
        sessions.belongs_to(&id, "alice").await;
        sessions.close_session(&id).await.unwrap();
        assert!(sessions.lock().is_empty());
    }
}
