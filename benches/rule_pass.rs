//! The full rule pass over a synthetic cluster: some thousand pods, one workload in twenty of them broken in one of five
//! ways. The cluster is the same in every run.

use divan::Bencher;
use divan::counter::ItemsCount;
use drydock::diagnosis::report::{ReportCluster, Scope};
use drydock::diagnosis::{Snapshot, diagnose};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const NOW: &str = "2026-05-04T10:00:00Z";
const LONG_AGO: &str = "2026-04-01T10:00:00Z";
const LATELY: &str = "2026-05-04T09:30:00Z";
const PODS_PER_WORKLOAD: usize = 5;
const WORKLOADS_PER_NAMESPACE: usize = 20;
const PODS_PER_NODE: usize = 50;

#[divan::bench(args = [500, 5_000], sample_count = 20)]
fn rule_pass(bencher: Bencher, pods: usize) {
    let snapshot = snapshot(pods);
    let report = diagnose(&snapshot, &Scope::default());
    let roots = report.findings.iter().filter(|finding| finding.root_cause).count();
    assert!(roots >= pods / PODS_PER_WORKLOAD / 40, "the faults are found: {roots}");
    bencher.counter(ItemsCount::new(pods)).bench(|| diagnose(divan::black_box(&snapshot), &Scope::default()));
}

/// What is wrong with a workload.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    ImageNotFound,
    CrashLoop,
    OutOfMemory,
    SecretMissing,
    Unschedulable,
}

/// Linear congruential: the same sequence in every run.
struct Dice(u64);

impl Dice {
    fn fault(&mut self) -> Fault {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (self.0 >> 33) % 100 {
            0 => Fault::ImageNotFound,
            1 => Fault::CrashLoop,
            2 => Fault::OutOfMemory,
            3 => Fault::SecretMissing,
            4 => Fault::Unschedulable,
            _ => Fault::None,
        }
    }
}

fn snapshot(pods: usize) -> Snapshot {
    let workloads = pods / PODS_PER_WORKLOAD;
    let mut dice = Dice(7);
    let mut objects: Vec<Value> = (0..pods / PODS_PER_NODE).map(node).collect();
    objects.extend((0..workloads / WORKLOADS_PER_NAMESPACE).flat_map(namespace));
    for index in 0..workloads {
        Workload::new(index, dice.fault()).write(&mut objects);
    }
    let mut coverage = drydock::diagnosis::report::Coverage::default();
    coverage.read.extend(drydock::diagnosis::READ_KINDS.iter().map(|kind| kind.plural.to_owned()));
    Snapshot {
        cluster: ReportCluster {
            name: "synthetic".to_owned(),
            source: "bundle".to_owned(),
            ..Default::default()
        },
        now: NOW.parse().unwrap_or_default(),
        objects,
        logs: Vec::new(),
        coverage,
    }
}

fn node(index: usize) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": format!("node-{index}"), "uid": format!("node-{index}"), "creationTimestamp": LONG_AGO,
                      "labels": { "kubernetes.io/hostname": format!("node-{index}") } },
        "spec": {},
        "status": { "allocatable": { "cpu": "16", "memory": "64Gi", "pods": "110" },
                    "capacity": { "cpu": "16", "memory": "64Gi", "pods": "110" },
                    "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady",
                                     "lastHeartbeatTime": NOW, "lastTransitionTime": LONG_AGO }] } })
}

fn namespace(index: usize) -> [Value; 2] {
    let name = format!("team-{index}");
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "creationTimestamp": LONG_AGO },
                "status": { "phase": "Active" } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": { "name": "default", "namespace": name, "creationTimestamp": LONG_AGO } }),
    ]
}

struct Workload {
    name: String,
    namespace: String,
    index: usize,
    fault: Fault,
}

impl Workload {
    fn new(index: usize, fault: Fault) -> Self {
        let namespace = format!("team-{}", index / WORKLOADS_PER_NAMESPACE);
        Self { name: format!("app-{index}"), namespace, index, fault }
    }

    fn write(&self, objects: &mut Vec<Value>) {
        objects.extend([
            self.deployment(),
            self.replica_set(),
            self.service(),
            self.endpoint_slice(),
            self.config(),
        ]);
        for number in 0..PODS_PER_WORKLOAD {
            objects.push(self.pod(number));
            if self.fault != Fault::None {
                objects.extend(self.event(number));
            }
        }
    }

