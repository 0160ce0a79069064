//! Roles of IAM and their policies.

use aws_sdk_iam::types::{AttachedPolicy, Role};

use super::{AwsError, Connection};

/// The most pages of a list that are read.
const MAX_PAGES: usize = 20;

impl Connection {
    /// The client of IAM.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.sdk)
    }

    /// A role, by its name or ARN.
    ///
    /// # Errors
    /// There is none of this name, or IAM could not be asked, or refused.
    pub async fn role(&self, role: &str) -> Result<Role, AwsError> {
        let name = role_name(role)?;
        let asked = Box::pin(self.iam().get_role().role_name(name).send()).await;
        match asked.map_err(AwsError::of("iam:GetRole")) {
            Ok(answer) => answer.role.ok_or_else(|| AwsError::from_answer("iam:GetRole", 200, None, None)),
            Err(AwsError::NotFound(_)) => Err(AwsError::NotFound(format!(
                "there is no IAM role {name:?} in this account: the annotation eks.amazonaws.com/role-arn of a service \
                 account, a node group or `aws iam list-roles` has its name; for another account pass role_arn"
            ))),
            Err(error) => Err(error),
        }
    }

    /// The managed policies of a role, all pages.
    ///
    /// # Errors
    /// IAM could not be asked, or refused.
    pub async fn attached_policies(&self, role: &str) -> Result<Vec<AttachedPolicy>, AwsError> {
        let mut policies = Vec::new();
        let mut marker = None;
        for _ in 0..MAX_PAGES {
            let page = self.iam().list_attached_role_policies().role_name(role).set_marker(marker.take());
            let page = Box::pin(page.send()).await.map_err(AwsError::of("iam:ListAttachedRolePolicies"))?;
            policies.extend(page.attached_policies.unwrap_or_default());
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        Ok(policies)
    }

    /// The names of the inline policies of a role, all pages.
    ///
    /// # Errors
    /// IAM could not be asked, or refused.
    pub async fn inline_policy_names(&self, role: &str) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut marker = None;
        for _ in 0..MAX_PAGES {
            let page = self.iam().list_role_policies().role_name(role).set_marker(marker.take());
            let page = Box::pin(page.send()).await.map_err(AwsError::of("iam:ListRolePolicies"))?;
            names.extend(page.policy_names);
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        Ok(names)
    }
}

/// The name of a role that may be given by its ARN.
fn role_name(role: &str) -> Result<&str, AwsError> {
    let is_arn = role.starts_with("arn:") && role.contains(":role/");
    let name = if is_arn { role.rsplit('/').next().unwrap_or_default() } else { role };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(name),
        false => Err(AwsError::Invalid(format!(
            "{:?} is not the name of an IAM role: letters, digits and _+=,.@- are, or its ARN",
            role.chars().take(60).collect::<String>()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("reader", Some("reader"))]
    #[case("arn:aws:iam::111122223333:role/path/reader", Some("reader"))]
    #[case("path/reader", None)]
    #[case("", None)]
    fn a_role_has_a_name(#[case] given: &str, #[case] name: Option<&str>) {
        assert_eq!(role_name(given).ok(), name);
    }
}
