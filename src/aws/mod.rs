//! AWS: clients by region and role.
//!
//! Settings come from where every AWS tool has them: environment, profile, container and instance roles; all endpoints
//! can be changed with `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`. Nothing is asked before the first call.

mod eks;
pub mod eks_token;
mod error;
mod iam;
mod query;
mod signature;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use regex::Regex;
use tokio::sync::OnceCell;

pub use eks::{ClusterName, nearest_first};
pub use error::AwsError;

/// How long it may take until there is a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an operation may take with all its attempts.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(45);
/// How often an operation is attempted.
const ATTEMPTS: u32 = 3;
/// Regions and roles that are remembered; callers name them, so they have to end.
const MAX_CONNECTIONS: usize = 64;

/// The AWS accounts that this process has credentials for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Aws {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Loaded with the first use: finding the region may ask the instance's metadata service.
    base: OnceCell<SdkConfig>,
    connections: Mutex<Connections>,
}

/// By region and role.
type Connections = HashMap<(String, Option<String>), Arc<Connection>>;

/// The clients of one region, as one role.
pub struct Connection {
    /// Such as `eu-west-1`.
    pub region: String,
    /// The role that is assumed, if it is not the process's own identity.
    pub role_arn: Option<String>,
    /// Credentials, retries, time limits and endpoints; makes the clients of all services.
    pub sdk: SdkConfig,
    /// Those of the requests that are signed here and not by the SDK.
    credentials: Mutex<Option<Credentials>>,
}

impl Aws {
    /// What the environment gives.
    pub fn from_environment() -> Self {
        Self::default()
    }

    /// These settings instead of the environment's.
    pub fn with_config(config: SdkConfig) -> Self {
        let inner = Inner { base: OnceCell::new_with(Some(config)), connections: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The clients for a region (the process's own where none is named) as a role.
    ///
    /// # Errors
    /// There is no region, or what is named is no region or no role.
    pub async fn connection(
        &self,
        region: Option<&str>,
        role_arn: Option<&str>,
    ) -> Result<Arc<Connection>, AwsError> {
        let base =
            self.inner.base.get_or_init(|| aws_config::defaults(BehaviorVersion::latest()).load()).await;
        let region = region.map(str::to_owned).or_else(|| base.region().map(ToString::to_string));
        let region = region.ok_or_else(|| {
            AwsError::Invalid(
                "no AWS region is known: pass region, call set_aws_region, or set AWS_REGION".to_owned(),
            )
        })?;
        check_region(&region)?;
        role_arn.map(check_role).transpose()?;
        let key = (region.clone(), role_arn.map(str::to_owned));
        if let Some(connection) = self.known().get(&key) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(connect(base, region, role_arn).await);
        let mut known = self.known();
        if known.len() >= MAX_CONNECTIONS {
            known.clear();
        }
        Ok(Arc::clone(known.entry(key).or_insert(connection)))
    }

    fn known(&self) -> MutexGuard<'_, Connections> {
        self.inner.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(base: &SdkConfig, region: String, role_arn: Option<&str>) -> Connection {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut builder = base
        .to_builder()
        .region(Region::new(region.clone()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    builder.set_app_name(AppName::new("drydock").ok());
    let mut sdk = builder.build();
    if let Some(role) = role_arn {
        let provider =
            AssumeRoleProvider::builder(role).configure(&sdk).session_name("drydock").build().await;
        sdk = sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    }
    Connection { region, role_arn: role_arn.map(str::to_owned), sdk, credentials: Mutex::default() }
}

/// A time as AWS gives it, as people and programs read it, in whole seconds: `2026-07-01T12:00:00Z`.
pub fn time(time: &aws_smithy_types::DateTime) -> String {
    let time = aws_smithy_types::DateTime::from_secs(time.secs());
    time.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap_or_default()
}

/// A region becomes part of host names, so it has to have the shape of one.
///
/// # Errors
/// It has not.
pub fn check_region(region: &str) -> Result<(), AwsError> {
    static SHAPE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$").ok());
    match SHAPE.as_ref().is_some_and(|shape| shape.is_match(region)) {
        true => Ok(()),
        false => Err(AwsError::Invalid(format!(
            "{:?} is not an AWS region: they are called like eu-west-1",
            region.chars().take(60).collect::<String>()
        ))),
    }
}

fn check_role(role_arn: &str) -> Result<(), AwsError> {
    static SHAPE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$").ok());
    match SHAPE.as_ref().is_some_and(|shape| shape.is_match(role_arn)) {
        true => Ok(()),
        false => Err(AwsError::Invalid(
            "role_arn must be the ARN of an IAM role, such as arn:aws:iam::111122223333:role/reader"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("eu-west-1", true)]
    #[case("us-gov-west-1", true)]
    #[case("not a region", false)]
    #[case("eu-west-1.example.org", false)]
    #[case("eu-west-1\n", false)]
    fn a_region_has_a_shape(#[case] region: &str, #[case] fits: bool) {
        assert_eq!(check_region(region).is_ok(), fits);
    }

    #[rstest]
    #[case("arn:aws:iam::111122223333:role/path/reader", true)]
    #[case("arn:aws:iam::111122223333:user/reader", false)]
    #[case("reader", false)]
    fn a_role_is_named_by_its_arn(#[case] role: &str, #[case] fits: bool) {
        assert_eq!(check_role(role).is_ok(), fits);
    }

    #[tokio::test]
    async fn a_region_and_a_role_have_one_connection() {
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .build();
        let aws = Aws::with_config(base);
        let default = aws.connection(None, None).await.unwrap();
        let named = aws.connection(Some("eu-west-1"), None).await.unwrap();
        let other = aws.connection(Some("us-east-1"), None).await.unwrap();
        assert!(Arc::ptr_eq(&default, &named) && !Arc::ptr_eq(&default, &other));
        assert_eq!(other.sdk.region().map(ToString::to_string).as_deref(), Some("us-east-1"));
    }
}
