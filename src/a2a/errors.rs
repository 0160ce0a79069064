//! What can go wrong on the wire: the nine errors of A2A, the five of JSON-RPC, and four that come with an HTTP status of
//! their own, each with its code and reason (specification §5.4, §9.5, §11.6).

use http::{HeaderValue, StatusCode};
use jsonrpsee_types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::types::{TaskId, TaskState};
use crate::tasks::{StartError, TaskError};

/// Versions that this agent speaks, newest first.
pub const SUPPORTED_VERSIONS: [&str; 2] = ["1.0", "0.3"];

// Codes of server errors that JSON-RPC leaves to implementations and A2A leaves free. The last two numbers of those that
// say who may call are those of the HTTP status.
const UNAVAILABLE: i32 = -32000;
const TOO_MANY_REQUESTS: i32 = -32029;
const UNAUTHENTICATED: i32 = -32091;
const FORBIDDEN: i32 = -32093;

/// The HTTP status of an error code with the name that `google.rpc.Status` has for it (§5.4).
pub(super) fn http_status(code: i32) -> (StatusCode, &'static str) {
    match code {
        -32001 | -32601 => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        -32002 | -32003 | -32004 | -32007 | -32008 | -32009 => {
            (StatusCode::BAD_REQUEST, "FAILED_PRECONDITION")
        }
        -32005 | -32700 | -32600 | -32602 => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
        UNAVAILABLE => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        TOO_MANY_REQUESTS => (StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED"),
        UNAUTHENTICATED => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
        FORBIDDEN => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
    }
}

/// An error as a peer sees it. `Display` is the public text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum A2aError {
    /// No such task, or another's.
    #[error("Task not found: {0}")]
    TaskNotFound(TaskId),
    /// The task has ended.
    #[error("Task {id} cannot be canceled: it has ended ({state:?})")]
    TaskNotCancelable {
        /// The task.
        id: TaskId,
        /// How it ended.
        state: TaskState,
    },
    /// Push notifications are not offered.
    #[error("Push notifications are not supported by this agent")]
    PushNotificationNotSupported,
    /// The operation is not offered, or not in this state.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// Neither the given nor the wanted media types fit.
    #[error("{0}")]
    ContentTypeNotSupported(String),
    /// The agent produced something illegal.
    #[error("The agent gave an invalid answer")]
    InvalidAgentResponse,
    /// There is no extended card.
    #[error("This agent has no extended agent card")]
    ExtendedAgentCardNotConfigured,
    /// An extension that the card requires was not activated.
    #[error("The extension {0} is required")]
    ExtensionSupportRequired(String),
    /// The protocol version is not spoken.
    #[error("A2A version {requested:?} is not supported; supported: 1.0, 0.3 (header A2A-Version){hint}")]
    VersionNotSupported {
        /// What was asked for.
        requested: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Not JSON.
    #[error("The body is not valid JSON")]
    Parse,
    /// JSON, but not a JSON-RPC request.
    #[error("{0}")]
    InvalidRequest(String),
    /// The body is too large, or did not arrive in time. Goes with HTTP 413.
    #[error("The body is larger than {most} bytes, took too long or broke off")]
    BodyNotRead {
        /// Largest body, in bytes.
        most: usize,
    },
    /// No such method.
    #[error("There is no method {0:?}")]
    MethodNotFound(String),
    /// A parameter is missing or wrong.
    #[error("Invalid parameters: {field}: {problem}")]
    InvalidParams {
        /// JSON path of the parameter, such as `message.parts`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Our fault; the cause is in the log.
    #[error("Internal error")]
    Internal,
    /// Not now; later perhaps. Goes with HTTP 503.
    #[error("{0}")]
    Unavailable(String),
    /// This caller asks too much at a time. Goes with HTTP 429.
    #[error("{problem}")]
    TooManyRequests {
        /// What there is too much of.
        problem: String,
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// Who calls is not known. Goes with HTTP 401.
    #[error("{problem}")]
    Unauthenticated {
        /// What is wrong with the credentials.
        problem: String,
        /// Value of `WWW-Authenticate`.
        challenge: Option<HeaderValue>,
    },
    /// Who calls may not do this. Goes with HTTP 403.
    #[error("{problem}")]
    Forbidden {
        /// What is missing.
        problem: String,
        /// Value of `WWW-Authenticate`.
        challenge: Option<HeaderValue>,
    },
}

impl A2aError {
    /// The parameter `field` is wrong.
    pub fn params(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::InvalidParams { field: field.into(), problem: problem.into() }
    }

    /// The JSON-RPC error code.
    pub fn code(&self) -> i32 {
        match self {
            Self::TaskNotFound(_) => -32001,
            Self::TaskNotCancelable { .. } => -32002,
            Self::PushNotificationNotSupported => -32003,
            Self::UnsupportedOperation(_) => -32004,
            Self::ContentTypeNotSupported(_) => -32005,
            Self::InvalidAgentResponse => -32006,
            Self::ExtendedAgentCardNotConfigured => -32007,
            Self::ExtensionSupportRequired(_) => -32008,
            Self::VersionNotSupported { .. } => -32009,
            Self::Parse => -32700,
            Self::InvalidRequest(_) | Self::BodyNotRead { .. } => -32600,
            Self::MethodNotFound(_) => -32601,
            Self::InvalidParams { .. } => -32602,
            Self::Internal => -32603,
            Self::Unavailable(_) => UNAVAILABLE,
            Self::TooManyRequests { .. } => TOO_MANY_REQUESTS,
            Self::Unauthenticated { .. } => UNAUTHENTICATED,
            Self::Forbidden { .. } => FORBIDDEN,
        }
    }

    /// `reason` of the ErrorInfo, for A2A's own errors.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::TaskNotFound(_) => Some("TASK_NOT_FOUND"),
            Self::TaskNotCancelable { .. } => Some("TASK_NOT_CANCELABLE"),
            Self::PushNotificationNotSupported => Some("PUSH_NOTIFICATION_NOT_SUPPORTED"),
            Self::UnsupportedOperation(_) => Some("UNSUPPORTED_OPERATION"),
            Self::ContentTypeNotSupported(_) => Some("CONTENT_TYPE_NOT_SUPPORTED"),
            Self::InvalidAgentResponse => Some("INVALID_AGENT_RESPONSE"),
            Self::ExtendedAgentCardNotConfigured => Some("EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
            Self::ExtensionSupportRequired(_) => Some("EXTENSION_SUPPORT_REQUIRED"),
            Self::VersionNotSupported { .. } => Some("VERSION_NOT_SUPPORTED"),
            Self::Parse
            | Self::InvalidRequest(_)
            | Self::BodyNotRead { .. }
            | Self::MethodNotFound(_)
            | Self::InvalidParams { .. }
            | Self::Internal
            | Self::Unavailable(_)
            | Self::TooManyRequests { .. }
            | Self::Unauthenticated { .. }
            | Self::Forbidden { .. } => None,
        }
    }

    /// The `data` member: typed objects, each with `@type`.
    fn data(&self) -> Option<Value> {
        if let Self::InvalidParams { field, problem } = self {
            return Some(json!([{
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{ "field": field, "description": problem }],
            }]));
        }
        let metadata = match self {
            Self::TaskNotFound(id) => json!({ "taskId": id }),
            Self::TaskNotCancelable { id, state } => json!({ "taskId": id, "state": state }),
            Self::VersionNotSupported { requested, .. } => {
                json!({ "requestedVersion": requested, "supportedVersions": SUPPORTED_VERSIONS.join(", ") })
            }
            Self::ExtensionSupportRequired(uri) => json!({ "extension": uri }),
            Self::PushNotificationNotSupported
            | Self::UnsupportedOperation(_)
            | Self::ContentTypeNotSupported(_)
            | Self::InvalidAgentResponse
            | Self::ExtendedAgentCardNotConfigured
            | Self::Parse
            | Self::InvalidRequest(_)
            | Self::BodyNotRead { .. }
            | Self::MethodNotFound(_)
            | Self::InvalidParams { .. }
            | Self::Internal
            | Self::Unavailable(_)
            | Self::TooManyRequests { .. }
            | Self::Unauthenticated { .. }
            | Self::Forbidden { .. } => json!({}),
        };
        self.reason().map(|reason| {
            json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason, "domain": "a2a-protocol.org", "metadata": metadata,
            }])
        })
    }
}

