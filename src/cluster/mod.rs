//! Access to a Kubernetes API: live through kubeconfig or service account, or recorded in a bundle.
//!
//! There is no trait: everything goes through [`kube::Client`], and a bundle is a tower service that speaks the
//! Kubernetes API, so one code path is tested, demonstrated and shipped.

mod age;
mod bundle;
mod capture;
mod clusters;
mod connect;
mod discovery;
mod kind;
mod link;
mod managers;
mod pod_status;
mod reader;
mod request;
mod snapshot;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use crate::aws::AwsError;

pub use crate::redact;

pub use age::age;
pub use bundle::{Bundle, BundleApi, BundleResponse, Damaged, serve_bundle};
pub use capture::{CaptureError, CaptureLimits, Captured, capture};
pub use clusters::{Choice, ClusterRef, Clusters};
pub use kind::Kind;
pub use managers::FieldManager;
pub use pod_status::{PodStatus, pod_status};
pub use reader::{ListQuery, LogQuery, Page};
pub use snapshot::{Progress, SnapshotLimits, access, diagnose, trace};
pub use writer::{Change, Trial};

/// Where a cluster is to be found.
#[derive(Debug, Clone)]
pub enum ClusterSource {
    /// In-cluster service account if there is one, else the current context of the kubeconfig.
    Infer,
    /// A context of the kubeconfig, by name.
    Context(String),
    /// A recorded cluster: a directory or a `.tar.gz`.
    Bundle(PathBuf),
    /// An EKS cluster by its name or ARN, with the AWS credentials of the process; the only one of the region where none is
    /// named.
    Eks(Option<String>),
}

/// An open cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    /// Speaks to the API server, or to the bundle.
    pub client: kube::Client,
    /// What is known of it without asking.
    pub info: ClusterInfo,
    discovery: Arc<discovery::Cache>,
    bundle: Option<Arc<Bundle>>,
    /// The right to hold a snapshot: each may be as large as the cluster.
    snapshots: Arc<Semaphore>,
    /// True from when it did not answer, or did not accept the credentials: it should be opened anew.
    broken: Arc<AtomicBool>,
}

/// Snapshots that may be in memory at the same time; further diagnoses wait.
const SNAPSHOTS_AT_ONCE: usize = 4;

impl Cluster {
    /// A cluster that this client speaks to.
    pub fn new(client: kube::Client, info: ClusterInfo) -> Self {
        let snapshots = Arc::new(Semaphore::new(SNAPSHOTS_AT_ONCE));
        Self { client, info, discovery: Arc::default(), bundle: None, snapshots, broken: Arc::default() }
    }

    /// A recorded cluster.
    pub fn from_bundle(bundle: Bundle) -> Self {
        let bundle = Arc::new(bundle);
        let client = kube::Client::new(BundleApi::new(Arc::clone(&bundle)), "default");
        Self { bundle: Some(Arc::clone(&bundle)), ..Self::new(client, bundle.info().clone()) }
    }
}

/// What a cluster is called and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// Name: of the bundle, or of the kubeconfig's cluster entry.
    pub name: String,
    /// Server version such as `v1.31.4-eks-2d5f260`, if known without asking.
    pub version: Option<String>,
    /// True for a bundle.
    pub recorded: bool,
    /// When a bundle was recorded: its present. `None` for a live cluster.
    pub captured_at: Option<jiff::Timestamp>,
}

/// Why a cluster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No such object, kind or log.
    #[error("{0}")]
    NotFound(String),
    /// RBAC or a read-only bundle says no.
    #[error("{0}")]
    Forbidden(String),
    /// The request itself is wrong (a selector, a parameter).
    #[error("{0}")]
    Invalid(String),
    /// Others manage fields that an apply would change; says who, and which.
    #[error("{0}")]
    Conflict(String),
    /// The continue token is too old: the list has to be read again from the start.
    #[error("{0}")]
    Expired(String),
    /// No answer, TLS or authentication trouble, or an answer that is not Kubernetes'. The cause is in the log.
    #[error("{0}")]
    Unreachable(String),
}

impl From<AwsError> for ClusterError {
    fn from(error: AwsError) -> Self {
        let told = error.to_string();
        match error {
            AwsError::NotFound(_) => Self::NotFound(told),
            AwsError::Denied(_) => Self::Forbidden(told),
            AwsError::Invalid(_) => Self::Invalid(told),
            AwsError::Unavailable(_) => Self::Unreachable(told),
        }
    }
}
