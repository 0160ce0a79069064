//! Claims and volumes: each reason, and what looks like it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Report, Severity};
use crate::diagnosis::testing::{
    self, deployment, diagnosed, healthy_deployment, node, object, roots, symptoms, warning, with,
};

fn class(name: &str, provisioner: &str, rest: Value) -> Value {
    let base = json!({ "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": name }, "provisioner": provisioner, "volumeBindingMode": "Immediate" });
    with(base, rest)
}

fn driver(name: &str) -> Value {
    json!({ "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": { "name": name } })
}

fn claim(class: Value, rest: Value) -> Value {
    let spec = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "10Gi" } }, "storageClassName": class });
    object(
        "v1",
        "PersistentVolumeClaim",
        "data",
        with(json!({ "spec": spec, "status": { "phase": "Pending" } }), rest),
    )
}

fn volume(name: &str, rest: Value) -> Value {
    let base = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name, "uid": name },
        "spec": { "capacity": { "storage": "10Gi" }, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual" },
        "status": { "phase": "Available" },
    });
    with(base, rest)
}

/// A Deployment `db` whose pod mounts the claim `data`; `on` is its node, if it has one.
fn db(on: Option<&str>) -> Vec<Value> {
    let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    let mut objects =
        deployment("db", json!({}), json!({ "state": { "waiting": { "reason": "ContainerCreating" } } }));
    for object in &mut objects[..2] {
        object["spec"]["template"]["spec"]["volumes"] = volumes.clone();
    }
    objects[2]["spec"]["volumes"] = volumes;
    objects[2]["spec"]["nodeName"] = json!(on);
    objects[2]["status"]["phase"] = json!("Pending");
    if on.is_none() {
        let message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
        objects[2]["status"] = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }] });
    }
    objects
}

fn waiting_for(claim: Value, more: impl IntoIterator<Item = Value>) -> Report {
    let mut objects = db(None);
    objects.push(node("n1", json!({})));
    objects.push(claim);
    objects.extend(more);
    diagnosed(objects)
}

#[test]
fn a_class_that_does_not_exist_names_the_nearest() {
    let report = waiting_for(claim(json!("gp33"), json!({})), [class("gp3", "ebs.csi.aws.com", json!({}))]);
    assert_eq!(roots(&report), ["storage-class-missing PersistentVolumeClaim/data"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-claim Deployment/db"]);
    let found = &report.findings[0];
    assert!(
        found.severity == Severity::Critical && found.summary.contains("a class gp3, which may be meant"),
        "{}",
        found.summary
    );
}

#[test]
fn without_the_right_to_read_classes_the_event_tells() {
    let mut objects = db(None);
    objects.push(claim(json!("gp33"), json!({})));
    objects.push(warning(
        "PersistentVolumeClaim",
        "data",
        "ProvisioningFailed",
        r#"storageclass.storage.k8s.io "gp33" not found"#,
    ));
    let mut snapshot = testing::snapshot(objects);
    snapshot.coverage.read.retain(|kind| kind != "storageclasses");
    let report = crate::diagnosis::diagnose(&snapshot, &crate::diagnosis::report::Scope::default());
    assert_eq!(roots(&report), ["storage-class-missing PersistentVolumeClaim/data"]);
}

#[test]
fn a_claim_without_class_needs_a_default() {
    let report = waiting_for(claim(Value::Null, json!({})), [class("gp3", "ebs.csi.aws.com", json!({}))]);
    assert_eq!(roots(&report), ["no-default-storage-class PersistentVolumeClaim/data"]);
}

#[test]
fn waiting_for_the_first_consumer_is_normal() {
    let lazy = class("gp3", "ebs.csi.aws.com", json!({ "volumeBindingMode": "WaitForFirstConsumer" }));
    assert!(diagnosed(vec![lazy, claim(json!("gp3"), json!({}))]).findings.is_empty());
}

#[test]
fn a_driver_that_has_begun_is_given_its_time() {
    let event = warning(
        "PersistentVolumeClaim",
        "data",
        "Provisioning",
        "External provisioner is provisioning volume for claim \"shop/data\"",
    );
    let report =
        diagnosed(vec![class("fsx", "fsx.csi.aws.com", json!({})), claim(json!("fsx"), json!({})), event]);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn a_claim_that_has_just_been_made_is_given_time() {
    let new = json!({ "metadata": { "creationTimestamp": "2026-01-01T11:59:40Z" } });
    let report = diagnosed(vec![
        class("gp3", "ebs.csi.aws.com", json!({})),
        driver("ebs.csi.aws.com"),
        claim(json!("gp3"), new),
    ]);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[rstest]
#[case::not_installed(
    "efs.csi.aws.com",
    "provisioner-missing PersistentVolumeClaim/data",
    "which is not installed"
)]
#[case::in_tree(
    "kubernetes.io/aws-ebs",
    "provisioner-missing PersistentVolumeClaim/data",
    "of which no controller runs"
)]
#[case::misspelt("ebs.csi.aws.co", "provisioner-missing StorageClass/x", "ebs.csi.aws.com is")]
fn a_provisioner_that_nobody_plays_is_missing(
    #[case] provisioner: &str,
    #[case] root: &str,
    #[case] title: &str,
) {
    let report = waiting_for(
        claim(json!("x"), json!({})),
        [class("x", provisioner, json!({})), driver("ebs.csi.aws.com")],
    );
    assert_eq!(roots(&report), [root]);
    assert!(report.findings[0].title.contains(title), "{}", report.findings[0].title);
}

