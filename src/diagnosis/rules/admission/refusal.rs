//! Why the API server refused to create a pod, as its message says it.

/// A refusal, with the names that its message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal<'m> {
    /// A quota is used up. The amounts are `resource=amount` pairs, separated by commas.
    Quota {
        name: &'m str,
        requested: &'m str,
        used: &'m str,
        limited: &'m str,
    },
    /// A quota counts resources that the pod does not state.
    QuotaNeeds {
        quota: &'m str,
        missing: &'m str,
    },
    /// A quota admits pods of certain scopes (mostly priority classes) only.
    QuotaScope,
    /// A LimitRange forbids what the pod asks for.
    LimitRange,
    /// Pod Security (or its predecessor) forbids it.
    PodSecurity {
        standard: &'m str,
    },
    ServiceAccount {
        name: &'m str,
    },
    PriorityClass {
        name: &'m str,
    },
    RuntimeClass {
        name: &'m str,
    },
    /// A webhook could not be asked; `answer` is what happened instead.
    WebhookFailed {
        name: &'m str,
        answer: &'m str,
    },
    /// A webhook or an admission policy said no.
    Policy {
        by: &'m str,
    },
    /// The namespace is being deleted.
    Terminating,
    /// The controller may not create it.
    Forbidden,
    /// The pod is no valid object.
    Invalid,
    Other,
}

type Parser = for<'m> fn(&'m str) -> Option<Refusal<'m>>;

/// In the order in which they decide: the text of a policy may hold anything.
const PARSERS: &[Parser] =
    &[webhook_failed, webhook_denied, quota, quota_needs, missing_class, limit_range, pod_security, rest];

impl<'m> Refusal<'m> {
    pub(super) fn of(message: &'m str) -> Self {
        PARSERS.iter().find_map(|parse| parse(message)).unwrap_or(Self::Other)
    }
}

/// What stands behind a marker.
pub(super) fn after<'m>(text: &'m str, marker: &str) -> Option<&'m str> {
    text.split_once(marker).map(|(_, rest)| rest)
}

/// What stands between two markers.
pub(super) fn between<'m>(text: &'m str, start: &str, end: &str) -> Option<&'m str> {
    after(text, start)?.split_once(end).map(|(found, _)| found)
}

fn webhook_failed(message: &str) -> Option<Refusal<'_>> {
    let name = between(message, "failed calling webhook \"", "\"")?;
    let answer = after(message, name)?.trim_start_matches(['"', ':', ' ']);
    let answer = answer.strip_prefix("failed to call webhook: ").unwrap_or(answer);
    Some(Refusal::WebhookFailed { name, answer })
}

fn webhook_denied(message: &str) -> Option<Refusal<'_>> {
    let webhook =
        between(message, "admission webhook \"", "\"").filter(|_| message.contains("denied the request"));
    let policy = between(message, "ValidatingAdmissionPolicy '", "'");
    Some(Refusal::Policy { by: webhook.or(policy)? })
}

fn quota(message: &str) -> Option<Refusal<'_>> {
    if message.contains("insufficient quota to match these scopes") {
        return Some(Refusal::QuotaScope);
    }
    Some(Refusal::Quota {
        name: between(message, "exceeded quota: ", ",")?,
        requested: between(message, "requested: ", ", used:").unwrap_or_default(),
        used: between(message, "used: ", ", limited:").unwrap_or_default(),
        limited: after(message, "limited: ").unwrap_or_default().trim_end_matches([')', ' ']),
    })
}

fn quota_needs(message: &str) -> Option<Refusal<'_>> {
    let quota = between(message, "failed quota: ", ":")?;
    Some(Refusal::QuotaNeeds { quota, missing: after(message, "must specify ").unwrap_or_default().trim() })
}

fn missing_class(message: &str) -> Option<Refusal<'_>> {
    if let Some(account) = after(message, "error looking up service account ") {
        let name = between(account, "serviceaccount \"", "\" not found")?;
        return Some(Refusal::ServiceAccount { name });
    }
    if let Some(name) = between(message, "no PriorityClass with name ", " was found") {
        return Some(Refusal::PriorityClass { name });
    }
    between(message, "RuntimeClass \"", "\" not found").map(|name| Refusal::RuntimeClass { name })
}

fn limit_range(message: &str) -> Option<Refusal<'_>> {
    let is_bound = (message.contains("minimum ") || message.contains("maximum "))
        && [" usage per Container is", " usage per Pod is", " usage per PersistentVolumeClaim is"]
            .iter()
            .any(|text| message.contains(text));
    (is_bound || message.contains(" max limit to request ratio per ")).then_some(Refusal::LimitRange)
}

