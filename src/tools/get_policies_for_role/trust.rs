//! A trust policy read: who may assume the role, and what in it is open, or keeps out whom it means.

use serde_json::Value;

use super::one_or_many;

/// The audience of tokens of service accounts.
const AUDIENCE: &str = "sts.amazonaws.com";

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MayAssume {
    /// One line each.
    pub(super) who: Vec<String>,
    /// What may be wrong.
    pub(super) notes: Vec<String>,
}

/// What can be said of the policy without knowing who asks.
pub(super) fn who_may_assume(policy: &Value) -> MayAssume {
    let mut found = MayAssume::default();
    for statement in one_or_many(&policy["Statement"]) {
        if statement["Effect"] != "Allow" {
            found.notes.push("it has a Deny statement, which this does not evaluate".to_owned());
            continue;
        }
        for federated in principals(statement, "Federated") {
            found.federated(federated, statement);
        }
        for service in principals(statement, "Service") {
            found.service(service, statement);
        }
        for account in principals(statement, "AWS") {
            found.account(account, statement);
        }
        if statement["Principal"] == "*" {
            found.account("*", statement);
        }
    }
    found.notes.sort_unstable();
    found.notes.dedup();
    found
}

fn principals<'p>(statement: &'p Value, kind: &str) -> impl Iterator<Item = &'p str> {
    one_or_many(&statement["Principal"][kind]).filter_map(Value::as_str)
}

fn allows(statement: &Value, action: &str) -> bool {
    one_or_many(&statement["Action"]).filter_map(Value::as_str).any(|allowed| {
        allowed.eq_ignore_ascii_case(action) || matches!(allowed, "*" | "sts:*") || allowed == "sts:Assume*"
    })
}

impl MayAssume {
    fn service(&mut self, service: &str, statement: &Value) {
        if service != "pods.eks.amazonaws.com" {
            self.who.push(format!("the AWS service {service}"));
            return;
        }
        self.who.push(
            "pods by EKS Pod Identity: service accounts with an association to this role (`aws eks \
             list-pod-identity-associations --cluster-name CLUSTER`)"
                .to_owned(),
        );
        for action in ["sts:AssumeRole", "sts:TagSession"] {
            if !allows(statement, action) {
                self.notes
                    .push(format!("EKS Pod Identity needs {action}, which the statement does not allow"));
            }
        }
    }

    fn account(&mut self, principal: &str, statement: &Value) {
        if principal != "*" {
            self.who.push(format!("the AWS principal {principal}"));
            return;
        }
        match statement["Condition"].is_object() {
            true => self.who.push("anyone who fulfils the condition".to_owned()),
            false => {
                self.who.push("anyone".to_owned());
                self.notes.push(
                    "Principal * without a condition: everyone with an AWS account may assume it".to_owned(),
                );
            }
        }
    }

    fn federated(&mut self, provider: &str, statement: &Value) {
        let Some((_, issuer)) = provider.split_once(":oidc-provider/") else {
            self.who.push(format!("identities of {provider}"));
            return;
        };
        if !allows(statement, "sts:AssumeRoleWithWebIdentity") {
            self.notes
                .push(format!("the statement for {issuer} does not allow sts:AssumeRoleWithWebIdentity"));
        }
        let conditions = Conditions::of(statement, issuer);
        self.notes.extend(conditions.foreign.iter().map(|key| {
            format!(
                "the condition {key} is of another issuer than the provider {issuer}: it is never fulfilled"
            )
        }));
        self.subjects(issuer, &conditions);
        if conditions.audiences.is_empty() {
            self.notes
                .push(format!("no condition on {issuer}:aud: tokens for other audiences are accepted, too"));
        } else if !conditions.audiences.iter().any(|(_, audience)| matches(audience, AUDIENCE)) {
            self.notes.push(format!(
                "the condition on {issuer}:aud has not {AUDIENCE}, which EKS's tokens are for"
            ));
        }
    }

    fn subjects(&mut self, issuer: &str, conditions: &Conditions<'_>) {
        if conditions.subjects.is_empty() && conditions.foreign.is_empty() {
            self.who.push(format!("every service account of the cluster with issuer {issuer}"));
            self.notes.push(format!(
                "no condition on {issuer}:sub: every service account of the cluster may assume it"
            ));
        }
        for (pattern, subject) in &conditions.subjects {
            self.who.push(subject_line(issuer, *pattern, subject));
            let wild = subject.contains(['*', '?']);
            if wild && !pattern {
                self.notes.push(format!("StringEquals takes {subject:?} as it is written: * and ? mean something in StringLike only"));
            } else if wild {
                self.notes.push(format!(
                    "{subject:?} is a pattern: service accounts that nobody thought of may match"
                ));
            } else if service_account(subject).is_none() {
                self.notes.push(format!(
                    "{subject:?} is no service account: those are system:serviceaccount:NAMESPACE:NAME"
                ));
            }
        }
    }
}