#[test]
fn a_controller_that_is_scaled_to_zero_is_the_root_cause() {
    let mut controller = healthy_deployment("ebs-csi-controller", json!({}));
    controller.truncate(1);
    controller[0]["spec"]["replicas"] = json!(0);
    controller[0]["status"] = json!({});
    let report = waiting_for(
        claim(json!("gp3"), json!({})),
        controller.into_iter().chain([class("gp3", "ebs.csi.aws.com", json!({})), driver("ebs.csi.aws.com")]),
    );
    assert_eq!(roots(&report), ["provisioner-silent Deployment/ebs-csi-controller"]);
}

#[test]
fn a_controller_that_is_broken_explains_the_claim() {
    let waiting = json!({ "reason": "ErrImagePull", "message": "not found" });
    let controller = deployment("ebs-csi-controller", json!({}), json!({ "state": { "waiting": waiting } }));
    let report = waiting_for(
        claim(json!("gp3"), json!({})),
        controller.into_iter().chain([node("n9", json!({})), class("gp3", "ebs.csi.aws.com", json!({}))]),
    );
    assert_eq!(roots(&report), ["image-not-found Deployment/ebs-csi-controller"]);
}

#[rstest]
#[case::denied(
    "rpc error: code = Internal desc = could not create volume in EC2: UnauthorizedOperation: You are not authorized",
    "provisioning-denied PersistentVolumeClaim/data"
)]
#[case::shared(
    "rpc error: code = InvalidArgument desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported",
    "access-mode-unsupported PersistentVolumeClaim/data"
)]
#[case::parameter(
    "rpc error: code = InvalidArgument desc = invalid parameter tpye for storageclass",
    "provisioning-failed StorageClass/gp3"
)]
#[case::other(
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    "provisioning-failed PersistentVolumeClaim/data"
)]
fn a_provisioner_that_fails_says_why(#[case] text: &str, #[case] root: &str) {
    let message = format!("failed to provision volume with StorageClass \"gp3\": {text}");
    let event = warning("PersistentVolumeClaim", "data", "ProvisioningFailed", &message);
    let report =
        waiting_for(claim(json!("gp3"), json!({})), [class("gp3", "ebs.csi.aws.com", json!({})), event]);
    assert_eq!(roots(&report), [root]);
}

