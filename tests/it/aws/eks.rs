//! `list_eks_clusters` and `get_eks_insights`.

use serde_json::{Value, json};

use drydock::tools::{CallContext, Policy, Session, Toolbox};

use super::account::{Account, Answer, Asked, found, not_found};

const TIME: f64 = 1_785_542_400.0;

fn described(name: &str, private: bool) -> Value {
    json!({
        "name": name, "arn": format!("arn:aws:eks:eu-west-1:111122223333:cluster/{name}"), "status": "ACTIVE",
        "version": "1.33", "platformVersion": "eks.7", "createdAt": TIME,
        "resourcesVpcConfig": { "endpointPublicAccess": !private, "endpointPrivateAccess": private },
        "health": { "issues": [{ "code": "Ec2SubnetNotFound", "message": "a subnet\nis gone", "resourceIds": ["s-1"] }] },
    })
}

/// Three clusters on two pages, of which the last may not be described.
fn clusters(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/clusters" => found(&json!({ "clusters": ["prod", "shut"], "nextToken": "two" })),
        "/clusters?nextToken=two" => found(&json!({ "clusters": ["dev"] })),
        "/clusters/prod" => found(&json!({ "cluster": described("prod", false) })),
        "/clusters/dev" => found(&json!({ "cluster": described("dev", true) })),
        "/clusters/shut" => (403, json!({ "__type": "AccessDeniedException", "message": "no" }).to_string()),
        _ => not_found("no"),
    }
}

