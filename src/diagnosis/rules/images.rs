//! Images that do not come (FAILURES C).

use crate::diagnosis::draft::{Draft, change, event, in_namespace, kubectl_name, sh, shorten};
use crate::diagnosis::facts::{Facts, KubeEvent, Read, reference};
use crate::diagnosis::report::{Confidence, Remediation, Risk};

use super::pods::{self, Group};
use super::{kubectl, revisions};

/// Why a pull failed, as the runtime's message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    NotFound,
    Denied,
    SecretMissing,
    Unreachable,
    RateLimited,
    Architecture,
    InvalidName,
    NeverPulled,
    Tls,
    Other,
}

/// Fragments of messages, in lower case, in the order in which they decide: a message may hold several.
#[rustfmt::skip]
const SIGNS: &[(Why, &[&str])] = &[
    (Why::InvalidName, &["invalid reference format", "couldn't parse image", "invalidimagename", "failed to apply default image tag", "must be lowercase"]),
    (Why::NeverPulled, &["pull policy of never", "errimageneverpull"]),
    (Why::RateLimited, &["toomanyrequests", "429 too many requests", "rate limit", "rate exceeded"]),
    (Why::Architecture, &["no match for platform", "no matching manifest for", "exec format error"]),
    (Why::Tls, &["x509:", "http response to https client", "tls: failed to verify", "certificate signed by unknown"]),
    (Why::Unreachable, &["no such host", "i/o timeout", "tls handshake timeout", "context deadline exceeded", "connection refused", "network is unreachable", "server misbehaving", "temporary failure in name resolution", "no route to host", "connection reset by peer", "registryunavailable"]),
    (Why::Denied, &["pull access denied", "insufficient_scope", "unauthorized", "authorization failed", "no basic auth credentials", "403 forbidden", "denied:", "authentication required", "access denied", "not authorized"]),
    (Why::NotFound, &["not found", "manifest unknown", "name unknown", "does not exist", "notfound", "repository_unknown", "manifest_unknown"]),
];

impl Why {
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| message.contains(sign)));
        found.map_or(Self::Other, |(why, _)| *why)
    }

    fn rule(self) -> &'static str {
        match self {
            Self::NotFound => "image-not-found",
            Self::Denied => "image-pull-denied",
            Self::SecretMissing => "image-pull-secret-missing",
            Self::Unreachable => "image-registry-unreachable",
            Self::RateLimited => "image-rate-limited",
            Self::Architecture => "image-wrong-architecture",
            Self::InvalidName => "image-name-invalid",
            Self::NeverPulled => "image-never-pulled",
            Self::Tls => "image-registry-tls",
            Self::Other => "image-pull-failed",
        }
    }

    /// The end of a title: what is wrong.
    fn in_short(self) -> &'static str {
        match self {
            Self::NotFound => "the tag or repository is not found",
            Self::Denied => "the registry denies access",
            Self::SecretMissing => "its pull secret does not exist",
            Self::Unreachable => "the registry cannot be reached",
            Self::RateLimited => "the registry limits the rate of pulls (429)",
            Self::Architecture => "it has no build for the node's architecture",
            Self::InvalidName => "the image name is invalid",
            Self::NeverPulled => "it is not on the node, and imagePullPolicy is Never",
            Self::Tls => "the registry's TLS certificate is not accepted",
            Self::Other => "the pull fails",
        }
    }

    fn explanation(self, host: &str) -> String {
        match self {
            Self::NotFound => "The registry answers that there is no such manifest: the tag or the repository is misspelt, was never pushed, or was deleted.".to_owned(),
            Self::Denied if host.contains(".dkr.ecr.") => "The registry (ECR) refuses: the node role lacks AmazonEC2ContainerRegistryPullOnly, the repository belongs to another account whose policy does not allow this one, or the repository does not exist.".to_owned(),
            Self::Denied => format!("{host} refuses. Registries give this answer for private repositories without valid credentials, and many give the same for repositories that do not exist."),
            Self::SecretMissing => "The pods name an imagePullSecret that does not exist in their namespace, so the registry is asked without credentials and refuses.".to_owned(),
            Self::Unreachable => format!("The node gets no connection to {host}: its name does not resolve (misspelt?), or nothing answers (no NAT or VPC endpoint, a firewall, a registry that is down)."),
            Self::RateLimited => format!("{host} has had too many pulls from this address. Pull with credentials, or through a pull-through cache."),
            Self::Architecture => "The image's manifest has no entry for the processor of the node.".to_owned(),
            Self::InvalidName => "The image reference cannot be parsed: upper-case letters, spaces, a scheme such as https://, or a placeholder that was not filled in.".to_owned(),
            Self::NeverPulled => "The image has to be on the node beforehand, and is not.".to_owned(),
            Self::Tls => format!("The node does not trust the certificate of {host}, or {host} speaks plain HTTP."),
            Self::Other => "The container runtime could not pull it; its message is in the evidence.".to_owned(),
        }
    }
}

