//! The servers behind a gateway: the flags, and what they mean. Secrets are named there, and never said.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use http::HeaderName;
use secrecy::SecretString;

use crate::auth::{ClientCredentials, TokenSource};
use crate::aws::{Aws, check_region};
use crate::mcp::{Credentials, Program};

const HEADING: &str = "The servers behind it";
/// Variables that a program gets: what it needs to run at all, and nothing that is ours.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "SystemRoot"];

/// The servers behind a gateway.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// A server: NAME=URL; NAME=run:PROGRAM ARGUMENT…, which is started; NAME=drydock:, drydock's own tools. Repeatable
    #[arg(long = "target", value_name = "NAME=WHERE", required = true, help_heading = HEADING)]
    pub targets: Vec<Named>,
    /// How it is told who calls, see below; repeatable [default: not at all]
    #[arg(long = "target-auth", value_name = "NAME=HOW", help_heading = HEADING)]
    pub credentials: Vec<Named>,
    /// Where tokens for a target with client credentials come from; repeatable
    #[arg(long = "target-token-url", value_name = "NAME=URL", help_heading = HEADING)]
    pub token_urls: Vec<Named>,
    /// Scope to ask for there; repeatable
    #[arg(long = "target-scope", value_name = "NAME=SCOPE", help_heading = HEADING)]
    pub scopes: Vec<Named>,
    /// How long a call may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "DRYDOCK_TARGET_TIMEOUT", help_heading = HEADING)]
    pub target_timeout: u64,
}

/// The server whose tools an agent uses instead of drydock's own.
#[derive(Debug, Clone, Default, Args)]
pub struct ToolServerArgs {
    /// MCP server or gateway whose tools the agent uses instead of its own
    #[arg(long, value_name = "URL", env = "DRYDOCK_TOOLS", conflicts_with_all = ["bundle", "context", "eks"])]
    pub tools: Option<String>,
    /// How that server is told who calls: bearer:SECRET, header:NAME:SECRET, query:NAME:SECRET, client:ID:SECRET or
    /// sigv4:SERVICE:REGION; SECRET is env=VARIABLE or file=PATH
    #[arg(long, value_name = "HOW", env = "DRYDOCK_TOOLS_AUTH", requires = "tools")]
    pub tools_auth: Option<String>,
    /// Where tokens for it come from, with client credentials
    #[arg(long, value_name = "URL", env = "DRYDOCK_TOOLS_TOKEN_URL", requires = "tools_auth")]
    pub tools_token_url: Option<String>,
    /// Scope to ask for there; repeatable
    #[arg(
        long = "tools-scope",
        value_name = "SCOPE",
        env = "DRYDOCK_TOOLS_SCOPES",
        value_delimiter = ',',
        requires = "tools_auth"
    )]
    pub tools_scopes: Vec<String>,
}

impl ToolServerArgs {
    /// The server and how it is told who calls, where one is named.
    ///
    /// # Errors
    /// The flags contradict each other, or name a secret that cannot be read.
    pub fn server(&self) -> anyhow::Result<Option<(String, Credentials)>> {
        let Some(url) = &self.tools else { return Ok(None) };
        let said = |value: &String| Named { name: "tools".to_owned(), value: value.clone() };
        let all = TargetArgs {
            token_urls: self.tools_token_url.iter().map(said).collect(),
            scopes: self.tools_scopes.iter().map(said).collect(),
            ..TargetArgs::default()
        };
        let credentials = match &self.tools_auth {
            None => Credentials::None,
            Some(how) => all.credentials("tools", how).context("--tools-auth")?,
        };
        ensure!(
            !matches!(credentials, Credentials::PassThrough),
            "--tools-auth pass-through is for a gateway: tasks go on when their callers are gone"
        );
        Ok(Some((url.clone(), credentials)))
    }
}

/// Something that is said about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The target's name.
    pub name: String,
    /// What is said.
    pub value: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("it begins with the name of a target and =, such as eks=…".to_owned()),
        }
    }
}

/// A server behind a gateway.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// How it is told who calls.
    pub credentials: Credentials,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process: drydock's own tools.
    Own,
    /// At this URL.
    Url(String),
    /// A program that is started.
    Program(Program),
}

