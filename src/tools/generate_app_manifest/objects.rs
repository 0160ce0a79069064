//! The objects of an application, as Kubernetes' own types.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ResourceRequirements, SeccompProfile, SecurityContext, Service, ServiceAccount, ServicePort,
    ServiceSpec, TCPSocketAction, TopologySpreadConstraint,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Input, Scheme, ServiceType};

/// CPU at which an autoscaler adds pods, in percent of what they request.
const CPU_TARGET: i32 = 80;

fn labels(input: &Input) -> BTreeMap<String, String> {
    BTreeMap::from([("app.kubernetes.io/name".to_owned(), input.app_name.clone())])
}

fn selector(input: &Input) -> LabelSelector {
    LabelSelector { match_labels: Some(labels(input)), ..LabelSelector::default() }
}

fn metadata(input: &Input) -> ObjectMeta {
    ObjectMeta {
        name: Some(input.app_name.clone()),
        namespace: Some(input.namespace.clone()),
        labels: Some(labels(input)),
        ..ObjectMeta::default()
    }
}

fn annotated(input: &Input, annotations: &[(&str, &str)]) -> ObjectMeta {
    let owned = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ObjectMeta { annotations: Some(owned.collect()), ..metadata(input) }
}

pub(super) fn service_account(input: &Input) -> Option<ServiceAccount> {
    let role = input.iam_role_arn.as_deref()?;
    let metadata = annotated(input, &[("eks.amazonaws.com/role-arn", role)]);
    Some(ServiceAccount { metadata, ..ServiceAccount::default() })
}

pub(super) fn deployment(input: &Input) -> Deployment {
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels(input)), ..ObjectMeta::default() }),
        spec: Some(pod(input)),
    };
    let spec = DeploymentSpec {
        // An autoscaler sets it; whoever applies this again must not set it back.
        replicas: input.max_replicas.is_none().then_some(i32::from(input.replicas)),
        selector: selector(input),
        template,
        ..DeploymentSpec::default()
    };
    Deployment { metadata: metadata(input), spec, ..Deployment::default() }
}

fn pod(input: &Input) -> PodSpec {
    let security = PodSecurityContext {
        run_as_non_root: input.run_as_user.map(|_| true),
        run_as_user: input.run_as_user.map(i64::from),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    };
    PodSpec {
        containers: vec![container(input)],
        service_account_name: input.iam_role_arn.is_some().then(|| input.app_name.clone()),
        automount_service_account_token: Some(false),
        security_context: Some(security),
        topology_spread_constraints: (input.replicas > 1).then(|| vec![spread(input)]),
        ..PodSpec::default()
    }
}

fn spread(input: &Input) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(selector(input)),
        ..TopologySpreadConstraint::default()
    }
}

fn container(input: &Input) -> Container {
    let amounts = BTreeMap::from([
        ("cpu".to_owned(), Quantity(input.cpu.clone())),
        ("memory".to_owned(), Quantity(input.memory.clone())),
    ]);
    let dropped = if input.run_as_user.is_some() { "ALL" } else { "NET_RAW" };
    Container {
        name: input.app_name.clone(),
        image: Some(input.image_uri.clone()),
        ports: Some(vec![ContainerPort {
            container_port: i32::from(input.port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: Some(amounts.clone()),
            limits: Some(amounts),
            ..ResourceRequirements::default()
        }),
        // Five minutes to start; then liveness is the more patient one, so that a pod leaves the Service before it is
        // restarted.
        startup_probe: Some(probe(input, 5, 60)),
        readiness_probe: Some(probe(input, 10, 3)),
        liveness_probe: Some(probe(input, 10, 6)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec![dropped.to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// Every `period` seconds; so many failures in a row count.
fn probe(input: &Input, period: i32, failures: i32) -> Probe {
    let port = IntOrString::Int(i32::from(input.port));
    let http = input.health_path.clone().map(|path| HTTPGetAction {
        path: Some(path),
        port: port.clone(),
        ..HTTPGetAction::default()
    });
    Probe {
        tcp_socket: http.is_none().then(|| TCPSocketAction { port, ..TCPSocketAction::default() }),
        http_get: http,
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}

pub(super) fn service(input: &Input) -> Service {
    let scheme = match input.load_balancer_scheme {
        Scheme::Internal => "internal",
        Scheme::InternetFacing => "internet-facing",
    };
    // Without the type the controller that is built into Kubernetes takes the Service. It does not know the scheme, and
    // would make a load balancer that is open to the internet.
    let annotations = [
        ("service.beta.kubernetes.io/aws-load-balancer-type", "external"),
        ("service.beta.kubernetes.io/aws-load-balancer-nlb-target-type", "ip"),
        ("service.beta.kubernetes.io/aws-load-balancer-scheme", scheme),
    ];
    let (type_, metadata) = match input.service_type {
        ServiceType::LoadBalancer => ("LoadBalancer", annotated(input, &annotations)),
        ServiceType::ClusterIp => ("ClusterIP", metadata(input)),
    };
    let port = i32::from(input.port);
    let port = ServicePort {
        port,
        target_port: Some(IntOrString::Int(port)),
        // A part of the key by which a port is told from others when this is applied.
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        type_: Some(type_.to_owned()),
        selector: Some(labels(input)),
        ports: Some(vec![port]),
        ..ServiceSpec::default()
    };
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// A single pod has none: it could never be moved.
pub(super) fn budget(input: &Input) -> Option<PodDisruptionBudget> {
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(1)),
        selector: Some(selector(input)),
        ..PodDisruptionBudgetSpec::default()
    };
    let wanted = input.disruption_budget && input.replicas > 1;
    wanted.then(|| PodDisruptionBudget {
        metadata: metadata(input),
        spec: Some(spec),
        ..PodDisruptionBudget::default()
    })
}

pub(super) fn autoscaler(input: &Input) -> Option<HorizontalPodAutoscaler> {
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(CPU_TARGET),
        ..MetricTarget::default()
    };
    let metric = MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource { name: "cpu".to_owned(), target }),
        ..MetricSpec::default()
    };
    let spec = HorizontalPodAutoscalerSpec {
        min_replicas: Some(i32::from(input.replicas)),
        max_replicas: i32::from(input.max_replicas?),
        metrics: Some(vec![metric]),
        scale_target_ref: CrossVersionObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: "Deployment".to_owned(),
            name: input.app_name.clone(),
        },
        ..HorizontalPodAutoscalerSpec::default()
    };
    Some(HorizontalPodAutoscaler { metadata: metadata(input), spec, ..HorizontalPodAutoscaler::default() })
}