fn subject_line(issuer: &str, pattern: bool, subject: &str) -> String {
    match service_account(subject) {
        Some((namespace, name)) if pattern && subject.contains(['*', '?']) => {
            format!("service accounts like {namespace}/{name} of the cluster with issuer {issuer}")
        }
        Some((namespace, name)) => {
            format!("the service account {namespace}/{name} of the cluster with issuer {issuer}")
        }
        None => format!("{subject} of {issuer}"),
    }
}

fn service_account(subject: &str) -> Option<(&str, &str)> {
    subject.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// A pattern of IAM, where `*` stands for any letters; only its simple forms.
fn matches(pattern: &str, text: &str) -> bool {
    pattern == text
        || pattern == "*"
        || pattern.strip_suffix('*').is_some_and(|start| text.starts_with(start))
}

/// Values of conditions on the claims of an issuer's tokens, and whether they are patterns.
#[derive(Default)]
struct Conditions<'s> {
    subjects: Vec<(bool, &'s str)>,
    audiences: Vec<(bool, &'s str)>,
    /// Keys of another issuer.
    foreign: Vec<&'s str>,
}

impl<'s> Conditions<'s> {
    fn of(statement: &'s Value, issuer: &str) -> Self {
        let mut found = Self::default();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let pattern = operator.contains("StringLike");
            for (key, values) in keys.as_object().into_iter().flatten() {
                let values = one_or_many(values).filter_map(Value::as_str).map(|value| (pattern, value));
                match key.rsplit_once(':') {
                    Some((of, "sub")) if of == issuer => found.subjects.extend(values),
                    Some((of, "aud")) if of == issuer => found.audiences.extend(values),
                    Some((of, "sub" | "aud")) if of != issuer => found.foreign.push(key),
                    _ => {}
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";

    fn irsa(condition: &Value) -> Value {
        let provider = format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}");
        json!({ "Statement": [{
            "Effect": "Allow", "Principal": { "Federated": provider }, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }] })
    }

    fn sub(operator: &str, subject: &str) -> Value {
        let mut condition = json!({ "StringEquals": { (format!("{ISSUER}:aud")): "sts.amazonaws.com" } });
        condition[operator][format!("{ISSUER}:sub")] = subject.into();
        condition
    }

    #[test]
    fn a_service_account_is_named() {
        let found = who_may_assume(&irsa(&sub("StringEquals", "system:serviceaccount:shop:cart")));
        assert_eq!(found.who, [format!("the service account shop/cart of the cluster with issuer {ISSUER}")]);
        assert_eq!(found.notes, [""; 0]);
    }

    #[rstest]
    #[case::pattern(sub("StringLike", "system:serviceaccount:shop:*"), "is a pattern")]
    #[case::star_in_equals(sub("StringEquals", "system:serviceaccount:shop:*"), "StringEquals takes")]
    #[case::no_service_account(sub("StringEquals", "shop:cart"), "is no service account")]
    #[case::nobody_in_particular(json!({}), "every service account of the cluster may assume it")]
    #[case::no_audience(json!({ "StringEquals": { (format!("{ISSUER}:sub")): "system:serviceaccount:a:b" } }), "no condition on")]
    #[case::other_audience(json!({ "StringEquals": { (format!("{ISSUER}:aud")): "x" } }), "has not sts.amazonaws.com")]
    #[case::other_issuer(json!({ "StringEquals": { "oidc.eks.eu-west-1.amazonaws.com/id/OLD:sub": "x" } }), "never fulfilled")]
    fn what_is_open_or_shut_is_noted(#[case] condition: Value, #[case] part: &str) {
        let notes = who_may_assume(&irsa(&condition)).notes;
        assert!(notes.iter().any(|note| note.contains(part)), "{notes:?}");
    }

    #[rstest]
    #[case::pod_identity(json!({ "Service": "pods.eks.amazonaws.com" }), "pods by EKS Pod Identity", "needs sts:TagSession")]
    #[case::anyone(json!("*"), "anyone", "everyone with an AWS account")]
    fn other_principals_are_told(#[case] principal: Value, #[case] who: &str, #[case] note: &str) {
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
        let found = who_may_assume(&json!({ "Statement": statement }));
        assert!(found.who.iter().any(|line| line.contains(who)), "{found:?}");
        assert!(found.notes.iter().any(|line| line.contains(note)), "{found:?}");
    }
}
