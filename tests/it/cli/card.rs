//! `drydock card sign` and `verify`, and the card that `drydock serve` signs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::keys::key_pair;
use crate::support::process::{Server, bundle, drydock, run, text};

/// A folder with two key pairs: `a.pem`, `a.pub.pem`, `b.pem`, `b.pub.pem`.
fn keys() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let (private, public) = key_pair();
        write_private(&folder.path().join(format!("{name}.pem")), &private);
        fs::write(folder.path().join(format!("{name}.pub.pem")), public).unwrap();
    }
    folder
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn in_folder(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn sign(folder: &TempDir, arguments: &[&str]) -> Value {
    let output = run(&[&["card", "sign", "--key", &in_folder(folder, "a.pem")], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn saved(folder: &TempDir, card: &Value) -> String {
    let path = folder.path().join("card.json");
    fs::write(&path, card.to_string()).unwrap();
    path.display().to_string()
}

fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = run(&[&["card", "verify"], arguments].concat());
    (status.code(), text(&stdout) + &text(&stderr))
}

#[test]
fn what_card_show_prints_is_what_serve_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--public-url", "https://a.example", "--bundle"]);
    command.arg(bundle("broken")).arg("--data").arg(folder.path());
    let server = Server::start(command);
    let card = format!("http://127.0.0.1:{}/.well-known/agent-card.json", server.port());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let published: Value = runtime.block_on(async {
        let request = reqwest::Client::new().get(card).header("A2A-Version", "1.0");
        request.send().await.unwrap().json().await.unwrap()
    });
    let shown = run(&["card", "show", "--url", "https://a.example"]);
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap(), published);
}

#[test]
fn a_card_that_was_signed_is_good_for_its_key_and_no_other() {
    let folder = keys();
    let card = saved(&folder, &sign(&folder, &["--url", "https://a.example", "--key-id", "my-key"]));
    let (code, told) = verify(&[&card, "--key", &in_folder(&folder, "a.pub.pem")]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("ES256 key my-key  good"), "{told}");
    let (code, told) = verify(&[&card, "--key", &in_folder(&folder, "b.pub.pem")]);
    assert_eq!(code, Some(1));
    assert!(told.contains("wrong"), "{told}");
}

#[test]
fn a_card_that_was_changed_is_not_good() {
    let folder = keys();
    let mut card = sign(&folder, &[]);
    card["supportedInterfaces"][0]["url"] = json!("https://evil.example/");
    let (code, told) = verify(&[&saved(&folder, &card), "--key", &in_folder(&folder, "a.pub.pem")]);
    assert_eq!(code, Some(1), "{told}");
}

#[test]
fn a_card_without_a_signature_is_not_good() {
    let folder = keys();
    let card = saved(&folder, &json!({ "name": "x" }));
    let (code, told) = verify(&[&card, "--key", &in_folder(&folder, "a.pub.pem")]);
    assert_eq!((code, told.as_str()), (Some(1), "The card is not signed.\n"));
}

#[test]
fn a_complete_card_keeps_what_it_has() {
    let folder = keys();
    let first = sign(&folder, &["--url", "https://a.example"]);
    let path = saved(&folder, &first);
    let output = run(&["card", "sign", "--key", &in_folder(&folder, "b.pem"), "--card", &path]);
    let both: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(both["supportedInterfaces"], first["supportedInterfaces"]);
    assert_eq!(both["signatures"][0], first["signatures"][0]);
    for key in ["a.pub.pem", "b.pub.pem"] {
        assert_eq!(verify(&[&saved(&folder, &both), "--key", &in_folder(&folder, key)]).0, Some(0));
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_and_not_shown() {
    let folder = keys();
    let private = fs::read_to_string(in_folder(&folder, "a.pem")).unwrap();
    let broken = folder.path().join("broken.pem");
    write_private(&broken, &private.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"));
    let output = run(&["card", "sign", "--key", broken.to_str().unwrap()]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("broken.pem") && error.contains("openssl genpkey"), "{error}");
    assert!(!error.contains(&private.lines().nth(1).unwrap()[..20]), "{error}");
}

#[test]
fn what_cannot_be_read_is_neither_good_nor_bad() {
    let folder = keys();
    let card = saved(&folder, &sign(&folder, &[]));
    let key = in_folder(&folder, "a.pub.pem");
    let no_key = in_folder(&folder, "a.pem");
    for arguments in [
        ["missing.json", "--key", &key],
        [&key, "--key", &key],
        [&card, "--key", "missing.pem"],
        [&card, "--key", &no_key],
        ["http://127.0.0.1:9/card.json", "--key", &key],
    ] {
        assert_eq!(verify(&arguments).0, Some(2), "{arguments:?}");
    }
}

#[test]
fn keys_that_a_card_names_are_only_fetched_over_a_safe_way() {
    let folder = keys();
    let card = saved(&folder, &sign(&folder, &["--jku", "http://keys.example/jwks.json"]));
    let (code, told) = verify(&[&card, "--trust-jku"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("https"), "{told}");
}

/// `drydock serve` with these arguments.
fn serve(data: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--bundle"]).arg(bundle("broken"));
    command.arg("--data").arg(data.path().join("data")).args(arguments).envs(environment.iter().copied());
    Server::start(command)
}

/// The card of 1.0 that is served to who asks this host.
fn served(server: &Server, host: Option<&str>) -> Value {
    let url = format!("{}.well-known/agent-card.json", server.url);
    let request = reqwest::Client::new().get(url).header("A2A-Version", "1.0");
    let request = match host {
        Some(host) => request.header("Host", host),
        None => request,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() })
}

fn urls(card: &Value) -> Vec<&str> {
    let interfaces = card["supportedInterfaces"].as_array().unwrap().iter();
    interfaces.map(|interface| interface["url"].as_str().unwrap()).collect()
}

#[test]
fn a_served_card_is_signed_and_tells_where_its_keys_are() {
    let folder = keys();
    let (first, second) = (in_folder(&folder, "a.pem"), in_folder(&folder, "b.pem"));
    set_mode(&PathBuf::from(&second), 0o644);
    let server = serve(&folder, &["--card-key", &first, "--card-key", &second], &[]);
    let jwks = format!("{}.well-known/jwks.json", server.url);
    for trust in [vec!["--jwks", &jwks], vec!["--trust-jku"], vec!["--key", &in_folder(&folder, "b.pub.pem")]]
    {
        let (code, told) = verify(&[&[server.url.as_str()], trust.as_slice()].concat());
        assert_eq!(code, Some(0), "{trust:?}: {told}");
    }
    let (_, log) = server.stop("TERM");
    assert!(log.contains("b.pem") && log.contains("chmod 600"), "everyone can read it: {log}");
    assert!(!log.contains("a.pem"), "{log}");
}

#[test]
fn an_agent_that_listens_everywhere_says_the_host_that_was_asked() {
    let folder = keys();
    let server = serve(&folder, &["--host", "0.0.0.0", "--allow-unauthenticated"], &[]);
    let card = served(&server, Some("drydock.tools.svc:9000"));
    let base = "http://drydock.tools.svc:9000";
    assert_eq!(urls(&card), [format!("{base}/"), format!("{base}/rest"), format!("{base}/")]);
}

#[test]
fn on_agentcore_runtime_the_card_says_its_url_and_nothing_that_it_does_not_pass_on() {
    let folder = keys();
    let runtime = "https://bedrock-agentcore.eu-west-1.amazonaws.com/runtimes/arn%3Aaws/invocations/";
    let environment = [("AGENTCORE_RUNTIME_URL", runtime), ("DRYDOCK_PUBLIC_URL", "https://other.example")];
    let server = serve(&folder, &["--card-key", &in_folder(&folder, "a.pem")], &environment);
    let card = served(&server, None);
    assert_eq!(urls(&card), [runtime, runtime]);
    let path = saved(&folder, &card);
    let (code, told) = verify(&[&path, "--key", &in_folder(&folder, "a.pub.pem")]);
    assert_eq!(code, Some(0), "{told}");
    let (_, told) = verify(&[&path, "--trust-jku"]);
    assert!(told.contains("not trusted"), "its keys are not below that URL, so it names none: {told}");
}

#[test]
fn every_example_of_the_card_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = drydock();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/retail-store");
    command.args(["serve", "--port", "0", "--bundle"]).arg(shop).arg("--data").arg(folder.path());
    let server = Server::start(command);
    let card = served(&server, None);
    let examples: Vec<&str> =
        card["skills"][0]["examples"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(examples.iter().any(|example| !example.is_ascii()), "some are in Korean");
    std::thread::scope(|scope| {
        for example in examples {
            let url = &server.url;
            scope.spawn(move || {
                let answer = run(&["ask", url, example]);
                assert_eq!(answer.status.code(), Some(0), "{example}");
                let answer = text(&answer.stdout);
                assert!(!answer.starts_with("There is no"), "{example}\n{answer}");
            });
        }
    });
}