    fn hash(&self) -> String {
        format!("{:010x}", self.index)
    }

    fn pod_name(&self, number: usize) -> String {
        format!("{}-{}-{number:05}", self.name, self.hash())
    }

    fn image(&self) -> String {
        format!("registry.example.com/{}:1.4.2", self.name)
    }

    fn metadata(&self, kind: &str, name: &str) -> Value {
        json!({ "name": name, "namespace": self.namespace, "uid": format!("{kind}-{name}"), "generation": 1,
                "creationTimestamp": LONG_AGO, "labels": { "app": self.name } })
    }

    fn owned(&self, kind: &str, name: &str, owner: &str, owner_name: &str) -> Value {
        let mut metadata = self.metadata(kind, name);
        let api_version = "apps/v1";
        metadata["labels"] = json!({ "app": self.name, "pod-template-hash": self.hash() });
        metadata["ownerReferences"] = json!([{ "apiVersion": api_version, "kind": owner, "name": owner_name,
            "uid": format!("{owner}-{owner_name}"), "controller": true }]);
        metadata
    }

    fn pod_spec(&self) -> Value {
        let secret = if self.fault == Fault::SecretMissing { json!(["missing"]) } else { json!([]) };
        let env: Vec<Value> = secret
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| json!({ "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": name, "key": "token" } } }))
            .collect();
        json!({ "serviceAccountName": "default", "containers": [{
            "name": "app", "image": self.image(), "env": env,
            "envFrom": [{ "configMapRef": { "name": self.name } }],
            "ports": [{ "containerPort": 8080, "name": "http" }],
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
            "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 10,
                                "failureThreshold": 3, "timeoutSeconds": 1 },
        }]})
    }

    fn template(&self) -> Value {
        json!({ "metadata": { "labels": { "app": self.name } }, "spec": self.pod_spec() })
    }

    fn ready(&self) -> usize {
        if self.fault == Fault::None { PODS_PER_WORKLOAD } else { 0 }
    }

    fn deployment(&self) -> Value {
        let available = if self.fault == Fault::None { "True" } else { "False" };
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.metadata("Deployment", &self.name),
            "spec": { "replicas": PODS_PER_WORKLOAD, "selector": { "matchLabels": { "app": self.name } },
                      "template": self.template() },
            "status": { "observedGeneration": 1, "replicas": PODS_PER_WORKLOAD, "updatedReplicas": PODS_PER_WORKLOAD,
                        "readyReplicas": self.ready(), "availableReplicas": self.ready(),
                        "unavailableReplicas": PODS_PER_WORKLOAD - self.ready(),
                        "conditions": [{ "type": "Available", "status": available, "lastTransitionTime": LATELY }] } })
    }

    fn replica_set(&self) -> Value {
        let name = format!("{}-{}", self.name, self.hash());
        json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": self.owned("ReplicaSet", &name, "Deployment", &self.name),
            "spec": { "replicas": PODS_PER_WORKLOAD, "template": self.template(),
                      "selector": { "matchLabels": { "app": self.name, "pod-template-hash": self.hash() } } },
            "status": { "replicas": PODS_PER_WORKLOAD, "readyReplicas": self.ready() } })
    }

    fn pod(&self, number: usize) -> Value {
        let name = self.pod_name(number);
        let mut spec = self.pod_spec();
        if self.fault != Fault::Unschedulable {
            spec["nodeName"] =
                json!(format!("node-{}", (self.index * PODS_PER_WORKLOAD + number) / PODS_PER_NODE));
        }
        json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": self.owned("Pod", &name, "ReplicaSet", &format!("{}-{}", self.name, self.hash())),
            "spec": spec, "status": self.pod_status(number) })
    }

    fn pod_status(&self, number: usize) -> Value {
        let waiting = |reason: &str| json!({ "waiting": { "reason": reason, "message": reason } });
        let ended = |reason: &str, code: u32| json!({ "terminated": { "reason": reason, "exitCode": code, "startedAt": LATELY, "finishedAt": LATELY } });
        let (phase, state, last, restarts) = match self.fault {
            Fault::None => ("Running", json!({ "running": { "startedAt": LONG_AGO } }), json!({}), 0),
            Fault::ImageNotFound => ("Pending", waiting("ImagePullBackOff"), json!({}), 0),
            Fault::CrashLoop => ("Running", waiting("CrashLoopBackOff"), ended("Error", 1), 9),
            Fault::OutOfMemory => ("Running", waiting("CrashLoopBackOff"), ended("OOMKilled", 137), 9),
            Fault::SecretMissing => ("Pending", waiting("CreateContainerConfigError"), json!({}), 0),
            Fault::Unschedulable => return unscheduled(),
        };
        let ready = self.fault == Fault::None;
        let truth = if ready { "True" } else { "False" };
        json!({ "phase": phase, "podIP": self.address(number), "startTime": LONG_AGO,
            "conditions": [
                { "type": "PodScheduled", "status": "True", "lastTransitionTime": LONG_AGO },
                { "type": "Initialized", "status": "True", "lastTransitionTime": LONG_AGO },
                { "type": "ContainersReady", "status": truth, "lastTransitionTime": LATELY },
                { "type": "Ready", "status": truth, "lastTransitionTime": LATELY },
            ],
            "containerStatuses": [{ "name": "app", "image": self.image(), "ready": ready, "started": ready,
                "restartCount": restarts, "state": state, "lastState": last }] })
    }

    fn address(&self, number: usize) -> String {
        let index = self.index * PODS_PER_WORKLOAD + number;
        format!("10.{}.{}.{}", index >> 16, (index >> 8) & 255, index & 255)
    }

    fn service(&self) -> Value {
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": self.metadata("Service", &self.name),
            "spec": { "type": "ClusterIP", "clusterIP": self.address(0).replacen("10.", "172.", 1),
                      "selector": { "app": self.name },
                      "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }] } })
    }

    fn endpoint_slice(&self) -> Value {
        let ready = self.fault == Fault::None;
        let endpoints: Vec<Value> = (0..PODS_PER_WORKLOAD)
            .filter(|_| self.fault != Fault::Unschedulable)
            .map(|number| {
                json!({ "addresses": [self.address(number)], "conditions": { "ready": ready, "serving": ready },
                    "targetRef": { "kind": "Pod", "namespace": self.namespace, "name": self.pod_name(number) } })
            })
            .collect();
        let mut metadata = self.metadata("EndpointSlice", &format!("{}-abcde", self.name));
        metadata["labels"] = json!({ "kubernetes.io/service-name": self.name });
        json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "endpoints": endpoints,
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }] })
    }

    fn config(&self) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata("ConfigMap", &self.name),
            "data": { "MODE": "production", "UPSTREAM": format!("http://app-{}", self.index / 2) } })
    }

    fn event(&self, number: usize) -> Option<Value> {
        let (reason, message) = match self.fault {
            Fault::None | Fault::OutOfMemory => return None,
            Fault::ImageNotFound => {
                let image = self.image();
                let text = "code = NotFound desc = failed to pull and unpack image";
                ("Failed", format!("Failed to pull image \"{image}\": rpc error: {text}: {image}: not found"))
            }
            Fault::CrashLoop => ("BackOff", "Back-off restarting failed container app in pod".to_owned()),
            Fault::SecretMissing => ("Failed", "Error: secret \"missing\" not found".to_owned()),
            Fault::Unschedulable => {
                ("FailedScheduling", "0/100 nodes are available: 100 Insufficient cpu.".to_owned())
            }
        };
        let pod = self.pod_name(number);
        let mut metadata = self.metadata("Event", &format!("{pod}.1"));
        metadata["creationTimestamp"] = json!(LATELY);
        Some(
            json!({ "apiVersion": "v1", "kind": "Event", "metadata": metadata, "type": "Warning", "reason": reason,
            "message": message, "count": 12, "firstTimestamp": LATELY, "lastTimestamp": NOW,
            "involvedObject": { "apiVersion": "v1", "kind": "Pod", "namespace": self.namespace, "name": pod,
                                "uid": format!("Pod-{pod}"), "fieldPath": "spec.containers{app}" } }),
        )
    }
}

fn unscheduled() -> Value {
    json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": LATELY,
        "message": "0/100 nodes are available: 100 Insufficient cpu.",
    }]})
}