impl TargetArgs {
    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.target_timeout.max(1))
    }

    /// What the flags mean.
    ///
    /// # Errors
    /// They contradict each other, name a target that is not there, or a secret that cannot be read.
    pub fn targets(&self) -> anyhow::Result<Vec<TargetSettings>> {
        let about = [&self.credentials, &self.token_urls, &self.scopes];
        if let Some(stray) =
            about.into_iter().flatten().find(|said| of(&self.targets, &said.name).next().is_none())
        {
            bail!(
                "something is said about the target {:?}, and there is none of that name: add --target {0}=…",
                stray.name
            );
        }
        self.targets.iter().map(|target| self.target(target)).collect()
    }

    fn target(&self, Named { name, value }: &Named) -> anyhow::Result<TargetSettings> {
        let place = place(value).with_context(|| format!("where is the target {name}?"))?;
        let mut said = of(&self.credentials, name);
        let credentials = match (said.next(), said.next()) {
            (None, _) => Credentials::None,
            (Some(how), None) => {
                self.credentials(name, how).with_context(|| format!("--target-auth {name}=…"))?
            }
            (Some(_), Some(_)) => bail!("--target-auth {name}=… is there twice: one way is enough"),
        };
        let is_url = matches!(place, Place::Url(_));
        ensure!(
            is_url || matches!(credentials, Credentials::None),
            "the target {name} is no URL, so there is nobody to show credentials to: drop --target-auth {name}=…"
        );
        let of_tokens = of(&self.token_urls, name).chain(of(&self.scopes, name)).next();
        ensure!(
            of_tokens.is_none() || of(&self.credentials, name).any(|how| how.starts_with(CLIENT)),
            "--target-token-url and --target-scope are for --target-auth {name}=client:ID:SECRET"
        );
        Ok(TargetSettings { name: name.clone(), place, credentials })
    }

    fn credentials(&self, name: &str, how: &str) -> anyhow::Result<Credentials> {
        let (kind, rest) = how.split_once(':').unwrap_or((how, ""));
        let two =
            || rest.split_once(':').with_context(|| format!("{kind} takes two things: {}", usage(kind)));
        Ok(match kind {
            "none" => Credentials::None,
            "pass-through" => Credentials::PassThrough,
            "bearer" => Credentials::Token(TokenSource::fixed(secret(rest)?)),
            "header" => {
                let (header, from) = two()?;
                let header = HeaderName::from_str(header).context("that is no name of a header")?;
                Credentials::Header { name: header, value: secret(from)? }
            }
            "query" => {
                let (parameter, from) = two()?;
                Credentials::ApiKey { parameter: parameter.to_owned(), value: secret(from)? }
            }
            "client" => {
                let (client_id, from) = two()?;
                Credentials::Token(TokenSource::client_credentials(self.client(name, client_id, from)?)?)
            }
            "sigv4" => {
                let (service, region) = two()?;
                check_region(region)?;
                let (service, region) = (service.to_owned(), region.to_owned());
                Credentials::SigV4 { aws: Aws::from_environment(), service, region }
            }
            _ => {
                bail!("it is one of none, bearer, header, query, client, sigv4 and pass-through; see --help")
            }
        })
    }

    fn client(&self, name: &str, client_id: &str, from: &str) -> anyhow::Result<ClientCredentials> {
        let token_url = of(&self.token_urls, name).next();
        let token_url = token_url
            .with_context(|| format!("where do its tokens come from? Add --target-token-url {name}=URL"))?;
        Ok(ClientCredentials {
            token_url: token_url.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: secret(from)?,
            scopes: of(&self.scopes, name).map(str::to_owned).collect(),
            audience: None,
            resource: None,
        })
    }
}

const CLIENT: &str = "client:";

fn usage(kind: &str) -> &'static str {
    match kind {
        "header" => "header:NAME:SECRET",
        "query" => "query:NAME:SECRET",
        "client" => "client:ID:SECRET",
        _ => "sigv4:SERVICE:REGION",
    }
}

/// What is said about one target.
fn of<'a>(all: &'a [Named], name: &'a str) -> impl Iterator<Item = &'a str> {
    all.iter().filter(move |said| said.name == name).map(|said| said.value.as_str())
}

#[expect(clippy::disallowed_methods, reason = "this module is part of the reader of the environment")]
fn place(value: &str) -> anyhow::Result<Place> {
    if value == "drydock:" {
        return Ok(Place::Own);
    }
    let Some(command) = value.strip_prefix("run:") else { return Ok(Place::Url(value.to_owned())) };
    let mut words = command.split_whitespace().map(str::to_owned);
    let program = words.next().context("run: is followed by a program and its arguments")?;
    let environment =
        PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    Ok(Place::Program(Program { program, arguments: words.collect(), environment: environment.collect() }))
}