fn pod_security(message: &str) -> Option<Refusal<'_>> {
    if let Some(standard) = between(message, "violates PodSecurity \"", "\"") {
        return Some(Refusal::PodSecurity { standard });
    }
    let is_policy = message.contains("unable to validate against any pod security policy")
        || message.contains("unable to validate against any security context constraint");
    is_policy.then_some(Refusal::PodSecurity { standard: "PodSecurityPolicy" })
}

fn rest(message: &str) -> Option<Refusal<'_>> {
    if message.contains("because it is being terminated") {
        Some(Refusal::Terminating)
    } else if message.contains("is forbidden: User \"") {
        Some(Refusal::Forbidden)
    } else {
        message.contains(" is invalid: ").then_some(Refusal::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::quota(
        r#"Error creating: pods "web-5d-x" is forbidden: exceeded quota: compute, requested: limits.cpu=500m,limits.memory=1Gi, used: limits.cpu=1800m,limits.memory=3Gi, limited: limits.cpu=2,limits.memory=3Gi"#,
        Refusal::Quota { name: "compute", requested: "limits.cpu=500m,limits.memory=1Gi", used: "limits.cpu=1800m,limits.memory=3Gi", limited: "limits.cpu=2,limits.memory=3Gi" }
    )]
    #[case::quota_of_claims(
        r#"create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: disk, requested: requests.storage=10Gi, used: requests.storage=5Gi, limited: requests.storage=10Gi"#,
        Refusal::Quota { name: "disk", requested: "requests.storage=10Gi", used: "requests.storage=5Gi", limited: "requests.storage=10Gi" }
    )]
    #[case::quota_needs(
        r#"Error creating: pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: app; requests.memory for: app"#,
        Refusal::QuotaNeeds { quota: "compute", missing: "limits.cpu for: app; requests.memory for: app" }
    )]
    #[case::quota_needs_old(
        r#"Error creating: pods "x" is forbidden: failed quota: compute: must specify limits.cpu,limits.memory"#,
        Refusal::QuotaNeeds { quota: "compute", missing: "limits.cpu,limits.memory" }
    )]
    #[case::scope(
        "pods \"x\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        Refusal::QuotaScope
    )]
    #[case::limit_range(
        "pods \"x\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 2Gi]",
        Refusal::LimitRange
    )]
    #[case::ratio(
        "pods \"x\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        Refusal::LimitRange
    )]
    #[case::pod_security(
        r#"Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)"#,
        Refusal::PodSecurity { standard: "restricted:latest" }
    )]
    #[case::service_account(
        r#"Error creating: pods "x" is forbidden: error looking up service account shop/cart: serviceaccount "cart" not found"#,
        Refusal::ServiceAccount { name: "cart" }
    )]
    #[case::priority(
        "pods \"x\" is forbidden: no PriorityClass with name hi was found",
        Refusal::PriorityClass { name: "hi" }
    )]
    #[case::runtime(
        "pods \"x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
        Refusal::RuntimeClass { name: "gvisor" }
    )]
    #[case::webhook(
        r#"Error creating: Internal error occurred: failed calling webhook "v.x.io": failed to call webhook: Post "https://a.b.svc:443/v?timeout=10s": service "a" not found"#,
        Refusal::WebhookFailed { name: "v.x.io", answer: r#"Post "https://a.b.svc:443/v?timeout=10s": service "a" not found"# }
    )]
    #[case::webhook_old(
        r#"Internal error occurred: failed calling webhook "v.x.io": Post "https://a.b.svc:443/v": dial tcp 10.1.1.1:443: connect: connection refused"#,
        Refusal::WebhookFailed { name: "v.x.io", answer: r#"Post "https://a.b.svc:443/v": dial tcp 10.1.1.1:443: connect: connection refused"# }
    )]
    #[case::denied(
        r#"Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: exceeded quota: my joke, "#,
        Refusal::Policy { by: "validate.kyverno.svc-fail" }
    )]
    #[case::admission_policy(
        "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
        Refusal::Policy { by: "p" }
    )]
    #[case::terminating(
        r#"pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated"#,
        Refusal::Terminating
    )]
    #[case::rbac(
        r#"pods is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "x""#,
        Refusal::Forbidden
    )]
    #[case::invalid(
        r#"Pod "x" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#,
        Refusal::Invalid
    )]
    #[case::other("Timeout: request did not complete within requested timeout", Refusal::Other)]
    fn the_message_says_why(#[case] message: &str, #[case] refusal: Refusal<'_>) {
        assert_eq!(Refusal::of(message), refusal);
    }
}
