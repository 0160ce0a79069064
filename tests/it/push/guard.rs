//! Where notifications do not go, whatever a peer or a name server says.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use drydock::a2a::{Lookup, PushSettings};
use drydock::tasks::PushState;
use rstest::rstest;
use serde_json::json;

use super::{agent_with, allow, begin, ended, local, scripted};
use crate::support::script::Scripted;
use crate::support::{Receiver, Reply, own_address};

/// A name server that gives these answers one after the other, the last one for ever.
fn answers(addresses: &[IpAddr]) -> (Lookup, Arc<AtomicUsize>) {
    let (answers, asked) = (Mutex::new(addresses.to_vec()), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let lookup = move |_name| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        Box::pin(async move { io::Result::Ok(vec![answer]) }) as futures::future::BoxFuture<_>
    };
    (Arc::new(lookup), asked)
}

#[rstest]
#[case::loopback("127.0.0.1")]
#[case::private("10.0.0.1")]
#[case::metadata("169.254.169.254")]
#[case::metadata_mapped("::ffff:169.254.169.254")]
#[case::metadata_translated("64:ff9b::a9fe:a9fe")]
#[case::loopback_v6("::1")]
#[case::unique_local("fd00:ec2::254")]
#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_is_not_connected_to(#[case] address: &str) {
    let receiver = Receiver::start().await;
    let (lookup, asked) = answers(&[address.parse().unwrap()]);
    let settings = PushSettings { allow: Vec::new(), lookup: Some(lookup), ..local() };
    let agent = agent_with(Arc::new(Scripted), settings).await;
    let url = format!("https://hooks.example:{}/", receiver.address.port());
    let task = begin(&agent, "hello", Some(json!({ "url": url }))).await;
    let dead = ended(&agent, &task).await.progress;
    assert_eq!((dead.state, dead.attempts, dead.cursor), (PushState::Dead, 1, 0));
    assert!(dead.last_error.as_ref().unwrap().contains("forbidden address"), "{:?}", dead.last_error);
    assert_eq!((asked.load(Ordering::SeqCst), receiver.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_led_elsewhere_before_is_looked_up_again_where_the_connection_is_made() {
    let (allowed, forbidden) = (own_address(), own_address());
    let receiver = Receiver::at((allowed, 0).into(), [Reply::Close, Reply::Close]).await;
    let trap = Receiver::at((forbidden, receiver.address.port()).into(), []).await;
    let (lookup, _) = answers(&[allowed, allowed, forbidden]);
    let rule = allowed.to_string();
    let settings = PushSettings { allow: allow(&[&rule]), lookup: Some(lookup), ..local() };
    let agent = agent_with(Arc::new(Scripted), settings).await;
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    let task = begin(&agent, "hello", Some(json!({ "url": url }))).await;
    let dead = ended(&agent, &task).await.progress;
    assert_eq!((dead.state, dead.cursor), (PushState::Dead, 2), "{:?}", dead.last_error);
    assert!(dead.last_error.unwrap().contains("forbidden address"));
    assert_eq!((receiver.connections(), trap.connections()), (2, 0));
}

#[tokio::test]
async fn a_name_that_the_operator_vouches_for_may_be_private_but_no_metadata_service() {
    let receiver = Receiver::answering([Reply::Close]).await;
    let (lookup, _) = answers(&[receiver.address.ip(), "169.254.169.254".parse().unwrap()]);
    let settings = PushSettings { allow: allow(&["*.internal"]), lookup: Some(lookup), ..local() };
    let agent = agent_with(Arc::new(Scripted), settings).await;
    let url = format!("http://hooks.internal:{}/", receiver.address.port());
    let task = begin(&agent, "hello", Some(json!({ "url": url }))).await;
    let dead = ended(&agent, &task).await.progress;
    assert_eq!((dead.state, dead.cursor, dead.attempts), (PushState::Dead, 1, 1), "{:?}", dead.last_error);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Receiver::start().await;
    let receiver = Receiver::answering(std::iter::repeat_n(Reply::Redirect(target.url()), 100)).await;
    let agent = scripted().await;
    let task = begin(&agent, "hello", Some(json!({ "url": receiver.url() }))).await;
    let dead = ended(&agent, &task).await.progress;
    assert_eq!(dead.state, PushState::Dead);
    assert!(dead.last_error.unwrap().contains("redirects are not followed"));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn what_is_no_longer_allowed_after_a_restart_is_not_sent() {
    let receiver = Receiver::answering(std::iter::repeat_n(Reply::Status(503), 100_000)).await;
    let agent = scripted().await;
    let task = begin(&agent, "hello", Some(json!({ "url": receiver.url() }))).await;
    receiver.next().await;
    let folder = agent.stop().await;
    let connections = receiver.connections();
    let strict = PushSettings { allow: Vec::new(), ..local() };
    let agent =
        crate::support::TestAgent::in_folder(folder, Arc::new(Scripted), super::pushing(strict)).await;
    assert_eq!(ended(&agent, &task).await.progress.state, PushState::Dead);
    assert_eq!(receiver.connections(), connections);
}
