//! The built program as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A recorded cluster of the tests.
pub fn bundle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/serve").join(name)
}

/// The program, in an environment in which no setting of the machine reaches it.
pub fn drydock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// `drydock serve` on the cluster of a kubeconfig, with more arguments.
pub fn serve(kubeconfig: &Path, data: &Path, port: &str, more: &[&str]) -> Command {
    let mut command = drydock();
    command.args(["serve", "--port", port]).args(more).arg("--data").arg(data).env("KUBECONFIG", kubeconfig);
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    drydock().args(arguments).output().expect("the program runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8")
}

/// `drydock serve`, killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout is ours")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let start = line.find("http://")?;
            line[start..].split_whitespace().next().map(str::to_owned)
        });
        let Some(url) = url else {
            let mut error = String::new();
            let _ = child.stderr.take().expect("its stderr is ours").read_to_string(&mut error);
            panic!("the server did not start: {error}");
        };
        Self { child, url }
    }

    pub fn port(&self) -> String {
        let port = self.url.trim_end_matches('/').rsplit(':').next();
        port.expect("a port").to_owned()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Sends a signal and waits for the end; returns the exit code and what was written to stderr.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        send_signal(signal, self.child.id());
        let mut error = String::new();
        let _ = self.child.stderr.take().expect("its stderr is ours").read_to_string(&mut error);
        (self.child.wait().expect("it ends").code(), error)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn send_signal(signal: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}
