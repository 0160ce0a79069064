//! What is asked of Logs Insights: which log group, and the text of the query.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::ToolError;
use super::super::text::shorten;
use super::condition::condition;
use super::literal::{contains, field};

/// What the lines are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResourceType {
    #[default]
    Cluster,
    Namespace,
    Node,
    Pod,
    Container,
}

impl ResourceType {
    /// The fields that name it: in the lines that Container Insights collects, in its performance events, and the name
    /// of the stream, which has the node, and of containers also the pod and the namespace.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Cluster => &[],
            Self::Namespace => &["kubernetes.namespace_name", "Namespace", "@logStream"],
            Self::Node => {
                &["kubernetes.host", "NodeName", "hostname", "ec2_instance_id", "InstanceId", "@logStream"]
            }
            Self::Pod => &["kubernetes.pod_name", "PodName", "@logStream"],
            Self::Container => &["kubernetes.container_name", "ContainerName", "@logStream"],
        }
    }
}

/// Where the lines are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogGroup {
    pub(super) name: String,
    /// Of Container Insights; the lines of other groups have no fields that name a pod.
    insights: bool,
}

/// The kinds of logs with a group of their own.
pub(super) const LOG_TYPES: [&str; 5] = ["application", "host", "performance", "dataplane", "control-plane"];

impl LogGroup {
    /// The group of a kind of logs; what is no kind is the name of a group.
    pub(super) fn of(log_type: &str, cluster: &str) -> Result<Self, ToolError> {
        let log_type = log_type.trim();
        let kind = LOG_TYPES.iter().find(|kind| kind.eq_ignore_ascii_case(log_type));
        match kind {
            Some(&"control-plane") => {
                Ok(Self { name: format!("/aws/eks/{cluster}/cluster"), insights: false })
            }
            Some(kind) => {
                Ok(Self { name: format!("/aws/containerinsights/{cluster}/{kind}"), insights: true })
            }
            None => Self::named(log_type),
        }
    }

    fn named(name: &str) -> Result<Self, ToolError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
        match !name.is_empty() && name.len() <= 512 && name.chars().all(fits) {
            true => Ok(Self { name: name.to_owned(), insights: name.starts_with("/aws/containerinsights/") }),
            false => Err(ToolError::InvalidInput(format!(
                "log_type must be one of {}, or the name of a log group, not {:?}",
                LOG_TYPES.join(", "),
                shorten(name, 60)
            ))),
        }
    }
}

/// The query, as far as callers choose it.
pub(super) struct Wanted<'a> {
    pub(super) group: &'a LogGroup,
    pub(super) resource: Option<(ResourceType, &'a str)>,
    pub(super) filter_pattern: Option<&'a str>,
    pub(super) fields: Option<&'a str>,
    pub(super) limit: u32,
}

impl Wanted<'_> {
    /// The text of the query: the newest lines first.
    pub(super) fn query(&self) -> Result<String, ToolError> {
        let mut commands = vec![format!("fields {}", self.fields()?.join(", "))];
        if let Some(resource) = self.resource.and_then(|(of, name)| self.names(of, name).transpose()) {
            commands.push(format!("filter {}", resource?));
        }
        if let Some(pattern) = self.filter_pattern.filter(|pattern| !pattern.trim().is_empty()) {
            commands.push(format!("filter {}", condition(pattern)?));
        }
        commands.push("sort @timestamp desc".to_owned());
        commands.push(format!("limit {}", self.limit));
        Ok(commands.join("\n| "))
    }

    /// The fields of each line. Its time is always among them.
    fn fields(&self) -> Result<Vec<String>, ToolError> {
        let Some(given) = self.fields.filter(|given| !given.trim().is_empty()) else {
            return Ok(["@timestamp", "@message", "@logStream"].map(str::to_owned).to_vec());
        };
        let given = given.trim();
        let given = given.strip_prefix("fields ").unwrap_or(given);
        let mut fields: Vec<String> = given.split(',').map(field).collect::<Result<_, _>>()?;
        if !fields.iter().any(|name| name == "@timestamp") {
            fields.insert(0, "@timestamp".to_owned());
        }
        Ok(fields)
    }

    /// The condition that a line is about this resource.
    fn names(&self, of: ResourceType, name: &str) -> Result<Option<String>, ToolError> {
        if of == ResourceType::Cluster {
            return Ok(None);
        }
        let contains = contains(name)?;
        let message = if self.group.insights { None } else { Some(&"@message") };
        let either: Vec<String> =
            of.fields().iter().chain(message).map(|field| format!("{field} {contains}")).collect();
        Ok(Some(either.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn query(
        group: &str,
        resource: Option<(ResourceType, &str)>,
        filter: Option<&str>,
        fields: Option<&str>,
    ) -> String {
        let group = LogGroup::of(group, "prod").unwrap();
        let wanted = Wanted { group: &group, resource, filter_pattern: filter, fields, limit: 50 };
        wanted.query().unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_newest_lines_come_first() {
        let expected = "fields @timestamp, @message, @logStream\n| sort @timestamp desc\n| limit 50";
        assert_eq!(query("application", None, Some(" "), None), expected);
    }

    #[test]
    fn a_pod_is_found_by_its_fields_and_its_stream() {
        let expected = "fields @timestamp, @message, @logStream\n\
            | filter kubernetes.pod_name like \"web-1\" or PodName like \"web-1\" or @logStream like \"web-1\"\n\
            | filter @message like \"ERROR\"\n| sort @timestamp desc\n| limit 50";
        assert_eq!(query("application", Some((ResourceType::Pod, "web-1")), Some("ERROR"), None), expected);
    }

    #[test]
    fn the_control_plane_names_pods_in_its_messages() {
        let text = query("control-plane", Some((ResourceType::Pod, "web-1")), None, None);
        assert!(text.contains("or @message like \"web-1\"\n"), "{text}");
    }

    #[test]
    fn a_name_cannot_add_commands() {
        let text =
            query("application", Some((ResourceType::Pod, "x' | unmask(@message) | limit 9")), None, None);
        assert_eq!(text.matches('|').count(), 3, "{text}");
        assert!(text.contains(r"PodName like /x\x27 \x7c unmask\x28@message\x29 \x7c limit 9/"), "{text}");
    }

    #[rstest]
    #[case("level, @message", "fields @timestamp, level, @message\n")]
    #[case("fields @timestamp,user-agent", "fields @timestamp, `user-agent`\n")]
    #[case("@message | limit 1", "is no name of a field")]
    fn fields_are_names(#[case] fields: &str, #[case] part: &str) {
        let text = query("application", None, None, Some(fields));
        assert!(text.contains(part), "{text}");
    }

    #[rstest]
    #[case("application", "/aws/containerinsights/prod/application")]
    #[case("Control-Plane", "/aws/eks/prod/cluster")]
    #[case("/my/group_1", "/my/group_1")]
    fn each_kind_of_logs_has_its_group(#[case] log_type: &str, #[case] name: &str) {
        assert_eq!(LogGroup::of(log_type, "prod").unwrap().name, name);
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let told = LogGroup::of("my group", "prod").unwrap_err().to_string();
        assert!(told.starts_with("log_type must be one of application, host,"), "{told}");
    }
}