pub(super) fn check(facts: &Facts<'_>, group: &Group<'_, '_>) -> Draft {
    let case = group.sample();
    let Some(container) = case.container else { return group.draft("image-pull-failed", group.name()) };
    let failed = newest_failure(facts, group);
    let message = failed.map_or(container.waiting_message(), |event| event.message);
    let missing_secret = missing_pull_secret(facts, group);
    let why = match Why::of(&format!("{message} {}", container.waiting_reason().unwrap_or_default())) {
        Why::Denied | Why::NotFound | Why::Other if missing_secret.is_some() => Why::SecretMissing,
        why => why,
    };
    let image = shorten(container.image(), 200);
    let title = format!("{} cannot pull image {image}: {}", group.name(), why.in_short());
    let mut draft = group.draft(why.rule(), title).cause(container.image());
    if let (Why::SecretMissing, Some(secret)) = (why, &missing_secret) {
        draft.object = reference("v1", "Secret", case.pod.object.namespace(), secret);
        draft.title = format!("Secret {secret} does not exist: {} cannot pull image {image}", group.name());
    }
    let confidence = if failed.is_some() { Confidence::Certain } else { Confidence::Likely };
    draft
        .confidence(if why == Why::Other { Confidence::Likely } else { confidence })
        .summary(summary(facts, group, why, &image, message))
        .evidence(group.spec_field(&format!("{}/image", container.spec_pointer())))
        .evidence(group.status_field("/state/waiting/reason"))
        .evidence(failed.map(|event_found| event(&event_found)))
        .evidence(missing_secret.map(|secret| {
            let text = format!("there is no Secret {secret} in the namespace");
            let object = reference("v1", "Secret", case.pod.object.namespace(), &secret);
            crate::diagnosis::draft::absent(object, text)
        }))
        .remedies(remedies(facts, group, why))
}

fn summary(facts: &Facts<'_>, group: &Group<'_, '_>, why: Why, image: &str, message: &str) -> String {
    let host = registry_of(image);
    let mut summary = format!(
        "Container {} wants {image}. {}{}",
        group.sample().container.map_or("", |container| container.name()),
        why.explanation(host),
        group.impact()
    );
    if !message.is_empty() && matches!(why, Why::Unreachable | Why::Other | Why::Tls) {
        summary.push_str(&format!(" The node says: {}", shorten(message, 300)));
    }
    if let Some(former) = former_image(facts, group).filter(|former| former != image) {
        summary.push_str(&format!(" The revision before used {former}."));
    }
    summary
}

/// The message with the reason: the waiting message often says no more than that the kubelet backs off.
fn newest_failure<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Option<KubeEvent<'a>> {
    let says_why = |event: &KubeEvent<'_>| {
        let is_pull = ["Failed", "InspectFailed", "ErrImageNeverPull"].contains(&event.reason);
        is_pull && !event.message.starts_with("Error: ") && event.message.len() > 20
    };
    group.cases.iter().find_map(|case| {
        let container = case.container?;
        pods::events(facts, case.pod, &container).find(|event| says_why(event))
    })
}

/// The first imagePullSecret (of the pod or its service account) that does not exist.
fn missing_pull_secret(facts: &Facts<'_>, group: &Group<'_, '_>) -> Option<String> {
    let pod = group.sample().pod;
    let namespace = pod.object.namespace();
    let names = pod.value().list("/spec/imagePullSecrets").iter().map(|secret| secret.text("/name"));
    let missing =
        names.filter(|name| !name.is_empty()).find(|name| facts.get("Secret", namespace, name).is_none());
    missing.filter(|_| facts.was_read("Secret")).map(str::to_owned)
}

/// `docker.io` where the reference names no registry.
fn registry_of(image: &str) -> &str {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    if is_host && !rest.is_empty() { first } else { "docker.io" }
}

/// The image of the same container in the ReplicaSet before the newest.
fn former_image(facts: &Facts<'_>, group: &Group<'_, '_>) -> Option<String> {
    let container = group.sample().container?;
    let former = revisions::former_template(facts, group.workload)?;
    let mut containers = former.list("/spec/containers").iter();
    containers.find(|spec| spec["name"] == container.name()).map(|spec| spec.text("/image").to_owned())
}

