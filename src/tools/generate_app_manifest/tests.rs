use rstest::rstest;

use super::super::Session;
use super::*;

async fn generate(arguments: Value) -> Result<ToolOutcome, ToolError> {
    let mut all = json!({ "app_name": "web", "image_uri": "shop/web:1.4.2" });
    for (name, value) in arguments.as_object().unwrap() {
        all[name] = value.clone();
    }
    let input = serde_json::from_value(all).unwrap();
    GenerateAppManifest.run(input, &CallContext::new(Session::new("alice", false), 1 << 20)).await
}

/// The objects, by kind, as whoever applies the text reads them.
async fn objects(arguments: Value) -> Value {
    let outcome = generate(arguments).await.unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&outcome.text).unwrap();
    let by_kind = documents.into_iter().map(|object| (object["kind"].as_str().unwrap().to_owned(), object));
    Value::Object(by_kind.collect())
}

#[tokio::test]
async fn an_application_is_a_deployment_a_service_and_a_budget() {
    let outcome = generate(json!({})).await.unwrap();
    assert_eq!(outcome.structured["objects"], json!(["Deployment", "Service", "PodDisruptionBudget"]));
    insta::assert_snapshot!(outcome.text);
}

#[tokio::test]
async fn a_load_balancer_is_internal_unless_said_otherwise_and_never_of_the_old_controller() {
    let annotation = |object: &Value, name: &str| {
        object["Service"]["metadata"]["annotations"]
            [format!("service.beta.kubernetes.io/aws-load-balancer-{name}")]
        .clone()
    };
    for (arguments, scheme) in
        [(json!({}), "internal"), (json!({ "load_balancer_scheme": "internet-facing" }), "internet-facing")]
    {
        let objects = objects(arguments).await;
        assert_eq!(annotation(&objects, "scheme"), scheme);
        assert_eq!(annotation(&objects, "type"), "external");
    }
    let inside = objects(json!({ "service_type": "ClusterIP" })).await;
    assert_eq!(inside["Service"]["spec"]["type"], "ClusterIP");
    assert!(inside["Service"]["metadata"]["annotations"].is_null());
}

#[tokio::test]
async fn with_an_autoscaler_the_number_of_pods_is_its_business() {
    let objects = objects(json!({ "replicas": 3, "max_replicas": 9 })).await;
    assert!(objects["Deployment"]["spec"]["replicas"].is_null());
    let spec = &objects["HorizontalPodAutoscaler"]["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(3), &json!(9)));
}

#[tokio::test]
async fn a_single_pod_has_no_budget() {
    let objects = objects(json!({ "replicas": 1 })).await;
    assert!(objects["PodDisruptionBudget"].is_null());
}

#[tokio::test]
async fn a_role_comes_with_a_service_account_that_the_pods_use() {
    let role = "arn:aws:iam::111122223333:role/shop/web";
    let objects = objects(json!({ "iam_role_arn": role })).await;
    let annotations = &objects["ServiceAccount"]["metadata"]["annotations"];
    assert_eq!(annotations["eks.amazonaws.com/role-arn"], role);
    assert_eq!(objects["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"], "web");
}

#[tokio::test]
async fn a_user_that_is_not_root_has_no_capabilities() {
    let objects =
        objects(json!({ "run_as_user": 1000, "port": 8080, "health_path": "/healthz?full=1" })).await;
    let pod = &objects["Deployment"]["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
        (&json!(true), &json!(1000))
    );
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({ "path": "/healthz?full=1", "port": 8080 }));
}

/// Words that a generator by text replacement would replace, and what a reader of YAML takes for something else.
#[rstest]
#[case("port/replicas-cpu-memory:PORT")]
#[case(
    "registry.example.com:5000/a/b_c/d--e:1.10@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)]
#[case("1e3")]
#[case("null")]
#[tokio::test]
async fn an_image_arrives_as_it_was_given(#[case] image: &str) {
    let objects = objects(json!({ "image_uri": image, "app_name": "yes", "namespace": "1e3" })).await;
    let deployment = &objects["Deployment"];
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], image);
    assert_eq!(
        (&deployment["metadata"]["name"], &deployment["metadata"]["namespace"]),
        (&json!("yes"), &json!("1e3"))
    );
}

#[rstest]
#[case(json!({ "app_name": "Web" }), "app_name must be 1 to 63 small letters")]
#[case(json!({ "app_name": "1web" }), "app_name must be 1 to 63 small letters")]
#[case(json!({ "app_name": "a".repeat(64) }), "app_name must be 1 to 63 small letters")]
#[case(json!({ "app_name": "web\nkind: Secret" }), "app_name must be 1 to 63 small letters")]
#[case(json!({ "namespace": "x\n  labels: {}" }), "namespace must be 1 to 63 small letters")]
#[case(json!({ "image_uri": "IMG/PORT:1" }), "image_uri must be an image such as")]
#[case(json!({ "image_uri": "web:1 # x" }), "image_uri must be an image such as")]
#[case(json!({ "image_uri": "https://example.com/web" }), "image_uri must be an image such as")]
#[case(json!({ "image_uri": "" }), "image_uri must be an image such as")]
#[case(json!({ "cpu": "100Mi" }), "cpu must be cores such as 250m, 0.5 or 2, not \"100Mi\"")]
#[case(json!({ "cpu": "0.0" }), "cpu must be more than nothing")]
#[case(json!({ "memory": "128m" }), "memory must be bytes such as 256Mi or 1Gi, not \"128m\"")]
#[case(json!({ "health_path": "healthz" }), "health_path must be a path such as /healthz")]
#[case(json!({ "iam_role_arn": "web" }), "iam_role_arn must be the ARN of an IAM role")]
#[case(json!({ "replicas": 5, "max_replicas": 4 }), "max_replicas must be at least replicas, which is 5, not \"4\"")]
#[tokio::test]
async fn what_kubernetes_would_refuse_is_refused_here(#[case] arguments: Value, #[case] expected: &str) {
    let error = generate(arguments).await.unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[rstest]
#[case(json!({ "image_uri": "shop/web" }), "The image has no fixed tag")]
#[case(json!({ "image_uri": "shop/web:latest" }), "The image has no fixed tag")]
#[case(json!({ "load_balancer_scheme": "internet-facing" }), "Everyone on the internet reaches this Service")]
#[case(json!({ "output_dir": "/tmp/x" }), "No file was written")]
#[case(json!({ "run_as_user": 7 }), "Ports below 1024 may be closed")]
#[tokio::test]
async fn what_a_reader_should_know_stands_in_a_comment(#[case] arguments: Value, #[case] note: &str) {
    assert!(!generate(json!({})).await.unwrap().text.contains(note));
    let outcome = generate(arguments).await.unwrap();
    assert!(outcome.text.contains(&format!("# {note}")), "{}", outcome.text);
}
