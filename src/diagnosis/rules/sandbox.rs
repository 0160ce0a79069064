//! Pods whose sandbox (network namespace, runtime) cannot be made (FAILURES D13; N1 to N3 look like it).

use crate::diagnosis::draft::{Draft, advice, event, shorten};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Read};
use crate::diagnosis::report::{Confidence, Remediation};

use super::crashes::repair_command;
use super::kubectl;
use super::pods::Group;

/// DaemonSets that give pods their network; while one is broken, no sandbox can be made.
const NETWORK_DAEMONSETS: &[&str] =
    &["aws-node", "calico-node", "cilium", "kube-flannel-ds", "kube-proxy", "weave-net"];

/// A finding where the newest complaint is about the sandbox.
pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Option<Draft> {
    let told = group.cases.iter().find_map(|case| newest(facts, case.pod.object))?;
    let pod = group.sample().pod;
    let reason = shorten(told.message.rsplit("desc = ").next().unwrap_or(told.message), 200);
    let runtime_class = pod.value().text("/spec/runtimeClassName");
    let says = match told.message.contains("no runtime for") && !runtime_class.is_empty() {
        true => format!("the node has no runtime for its RuntimeClass {runtime_class}"),
        false if told.message.contains("failed to assign an IP address") => {
            "the network plugin has no free IP address for it".to_owned()
        }
        false => reason.clone(),
    };
    let nodes = group.cases.iter().filter_map(|case| case.pod.node()).map(|node| Key::new("Node", "", node));
    let network = NETWORK_DAEMONSETS.iter().map(|name| Key::new("DaemonSet", "kube-system", name));
    Some(
        group
            .draft(
                "pod-sandbox-failed",
                format!("{}: no sandbox can be made for its pods: {says}", group.name()),
            )
            .confidence(Confidence::Likely)
            .summary(format!(
                "The kubelet cannot set up the pod before its containers: {reason}.{}",
                group.impact()
            ))
            .explained_by(nodes.chain(network))
            .evidence(group.spec_field("/runtimeClassName"))
            .evidence(std::iter::once(event(&told)))
            .remedy(remedy(group, told.message)),
    )
}

/// Only a wrong RuntimeClass is repaired in the workload.
fn remedy(group: &Group<'_, '_>, message: &str) -> Remediation {
    let verify = kubectl::verify(group.workload);
    if message.contains("no runtime for") {
        return repair_command(group, "Name a RuntimeClass whose handler the node has");
    }
    if message.contains("failed to assign an IP address") {
        let summary = "Make addresses for pods: prefix delegation of the VPC CNI, more or larger subnets, or more nodes";
        return advice(
            summary,
            "aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailableIpAddressCount]'",
            verify,
        );
    }
    advice(
        "Heal the network plugin or the runtime of the node",
        "kubectl -n kube-system get pods -o wide",
        verify,
    )
}

fn newest<'a>(facts: &Facts<'a>, pod: crate::diagnosis::facts::Object<'a>) -> Option<KubeEvent<'a>> {
    facts.events(pod).find(|event| event.reason == "FailedCreatePodSandBox")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::diagnosis::testing;

    #[test]
    fn a_network_plugin_without_addresses_is_named_as_such() {
        let creating = json!({ "state": { "waiting": { "reason": "ContainerCreating" } } });
        let mut objects = testing::deployment("web", json!({}), creating);
        let message = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container";
        objects.push(testing::warning("Pod", "web-1", "FailedCreatePodSandBox", message));
        let report = testing::diagnosed(objects);
        assert_eq!(testing::roots(&report), ["pod-sandbox-failed Deployment/web"]);
        assert!(report.findings[0].title.contains("no free IP address"), "{}", report.findings[0].title);
    }
}
