//! The metrics themselves.

use serde::Serialize;

use super::ResourceType;

/// A metric as CloudWatch has it.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    /// What sends it: `classic`, `enhanced`, `control-plane`.
    pub(super) source: &'static str,
    pub(super) unit: &'static str,
    /// Names with commas between them; each entry is one whole set.
    pub(super) dimensions: &'static [&'static str],
    pub(super) description: &'static str,
}

/// Name, unit, meaning.
type Row = (&'static str, &'static str, &'static str);

/// Metrics with the same source and the same sets of dimensions.
struct Group {
    namespace: &'static str,
    source: &'static str,
    dimensions: &'static [&'static str],
    rows: &'static [Row],
}

impl Group {
    fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        self.rows.iter().map(|(name, unit, description)| Metric {
            namespace: self.namespace,
            name,
            source: self.source,
            unit,
            dimensions: self.dimensions,
            description,
        })
    }
}

pub(super) fn metrics(of: ResourceType) -> Vec<Metric> {
    let groups: &[&Group] = match of {
        ResourceType::Cluster => &[&CLUSTER, &CONTROL_PLANE],
        ResourceType::Node => &[&NODE, &NODE_GPU, &NODE_TOTALS, &NODE_ENHANCED],
        ResourceType::Pod => &[&POD, &POD_GPU, &POD_LIMITS, &POD_RESTARTS, &POD_ENHANCED, &CONTAINER],
        ResourceType::Namespace => &[&NAMESPACE],
        ResourceType::Service => &[&SERVICE],
    };
    groups.iter().flat_map(|group| group.metrics()).collect()
}

const INSIGHTS: &str = "ContainerInsights";

const CLUSTER: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName"],
    rows: &[
        ("cluster_node_count", "Count", "nodes that have joined"),
        ("cluster_failed_node_count", "Count", "nodes with a bad condition"),
    ],
};

const CONTROL_PLANE: Group = Group {
    namespace: "AWS/EKS",
    source: "control-plane",
    dimensions: &["ClusterName"],
    rows: &[
        ("apiserver_request_total", "Count", "requests to the API server"),
        ("apiserver_request_total_4XX", "Count", "requests refused as the caller's fault"),
        ("apiserver_request_total_429", "Count", "requests turned away because there were too many"),
        ("apiserver_request_total_5XX", "Count", "requests that failed in the API server"),
        ("apiserver_storage_size_bytes", "Bytes", "size of the etcd database"),
        ("apiserver_flowcontrol_current_executing_seats", "Count", "seats in use by running requests"),
        ("scheduler_schedule_attempts_total", "Count", "attempts to place a pod"),
        ("scheduler_schedule_attempts_SCHEDULED", "Count", "attempts that placed the pod"),
        ("scheduler_schedule_attempts_UNSCHEDULABLE", "Count", "attempts that found no fitting node"),
        ("scheduler_schedule_attempts_ERROR", "Count", "attempts that failed in the scheduler"),
        ("scheduler_pending_pods", "Count", "pods that wait for a node"),
        ("scheduler_pending_pods_UNSCHEDULABLE", "Count", "waiting pods that fit on no node"),
        ("scheduler_pending_pods_BACKOFF", "Count", "waiting pods that are tried again later"),
    ],
};

const NODE: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName", "ClusterName,InstanceId,NodeName"],
    rows: &[
        ("node_cpu_utilization", "Percent", "CPU used, of what the node has"),
        ("node_cpu_reserved_capacity", "Percent", "CPU requested by pods, of what the node has"),
        ("node_memory_utilization", "Percent", "working set, of the node's memory"),
        ("node_memory_reserved_capacity", "Percent", "memory requested by pods, of the node's"),
        ("node_filesystem_utilization", "Percent", "disk in use"),
        ("node_network_total_bytes", "Bytes/Second", "bytes sent and received"),
        ("node_number_of_running_pods", "Count", "pods that run on the node"),
        ("node_number_of_running_containers", "Count", "containers that run on the node"),
    ],
};

/// On nodes with GPUs whose device plugin tells of them.
const NODE_GPU: Group = Group {
    namespace: INSIGHTS,
    source: "enhanced",
    dimensions: &["ClusterName", "ClusterName,InstanceId,NodeName"],
    rows: &[
        ("node_gpu_limit", "Count", "GPUs of the node"),
        ("node_gpu_usage_total", "Count", "GPUs that pods use"),
        ("node_gpu_reserved_capacity", "Percent", "GPUs requested by pods, of the node's"),
    ],
};

/// Of single nodes only enhanced observability has them.
const NODE_TOTALS: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName"],
    rows: &[
        ("node_cpu_limit", "None", "CPU of the node, in thousandths of a core"),
        ("node_cpu_usage_total", "None", "CPU used, in thousandths of a core"),
        ("node_memory_limit", "Bytes", "memory of the node"),
        ("node_memory_working_set", "Bytes", "memory in use that cannot be given back"),
    ],
};