fn remedies(facts: &Facts<'_>, group: &Group<'_, '_>, why: Why) -> Vec<Remediation> {
    let workload = group.workload;
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let container = group.sample().container.map_or("", |container| container.name());
    let pod = group.sample().pod.object.reference();
    let set_image = |image: &str, summary: &str| {
        change(
            summary,
            kubectl::describe(&pod),
            format!("kubectl {namespace}set image {name} {}={image}", sh(container)),
            kubectl::undo(workload),
            kubectl::verify(workload),
            Risk::Low,
        )
    };
    let own = match why {
        Why::NotFound | Why::Unreachable | Why::InvalidName | Why::Architecture | Why::NeverPulled => {
            let former = former_image(facts, group).map(|image| sh(&image));
            let image = former.unwrap_or_else(|| "<IMAGE:TAG>".to_owned());
            set_image(&image, "Name an image that exists and that the nodes can reach")
        }
        Why::Denied | Why::SecretMissing | Why::RateLimited => credentials(facts, group),
        Why::Tls | Why::Other => set_image("<IMAGE:TAG>", "Name an image of a registry that the nodes trust"),
    };
    std::iter::once(own).chain(kubectl::rollback(workload)).collect()
}

/// Credentials for the registry: the node's role for ECR, else a Secret that the pods name.
fn credentials(facts: &Facts<'_>, group: &Group<'_, '_>) -> Remediation {
    let host = registry_of(group.sample().container.map_or("", |container| container.image()));
    let namespace = in_namespace(&group.workload.reference);
    let named = group.sample().pod.value().list("/spec/imagePullSecrets").first();
    let named = named.map(|secret| secret.text("/name")).filter(|name| !name.is_empty());
    if host.contains(".dkr.ecr.") && named.is_none() {
        return node_role(group);
    }
    let secret = sh(named.unwrap_or("registry-credentials"));
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    let make = format!(
        "kubectl {namespace}create secret docker-registry {secret} --docker-server={} --docker-username=<USER> --docker-password=<PASSWORD>",
        sh(server)
    );
    let remove = format!("kubectl {namespace}delete secret {secret}");
    let exists =
        named.is_some_and(|name| facts.get("Secret", group.sample().pod.object.namespace(), name).is_some());
    let (command, undo) = match (named, exists) {
        (None, _) => {
            let (attach, detach) = name_secret(group, &secret);
            (format!("{make} && {attach}"), format!("{detach} && {remove}"))
        }
        (Some(_), false) => (make, remove),
        (Some(_), true) => (
            format!("{make} --dry-run=client -o yaml | kubectl {namespace}apply -f -"),
            format!("apply the former Secret {secret} again"),
        ),
    };
    change(
        "Give the pods credentials for the registry",
        format!("kubectl {namespace}get secrets --field-selector type=kubernetes.io/dockerconfigjson"),
        command,
        undo,
        kubectl::verify(group.workload),
        Risk::Low,
    )
}

