//! `generate_app_manifest`: the YAML of an application, written from Kubernetes' own types. Nothing is sent or stored.

mod checks;
mod objects;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

pub(super) struct GenerateAppManifest;

/// Who reaches a load balancer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Scheme {
    #[default]
    Internal,
    InternetFacing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum ServiceType {
    #[default]
    LoadBalancer,
    #[serde(rename = "ClusterIP")]
    #[schemars(rename = "ClusterIP")]
    ClusterIp,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the application and of its objects: small letters, digits and hyphens
    app_name: String,
    /// Image of its container, such as `111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1.4.2`
    image_uri: String,
    /// Taken for the sake of older callers: no file is written, the YAML is in the answer
    output_dir: Option<String>,
    /// Port on which the container listens, and of the Service
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
    /// Pods; with max_replicas the least
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    replicas: u16,
    /// CPU of one pod, requested and its limit: `250m`, `1`
    #[serde(default = "default_cpu")]
    cpu: String,
    /// Memory of one pod, requested and its limit: `256Mi`, `1Gi`
    #[serde(default = "default_memory")]
    memory: String,
    /// Namespace of the objects
    #[serde(default = "default_namespace")]
    namespace: String,
    /// Who reaches the load balancer: the VPC, or everyone
    #[serde(default)]
    load_balancer_scheme: Scheme,
    /// A load balancer, or only an address inside the cluster
    #[serde(default)]
    service_type: ServiceType,
    /// Path that answers 2xx while the application is well, such as `/healthz`; without it probes only connect
    health_path: Option<String>,
    /// Adds a HorizontalPodAutoscaler on CPU with so many pods at most
    #[schemars(range(min = 1, max = 1000))]
    max_replicas: Option<u16>,
    /// Adds a PodDisruptionBudget where there are several pods
    #[serde(default = "yes")]
    disruption_budget: bool,
    /// Adds a ServiceAccount with this IAM role (IRSA), for pods that call AWS
    iam_role_arn: Option<String>,
    /// User of the container, not root, without any capability; without it the user is the image's
    #[schemars(range(min = 1, max = 2_147_483_647))]
    run_as_user: Option<u32>,
}

fn default_port() -> u16 {
    80
}

fn default_replicas() -> u16 {
    2
}

fn default_cpu() -> String {
    "100m".to_owned()
}

fn default_memory() -> String {
    "128Mi".to_owned()
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}

impl Tool for GenerateAppManifest {
    const NAME: &'static str = "generate_app_manifest";
    const TITLE: &'static str = "Write the YAML of an application";
    const DESCRIPTION: &'static str = "Writes the Kubernetes YAML of an application: Deployment with probes, resources and a security context, Service \
         (a Network Load Balancer, internal unless said otherwise), PodDisruptionBudget, and on request \
         HorizontalPodAutoscaler and ServiceAccount. The YAML is in the answer and nothing is changed: review it, then \
         give it to apply_yaml as `yaml`.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        checks::check(&input)?;
        let manifest = Manifest::of(&input);
        let notes = notes(&input);
        let comments: String = notes.iter().map(|note| format!("# {note}\n")).collect();
        let text = format!("{comments}{}", manifest.yaml()?);
        let structured = json!({
            "appName": input.app_name, "namespace": input.namespace, "yaml": text, "objects": manifest.kinds(),
            "notes": notes,
        });
        Ok(ToolOutcome::new(structured, text))
    }
}

/// The objects of an application.
struct Manifest {
    service_account: Option<ServiceAccount>,
    deployment: Deployment,
    service: Service,
    budget: Option<PodDisruptionBudget>,
    autoscaler: Option<HorizontalPodAutoscaler>,
}

impl Manifest {
    fn of(input: &Input) -> Self {
        Self {
            service_account: objects::service_account(input),
            deployment: objects::deployment(input),
            service: objects::service(input),
            budget: objects::budget(input),
            autoscaler: objects::autoscaler(input),
        }
    }

    fn yaml(&self) -> Result<String, ToolError> {
        let documents = [
            self.service_account.as_ref().map(document),
            Some(document(&self.deployment)),
            Some(document(&self.service)),
            self.budget.as_ref().map(document),
            self.autoscaler.as_ref().map(document),
        ];
        Ok(documents.into_iter().flatten().collect::<Result<Vec<_>, _>>()?.join("---\n"))
    }

    fn kinds(&self) -> Vec<&'static str> {
        let optional = |there: bool, kind| there.then_some(kind);
        let kinds = [
            optional(self.service_account.is_some(), "ServiceAccount"),
            Some("Deployment"),
            Some("Service"),
            optional(self.budget.is_some(), "PodDisruptionBudget"),
            optional(self.autoscaler.is_some(), "HorizontalPodAutoscaler"),
        ];
        kinds.into_iter().flatten().collect()
    }
}

fn document(object: &impl Serialize) -> Result<String, ToolError> {
    serde_saphyr::to_string(object).map_err(|error| {
        tracing::error!(%error, "an object cannot be written as YAML");
        ToolError::Bug
    })
}

/// What a reader of the YAML should know. Fixed texts: they stand in comments.
fn notes(input: &Input) -> Vec<&'static str> {
    let said = [
        (
            input.output_dir.is_some(),
            "No file was written (output_dir is not used): give this text to apply_yaml as yaml.",
        ),
        (
            !checks::is_fixed(&input.image_uri),
            "The image has no fixed tag: what runs may change by itself. Name a version, or a digest.",
        ),
        (
            input.service_type == ServiceType::LoadBalancer,
            "The load balancer needs the AWS Load Balancer Controller, or EKS Auto Mode.",
        ),
        (
            input.service_type == ServiceType::LoadBalancer
                && input.load_balancer_scheme == Scheme::InternetFacing,
            "Everyone on the internet reaches this Service: spec.loadBalancerSourceRanges narrows that.",
        ),
        (
            input.health_path.is_none(),
            "The probes only connect to the port: health_path would let them ask the application.",
        ),
        (
            input.run_as_user.is_none(),
            "The container runs as the user of its image, which may be root: run_as_user changes that.",
        ),
        (
            input.run_as_user.is_some() && input.port < 1024,
            "Ports below 1024 may be closed to a user that is not root: a higher port is safer.",
        ),
    ];
    said.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note).collect()
}

#[cfg(test)]
mod tests;
