//! Names that do not resolve although their Service exists (FAILURES G8 to G10).

use std::collections::BTreeMap;

use crate::diagnosis::draft::{self, Draft, advice, change, in_namespace, kubectl_name, log_line};
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read};
use crate::diagnosis::report::{Confidence, EvidenceKind, Risk, Severity};

use super::dependencies::{self, Dependency};
use super::kubectl;
use super::links::{self, Broken};

/// Lines at the end of a log that are looked at.
const LINES: usize = 200;
/// The resolver gave no answer, in lower case.
const SILENT: [&str; 5] = [
    "eai_again",
    "temporary failure in name resolution",
    "server misbehaving",
    ":53: i/o timeout",
    "could not resolve host",
];
/// The resolver says that there is no such name, in lower case.
const UNKNOWN: [&str; 6] = [
    "no such host",
    "enotfound",
    "nxdomain",
    "name or service not known",
    "unknownhostexception",
    "could not resolve host",
];

/// True where a line says that a resolver did not answer.
pub(super) fn is_silent(line: &str) -> bool {
    let line = line.to_lowercase();
    SILENT.iter().any(|sign| line.contains(sign))
}

fn is_unknown(line: &str) -> bool {
    let line = line.to_lowercase();
    UNKNOWN.iter().any(|sign| line.contains(sign))
}

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let mut found: BTreeMap<Key, Draft> = BTreeMap::new();
    for (pod, container, line, dependency) in unresolved(facts) {
        let Some(draft) = own_resolver(pod).or_else(|| answers(facts, &dependency)) else { continue };
        let key = Key::from(&draft.object);
        links::explain(drafts, &pod.workload.key(), &key);
        let draft = found.remove(&key).unwrap_or(draft).evidence([log_line(pod.object, container, line)]);
        let unready = if pod.is_ready() { None } else { Some(pod.object.key()) };
        found.insert(key.clone(), draft.breaks([pod.workload.key(), key]).breaks(unready));
    }
    drafts.extend(found.into_values());
}

/// Names of Services that exist and that a log says are unknown: the newest of each log.
fn unresolved<'f, 'a>(facts: &'f Facts<'a>) -> Vec<(&'f Pod<'a>, &'a str, &'a str, Dependency)> {
    let mut found = Vec::new();
    for log in facts.logs() {
        let Some(pod) = facts.pods_in(&log.of.namespace).find(|pod| pod.object.name() == log.of.pod) else {
            continue;
        };
        let mut lines = log.text.lines().rev().take(LINES).filter(|line| is_unknown(line));
        let named = lines.find_map(|line| {
            let dependency = dependencies::of_line(facts, &log.of.namespace, line)?;
            is_resolvable(facts, &dependency).then_some((line, dependency))
        });
        found.extend(named.map(|(line, dependency)| (pod, log.of.container.as_str(), line, dependency)));
    }
    found
}

/// The DNS of the cluster has an answer for it. A headless Service has one only while it has endpoints.
fn is_resolvable(facts: &Facts<'_>, dependency: &Dependency) -> bool {
    let namespace = dependency.service.namespace.as_deref().unwrap_or_default();
    let service = facts.get("Service", namespace, &dependency.service.name);
    dependency.exists && service.is_some_and(|service| service.value().text("/spec/clusterIP") != "None")
}

