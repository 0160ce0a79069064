//! Pod logs as the API server gives them: current and previous, by container, newest lines, since a time.

use serde_json::Value;

use super::api::{Failure, Query};
use super::{Bundle, LogKey};

impl Bundle {
    /// The log that a request for `pods/NAME/log` asks for.
    pub(super) fn pod_log(&self, namespace: &str, pod: &str, query: &Query) -> Result<String, Failure> {
        let object = self.find("", "v1", "pods", namespace, pod)?;
        let container = container_of(object, pod, query.get("container"))?;
        let previous = query.is_true("previous");
        let key = LogKey { namespace: namespace.to_owned(), pod: pod.to_owned(), container, previous };
        let log = self.logs.get(&key);
        let log = match log {
            Some(log) => log.as_str(),
            None => missing_log(object, &key)?,
        };
        let since = since(query, self.now())?;
        let lines: Vec<&str> = log.lines().filter(|line| is_after(line, since)).collect();
        let tail = query.number("tailLines")?.unwrap_or(usize::MAX);
        let mut text = String::new();
        for line in lines.get(lines.len().saturating_sub(tail)..).unwrap_or_default() {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(limit) = query.number("limitBytes")? {
            let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        Ok(text)
    }
}

fn names(pod: &Value, list: &str) -> Vec<String> {
    let containers = pod["spec"][list].as_array().into_iter().flatten();
    containers.filter_map(|container| container["name"].as_str()).map(str::to_owned).collect()
}

fn container_of(object: &Value, pod: &str, asked: Option<&str>) -> Result<String, Failure> {
    let (containers, inits) = (names(object, "containers"), names(object, "initContainers"));
    let known = |name: &str| {
        containers
            .iter()
            .chain(&inits)
            .chain(&names(object, "ephemeralContainers"))
            .any(|known| known == name)
    };
    match asked.filter(|name| !name.is_empty()) {
        Some(name) if known(name) => Ok(name.to_owned()),
        Some(name) => Err(Failure::bad_request(format!("container {name} is not valid for pod {pod}"))),
        None => match containers.as_slice() {
            [only] => Ok(only.clone()),
            several => {
                let mut message = format!(
                    "a container name must be specified for pod {pod}, choose one of: [{}]",
                    several.join(" ")
                );
                if !inits.is_empty() {
                    message.push_str(&format!(" or one of the init containers: [{}]", inits.join(" ")));
                }
                Err(Failure::bad_request(message))
            }
        },
    }
}

/// A container that runs but whose log was not recorded has an empty one; others get the kubelet's word.
fn missing_log<'a>(object: &Value, key: &LogKey) -> Result<&'a str, Failure> {
    let LogKey { pod, container, previous, .. } = key;
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let mut all = statuses.iter().flat_map(|list| object["status"][list].as_array().into_iter().flatten());
    let status = all.find(|status| status["name"] == container.as_str());
    if *previous {
        let message = format!("previous terminated container {container:?} in pod {pod:?} not found");
        return Err(Failure::bad_request(message));
    }
    let waiting = status.and_then(|status| status["state"]["waiting"]["reason"].as_str());
    let restarts = status.and_then(|status| status["restartCount"].as_u64()).unwrap_or(0);
    match waiting {
        Some(reason) if restarts == 0 => Err(Failure::bad_request(format!(
            "container {container:?} in pod {pod:?} is waiting to start: {reason}"
        ))),
        Some(_) | None => Ok(""),
    }
}

fn since(query: &Query, now: jiff::Timestamp) -> Result<Option<jiff::Timestamp>, Failure> {
    if let Some(seconds) = query.number("sinceSeconds")? {
        let seconds = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        return Ok(now.checked_sub(seconds).ok());
    }
    query
        .get("sinceTime")
        .map(|time| time.parse().map_err(|_| Failure::bad_request(format!("invalid sinceTime {time:?}"))))
        .transpose()
}

/// Recorded lines begin with their time; a line without one belongs to those around it and is kept.
fn is_after(line: &str, since: Option<jiff::Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let time = line.split([' ', '\t']).next().and_then(|word| word.parse::<jiff::Timestamp>().ok());
    time.is_none_or(|time| time >= since)
}
