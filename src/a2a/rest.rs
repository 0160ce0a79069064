//! The HTTP+JSON binding of 1.0 (specification §11): each route is a method of the table, with the same parameters and
//! results.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::errors::A2aError;
use super::failure::Failure;
use super::methods::is_streaming;
use super::request::{Dialect, canonical, check_depth, check_size};
use super::service::{Service, check_content_type};
use super::sse::{self, Framing};
use crate::agent_card::REST_PATH;

/// Media type of A2A over HTTP+JSON.
const A2A_JSON: &str = "application/a2a+json";

/// The prefix and everything below it, as routes of the router.
pub(super) const ROUTES: [&str; 3] = ["/rest", "/rest/", "/rest/{*path}"];

/// Answers a request of this binding.
pub(super) async fn serve(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let content_type = content_type(&parts.headers);
    match answer(&service, &parts, body, content_type).await {
        Ok(response) => response,
        Err(Refusal::Failure(failure)) => failure.to_rest(),
        Err(Refusal::Method(allowed)) => {
            let body = json!({ "error": {
                "code": 405, "status": "UNIMPLEMENTED", "message": format!("Here {allowed} is needed"), "details": [],
            }});
            let status = StatusCode::METHOD_NOT_ALLOWED;
            (status, [(ALLOW, allowed), (CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Refusal {
    Failure(Box<Failure>),
    /// The path is known, and wants one of these methods.
    Method(&'static str),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failure(Box::new(error.into()))
    }
}

async fn answer(
    service: &Service,
    parts: &Parts,
    body: Body,
    content_type: &'static str,
) -> Result<Response, Refusal> {
    let (principal, body) = service.admit(parts, body).await?;
    check_content_type(&parts.headers)?;
    let path = parts.uri.path();
    let route = Route::of(&parts.method, path.strip_prefix(REST_PATH).unwrap_or(path))?;
    let caller = service.caller(parts, principal)?;
    if caller.dialect == Dialect::V03 {
        return Err(A2aError::VersionNotSupported {
            requested: "0.3".to_owned(),
            hint: ". Over HTTP+JSON only 1.0 is spoken: send the header A2A-Version: 1.0",
        }
        .into());
    }
    let params = route.params(parts.uri.query(), &body)?;
    let extensions = caller.extensions.clone();
    let mut response = if is_streaming(route.method) {
        sse::serve(route.method, params, Framing::Rest, &service.surface, caller).await?
    } else if route.method == "GetExtendedAgentCard"
        && !service.surface.authenticator.is_anonymous()
        && let Some(response) = extended_card(&caller, parts, content_type)
    {
        response
    } else {
        let result = service.methods.call(route.method, params, caller).await?;
        let result = if result.is_null() { json!({}) } else { result };
        (StatusCode::OK, [(CONTENT_TYPE, content_type)], result.to_string()).into_response()
    };
    extensions.echo(response.headers_mut());
    Ok(response)
}

/// The extended card, which unlike the other results has a tag and may be kept by its caller. None where there is none.
fn extended_card(caller: &Caller, parts: &Parts, content_type: &'static str) -> Option<Response> {
    let scopes = &caller.principal.scopes;
    let mut response = caller.card.respond_extended(caller.dialect.form(), scopes, &parts.headers)?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(response)
}

/// A2A's own media type, unless the reader names plain JSON and nothing that covers A2A's.
fn content_type(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get(ACCEPT).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or("*/*");
    let plain_only = accepted.contains("application/json")
        && ![A2A_JSON, "*/*", "application/*"].iter().any(|wide| accepted.contains(wide));
    if plain_only { "application/json" } else { A2A_JSON }
}

/// A route with what its path says: the method of the table, and parameters.
#[derive(Debug, PartialEq)]
struct Route {
    method: &'static str,
    path_params: Vec<(&'static str, String)>,
}

impl Route {
    /// The route of a path below the prefix. A task's path may end with `:cancel` or `:subscribe`.
    fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let segments: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments[..] {
            ["message:send"] => Self::choose(method, "POST", &[("POST", "SendMessage")], &[]),
            ["message:stream"] => Self::choose(method, "POST", &[("POST", "SendStreamingMessage")], &[]),
            ["extendedAgentCard"] => Self::choose(method, "GET", &[("GET", "GetExtendedAgentCard")], &[]),
            ["tasks"] => Self::choose(method, "GET", &[("GET", "ListTasks")], &[]),
            ["tasks", task] => Self::of_task(method, task),
            ["tasks", task, "pushNotificationConfigs"] => {
                let methods = [
                    ("POST", "CreateTaskPushNotificationConfig"),
                    ("GET", "ListTaskPushNotificationConfigs"),
                ];
                Self::choose(method, "GET, POST", &methods, &[("taskId", task)])
            }
            ["tasks", task, "pushNotificationConfigs", config] => {
                let methods = [
                    ("GET", "GetTaskPushNotificationConfig"),
                    ("DELETE", "DeleteTaskPushNotificationConfig"),
                ];
                Self::choose(method, "GET, DELETE", &methods, &[("taskId", task), ("id", config)])
            }
            _ => Err(A2aError::MethodNotFound(path.chars().take(100).collect()).into()),
        }
    }

    fn of_task(method: &Method, task: &str) -> Result<Self, Refusal> {
        match task.rsplit_once(':') {
            Some((id, "cancel")) => Self::choose(method, "POST", &[("POST", "CancelTask")], &[("id", id)]),
            Some((id, "subscribe")) => {
                // The text of the specification says POST, its protocol buffer GET.
                let methods = [("GET", "SubscribeToTask"), ("POST", "SubscribeToTask")];
                Self::choose(method, "GET, POST", &methods, &[("id", id)])
            }
            Some(_) | None => Self::choose(method, "GET", &[("GET", "GetTask")], &[("id", task)]),
        }
    }

    fn choose(
        method: &Method,
        allowed: &'static str,
        methods: &[(&str, &'static str)],
        path_params: &[(&'static str, &str)],
    ) -> Result<Self, Refusal> {
        let found = methods.iter().find(|(name, _)| method.as_str() == *name);
        let (_, name) = found.ok_or(Refusal::Method(allowed))?;
        let path_params = path_params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ok(Self { method: name, path_params })
    }

    /// The parameters of the method: those of the body, then of the query, then of the path, the later ones first.
    fn params(&self, query: Option<&str>, body: &[u8]) -> Result<Value, A2aError> {
        let mut params = match body.trim_ascii() {
            [] => Map::new(),
            body => match read_body(body)? {
                Value::Object(params) => params,
                _ => return Err(A2aError::InvalidRequest("The body has to be a JSON object".to_owned())),
            },
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if name != super::caller::VERSION_HEADER {
                params.insert(name.into_owned(), Value::String(value.into_owned()));
            }
        }
        let params = Value::Object(params);
        check_depth(&params)?;
        // In one spelling, so that nothing of them stands beside what the path says.
        let mut params = canonical(params);
        for (name, value) in &self.path_params {
            params[*name] = Value::String(value.clone());
        }
        Ok(params)
    }
}

fn read_body(body: &[u8]) -> Result<Value, A2aError> {
    let text: &RawValue = serde_json::from_slice(body).map_err(|_| A2aError::Parse)?;
    check_size(text.get())?;
    serde_json::from_str(text.get()).map_err(|_| A2aError::Parse)
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::send("POST", "/message:send", "SendMessage", &[])]
    #[case::stream("POST", "/message:stream", "SendStreamingMessage", &[])]
    #[case::list("GET", "/tasks", "ListTasks", &[])]
    #[case::get("GET", "/tasks/t-1", "GetTask", &[("id", "t-1")])]
    #[case::get_with_slash("GET", "/tasks/t-1/", "GetTask", &[("id", "t-1")])]
    #[case::cancel("POST", "/tasks/t-1:cancel", "CancelTask", &[("id", "t-1")])]
    #[case::encoded_colon("POST", "/tasks/t-1%3Acancel", "CancelTask", &[("id", "t-1")])]
    #[case::subscribe("POST", "/tasks/t:1:subscribe", "SubscribeToTask", &[("id", "t:1")])]
    #[case::subscribe_by_get("GET", "/tasks/t-1:subscribe", "SubscribeToTask", &[("id", "t-1")])]
    #[case::create("POST", "/tasks/t/pushNotificationConfigs", "CreateTaskPushNotificationConfig", &[("taskId", "t")])]
    #[case::configs("GET", "/tasks/t/pushNotificationConfigs", "ListTaskPushNotificationConfigs", &[("taskId", "t")])]
    #[case::config("GET", "/tasks/t/pushNotificationConfigs/a%2Fb", "GetTaskPushNotificationConfig", &[("taskId", "t"), ("id", "a/b")])]
    #[case::delete("DELETE", "/tasks/t/pushNotificationConfigs/c", "DeleteTaskPushNotificationConfig", &[("taskId", "t"), ("id", "c")])]
    #[case::card("GET", "/extendedAgentCard", "GetExtendedAgentCard", &[])]
    fn a_path_is_a_method_with_parameters(
        #[case] http: &str,
        #[case] path: &str,
        #[case] method: &str,
        #[case] params: &[(&'static str, &str)],
    ) {
        let route = Route::of(&http.parse().unwrap(), path).unwrap();
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!((route.method, route.path_params), (method, params));
    }

    #[rstest]
    #[case::sending_by_get("GET", "/message:send", "POST")]
    #[case::deleting_a_task("DELETE", "/tasks/t", "GET")]
    #[case::canceling_by_get("GET", "/tasks/t:cancel", "POST")]
    #[case::patching("PATCH", "/tasks/t/pushNotificationConfigs/c", "GET, DELETE")]
    fn a_wrong_http_method_says_which_is_right(
        #[case] http: &str,
        #[case] path: &str,
        #[case] allowed: &str,
    ) {
        let refused = Route::of(&http.parse().unwrap(), path);
        assert!(matches!(refused, Err(Refusal::Method(methods)) if methods == allowed));
    }

    #[test]
    fn the_path_counts_more_than_the_query_and_the_query_more_than_the_body() {
        let route = Route::of(&Method::GET, "/tasks/of-the-path").unwrap();
        let body = br#"{"id":"of-the-body","historyLength":1,"metadata":{"a":1}}"#;
        let query = "historyLength=2&A2A-Version=1.0&id=of%20the%20query";
        let params = route.params(Some(query), body).unwrap();
        assert_eq!(params, json!({ "id": "of-the-path", "historyLength": "2", "metadata": { "a": 1 } }));
        let route = Route::of(&Method::GET, "/tasks/of-the-path/pushNotificationConfigs").unwrap();
        let params = route.params(Some("task_id=of-the-query"), br#"{"taskId":"of-the-body"}"#).unwrap();
        assert_eq!(params, json!({ "taskId": "of-the-path" }), "in whatever spelling");
    }

    #[rstest]
    #[case::nothing(None, A2A_JSON)]
    #[case::anything(Some("*/*"), A2A_JSON)]
    #[case::plain(Some("application/json"), "application/json")]
    #[case::both(Some("application/json, application/a2a+json"), A2A_JSON)]
    #[case::events(Some("text/event-stream"), A2A_JSON)]
    fn the_media_type_is_one_that_the_reader_accepts(
        #[case] accept: Option<&'static str>,
        #[case] expected: &str,
    ) {
        let headers = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
        assert_eq!(content_type(&HeaderMap::from_iter(headers)), expected);
    }
}
