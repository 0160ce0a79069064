//! `read_more`: what is cut is read on by who called, and by nobody else.

use drydock::tools::{CallContext, Session, Toolbox};
use serde_json::json;

use super::shop::{shop, tools};

#[tokio::test]
async fn what_was_cut_is_read_on_to_its_end() {
    let tools = tools(shop());
    let alice = |max_bytes| CallContext::new(Session::new("alice", false), max_bytes);
    let arguments = json!({});
    let whole = tools.call("list_api_versions", arguments.clone(), &alice(1 << 20)).await.text;
    let cut = tools.call("list_api_versions", arguments, &alice(1000)).await;
    let (kept, notice) = cut.text.split_once("\n[").unwrap();
    let word =
        |name: &str| notice.split_once(name).unwrap().1.split([',', ' ', ']']).next().unwrap().to_owned();
    let (handle, mut offset) = (word("handle="), word("offset=").parse::<usize>().unwrap());
    assert_eq!(cut.structured["handle"], handle.as_str());
    assert_eq!(kept.len(), offset);
    let mut read = kept.to_owned();
    loop {
        let more = tools.call("read_more", json!({ "handle": handle, "offset": offset }), &alice(1000)).await;
        assert!(!more.is_error && more.text.len() <= 1000, "{}", more.text);
        read.push_str(more.structured["content"].as_str().unwrap());
        match more.structured["nextOffset"].as_u64() {
            Some(next) => offset = usize::try_from(next).unwrap(),
            None => break,
        }
    }
    assert_eq!(read, whole);
    let bob = CallContext::new(Session::new("bob", false), 1000);
    let refused = tools.call("read_more", json!({ "handle": handle }), &bob).await;
    assert!(
        refused.is_error && refused.text.starts_with("nothing is kept under this handle"),
        "{}",
        refused.text
    );
}
