//! `rollout_history`.

use rstest::rstest;
use serde_json::{Value, json};

use drydock::cluster::Cluster;

use super::shop::{PASSWORD, call_on, cluster_of, object, owned_by};

const TOOL: &str = "rollout_history";

/// A Deployment that was rolled out twice, a StatefulSet and a DaemonSet that are on their way.
fn shop() -> Cluster {
    let shop = Some("shop");
    let template = |image: &str, env: &str| {
        let container = json!({ "name": "web", "image": image, "env": [{ "name": "LEVEL", "value": env }] });
        json!({ "metadata": { "labels": { "app": "web", "pod-template-hash": image } }, "spec": { "containers": [container] } })
    };
    let revision = |number: &str, created: &str, owner: Value| {
        let annotations = json!({ "deployment.kubernetes.io/revision": number });
        let mut metadata = owner;
        metadata["annotations"] = annotations;
        metadata["creationTimestamp"] = created.into();
        metadata
    };
    let set = |name: &str, number: &str, created: &str, ready: u32, template: Value| {
        let metadata = revision(number, created, owned_by("Deployment", "web"));
        let status = json!({ "replicas": 1, "readyReplicas": ready });
        let spec = json!({ "template": template });
        object(
            "apps/v1",
            "ReplicaSet",
            shop,
            name,
            json!({ "metadata": metadata, "spec": spec, "status": status }),
        )
    };
    let deployment = json!({
        "metadata": { "annotations": { "deployment.kubernetes.io/revision": "2" } },
        "spec": { "replicas": 1 },
        "status": { "updatedReplicas": 1, "readyReplicas": 1,
            "conditions": [{ "type": "Progressing", "reason": "ProgressDeadlineExceeded" }] },
    });
    let kept = |name: &str, number: u64, owner: (&str, &str), image: &str| {
        let mut metadata = owned_by(owner.0, owner.1);
        metadata["labels"] = json!({ "controller-revision-hash": name.rsplit('-').next() });
        let data = json!({ "spec": { "template": { "$patch": "replace", "spec": { "containers": [{ "name": "db", "image": image }] } } } });
        object(
            "apps/v1",
            "ControllerRevision",
            shop,
            name,
            json!({ "metadata": metadata, "data": data, "revision": number }),
        )
    };
    let pod = |name: &str, hash: &str, owner: (&str, &str)| {
        let mut metadata = owned_by(owner.0, owner.1);
        metadata["labels"] = json!({ "controller-revision-hash": hash });
        let status = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
        object("v1", "Pod", shop, name, json!({ "metadata": metadata, "status": status }))
    };
    cluster_of(
        &[
            object("apps/v1", "Deployment", shop, "web", deployment),
            set("web-1", "1", "2026-01-01T10:00:00Z", 1, template("web:1", "info")),
            set("web-2", "2", "2026-01-01T11:30:00Z", 0, template("web:2", PASSWORD)),
            set("other", "7", "2026-01-01T11:30:00Z", 0, template("other:1", "info"))
                .as_object()
                .map(|other| {
                    let mut other = Value::Object(other.clone());
                    other["metadata"]["ownerReferences"] = json!([]);
                    other
                })
                .unwrap(),
            object("apps/v1", "StatefulSet", shop, "db", json!({ "status": { "updateRevision": "db-b" } })),
            kept("db-a", 1, ("StatefulSet", "db"), "db:1"),
            kept("db-b", 2, ("StatefulSet", "db"), "db:2"),
            pod("db-0", "db-a", ("StatefulSet", "db")),
            pod("db-1", "db-b", ("StatefulSet", "db")),
            object("apps/v1", "DaemonSet", shop, "log", json!({ "status": { "desiredNumberScheduled": 1 } })),
            kept("log-a", 3, ("DaemonSet", "log"), "log:1"),
            kept("log-b", 4, ("DaemonSet", "log"), "log:2"),
            pod("log-x", "a", ("DaemonSet", "log")),
        ],
        &[],
    )
}

#[tokio::test]
async fn the_history_of_a_deployment_says_what_changed_and_what_runs() {
    let outcome = call_on(shop(), TOOL, json!({ "name": "deploy/web" })).await;
    insta::assert_snapshot!(outcome.text, @"
    Deployment shop/web: 1 of 1 pods updated, 1 ready (ProgressDeadlineExceeded)

    REVISION      CREATED    READY   IMAGES   CHANGED BY   CHANGE CAUSE
    2 (current)   30m ago    0/1     web:2    <none>       <none>
    1             120m ago   1/1     web:1    <none>       <none>

    Revision 2 changed:
      containers[web].env[LEVEL]: another value
      containers[web].image: web:1 → web:2
    ");
    let numbers: Vec<&Value> =
        outcome.structured["revisions"].as_array().unwrap().iter().map(|of| &of["revision"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)]);
    assert!(!outcome.structured.to_string().contains(PASSWORD));
}

/// Number, current, pods and images of each revision.
fn told(outcome: &drydock::tools::ToolOutcome) -> Vec<String> {
    let revisions = outcome.structured["revisions"].as_array().into_iter().flatten();
    let line = |of: &Value| {
        let current = if of["isCurrent"] == true { "*" } else { "" };
        format!("{}{current} {}/{} {}", of["revision"], of["ready"], of["replicas"], of["images"][0])
    };
    revisions.map(line).collect()
}

#[rstest]
#[case::stateful_set("sts", "db", &["2* 1/1 \"db:2\"", "1 1/1 \"db:1\""])]
#[case::daemon_set("ds", "log", &["4* 0/0 \"log:2\"", "3 1/1 \"log:1\""])]
#[tokio::test]
async fn controller_revisions_are_counted_by_their_pods(
    #[case] kind: &str,
    #[case] name: &str,
    #[case] expected: &[&str],
) {
    let outcome = call_on(shop(), TOOL, json!({ "kind": kind, "name": name, "namespace": "shop" })).await;
    assert_eq!(told(&outcome), expected, "{}", outcome.text);
    assert!(outcome.text.contains("containers[db].image: "), "{}", outcome.text);
}

#[tokio::test]
async fn one_revision_comes_with_its_template_and_no_other_has_one() {
    let outcome = call_on(shop(), TOOL, json!({ "name": "web", "revision": 1 })).await;
    assert_eq!(outcome.structured["revisions"][0]["template"]["spec"]["containers"][0]["image"], "web:1");
    assert!(outcome.text.contains("image: web:1"), "{}", outcome.text);
    let all = call_on(shop(), TOOL, json!({ "name": "web" })).await;
    assert_eq!(all.structured["revisions"][0]["template"], Value::Null);
}

#[rstest]
#[case::no_revision(json!({ "name": "web", "revision": 9 }), "there is no revision 9; kept are 2, 1")]
#[case::no_workload(json!({ "name": "wbe" }), "there is no Deployment \"wbe\"; near: shop/web")]
#[case::no_such_kind(json!({ "kind": "pod", "name": "db-0" }),
    "kind must be Deployment, StatefulSet or DaemonSet, not Pod: other kinds keep no revisions")]
#[tokio::test]
async fn what_is_not_there_is_answered_with_what_is(#[case] arguments: Value, #[case] expected: &str) {
    let outcome = call_on(shop(), TOOL, arguments).await;
    assert!(outcome.is_error);
    assert_eq!(outcome.text, expected);
}