/// The pod does not ask the DNS of the cluster at all.
fn own_resolver(pod: &Pod<'_>) -> Option<Draft> {
    let spec = |member: &str| pod.value().text(&format!("/spec/{member}"));
    let is_on_host = pod.value().flag("/spec/hostNetwork");
    let (what, field) = match spec("dnsPolicy") {
        "Default" => {
            ("dnsPolicy is Default, so it asks the resolver of its node".to_owned(), "/spec/dnsPolicy")
        }
        "None" => (
            "dnsPolicy is None, so it asks the name servers of its dnsConfig alone".to_owned(),
            "/spec/dnsConfig",
        ),
        "ClusterFirst" if is_on_host => (
            "it uses the node's network, where dnsPolicy ClusterFirst means the resolver of the node"
                .to_owned(),
            "/spec/hostNetwork",
        ),
        _ => return None,
    };
    let workload = &pod.workload;
    let name = format!("{} {}", workload.kind(), workload.reference.name);
    let policy = if is_on_host { "ClusterFirstWithHostNet" } else { "ClusterFirst" };
    let patch = format!(r#"{{"spec":{{"template":{{"spec":{{"dnsPolicy":"{policy}"}}}}}}}}"#);
    Some(
        Draft::new("dns-policy-excludes-cluster", severity(pod), workload.reference.clone(), format!("{name} cannot resolve names of the cluster: {what}"))
            .confidence(Confidence::Likely)
            .summary(format!("{name} asks for a Service of the cluster, and is told that there is no such name: {what}, which does not know Services."))
            .evidence(draft::field(pod.object, field))
            .remedy(change(
                format!("Set dnsPolicy to {policy}"),
                kubectl::get(&workload.reference, "yaml"),
                format!("kubectl {}patch {} -p '{patch}'", in_namespace(&workload.reference), kubectl_name(&workload.reference)),
                kubectl::undo(workload),
                kubectl::verify(workload),
                Risk::Low,
            )),
    )
}

fn severity(pod: &Pod<'_>) -> Severity {
    if pod.is_ready() { Severity::Warning } else { Severity::Critical }
}

/// The DNS of the cluster answers otherwise than it should: its configuration makes answers of its own.
fn answers(facts: &Facts<'_>, dependency: &Dependency) -> Option<Draft> {
    let config = facts.get("ConfigMap", "kube-system", "coredns")?;
    let corefile = config.value().text("/data/Corefile");
    let plugins = ["template", "rewrite", "hosts"];
    let invents = |line: &&str| {
        let line = line.trim_start();
        plugins.iter().any(|plugin| line.split_whitespace().next() == Some(*plugin))
    };
    let line = corefile.lines().find(invents)?.trim();
    let object = config.reference();
    Some(
        Draft::new(
            "dns-answers-wrong",
            Severity::Critical,
            object.clone(),
            format!("The DNS of the cluster does not know Service {}: its Corefile makes answers of its own ({line})", dependency.service.name),
        )
        .confidence(Confidence::Likely)
        .cause(line)
        .summary(format!(
            "{} is a Service that exists, but a client is told that there is no such name. The plugin of the Corefile line {line:?} answers before the plugin kubernetes does.",
            dependency.address
        ))
        .evidence(draft::field(config, "/data/Corefile"))
        .remedy(change(
            "Take the line out of the Corefile (CoreDNS reloads it within a minute)",
            kubectl::get(&object, "yaml"),
            kubectl::edit(&object),
            "apply the former manifest of configmap/coredns again".to_owned(),
            "kubectl -n kube-system logs -l k8s-app=kube-dns --tail=20".to_owned(),
            Risk::Medium,
        )),
    )
}

/// While nothing answers behind the cluster's DNS, whoever complains that names do not resolve suffers from that. Runs after
/// the rules about Services.
pub(super) fn link(facts: &Facts<'_>, drafts: &mut [Draft]) {
    let of_dns =
        |service: &&Object<'_>| service.label("k8s-app") == Some("kube-dns") || service.name() == "kube-dns";
    let Some(service) = facts.all_in("Service", "kube-system").find(|service| of_dns(&service)) else {
        return;
    };
    if !Broken::by(drafts).has(&service.key()) {
        return;
    }
    let complains = |draft: &&mut Draft| {
        let mut texts = draft.evidence.iter().filter(|evidence| evidence.kind == EvidenceKind::Log);
        texts.any(|evidence| evidence.text.as_deref().is_some_and(is_silent))
    };
    for draft in drafts.iter_mut().filter(complains) {
        draft.explained_by.push(service.key());
    }
}

/// A configuration that CoreDNS refuses: the ConfigMap has to change, not the Deployment that crashes.
pub(super) fn check_config(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let config = facts.get("ConfigMap", "kube-system", "coredns");
    let is_dns = |pod: &&Pod<'_>| pod.object.label("k8s-app") == Some("kube-dns");
    let told = facts.pods_in("kube-system").filter(is_dns).find_map(|pod| {
        let texts = pod.containers.iter().flat_map(|container| {
            [true, false]
                .map(|previous| (container.name(), facts.log(pod.object, container.name(), previous)))
        });
        let mut lines =
            texts.flat_map(|(name, text)| text.unwrap_or_default().lines().map(move |line| (name, line)));
        let refused = |line: &str| {
            line.contains("Error during parsing")
                || line.contains("Unknown directive")
                || line.contains("plugin/loop: Loop")
        };
        lines.find(|(_, line)| refused(line) && !pod.is_ready()).map(|(name, line)| (pod, name, line))
    });
    let (Some(config), Some((pod, container, line))) = (config, told) else { return };
    let object = config.reference();
    links::explain(drafts, &pod.workload.key(), &config.key());
    drafts.push(
        Draft::new("dns-config-invalid", Severity::Critical, object.clone(), "CoreDNS cannot use its Corefile: the DNS of the cluster does not start".to_owned())
            .confidence(Confidence::Likely)
            .cause("Corefile")
            .summary(format!("CoreDNS ends at its start and says: {}. New lookups in the whole cluster fail while none of its pods is ready.", draft::shorten(line.trim(), 300)))
            .evidence([log_line(pod.object, container, line)])
            .evidence(draft::field(config, "/data/Corefile"))
            .breaks([config.key(), pod.workload.key(), pod.object.key()])
            .remedy(change(
                "Correct the Corefile",
                kubectl::get(&object, "yaml"),
                kubectl::edit(&object),
                "apply the former manifest of configmap/coredns again".to_owned(),
                kubectl::verify(&pod.workload),
                Risk::Medium,
            ))
            .remedy(advice(
                "Where CoreDNS is an EKS add-on, change the add-on's configuration instead: it puts its own back",
                "kubectl -n kube-system get configmap coredns -o yaml --show-managed-fields",
                kubectl::verify(&pod.workload),
            )),
    );
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::diagnosis::testing::{
        deployment, diagnosed_with_log, healthy_deployment, object, roots, service, symptoms, with,
    };

    const UNKNOWN: &str = "FATAL lookup db.shop.svc.cluster.local on 10.100.0.10:53: no such host";

    /// `api` crashes; `db` is well.
    fn cluster(pod: Value) -> Vec<Value> {
        let crash = json!({
            "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
        });
        let mut objects = deployment("api", json!({}), crash);
        objects[2] = with(objects[2].clone(), json!({ "spec": pod }));
        objects.extend(healthy_deployment("db", json!({ "ports": [{ "containerPort": 8080 }] })));
        objects.push(service("db", "db"));
        objects
    }

    fn corefile(text: &str) -> Value {
        with(
            object("v1", "ConfigMap", "coredns", json!({ "data": { "Corefile": text } })),
            json!({ "metadata": { "namespace": "kube-system" } }),
        )
    }

    #[rstest]
    #[case::of_the_node(json!({ "dnsPolicy": "Default" }))]
    #[case::of_its_own(json!({ "dnsPolicy": "None", "dnsConfig": { "nameservers": ["1.1.1.1"] } }))]
    #[case::on_the_host(json!({ "dnsPolicy": "ClusterFirst", "hostNetwork": true }))]
    fn a_pod_that_asks_another_resolver_is_at_fault_itself(#[case] pod: Value) {
        let report = diagnosed_with_log(cluster(pod), "api-1", "api", UNKNOWN);
        assert_eq!(roots(&report), ["dns-policy-excludes-cluster Deployment/api"]);
        assert_eq!(symptoms(&report), ["app-dependency-unavailable Deployment/api"]);
    }

    #[test]
    fn a_corefile_with_answers_of_its_own_explains_a_name_that_is_unknown() {
        let mut objects = cluster(json!({ "dnsPolicy": "ClusterFirst" }));
        objects.push(corefile(".:53 {\n  template ANY ANY db.shop.svc.cluster.local {\n    rcode NXDOMAIN\n  }\n  kubernetes cluster.local\n}"));
        let report = diagnosed_with_log(objects, "api-1", "api", UNKNOWN);
        assert_eq!(roots(&report), ["dns-answers-wrong ConfigMap/coredns"]);
    }

    #[rstest]
    #[case::plain_corefile(".:53 {\n  kubernetes cluster.local\n  forward . /etc/resolv.conf\n}", UNKNOWN)]
    #[case::a_name_that_is_nobodys(
        ".:53 {\n  hosts {\n  }\n}",
        "FATAL lookup dc.shop.svc.cluster.local on 10.100.0.10:53: no such host"
    )]
    fn otherwise_the_dns_is_not_at_fault(#[case] text: &str, #[case] line: &str) {
        let mut objects = cluster(json!({ "dnsPolicy": "ClusterFirst" }));
        objects.push(corefile(text));
        let report = diagnosed_with_log(objects, "api-1", "api", line);
        assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
    }

    #[test]
    fn a_headless_service_has_a_name_only_while_it_has_endpoints() {
        let mut objects = cluster(json!({ "dnsPolicy": "Default" }));
        let headless = objects.pop().unwrap();
        objects.push(with(headless, json!({ "spec": { "clusterIP": "None" } })));
        let report = diagnosed_with_log(objects, "api-1", "api", UNKNOWN);
        assert_eq!(roots(&report), ["app-dependency-unavailable Deployment/api"]);
    }

    /// CoreDNS crashes behind `kube-dns`.
    fn broken_dns() -> Vec<Value> {
        let crash = json!({
            "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
        });
        let in_system = |object: Value| with(object, json!({ "metadata": { "namespace": "kube-system" } }));
        let mut objects = deployment("coredns", json!({}), crash);
        objects[2]["metadata"]["labels"]["k8s-app"] = json!("kube-dns");
        objects.push(with(
            service("kube-dns", "coredns"),
            json!({ "metadata": { "labels": { "k8s-app": "kube-dns" } } }),
        ));
        objects.into_iter().map(in_system).collect()
    }

    #[test]
    fn whoever_gets_no_answer_suffers_from_a_dns_that_is_down() {
        let mut objects = cluster(json!({}));
        objects.extend(broken_dns());
        let report = diagnosed_with_log(objects, "api-1", "api", "Error: getaddrinfo EAI_AGAIN db");
        assert_eq!(roots(&report), ["app-crash Deployment/coredns"]);
    }

    #[test]
    fn a_corefile_that_coredns_refuses_is_what_has_to_change() {
        let mut snapshot = crate::diagnosis::testing::snapshot(broken_dns());
        snapshot.objects.push(corefile(".:53 {\n  forwrd . 1.1.1.1\n}"));
        let of = crate::diagnosis::LogRef {
            namespace: "kube-system".to_owned(),
            pod: "coredns-1".to_owned(),
            container: "coredns".to_owned(),
            previous: false,
        };
        let text = "/etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'forwrd'".to_owned();
        snapshot.logs.push(crate::diagnosis::ContainerLog { of, text });
        let report = crate::diagnosis::diagnose(&snapshot, &crate::diagnosis::report::Scope::default());
        assert_eq!(roots(&report), ["dns-config-invalid ConfigMap/coredns"]);
    }
}
