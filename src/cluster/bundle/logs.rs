//! Pod logs as the API server gives them: current and previous, by container, newest lines, since a time.

use serde_json::Value;

use super::api::{Failure, Query};
use super::{Bundle, LogKey};
use crate::cluster::redact;

impl Bundle {
    /// The log that a request for `pods/NAME/log` asks for.
    pub(super) fn pod_log(&self, namespace: &str, pod: &str, query: &Query) -> Result<String, Failure> {
        let object = self.pod(namespace, pod)?;
        let container = container_of(object, pod, query.get("container"))?;
        let previous = query.is_true("previous");
        let key = LogKey { namespace: namespace.to_owned(), pod: pod.to_owned(), container, previous };
        let log = match self.logs.get(&key) {
            // All of it: what looks like a part of a key depends on the lines around.
            Some(log) => redact::text(log),
            None => missing_log(object, &key)?,
        };
        let lines = lines_since(&log, since(query, self.now())?);
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
fn missing_log(object: &Value, key: &LogKey) -> Result<String, Failure> {
    let LogKey { pod, container, previous, .. } = key;
    let statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
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
        Some(_) | None => Ok(String::new()),
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

/// The lines that are younger. One without a time belongs to the one before it.
fn lines_since(log: &str, since: Option<jiff::Timestamp>) -> Vec<&str> {
    let mut is_young = true;
    let young = |line: &&str| {
        if let (Some(since), Some(time)) = (since, time_of(line)) {
            is_young = time >= since;
        }
        is_young
    };
    log.lines().filter(young).collect()
}

fn time_of(line: &str) -> Option<jiff::Timestamp> {
    line.split([' ', '\t']).next()?.parse().ok()
}