/// A secret by where it is. What is neither a variable nor a file may be the secret itself, and is not repeated.
#[expect(clippy::disallowed_methods, reason = "this module is part of the reader of the environment")]
fn secret(from: &str) -> anyhow::Result<SecretString> {
    let secret = match from.split_once('=') {
        Some(("env", name)) => {
            // Its own error may repeat the value.
            std::env::var(name)
                .ok()
                .with_context(|| format!("the variable {name} with the secret is not set"))?
        }
        Some(("file", path)) => {
            let path = PathBuf::from(path);
            std::fs::read_to_string(&path)
                .with_context(|| format!("the secret in {} cannot be read", path.display()))?
        }
        _ => bail!(
            "a secret is not said on the command line, where others can read it: name a variable with env=NAME, or a file \
             with file=PATH"
        ),
    };
    let secret = secret.trim();
    ensure!(!secret.is_empty(), "the secret is empty");
    Ok(secret.to_owned().into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        targets: TargetArgs,
    }

    fn targets(arguments: &[&str]) -> anyhow::Result<Vec<TargetSettings>> {
        Cli::try_parse_from(["x"].iter().chain(arguments))?.targets.targets()
    }

    #[test]
    fn a_target_is_a_url_a_program_or_our_own_tools() {
        let targets = targets(&[
            "--target",
            "eks=https://gateway.example.com/mcp?a=b",
            "--target",
            "files=run:npx -y files /data",
            "--target",
            "own=drydock:",
        ])
        .unwrap();
        assert_eq!(targets[0].place, Place::Url("https://gateway.example.com/mcp?a=b".to_owned()));
        let Place::Program(program) = &targets[1].place else { panic!("a program") };
        assert_eq!(
            (program.program.as_str(), program.arguments.join(" ")),
            ("npx", "-y files /data".to_owned())
        );
        assert!(program.environment.iter().all(|(name, _)| PASSED_ON.contains(&name.as_str())));
        assert_eq!(targets[2].place, Place::Own);
    }

    #[rstest]
    #[case::bearer("bearer:file=SECRET", "Token")]
    #[case::header("header:X-Api-Key:file=SECRET", r#"Header { name: "x-api-key", .. }"#)]
    #[case::query("query:key:file=SECRET", r#"ApiKey { parameter: "key", .. }"#)]
    #[case::client("client:machine:file=SECRET", "Token")]
    #[case::sigv4(
        "sigv4:bedrock-agentcore:eu-west-1",
        r#"SigV4 { service: "bedrock-agentcore", region: "eu-west-1", .. }"#
    )]
    #[case::pass_through("pass-through", "PassThrough")]
    fn credentials_are_named(#[case] how: &str, #[case] meant: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cr3t\n").unwrap();
        let how = format!("a={}", how.replace("SECRET", &file.path().to_string_lossy()));
        let mut arguments = vec!["--target", "a=https://a.example.com/mcp", "--target-auth", &how];
        if how.contains("client:") {
            arguments.extend([
                "--target-token-url",
                "a=https://idp.example.com/token",
                "--target-scope",
                "a=x/y",
            ]);
        }
        assert_eq!(format!("{:?}", targets(&arguments).unwrap()[0].credentials), meant);
    }

    #[rstest]
    #[case::the_secret_itself(&["--target-auth", "a=bearer:hunter2"], "env=NAME")]
    #[case::no_such_file(&["--target-auth", "a=bearer:file=/no/such"], "cannot be read")]
    #[case::no_such_variable(&["--target-auth", "a=bearer:env=DRYDOCK_NO_SUCH_VARIABLE"], "is not set")]
    #[case::no_such_target(&["--target-auth", "b=none"], "add --target b=")]
    #[case::twice(&["--target-auth", "a=none", "--target-auth", "a=none"], "is there twice")]
    #[case::no_such_way(&["--target-auth", "a=magic"], "one of none, bearer")]
    #[case::half_a_header(&["--target-auth", "a=header:X-Api-Key"], "header:NAME:SECRET")]
    #[case::no_region(&["--target-auth", "a=sigv4:x:mars"], "not an AWS region")]
    #[case::no_token_url(&["--target-auth", "a=client:id:file=/dev/null"], "--target-token-url a=URL")]
    #[case::scope_of_nothing(&["--target-scope", "a=x"], "are for --target-auth a=client")]
    fn what_cannot_be_meant_is_refused_and_no_secret_repeated(#[case] more: &[&str], #[case] says: &str) {
        let arguments = [&["--target", "a=https://a.example.com/mcp"], more].concat();
        let refused = format!("{:#}", targets(&arguments).unwrap_err());
        assert!(refused.contains(says) && !refused.contains("hunter2"), "{refused}");
    }
}