#[tokio::test]
async fn all_pages_of_clusters_are_shown_with_their_state() {
    let outcome = Account::start(clusters).await.call("list_eks_clusters", json!({})).await;
    insta::assert_snapshot!(outcome.text, @"
    3 EKS clusters in eu-west-1

    NAME   STATUS   VERSION   PLATFORM   ENDPOINT   CREATED
    dev    ACTIVE   1.33      eks.7      private    2026-08-01T00:00:00Z
    prod   ACTIVE   1.33      eks.7      public     2026-08-01T00:00:00Z
    shut   ?        ?         ?          ?          ?

    dev: Ec2SubnetNotFound: a subnet is gone

    prod: Ec2SubnetNotFound: a subnet is gone

    shut: the AWS identity of this server may not do eks:DescribeCluster: allow eks:DescribeCluster in its IAM policy, or pass a role_arn that may. AWS says: no
    ");
    assert_eq!(outcome.structured["count"], 3);
    assert_eq!(outcome.structured["clusters"][1]["endpointAccess"], "public");
}

#[tokio::test]
async fn names_alone_need_no_right_to_describe() {
    let account = Account::start(clusters).await;
    let outcome = account.call("list_eks_clusters", json!({ "include_details": false })).await;
    assert_eq!(outcome.text, "3 EKS clusters in eu-west-1\n\ndev\nprod\nshut\n");
    assert!(
        account.asked().iter().all(|asked| asked.path.starts_with("/clusters?") || asked.path == "/clusters")
    );
}

#[tokio::test]
async fn a_region_without_clusters_is_told_as_that() {
    let account = Account::start(|_| found(&json!({ "clusters": [] }))).await;
    let outcome = account.call("list_eks_clusters", json!({ "region": "us-east-2" })).await;
    assert_eq!(outcome.text, "There are no EKS clusters in us-east-2 that this identity can see.\n");
    assert!(account.asked()[0].authorization.contains("/us-east-2/eks/"), "{:?}", account.asked());
}

fn insight(id: &str, status: &str) -> Value {
    json!({
        "id": id, "name": format!("check {id}"), "category": "UPGRADE_READINESS", "kubernetesVersion": "1.34",
        "lastRefreshTime": TIME, "lastTransitionTime": TIME, "description": "what it checks",
        "insightStatus": { "status": status, "reason": "because" },
    })
}

/// Two pages of insights, and one in full, with everything that it can have.
fn insights(asked: &Asked) -> Answer {
    match asked.line().as_str() {
        "GET /clusters/prod" => found(&json!({ "cluster": described("prod", false) })),
        "POST /clusters/prod/insights" if asked.body.contains("nextToken") => {
            found(&json!({ "insights": [insight("b", "ERROR")] }))
        }
        "POST /clusters/prod/insights" => {
            found(&json!({ "insights": [insight("a", "PASSING")], "nextToken": "two" }))
        }
        "GET /clusters/prod/insights/b" => {
            let mut full = insight("b", "ERROR");
            full["recommendation"] = "move the manifests".into();
            full["additionalInfo"] = json!({ "EKS docs": "https://docs.aws.amazon.com/eks/" });
            full["resources"] =
                json!([{ "insightStatus": { "status": "ERROR" }, "kubernetesResourceUri": "/apis/x" }]);
            full["categorySpecificSummary"] = json!({ "deprecationDetails": [{
                "usage": "/apis/policy/v1beta1/podsecuritypolicies", "replacedWith": "/apis/policy/v1/x",
                "stopServingVersion": "1.34", "startServingReplacementVersion": "1.25",
                "clientStats": [{ "userAgent": "argo", "numberOfRequestsLast30Days": 3, "lastRequestTime": TIME }],
            }] });
            found(&json!({ "insight": full }))
        }
        _ => not_found("no"),
    }
}

#[tokio::test]
async fn insights_that_need_work_come_first_from_all_pages() {
    let account = Account::start(insights).await;
    let given = json!({ "cluster_name": "prod", "category": "upgrade_readiness", "status": "ERROR" });
    let outcome = account.call("get_eks_insights", given).await;
    insta::assert_snapshot!(outcome.text, @"
    2 insights about prod (Kubernetes 1.33)

    STATUS    CATEGORY            FOR    NAME      REASON    ID
    ERROR     UPGRADE_READINESS   1.34   check b   because   b
    PASSING   UPGRADE_READINESS   1.34   check a   because   a

    One of them in full: call again with its id as insight_id.
    ");
    let filter = account.asked().into_iter().find(|asked| asked.method == "POST").unwrap().body;
    let filter: Value = serde_json::from_str(&filter).unwrap();
    assert_eq!(filter["filter"], json!({ "categories": ["UPGRADE_READINESS"], "statuses": ["ERROR"] }));
}

#[tokio::test]
async fn an_insight_in_full_has_its_objects_clients_and_times() {
    let given = json!({ "cluster_name": "prod", "insight_id": "b" });
    let outcome = Account::start(insights).await.call("get_eks_insights", given).await;
    insta::assert_snapshot!(outcome.text, @"
    check b: ERROR
    because

    what it checks

    Recommendation: move the manifests

    /apis/policy/v1beta1/podsecuritypolicies goes away in 1.34; use /apis/policy/v1/x (served from 1.25)
      argo: 3 requests in 30 days, last 2026-08-01T00:00:00Z

    STATUS   RESOURCE   REASON
    ERROR    /apis/x

    EKS docs: https://docs.aws.amazon.com/eks/
    ");
    let stats =
        &outcome.structured["insight"]["categorySpecificSummary"]["deprecationDetails"][0]["clientStats"];
    assert_eq!(stats[0]["lastRequestTime"], "2026-08-01T00:00:00Z");
}

#[tokio::test]
async fn an_insight_that_is_not_there_says_how_to_find_those_that_are() {
    let given = json!({ "cluster_name": "prod", "insight_id": "zzz" });
    let outcome = Account::start(insights).await.call("get_eks_insights", given).await;
    assert!(outcome.is_error && outcome.text.contains("call without insight_id"), "{}", outcome.text);
}

#[tokio::test]
async fn names_and_arguments_are_what_callers_rely_on() {
    let tools =
        Account::start(clusters).await.tools(Policy { allow_write: true, ..Policy::reads_all() }, None).await;
    let offered = tools.list(&CallContext::new(Session::new("alice", true), 1 << 20)).await.unwrap();
    let own = [
        "get_eks_insights",
        "get_eks_vpc_config",
        "get_policies_for_role",
        "add_inline_policy",
        "list_eks_clusters",
    ];
    let own: Vec<_> = offered.into_iter().filter(|spec| own.contains(&&*spec.name)).collect();
    assert_eq!(own.len(), 5);
    let told = own.iter().map(|spec| {
        let arguments = spec.input_schema["properties"].as_object().unwrap();
        let arguments: Vec<&str> = arguments.keys().map(String::as_str).collect();
        let required: Vec<Value> = spec.input_schema["required"].as_array().cloned().unwrap_or_default();
        format!("{}: {}; required: {}\n", spec.name, arguments.join(" "), Value::from(required))
    });
    insta::assert_snapshot!(told.collect::<String>(), @r#"
    list_eks_clusters: include_details region role_arn; required: []
    get_eks_insights: category cluster_name insight_id kubernetes_version next_token region role_arn status; required: ["cluster_name"]
    get_eks_vpc_config: cluster_name region role_arn vpc_id; required: ["cluster_name"]
    get_policies_for_role: region role_arn role_name; required: ["role_name"]
    add_inline_policy: permissions plan_token policy_name region role_arn role_name; required: ["policy_name","role_name","permissions"]
    "#);
}