#[test]
fn a_failure_after_the_node_was_chosen_explains_a_pod_that_the_scheduler_says_nothing_about() {
    let lazy = class("gp3", "ebs.csi.aws.com", json!({ "volumeBindingMode": "WaitForFirstConsumer" }));
    let chosen = json!({ "metadata": { "annotations": { "volume.kubernetes.io/selected-node": "n1" } } });
    let event = warning(
        "PersistentVolumeClaim",
        "data",
        "ProvisioningFailed",
        "failed to provision volume: UnauthorizedOperation",
    );
    let mut objects = db(None);
    objects[2]["status"] = json!({ "phase": "Pending" });
    objects.extend([node("n1", json!({})), lazy, claim(json!("gp3"), chosen), event]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["provisioning-denied PersistentVolumeClaim/data"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-claim Deployment/db"]);
}

#[rstest]
#[case::too_small(json!({ "spec": { "capacity": { "storage": "5Gi" } } }), "it has only 5Gi")]
#[case::class(json!({ "spec": { "storageClassName": "manuel" } }), "its class is manuel")]
#[case::mode(json!({ "spec": { "accessModes": ["ReadOnlyMany"] } }), "its access modes are ReadOnlyMany")]
#[case::block(json!({ "spec": { "volumeMode": "Block" } }), "volumeMode")]
fn a_volume_that_does_not_suit_is_told_why(#[case] rest: Value, #[case] why: &str) {
    // The class exists for volumes that are made by hand only.
    let by_hand = class("manual", "kubernetes.io/no-provisioner", json!({}));
    let report = waiting_for(claim(json!("manual"), json!({})), [by_hand, volume("pv", rest)]);
    assert_eq!(roots(&report), ["no-matching-volume PersistentVolumeClaim/data"]);
    assert!(report.findings[0].title.contains(why), "{}", report.findings[0].title);
}

#[test]
fn volumes_made_by_hand_may_name_a_class_that_does_not_exist() {
    let report = waiting_for(
        claim(json!("manual"), json!({})),
        [volume("pv", json!({ "spec": { "capacity": { "storage": "5Gi" } } }))],
    );
    assert_eq!(roots(&report), ["no-matching-volume PersistentVolumeClaim/data"]);
}

#[test]
fn a_released_volume_has_to_be_freed_from_its_former_claim() {
    let former = json!({ "spec": { "claimRef": { "namespace": "shop", "name": "data", "uid": "before" } }, "status": { "phase": "Released" } });
    let report = waiting_for(claim(json!("manual"), json!({})), [volume("pv", former)]);
    assert_eq!(roots(&report), ["volume-released PersistentVolume/pv"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-claim Deployment/db"]);
}

#[test]
fn a_released_volume_that_nobody_wants_is_no_trouble() {
    let former = json!({ "spec": { "claimRef": { "namespace": "shop", "name": "gone", "uid": "x" } }, "status": { "phase": "Released" } });
    assert!(diagnosed(vec![volume("pv", former)]).findings.is_empty());
}

#[test]
fn a_claim_that_names_a_volume_which_is_gone_waits_for_it() {
    let report = waiting_for(claim(json!(""), json!({ "spec": { "volumeName": "pv-9" } })), []);
    assert_eq!(roots(&report), ["no-matching-volume PersistentVolumeClaim/data"]);
    assert!(report.findings[0].title.contains("pv-9, which does not exist"), "{}", report.findings[0].title);
}

#[test]
fn a_lost_claim_explains_the_pods_that_mount_it() {
    let report = waiting_for(
        claim(json!("gp3"), json!({ "spec": { "volumeName": "pv" }, "status": { "phase": "Lost" } })),
        [],
    );
    assert_eq!(roots(&report), ["pvc-lost PersistentVolumeClaim/data"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-claim Deployment/db"]);
}

fn bound(rest: Value) -> Value {
    let base = json!({ "spec": { "volumeName": "pv" }, "status": { "phase": "Bound", "capacity": { "storage": "10Gi" } } });
    claim(json!("gp3"), with(base, rest))
}

#[test]
fn a_claim_that_is_being_deleted_names_the_pod_that_keeps_it() {
    let going = json!({ "metadata": { "deletionTimestamp": testing::EARLIER, "finalizers": ["kubernetes.io/pvc-protection"] } });
    let mut objects = db(Some("n1"));
    objects[2]["status"] =
        json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
    objects.extend([node("n1", json!({})), bound(going)]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["pvc-stuck-terminating PersistentVolumeClaim/data"]);
    let found = &report.findings[0];
    assert!(
        found.severity == Severity::Warning && found.title.contains("pod db-1 uses it"),
        "{}",
        found.title
    );
}

#[rstest]
#[case::error(json!([{ "type": "ControllerResizeError", "status": "True", "lastTransitionTime": "2026-01-01T11:59:00Z" }]), true)]
#[case::slow(json!([{ "type": "FileSystemResizePending", "status": "True", "lastTransitionTime": "2026-01-01T10:00:00Z" }]), true)]
#[case::under_way(json!([{ "type": "Resizing", "status": "True", "lastTransitionTime": "2026-01-01T11:59:00Z" }]), false)]
#[case::done(json!([]), false)]
fn a_claim_that_does_not_grow_is_a_warning(#[case] conditions: Value, #[case] stuck: bool) {
    let larger = json!({ "spec": { "resources": { "requests": { "storage": "20Gi" } } }, "status": { "conditions": conditions } });
    let report = diagnosed(vec![bound(larger)]);
    let expected: &[&str] = if stuck { &["volume-expansion-stuck PersistentVolumeClaim/data"] } else { &[] };
    assert_eq!(roots(&report), expected);
}

/// The pod of `db` is bound to n1 and cannot start; its claim is bound to `pv`, which was made by a driver.
fn creating(event: Option<Value>, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut objects = db(Some("n1"));
    let made = json!({ "metadata": { "annotations": { "pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com" } }, "spec": { "csi": { "driver": "ebs.csi.aws.com", "volumeHandle": "vol-1" } } });
    objects.extend([node("n1", json!({})), node("n2", json!({})), bound(json!({})), volume("pv", made)]);
    objects.extend(event);
    objects.extend(more);
    objects
}

/// Another pod of `db`, on n2.
fn holder() -> Value {
    let mut pod = db(Some("n2")).remove(2);
    pod["metadata"]["name"] = json!("db-0");
    pod["status"] = json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
    pod
}

const MULTI_ATTACH: &str = r#"Multi-Attach error for volume "pv" Volume is already used by pod(s) db-0"#;

#[test]
fn a_volume_that_the_old_pod_holds_is_about_the_deployments_strategy() {
    let event = warning("Pod", "db-1", "FailedAttachVolume", MULTI_ATTACH);
    for event in [Some(event), None] {
        let report = diagnosed(creating(event, [holder()]));
        assert_eq!(roots(&report), ["volume-multi-attach Deployment/db"]);
        let found = &report.findings[0];
        assert!(found.title.contains("pod db-0 on node n2"), "{}", found.title);
        assert!(found.remediation[0].command.contains("Recreate"), "{:#?}", found.remediation);
    }
}

#[test]
fn a_volume_that_is_held_on_a_lost_node_is_the_nodes_fault() {
    let mut objects = creating(Some(warning("Pod", "db-1", "FailedAttachVolume", MULTI_ATTACH)), [holder()]);
    let lost = objects.iter_mut().find(|object| object["metadata"]["name"] == "n2").unwrap();
    lost["status"]["conditions"] = json!([{ "type": "Ready", "status": "Unknown" }]);
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["node-unreachable Node/n2"]);
    assert_eq!(symptoms(&report), ["volume-multi-attach Deployment/db"]);
}

#[test]
fn an_attachment_that_nobody_alive_holds_is_about_the_claim() {
    let event = warning(
        "Pod",
        "db-1",
        "FailedAttachVolume",
        "Multi-Attach error for volume \"pv\" Volume is already exclusively attached to one node and can't be attached to another",
    );
    assert_eq!(
        roots(&diagnosed(creating(Some(event), []))),
        ["volume-multi-attach PersistentVolumeClaim/data"]
    );
}

#[test]
fn an_attach_error_is_read_from_the_attachment_when_its_event_has_expired() {
    let attachment = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": { "name": "csi-1" },
        "spec": { "nodeName": "n1", "source": { "persistentVolumeName": "pv" } },
        "status": { "attached": false, "attachError": { "message": "rpc error: code = Internal desc = api error InvalidVolume.NotFound: The volume 'vol-1' does not exist." } },
    });
    let report = diagnosed(creating(None, [attachment]));
    assert_eq!(roots(&report), ["volume-attach-failed PersistentVolumeClaim/data"]);
    assert!(report.findings[0].title.contains("does not exist"), "{}", report.findings[0].title);
}

#[test]
fn an_attachment_that_succeeded_in_the_end_is_forgotten() {
    let failed = warning(
        "Pod",
        "db-1",
        "FailedAttachVolume",
        "AttachVolume.Attach failed for volume \"pv\" : rpc error",
    );
    let mut done =
        warning("Pod", "db-1", "SuccessfulAttachVolume", "AttachVolume.Attach succeeded for volume \"pv\"");
    done["lastTimestamp"] = json!("2026-01-01T11:59:30Z");
    assert!(roots(&diagnosed(creating(Some(failed), [done]))).is_empty());
}

#[rstest]
#[case::dynamic("mount failed: wrong fs type, bad superblock", json!({}), "volume-mount-failed PersistentVolumeClaim/data")]
#[case::by_hand("mount.nfs: Connection timed out", json!({ "metadata": { "annotations": null }, "spec": { "csi": null, "nfs": { "server": "10.0.0.9" } } }), "volume-mount-failed PersistentVolume/pv")]
#[case::no_driver("driver name ebs.csi.aws.com not found in the list of registered CSI drivers", json!({}), "csi-driver-not-on-node Deployment/db")]
fn a_mount_that_fails_is_about_what_can_be_repaired(
    #[case] text: &str,
    #[case] rest: Value,
    #[case] root: &str,
) {
    let message = format!("MountVolume.SetUp failed for volume \"pv\" : {text}");
    let mut objects = creating(Some(warning("Pod", "db-1", "FailedMount", &message)), []);
    let pv = objects.iter_mut().find(|object| object["kind"] == "PersistentVolume").unwrap();
    *pv = with(pv.clone(), rest);
    assert_eq!(roots(&diagnosed(objects)), [root]);
}

#[test]
fn a_host_path_of_another_type_is_the_workloads_fault() {
    let mut objects = db(Some("n1"));
    let volumes = json!([{ "name": "logs", "hostPath": { "path": "/var/x", "type": "Directory" } }]);
    objects[2]["spec"]["volumes"] = volumes;
    objects.push(node("n1", json!({})));
    let message = "MountVolume.SetUp failed for volume \"logs\" : hostPath type check failed: /var/x is not a directory";
    objects.push(warning("Pod", "db-1", "FailedMount", message));
    assert_eq!(roots(&diagnosed(objects)), ["host-path-unusable Deployment/db"]);
}

#[test]
fn a_configmap_that_is_missing_is_not_taken_for_a_volume() {
    let mut objects = db(Some("n1"));
    for object in &mut objects[..2] {
        object["spec"]["template"]["spec"]["volumes"] = json!([]);
    }
    objects[2]["spec"]["volumes"] = json!([{ "name": "routes", "configMap": { "name": "routes" } }]);
    objects.push(node("n1", json!({})));
    let message = "MountVolume.SetUp failed for volume \"routes\" : configmap \"routes\" not found";
    objects.push(warning("Pod", "db-1", "FailedMount", message));
    assert_eq!(roots(&diagnosed(objects)), ["configmap-missing ConfigMap/routes"]);
}
