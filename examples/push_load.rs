//! Many tasks with push notifications against one server, to receivers of every kind, and proof that none was lost and
//! that nothing reached an address that is forbidden.
//!
//! `cargo run --example push_load -- http://127.0.0.1:9000 --tasks 200 --down 20`, with the server started as
//! `drydock serve --push-allow 127.77.0.1`. `dev/load/push.sh` does both.
//!
//! Receivers: one that answers at once, one that is down for a while, one that is slow, one that redirects, and one whose
//! name (`--private-name`) leads to this machine. The last two must get nothing where they lead to. Exit code 1 where a
//! notification was lost or came out of order, or where a trap was connected to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use clap::Parser;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Where receivers listen: an address that the server is told to allow, and that is not otherwise in use.
const ALLOWED: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

#[derive(Parser)]
struct Args {
    /// Where the server is
    url: String,
    /// Tasks, all at once; shared out over the receivers
    #[arg(long, default_value_t = 200)]
    tasks: usize,
    /// How long the receiver that is down stays so, in seconds
    #[arg(long, default_value_t = 20)]
    down: u64,
    /// How long the slow receiver takes for each notification, in milliseconds
    #[arg(long, default_value_t = 100)]
    slow: u64,
    /// A name that leads to this machine, and is not localhost
    #[arg(long)]
    private_name: String,
    /// What each message says
    #[arg(long, default_value = "Is anything wrong in my cluster?")]
    text: String,
    /// Give up after so many seconds
    #[arg(long, default_value_t = 300)]
    patience: u64,
}

/// What receivers got: of each task the numbers of its notifications, in order, and whether it has ended.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<String, Page>>>);

#[derive(Default)]
struct Page {
    numbers: Vec<u64>,
    repeats: usize,
    ended: bool,
}

impl Book {
    fn take(&self, headers: &HeaderMap, body: &[u8]) {
        let id = headers.get("drydock-notification-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let (task, number) = id.rsplit_once('/').unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let state = body["statusUpdate"]["status"]["state"].as_str().unwrap_or_default();
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.entry(task.to_owned()).or_default();
        match number.parse().unwrap_or_default() {
            number if page.numbers.last() == Some(&number) => page.repeats += 1,
            number => page.numbers.push(number),
        }
        page.ended |= ["COMPLETED", "FAILED", "CANCELED", "REJECTED"].iter().any(|end| state.ends_with(end));
    }

    fn with<T>(&self, task: &str, look: impl FnOnce(&Page) -> T) -> T {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(pages.entry(task.to_owned()).or_default())
    }
}

/// How a receiver answers.
#[derive(Clone, Copy)]
enum Manner {
    AtOnce,
    After(Duration),
    Elsewhere(SocketAddr),
}

/// Serves a receiver; returns how often someone has connected.
fn receive(listener: TcpListener, book: Book, manner: Manner) -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let listener = listener.tap_io(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let answer = move |headers: HeaderMap, body: Bytes| async move {
        match manner {
            Manner::AtOnce => {}
            Manner::After(pause) => tokio::time::sleep(pause).await,
            Manner::Elsewhere(to) => return redirect(to),
        }
        book.take(&headers, &body);
        StatusCode::OK.into_response()
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    connections
}

fn redirect(to: SocketAddr) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("http://{to}/"))]).into_response()
}

