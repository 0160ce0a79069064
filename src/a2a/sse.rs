//! The streaming methods: every event of a task as one server-sent event, a JSON-RPC response with the request's id.
//!
//! The first event is the task as it is, unless the reader comes back with `Last-Event-ID`: then the stream goes on after
//! that event, so that nothing is lost and nothing comes twice.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream, StreamExt};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde_json::Value;

use super::caller::Caller;
use super::errors::{A2aError, internal};
use super::events::{stream_response, wire};
use super::failure::Failure;
use super::methods::{shorten_history, start};
use super::request::{Dialect, RequestId, SendMessageRequest, TaskRequest};
use super::server::RpcAnswer;
use super::service::Surface;
use super::types::StreamResponse;
use crate::tasks::{Delivery, Subscription, Until};

/// A comment is sent this often where nothing else is, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How an event is wrapped, which differs by binding.
#[derive(Debug, Clone)]
pub(super) enum Framing {
    /// As a JSON-RPC response with the request's id (§9.4.2).
    JsonRpc(RequestId),
    /// As it is (§11.7).
    Rest,
}

/// Serves a streaming method. Errors before the first event are for a plain answer.
pub(super) async fn serve(
    method: &str,
    params: Value,
    framing: Framing,
    surface: &Surface,
    caller: Caller,
) -> Result<Response, A2aError> {
    let dialect = caller.dialect;
    let (subscription, snapshot) = match method {
        "SendStreamingMessage" | "message/stream" => {
            let request = SendMessageRequest::read(params, dialect)?;
            let history = request.history_length()?;
            let mut subscription = start(request, surface, &caller, Delivery::Streamed).await?;
            shorten_history(&mut subscription.task, history);
            (subscription, true)
        }
        _ => subscribe(params, surface, &caller).await?,
    };
    Ok(respond(frames(subscription, snapshot), framing, dialect))
}

/// A task that has ended has no stream, except for a reader who missed the end of it.
async fn subscribe(
    params: Value,
    surface: &Surface,
    caller: &Caller,
) -> Result<(Subscription, bool), A2aError> {
    let request = TaskRequest::read(params)?;
    let after = caller.last_event_id;
    // 1.0 streams a task to its end, over every turn (§3.1.6); an event of 0.3 that asks the client is the last of its stream.
    let until = match caller.dialect {
        Dialect::V1 => Until::Terminal,
        Dialect::V03 => Until::Settled,
    };
    let subscription = surface.runner.subscribe(&caller.owner, &request.id, after, until).await?;
    if subscription.task.status.state.is_terminal() && after.is_none() {
        let problem = format!("Task {} has ended; read it with GetTask or tasks/get", request.id);
        return Err(match caller.dialect {
            Dialect::V1 => A2aError::UnsupportedOperation(problem),
            Dialect::V03 => A2aError::params("id", problem),
        });
    }
    Ok((subscription, after.is_none()))
}

/// One event.
struct Frame {
    sequence: u64,
    response: StreamResponse,
    /// More of what was stored before is to follow.
    is_replayed: bool,
}

fn frames(subscription: Subscription, snapshot: bool) -> BoxStream<'static, Result<Frame, A2aError>> {
    let Subscription { task, sequence, stored_until, events, .. } = subscription;
    let ids = (task.id.clone(), task.context_id.clone());
    let first = Frame { sequence, response: StreamResponse::Task(task), is_replayed: false };
    let first = snapshot.then_some(Ok(first));
    let rest = events.map(move |stored| match stored {
        Ok(stored) => {
            let (sequence, is_replayed) = (stored.sequence, stored.sequence < stored_until);
            Ok(Frame { sequence, response: stream_response(stored, &ids.0, &ids.1), is_replayed })
        }
        Err(error) => Err(internal(&error)),
    });
    stream::iter(first).chain(rest).boxed()
}

fn respond(
    frames: BoxStream<'static, Result<Frame, A2aError>>,
    framing: Framing,
    dialect: Dialect,
) -> Response {
    let events = frames.map(move |frame| Ok::<_, Infallible>(event(frame, &framing, dialect)));
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An event on the wire. A question that was answered before is not the last of its stream.
fn shown(frame: &Frame, dialect: Dialect) -> Result<Value, A2aError> {
    let mut item = wire(&frame.response, dialect)?;
    if frame.is_replayed
        && let Some(is_last) = item.get_mut("final")
    {
        *is_last = Value::Bool(false);
    }
    Ok(item)
}

fn event(frame: Result<Frame, A2aError>, framing: &Framing, dialect: Dialect) -> Event {
    match frame.and_then(|frame| Ok((frame.sequence, shown(&frame, dialect)?))) {
        Ok((sequence, result)) => Event::default().id(sequence.to_string()).data(match framing {
            Framing::JsonRpc(id) => RpcAnswer::result(id, &result),
            Framing::Rest => result.to_string(),
        }),
        Err(error) => {
            let failure = Failure::from(error);
            match framing {
                Framing::JsonRpc(id) => Event::default().data(RpcAnswer::error(id, failure.error())),
                Framing::Rest => Event::default().event("error").data(failure.rest_body().to_string()),
            }
        }
    }
}