impl From<A2aError> for ErrorObjectOwned {
    fn from(error: A2aError) -> Self {
        Self::owned(error.code(), error.to_string(), error.data())
    }
}

impl From<TaskError> for A2aError {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotFound(id) => Self::TaskNotFound(id),
            TaskError::NotCancelable { id, state } => Self::TaskNotCancelable { id, state },
            TaskError::Store(error) => internal(&error),
        }
    }
}

impl From<StartError> for A2aError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::TaskNotFound(id) => Self::TaskNotFound(id),
            StartError::TaskTerminal { .. } | StartError::Busy(_) => {
                Self::UnsupportedOperation(error.to_string())
            }
            StartError::Overloaded | StartError::Stopping => Self::Unavailable(error.to_string()),
            StartError::TooManyOfOwner(_) => {
                Self::TooManyRequests { problem: error.to_string(), retry_after: 1 }
            }
            StartError::ContextMismatch { .. } => Self::params("message.contextId", error.to_string()),
            StartError::IdempotencyMismatch => Self::params("Idempotency-Key", error.to_string()),
            StartError::Store(error) => internal(&error),
        }
    }
}

/// Logs the cause, and keeps it from the peer.
pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> A2aError {
    tracing::error!(error, "internal error");
    A2aError::Internal
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(A2aError::TaskNotFound("t".into()), -32001, Some("TASK_NOT_FOUND"))]
    #[case(
        A2aError::TaskNotCancelable { id: "t".into(), state: TaskState::Completed },
        -32002, Some("TASK_NOT_CANCELABLE")
    )]
    #[case(A2aError::PushNotificationNotSupported, -32003, Some("PUSH_NOTIFICATION_NOT_SUPPORTED"))]
    #[case(A2aError::UnsupportedOperation(String::new()), -32004, Some("UNSUPPORTED_OPERATION"))]
    #[case(A2aError::ContentTypeNotSupported(String::new()), -32005, Some("CONTENT_TYPE_NOT_SUPPORTED"))]
    #[case(A2aError::InvalidAgentResponse, -32006, Some("INVALID_AGENT_RESPONSE"))]
    #[case(A2aError::ExtendedAgentCardNotConfigured, -32007, Some("EXTENDED_AGENT_CARD_NOT_CONFIGURED"))]
    #[case(A2aError::ExtensionSupportRequired(String::new()), -32008, Some("EXTENSION_SUPPORT_REQUIRED"))]
    #[case(
        A2aError::VersionNotSupported { requested: "2".to_owned(), hint: "" },
        -32009, Some("VERSION_NOT_SUPPORTED")
    )]
    #[case(A2aError::Parse, -32700, None)]
    #[case(A2aError::InvalidRequest(String::new()), -32600, None)]
    #[case(A2aError::MethodNotFound(String::new()), -32601, None)]
    #[case(A2aError::params("id", "missing"), -32602, None)]
    #[case(A2aError::Internal, -32603, None)]
    #[case(A2aError::Unavailable(String::new()), -32000, None)]
    #[case(A2aError::TooManyRequests { problem: String::new(), retry_after: 1 }, -32029, None)]
    #[case(A2aError::Unauthenticated { problem: String::new(), challenge: None }, -32091, None)]
    #[case(A2aError::Forbidden { problem: String::new(), challenge: None }, -32093, None)]
    fn codes_and_reasons(#[case] error: A2aError, #[case] code: i32, #[case] reason: Option<&str>) {
        let object = ErrorObjectOwned::from(error);
        assert_eq!(object.code(), code);
        let data: Value = object.data().map_or(Value::Null, |data| serde_json::from_str(data.get()).unwrap());
        assert_eq!(data[0]["reason"].as_str(), reason);
        for detail in data.as_array().into_iter().flatten() {
            assert!(detail["@type"].is_string(), "every detail is typed");
            for value in detail["metadata"].as_object().into_iter().flat_map(|metadata| metadata.values()) {
                assert!(value.is_string(), "metadata is a map of strings");
            }
        }
    }

    #[rstest]
    #[case::not_found(-32001, 404, "NOT_FOUND")]
    #[case::not_cancelable(-32002, 400, "FAILED_PRECONDITION")]
    #[case::push_not_supported(-32003, 400, "FAILED_PRECONDITION")]
    #[case::unsupported(-32004, 400, "FAILED_PRECONDITION")]
    #[case::content_type(-32005, 400, "INVALID_ARGUMENT")]
    #[case::invalid_answer(-32006, 500, "INTERNAL")]
    #[case::no_extended_card(-32007, 400, "FAILED_PRECONDITION")]
    #[case::extension_required(-32008, 400, "FAILED_PRECONDITION")]
    #[case::version(-32009, 400, "FAILED_PRECONDITION")]
    #[case::parse(-32700, 400, "INVALID_ARGUMENT")]
    #[case::no_method(-32601, 404, "NOT_FOUND")]
    #[case::parameters(-32602, 400, "INVALID_ARGUMENT")]
    #[case::internal(-32603, 500, "INTERNAL")]
    #[case::unavailable(UNAVAILABLE, 503, "UNAVAILABLE")]
    #[case::too_many(TOO_MANY_REQUESTS, 429, "RESOURCE_EXHAUSTED")]
    #[case::unauthenticated(UNAUTHENTICATED, 401, "UNAUTHENTICATED")]
    #[case::forbidden(FORBIDDEN, 403, "PERMISSION_DENIED")]
    fn each_code_has_its_http_status(#[case] code: i32, #[case] status: u16, #[case] name: &str) {
        let (known, known_name) = http_status(code);
        assert_eq!((known.as_u16(), known_name), (status, name));
    }
}