const NODE_ENHANCED: Group = Group {
    namespace: INSIGHTS,
    source: "enhanced",
    dimensions: &["ClusterName", "ClusterName,InstanceId,NodeName"],
    rows: &[
        ("node_status_condition_ready", "Count", "1 where the node is ready"),
        ("node_status_condition_disk_pressure", "Count", "1 where the disk is short"),
        ("node_status_condition_memory_pressure", "Count", "1 where memory is short"),
        ("node_status_condition_pid_pressure", "Count", "1 where process numbers are short"),
        ("node_status_condition_unknown", "Count", "1 where a condition is not known"),
        ("node_status_allocatable_pods", "Count", "pods that the node may take"),
        ("node_status_capacity_pods", "Count", "pods that the node could take"),
        ("node_filesystem_inodes", "Count", "inodes in all"),
        ("node_filesystem_inodes_free", "Count", "inodes that are free"),
        ("node_interface_network_rx_dropped", "Count/Second", "received packets that were dropped"),
        ("node_interface_network_tx_dropped", "Count/Second", "packets to be sent that were dropped"),
        ("node_diskio_io_service_bytes_total", "Bytes", "bytes read from and written to disks"),
    ],
};

const POD: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &[
        "ClusterName",
        "ClusterName,Namespace",
        "ClusterName,Namespace,PodName",
        "ClusterName,Namespace,Service",
    ],
    rows: &[
        ("pod_cpu_utilization", "Percent", "CPU used, of the node's"),
        ("pod_memory_utilization", "Percent", "memory used, of the node's"),
        ("pod_network_rx_bytes", "Bytes/Second", "bytes received"),
        ("pod_network_tx_bytes", "Bytes/Second", "bytes sent"),
        ("pod_cpu_utilization_over_pod_limit", "Percent", "CPU used, of the pod's limit"),
        ("pod_memory_utilization_over_pod_limit", "Percent", "memory used, of the pod's limit"),
    ],
};

/// Of pods that ask for GPUs.
const POD_GPU: Group = Group {
    namespace: INSIGHTS,
    source: "enhanced",
    dimensions: &[
        "ClusterName",
        "ClusterName,Namespace,PodName",
        "ClusterName,FullPodName,Namespace,PodName",
    ],
    rows: &[
        ("pod_gpu_request", "Count", "GPUs requested; as many as the limit"),
        ("pod_gpu_limit", "Count", "GPUs that the pod may use"),
        ("pod_gpu_usage_total", "Count", "GPUs in use"),
        ("pod_gpu_reserved_capacity", "Percent", "GPUs requested, of the node's"),
    ],
};

const POD_LIMITS: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName", "ClusterName,Namespace,PodName"],
    rows: &[
        ("pod_cpu_reserved_capacity", "Percent", "CPU requested, of the node's"),
        ("pod_memory_reserved_capacity", "Percent", "memory requested, of the node's"),
    ],
};

const POD_RESTARTS: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName,Namespace,PodName"],
    rows: &[("pod_number_of_container_restarts", "Count", "restarts of the pod's containers")],
};

const POD_ENHANCED: Group = Group {
    namespace: INSIGHTS,
    source: "enhanced",
    dimensions: &["ClusterName", "ClusterName,Namespace,PodName"],
    rows: &[
        ("pod_status_ready", "Count", "pods that are ready"),
        ("pod_status_pending", "Count", "pods that wait"),
        ("pod_status_running", "Count", "pods that run"),
        ("pod_status_failed", "Count", "pods that failed"),
        ("pod_status_unknown", "Count", "pods of which nothing is known"),
        ("pod_container_status_running", "Count", "containers that run"),
        ("pod_container_status_terminated", "Count", "containers that ended"),
        ("pod_container_status_waiting", "Count", "containers that wait"),
        (
            "pod_container_status_waiting_reason_crash_loop_back_off",
            "Count",
            "containers that crash over and over",
        ),
        ("pod_container_status_waiting_reason_image_pull_error", "Count", "containers without their image"),
        (
            "pod_container_status_terminated_reason_oom_killed",
            "Count",
            "containers killed for want of memory",
        ),
    ],
};

const CONTAINER: Group = Group {
    namespace: INSIGHTS,
    source: "enhanced",
    dimensions: &["ClusterName", "ClusterName,ContainerName,Namespace,PodName"],
    rows: &[
        ("container_cpu_utilization", "Percent", "CPU used, of the node's"),
        ("container_cpu_utilization_over_container_limit", "Percent", "CPU used, of the container's limit"),
        ("container_memory_utilization", "Percent", "memory used, of the node's"),
        (
            "container_memory_utilization_over_container_limit",
            "Percent",
            "memory used, of the container's limit",
        ),
        ("container_memory_failures_total", "Count", "page faults and failed allocations"),
    ],
};

const NAMESPACE: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName", "ClusterName,Namespace"],
    rows: &[("namespace_number_of_running_pods", "Count", "pods that run in the namespace")],
};

const SERVICE: Group = Group {
    namespace: INSIGHTS,
    source: "classic",
    dimensions: &["ClusterName", "ClusterName,Namespace,Service"],
    rows: &[("service_number_of_running_pods", "Count", "pods that run behind the service")],
};
