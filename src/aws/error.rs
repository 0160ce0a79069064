//! What AWS answers when it does not do what was asked, in one line with the next step.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use crate::redact;

/// The most characters of an answer of AWS that are passed on.
const MAX_MESSAGE: usize = 400;

/// Why AWS could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// What the caller gave cannot be right.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The identity may not do that.
    #[error("{0}")]
    Denied(String),
    /// No credentials, no answer, throttling, a fault of the service.
    #[error("{0}")]
    Unavailable(String),
}

impl AwsError {
    /// Explains what came of an action, such as `eks:DescribeCluster`. For `map_err`.
    pub fn of<E>(action: &str) -> impl Fn(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| {
            tracing::debug!(action, code = error.code(), "AWS did not do it");
            match &error {
                SdkError::ServiceError(context) => {
                    let status = context.raw().status().as_u16();
                    Self::from_answer(action, status, error.code(), error.message())
                }
                SdkError::ResponseError(context) => {
                    Self::from_answer(action, context.raw().status().as_u16(), None, None)
                }
                SdkError::TimeoutError(_) => Self::unreachable(action),
                SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::unreachable(action),
                other => Self::before_the_answer(action, other),
            }
        }
    }

    /// Explains an answer by its status, code and message.
    pub(super) fn from_answer(action: &str, status: u16, code: Option<&str>, message: Option<&str>) -> Self {
        let Some(code) = code else { return no_aws_answer(action, status) };
        let (message, told_code) = (one_line(message.unwrap_or(code)), one_line(code));
        match code {
            code if is_expired(code) => Self::Unavailable(format!(
                "the AWS credentials have expired ({action}): renew them, for instance with `aws sso login`, and try again"
            )),
            code if is_rejected(code) => Self::Unavailable(format!(
                "AWS does not accept the credentials of this server ({action}: {told_code}): check them with \
                 `aws sts get-caller-identity`"
            )),
            code if is_denied(code) => Self::Denied(format!(
                "the AWS identity of this server may not do {action}: allow {action} in its IAM policy, or pass a role_arn \
                 that may. AWS says: {message}"
            )),
            code if is_not_found(code) => Self::NotFound(format!("{action}: {message}")),
            code if is_throttled(code) || status == 429 => {
                Self::Unavailable(format!("AWS limits the rate of {action}: wait some seconds and try again"))
            }
            _ if status >= 500 => {
                Self::Unavailable(format!("AWS failed at {action} (HTTP {status}): try again later"))
            }
            _ => Self::Invalid(format!("AWS refused {action}: {told_code}: {message}")),
        }
    }

    /// Nobody answers.
    pub(super) fn unreachable(action: &str) -> Self {
        Self::Unavailable(format!(
            "the AWS endpoint for {action} does not answer: check the region, the network (proxy, VPC endpoint) and \
             AWS_ENDPOINT_URL"
        ))
    }

    /// Explains why nothing was asked: the first cause that says something about credentials, or about the role.
    pub(super) fn before_the_answer(action: &str, error: &(dyn Error + 'static)) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut no_credentials = None;
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<AssumeRoleError>() {
                let code = refused.code().unwrap_or("AccessDenied");
                return Self::from_answer("sts:AssumeRole", 403, Some(code), refused.message());
            }
            if let Some(error) = error.downcast_ref::<CredentialsError>() {
                no_credentials = Some(Self::of_credentials(action, error));
            }
            cause = error.source();
        }
        no_credentials.unwrap_or_else(|| Self::unreachable(action))
    }

    /// Why there are no credentials.
    pub(super) fn of_credentials(action: &str, error: &CredentialsError) -> Self {
        let why = match error {
            CredentialsError::CredentialsNotLoaded(_) => "there are no AWS credentials",
            CredentialsError::ProviderTimedOut(_) => "the source of the AWS credentials does not answer",
            CredentialsError::InvalidConfiguration(_) => "the AWS configuration is not valid",
            _ => "the AWS credentials could not be had, or have expired",
        };
        Self::Unavailable(format!(
            "{why} ({action}): set AWS_PROFILE or AWS_ACCESS_KEY_ID, run `aws sso login`, or give the pod or the machine \
             a role"
        ))
    }
}

/// A page of a proxy, or a stand-in that does not know the action.
fn no_aws_answer(action: &str, status: u16) -> AwsError {
    AwsError::Unavailable(format!(
        "what answers for {action} is not AWS (HTTP {status} without an AWS error): check AWS_ENDPOINT_URL and the proxy"
    ))
}

fn is_expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
}

/// Messages of these may quote the signed request, so they are not passed on.
fn is_rejected(code: &str) -> bool {
    code.contains("Signature")
        || matches!(
            code,
            "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "AuthFailure"
                | "MissingAuthenticationToken"
                | "MissingAuthenticationTokenException"
                | "OptInRequired"
        )
}

fn is_denied(code: &str) -> bool {
    code.starts_with("AccessDenied") || matches!(code, "UnauthorizedOperation" | "UnauthorizedException")
}

fn is_not_found(code: &str) -> bool {
    code.contains("NotFound") || code.starts_with("NoSuchEntity")
}

fn is_throttled(code: &str) -> bool {
    code.contains("Throttl") || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded")
}

/// What AWS quotes may be a secret, and half a secret looks like none: it is replaced before anything is cut.
fn one_line(message: &str) -> String {
    let message = redact::text(message);
    let words: Vec<&str> = message.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.join(" ");
    line.chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn told(status: u16, code: Option<&str>, message: &str) -> String {
        AwsError::from_answer("eks:ListClusters", status, code, Some(message)).to_string()
    }

    #[rstest]
    #[case::denied(403, Some("AccessDeniedException"), "allow eks:ListClusters in its IAM policy")]
    #[case::expired(403, Some("ExpiredTokenException"), "have expired")]
    #[case::throttled(400, Some("ThrottlingException"), "try again")]
    #[case::not_found(404, Some("ResourceNotFoundException"), "eks:ListClusters: m")]
    #[case::a_fault(500, Some("ServerException"), "try again later")]
    #[case::no_aws(502, None, "is not AWS")]
    fn each_refusal_says_what_to_do(#[case] status: u16, #[case] code: Option<&str>, #[case] part: &str) {
        let told = told(status, code, "m\nx");
        assert!(told.contains(part) && !told.contains('\n'), "{told}");
    }

    #[test]
    fn what_was_signed_is_not_told() {
        let told =
            told(403, Some("SignatureDoesNotMatch"), "The Canonical String was x-amz-security-token:secret");
        assert!(!told.contains("secret") && !told.contains("Canonical"), "{told}");
    }
}