async fn listen(address: impl Into<SocketAddr>) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address.into()).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let (book, started) = (Book::default(), Instant::now());
    // Only the allowed address is allowed; the traps lie on all others.
    let (trap, trap_address) = listen((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let private = format!("https://{}:{}/", args.private_name, trap_address.port());
    let trapped = receive(trap, book.clone(), Manner::AtOnce);
    let (quick, quick_address) = listen((ALLOWED, 0)).await?;
    receive(quick, book.clone(), Manner::AtOnce);
    let (slow, slow_address) = listen((ALLOWED, 0)).await?;
    receive(slow, book.clone(), Manner::After(Duration::from_millis(args.slow)));
    let (moved, moved_address) = listen((ALLOWED, 0)).await?;
    receive(moved, book.clone(), Manner::Elsewhere((Ipv4Addr::LOCALHOST, trap_address.port()).into()));
    let (absent, absent_address) = listen((ALLOWED, 0)).await?;
    drop(absent);
    let http = |address: SocketAddr| format!("http://{address}/hook");
    let kinds = [
        ("at once", http(quick_address), true),
        ("down for a while", http(absent_address), true),
        ("slow", http(slow_address), true),
        ("redirecting", http(moved_address), false),
        ("private by its name", private, false),
    ];
    let client = reqwest::Client::new();
    let sent = join_all((0..args.tasks).map(|index| {
        let (name, url, delivers) = &kinds[index % kinds.len()];
        let (client, args) = (&client, &args);
        async move { Ok((send(client, args, url).await?, *name, *delivers)) }
    }));
    let tasks = sent.await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let refused = refused_at_once(&client, &args).await?;
    println!("{} tasks accepted in {:.2} s", tasks.len(), started.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(args.down).saturating_sub(started.elapsed())).await;
    let (back, _) = listen(absent_address).await?;
    receive(back, book.clone(), Manner::AtOnce);
    let wanted: Vec<&str> =
        tasks.iter().filter(|(_, _, delivers)| *delivers).map(|(id, ..)| id.as_str()).collect();
    let patience = Duration::from_secs(args.patience);
    while started.elapsed() < patience && !wanted.iter().all(|task| book.with(task, |page| page.ended)) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("done after {:.2} s", started.elapsed().as_secs_f64());
    let lost = report(&book, &tasks, &kinds.map(|(name, ..)| name));
    let trapped = trapped.load(Ordering::Relaxed);
    println!("private by its address: {refused} of {} refused at registration", PRIVATE.len());
    println!("lost or out of order: {lost}; connections to forbidden addresses: {trapped}");
    let is_right = lost == 0 && trapped == 0 && refused == PRIVATE.len();
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line for each kind of receiver; returns how many tasks were not delivered as they should be.
fn report(book: &Book, tasks: &[(String, &str, bool)], kinds: &[&str]) -> usize {
    let mut lost = 0;
    for kind in kinds {
        let of_kind = tasks.iter().filter(|(_, name, _)| name == kind);
        let (mut count, mut notifications, mut repeats, mut whole) = (0, 0, 0, 0);
        for (task, _, delivers) in of_kind {
            count += 1;
            book.with(task, |page| {
                notifications += page.numbers.len();
                repeats += page.repeats;
                let in_order = page.numbers.iter().copied().eq(1..=page.numbers.len() as u64);
                whole += usize::from(page.ended && in_order);
                lost += usize::from(*delivers && !(page.ended && in_order));
            });
        }
        println!(
            "{kind:20} {count:5} tasks, {whole:5} delivered whole and in order, {notifications:7} notifications, {repeats} repeats"
        );
    }
    lost
}

async fn send(client: &reqwest::Client, args: &Args, receiver: &str) -> anyhow::Result<String> {
    let answer = call(client, args, receiver).await?;
    let task = answer["result"]["task"]["id"].as_str();
    task.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("the server answered {answer}"))
}

/// Receivers that are refused before anything is sent.
const PRIVATE: [&str; 6] = [
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://10.0.0.1/",
    "https://2130706433/",
    "https://localhost/",
];

async fn refused_at_once(client: &reqwest::Client, args: &Args) -> anyhow::Result<usize> {
    let mut refused = BTreeSet::new();
    for url in PRIVATE {
        let answer = call(client, args, url).await?;
        refused.extend((answer["error"]["code"] == -32602).then_some(url));
    }
    Ok(refused.len())
}

async fn call(client: &reqwest::Client, args: &Args, receiver: &str) -> anyhow::Result<Value> {
    let message = json!({ "messageId": uuid::Uuid::new_v4().to_string(), "role": "ROLE_USER", "parts": [{ "text": args.text }] });
    let configuration =
        json!({ "returnImmediately": true, "taskPushNotificationConfig": { "url": receiver, "token": "t" } });
    let params = json!({ "message": message, "configuration": configuration });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params });
    Ok(client.post(&args.url).header("A2A-Version", "1.0").json(&body).send().await?.json().await?)
}