/// Lets the pods name a pull secret, and takes that back. Pods without a rollout get it from their service account.
fn name_secret(group: &Group<'_, '_>, secret: &str) -> (String, String) {
    let workload = &group.workload.reference;
    let (namespace, name) = (in_namespace(workload), kubectl_name(workload));
    let secrets = serde_json::json!({ "imagePullSecrets": [{ "name": secret }] });
    if kubectl::has_rollout(group.workload) {
        let patch = serde_json::json!({ "spec": { "template": { "spec": secrets } } });
        return (
            format!("kubectl {namespace}patch {name} -p '{patch}'"),
            format!("kubectl {namespace}rollout undo {name}"),
        );
    }
    let account = group.sample().pod.value().maybe_text("/spec/serviceAccountName").unwrap_or("default");
    let patch = format!("kubectl {namespace}patch serviceaccount {}", sh(account));
    (
        format!("{patch} -p '{secrets}'"),
        format!(r#"{patch} --type=json -p '[{{"op":"remove","path":"/imagePullSecrets"}}]'"#),
    )
}

/// Nodes pull from ECR with their own role.
fn node_role(group: &Group<'_, '_>) -> Remediation {
    let policy = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    let of_role =
        |action: &str| format!("aws iam {action}-role-policy --role-name <NODE-ROLE> --policy-arn {policy}");
    change(
        "Let the nodes' role pull from ECR; for a repository of another account, that account's repository policy too",
        "aws iam list-attached-role-policies --role-name <NODE-ROLE>",
        of_role("attach"),
        of_role("detach"),
        kubectl::verify(group.workload),
        Risk::Low,
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    #[rstest]
    #[case::containerd_tag(r#"rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/postgres:16.44": failed to resolve reference "docker.io/library/postgres:16.44": docker.io/library/postgres:16.44: not found"#, Why::NotFound)]
    #[case::docker_tag(
        r#"Error response from daemon: manifest for nginx:nope not found: manifest unknown"#,
        Why::NotFound
    )]
    #[case::ecr_repository(
        "name unknown: The repository with name 'x' does not exist in the registry with id '1'",
        Why::NotFound
    )]
    #[case::hub_private(
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        Why::Denied
    )]
    #[case::ecr_no_credentials("unexpected status from HEAD request: 401 Unauthorized", Why::Denied)]
    #[case::ecr_token("no basic auth credentials", Why::Denied)]
    #[case::misspelt_host(
        "failed to do request: Head https://regsitry.corp.example/v2/x: dial tcp: lookup regsitry.corp.example on 10.0.0.2:53: no such host",
        Why::Unreachable
    )]
    #[case::private_subnet("dial tcp 52.1.2.3:443: i/o timeout", Why::Unreachable)]
    #[case::hub_limit(
        "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit",
        Why::RateLimited
    )]
    #[case::arm("no match for platform in manifest: not found", Why::Architecture)]
    #[case::upper_case(r#"Failed to apply default image tag "Shop/Web:1": couldn't parse image name: invalid reference format: repository name must be lowercase"#, Why::InvalidName)]
    #[case::never(r#"Container image "x" is not present with pull policy of Never"#, Why::NeverPulled)]
    #[case::own_ca(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        Why::Tls
    )]
    #[case::plain_http("http: server gave HTTP response to HTTPS client", Why::Tls)]
    #[case::disk("write /var/lib/containerd/x: no space left on device", Why::Other)]
    fn the_runtime_says_why(#[case] message: &str, #[case] why: Why) {
        assert_eq!(Why::of(message), why);
    }

    #[rstest]
    #[case("nginx", "docker.io")]
    #[case("library/nginx:1", "docker.io")]
    #[case("ghcr.io/x/y@sha256:1", "ghcr.io")]
    #[case("localhost/x", "localhost")]
    #[case("registry:5000/x", "registry:5000")]
    fn an_image_names_its_registry(#[case] image: &str, #[case] host: &str) {
        assert_eq!(registry_of(image), host);
    }

    fn pulling(message: &str) -> Vec<serde_json::Value> {
        let waiting =
            json!({ "reason": "ImagePullBackOff", "message": "Back-off pulling image \"shop/catalog:1\"" });
        let mut objects =
            testing::deployment("catalog", json!({}), json!({ "state": { "waiting": waiting } }));
        objects.push(testing::warning("Pod", "catalog-1", "Failed", message));
        objects
    }

    #[test]
    fn a_missing_tag_is_the_deployments_fault_with_the_event_as_evidence() {
        let report = testing::diagnosed(pulling(r#"Failed to pull image "shop/catalog:1": not found"#));
        assert_eq!(testing::roots(&report), ["image-not-found Deployment/catalog"]);
        let finding = testing::finding(&report, "image-not-found");
        assert_eq!(finding.evidence[0].object.kind, "Deployment");
        assert!(finding.evidence.iter().any(|evidence| evidence.count == Some(3)), "{:#?}", finding.evidence);
    }

    #[rstest]
    #[case::none_is_named(
        "registry.example.com/x:1",
        None,
        "-p '{\"spec\":{\"template\":{\"spec\":{\"imagePullSecrets\""
    )]
    #[case::it_does_not_exist("registry.example.com/x:1", Some(false), "--docker-password=<PASSWORD>")]
    #[case::it_is_wrong("registry.example.com/x:1", Some(true), "apply -f -")]
    #[case::ecr("1.dkr.ecr.eu-west-1.amazonaws.com/x:1", None, "aws iam attach-role-policy")]
    #[case::docker_hub("acme/x:1", None, "--docker-server=https://index.docker.io/v1/")]
    fn credentials_reach_the_pods(
        #[case] image: &str,
        #[case] secret_exists: Option<bool>,
        #[case] command: &str,
    ) {
        let mut objects = pulling("Failed to pull image: 401 Unauthorized");
        objects[2]["spec"]["containers"][0]["image"] = json!(image);
        if secret_exists.is_some() {
            objects[2]["spec"]["imagePullSecrets"] = json!([{ "name": "login" }]);
        }
        if secret_exists == Some(true) {
            objects.push(testing::object("v1", "Secret", "login", json!({})));
        }
        let given = &testing::diagnosed(objects).findings[0].remediation[0].command;
        assert!(given.contains(command), "{given}");
    }

    #[test]
    fn a_pull_secret_that_does_not_exist_is_named() {
        let mut objects = pulling(r#"Failed to pull image "shop/catalog:1": 401 Unauthorized"#);
        objects[2]["spec"]["imagePullSecrets"] = json!([{ "name": "regcred" }]);
        let report = testing::diagnosed(objects);
        assert_eq!(testing::roots(&report), ["image-pull-secret-missing Secret/regcred"]);
    }
}
