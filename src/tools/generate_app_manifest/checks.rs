//! What the arguments must look like, as Kubernetes and container runtimes take it.

use std::sync::LazyLock;

use regex::Regex;

use super::super::ToolError;
use super::super::text::shorten;
use super::Input;

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("bug: a pattern is wrong")
}

/// Names of Services begin with a letter.
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$"));
static NAMESPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$"));
static CPU: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:[1-9][0-9]{0,6}m|[0-9]{1,3}(?:\.[0-9]{1,3})?)$"));
static MEMORY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[1-9][0-9]{0,14}(?:k|M|G|T|Ki|Mi|Gi|Ti)?$"));
static HEALTH_PATH: LazyLock<Regex> = LazyLock::new(|| pattern(r"^/[A-Za-z0-9/._~?=&%:@+,-]{0,255}$"));
static ROLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$"));
/// Host and port, the repository in small letters, tag, digest.
static IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?/)?",
        r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
        r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[a-f0-9]{64})?$",
    ))
});

pub(super) fn check(input: &Input) -> Result<(), ToolError> {
    let name = "1 to 63 small letters, digits and hyphens, with a letter first and no hyphen last";
    fits("app_name", &input.app_name, &NAME, name)?;
    let namespace = "1 to 63 small letters, digits and hyphens, with no hyphen first or last";
    fits("namespace", &input.namespace, &NAMESPACE, namespace)?;
    let image = "an image such as registry.example.com/shop/web:1.4.2, its repository in small letters";
    fits("image_uri", shortest(&input.image_uri)?, &IMAGE, image)?;
    fits("cpu", &input.cpu, &CPU, "cores such as 250m, 0.5 or 2")?;
    if input.cpu.chars().all(|c| matches!(c, '0' | '.')) {
        return Err(wrong("cpu", &input.cpu, "more than nothing"));
    }
    fits("memory", &input.memory, &MEMORY, "bytes such as 256Mi or 1Gi")?;
    if let Some(path) = &input.health_path {
        fits("health_path", path, &HEALTH_PATH, "a path such as /healthz")?;
    }
    if let Some(role) = &input.iam_role_arn {
        fits("iam_role_arn", role, &ROLE, "the ARN of an IAM role")?;
    }
    match input.max_replicas {
        Some(max) if max < input.replicas => {
            let least = format!("at least replicas, which is {}", input.replicas);
            Err(wrong("max_replicas", &max.to_string(), &least))
        }
        Some(_) | None => Ok(()),
    }
}

/// True where an image names a version that does not change by itself.
pub(super) fn is_fixed(image: &str) -> bool {
    IMAGE.captures(image).is_some_and(|parts| {
        let tag = parts.name("tag").map(|tag| tag.as_str());
        parts.name("digest").is_some() || tag.is_some_and(|tag| tag != ":latest")
    })
}

fn shortest(image: &str) -> Result<&str, ToolError> {
    match image.len() <= 512 {
        true => Ok(image),
        false => Err(wrong("image_uri", image, "at most 512 letters long")),
    }
}

fn fits(name: &str, value: &str, pattern: &Regex, expected: &str) -> Result<(), ToolError> {
    if pattern.is_match(value) { Ok(()) } else { Err(wrong(name, value, expected)) }
}

fn wrong(name: &str, value: &str, expected: &str) -> ToolError {
    ToolError::InvalidInput(format!("{name} must be {expected}, not {:?}", shorten(value, 60)))
}
