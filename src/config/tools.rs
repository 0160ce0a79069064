//! What the tools may do: the flags, and the gate that they mean.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use super::said;
use crate::tools::{Approval, Denied, Gate, Policy};

const HEADING: &str = "What the tools may do";

/// What the tools of a server may do.
#[derive(Debug, Clone, Default, Args)]
pub struct ToolArgs {
    /// Offer the tools that change something, too
    #[arg(long, env = "DRYDOCK_ALLOW_WRITE", help_heading = HEADING)]
    pub allow_write: bool,
    /// Let logs and events be read, which may hold what users wrote; secrets are masked all the same
    #[arg(long, env = "DRYDOCK_ALLOW_SENSITIVE_DATA", help_heading = HEADING)]
    pub allow_sensitive_data: bool,
    /// Who approves a change before it is made [default: ask]
    #[arg(long, value_enum, value_name = "WHO", env = "DRYDOCK_APPROVAL", help_heading = HEADING)]
    pub approval: Option<ApprovalMode>,
    /// Kind of objects that is never changed, such as Secret; repeatable
    #[arg(long = "deny-kind", value_name = "KIND", env = "DRYDOCK_DENY_KINDS", value_delimiter = ',', help_heading = HEADING)]
    pub denied_kinds: Vec<String>,
    /// Namespace in which nothing is ever changed, such as kube-system; repeatable
    #[arg(long = "deny-namespace", value_name = "NAME", env = "DRYDOCK_DENY_NAMESPACES", value_delimiter = ',', help_heading = HEADING)]
    pub denied_namespaces: Vec<String>,
    /// File to which each change is appended, one JSON object per line [default: the log]
    #[arg(long, value_name = "FILE", env = "DRYDOCK_AUDIT", help_heading = HEADING)]
    pub audit: Option<PathBuf>,
    /// Folder of this machine from which callers may have manifests and templates read by their path [default: no file is
    /// read]
    #[arg(long, value_name = "DIR", env = "DRYDOCK_YAML_FOLDER", help_heading = HEADING)]
    pub yaml_folder: Option<PathBuf>,
    /// Room for what was cut of long answers, until it is read on, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, env = "DRYDOCK_KEEP_CUT", help_heading = HEADING)]
    pub keep_cut: usize,
}

/// Who approves a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApprovalMode {
    /// The user of the client: asked by it where it can ask, else by a plan that has to be confirmed
    Ask,
    /// Nobody: what is asked for is done
    None,
}

impl ToolArgs {
    /// Refuses changes by callers on the network whom nobody asks who they are.
    ///
    /// # Errors
    /// That is what the flags would allow.
    pub fn check_callers(&self, host: IpAddr, asked: bool) -> anyhow::Result<()> {
        ensure!(
            asked || !self.allow_write || host.to_canonical().is_loopback(),
            "changes by callers whom nobody asked who they are: let them authenticate (--issuer URL), or drop --allow-write"
        );
        Ok(())
    }

    /// The gate that these flags mean.
    ///
    /// # Errors
    /// Flags for changes are given where changes are not allowed; the audit file cannot be written.
    pub fn gate(&self) -> anyhow::Result<Gate> {
        let kinds = said(&self.denied_kinds).into_iter().map(Denied::Kind);
        let namespaces = said(&self.denied_namespaces).into_iter().map(Denied::Namespace);
        let denied: Vec<Denied> = kinds.chain(namespaces).collect();
        let useless = [
            (self.approval.is_some(), "--approval"),
            (!denied.is_empty(), "--deny-kind or --deny-namespace"),
            (self.audit.is_some(), "--audit"),
            (self.yaml_folder.is_some(), "--yaml-folder"),
        ];
        for (given, flag) in useless {
            ensure!(
                self.allow_write || !given,
                "{flag} says something about changes, and none are allowed: add --allow-write, or drop it"
            );
        }
        let approval = match self.approval {
            None | Some(ApprovalMode::Ask) => Approval::Ask,
            Some(ApprovalMode::None) => Approval::None,
        };
        let (allow_write, allow_sensitive_data) = (self.allow_write, self.allow_sensitive_data);
        let yaml_folder = self.yaml_folder.clone();
        let policy = Policy { allow_write, allow_sensitive_data, approval, denied, yaml_folder };
        match &self.audit {
            None => Ok(Gate::new(policy)),
            Some(path) => Gate::with_audit_file(policy, path)
                .with_context(|| format!("the audit file {} cannot be written", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        tools: ToolArgs,
    }

    fn gate(arguments: &[&str]) -> anyhow::Result<Gate> {
        Cli::try_parse_from(["x"].iter().chain(arguments)).expect("these arguments are right").tools.gate()
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_said() {
        assert_eq!(*gate(&[]).unwrap().policy(), Policy::default());
        assert_eq!(Policy::default().approval, Approval::Ask);
    }

    #[test]
    fn what_is_said_is_held() {
        let policy =
            gate(&["--allow-write", "--deny-kind", "Secret", "--deny-namespace", "kube-system, ,prod"]);
        let denied = policy.unwrap().policy().denied.clone();
        let namespace = |name: &str| Denied::Namespace(name.to_owned());
        assert_eq!(denied, [Denied::Kind("Secret".to_owned()), namespace("kube-system"), namespace("prod")]);
    }

    #[rstest]
    #[case(&["--approval", "none"])]
    #[case(&["--deny-kind", "Secret"])]
    #[case(&["--audit", "x"])]
    #[case(&["--yaml-folder", "x"])]
    fn a_flag_about_changes_without_changes_is_refused(#[case] arguments: &[&str]) {
        let refused = gate(arguments).unwrap_err().to_string();
        assert!(refused.contains("--allow-write"), "{refused}");
    }
}
