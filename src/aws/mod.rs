//! AWS: clients by region and role.
//!
//! Settings come from where every AWS tool has them: environment, profile, container and instance roles; all endpoints
//! can be changed with `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`. Nothing is asked before the first call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use tokio::sync::OnceCell;

/// The AWS accounts that this process has credentials for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Aws {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Loaded with the first use: finding the region may ask the instance's metadata service.
    base: OnceCell<SdkConfig>,
    connections: Mutex<HashMap<(String, Option<String>), Arc<Connection>>>,
}

/// The clients of one region, as one role.
pub struct Connection {
    /// Such as `eu-west-1`.
    pub region: String,
    /// The role that is assumed, if it is not the process's own identity.
    pub role_arn: Option<String>,
    /// Credentials, retries, time limits and endpoints; makes the clients of all services.
    pub sdk: SdkConfig,
}

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
        let key = (region.clone(), role_arn.map(str::to_owned));
        let mut known = self.inner.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = known.entry(key).or_insert_with(|| {
            let sdk = base.to_builder().region(Region::new(region.clone())).build();
            Arc::new(Connection { region, role_arn: role_arn.map(str::to_owned), sdk })
        });
        Ok(Arc::clone(connection))
    }
}
