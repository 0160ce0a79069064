//! `read_more`: the rest of an outcome that was cut, and where it is kept until then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bounds::size;
use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

/// What a call's answer says besides what was read.
const NOTICE: usize = 300;
/// One caller takes at most this part of the room, so that it does not crowd out the others.
const SHARE: usize = 4;

/// Outcomes that were cut, as they were before. The oldest make room for new ones.
#[derive(Debug)]
pub(super) struct Kept {
    max_bytes: usize,
    all: Mutex<VecDeque<Arc<Whole>>>,
}

/// What was cut of an outcome, whole.
#[derive(Debug)]
struct Whole {
    /// Cannot be guessed.
    handle: String,
    caller: Arc<str>,
    text: Option<String>,
    json: Option<String>,
}

impl Whole {
    fn bytes(&self) -> usize {
        [&self.text, &self.json].into_iter().flatten().map(String::len).sum()
    }
}

impl Kept {
    /// Keeps at most so many bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, all: Mutex::default() }
    }

    /// Keeps an outcome that is too long for its caller; the handle under which it is kept, if it is.
    pub(super) fn keep(&self, outcome: &ToolOutcome, call: &CallContext) -> Option<String> {
        let text = (outcome.text.len() > call.max_bytes).then(|| outcome.text.clone());
        let json = (size(&outcome.structured) > call.max_bytes).then(|| outcome.structured.to_string());
        let handle = Uuid::new_v4().simple().to_string();
        let caller = Arc::clone(&call.session.caller);
        let whole = Arc::new(Whole { handle: handle.clone(), caller, text, json });
        self.add(whole).then_some(handle)
    }

    /// False where there is nothing to keep, or no room for it.
    fn add(&self, whole: Arc<Whole>) -> bool {
        let bytes = whole.bytes();
        let share = self.max_bytes / SHARE;
        if bytes == 0 || bytes > share {
            return false;
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        drop_oldest(&mut all, share - bytes, |kept| kept.caller == whole.caller);
        drop_oldest(&mut all, self.max_bytes - bytes, |_| true);
        all.push_back(whole);
        true
    }

    fn find(&self, handle: &str, caller: &str) -> Option<Arc<Whole>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|kept| kept.handle == handle && *kept.caller == *caller).map(Arc::clone)
    }
}

/// Forgets the oldest of these, until they take at most so many bytes.
fn drop_oldest(all: &mut VecDeque<Arc<Whole>>, max_bytes: usize, of: impl Fn(&Whole) -> bool) {
    let mut bytes: usize = all.iter().filter(|kept| of(kept)).map(|kept| kept.bytes()).sum();
    all.retain(|kept| {
        let stays = bytes <= max_bytes || !of(kept);
        if !stays {
            bytes -= kept.bytes();
        }
        stays
    });
}

pub(super) struct ReadMore {
    pub(super) kept: Arc<Kept>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Part {
    #[default]
    Text,
    Json,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Handle that an outcome names which was cut
    handle: String,
    /// Byte from which to read on, as the cut outcome says it
    #[serde(default)]
    offset: usize,
    /// What to read: the text, or the structured result as JSON text
    #[serde(default)]
    part: Part,
}

impl Tool for ReadMore {
    const NAME: &'static str = "read_more";
    const TITLE: &'static str = "Read on in a long outcome";
    const DESCRIPTION: &'static str = "Reads on in the outcome of a call that was cut for its length. What was cut names a handle and an offset. Handles \
         are the caller's own, and are forgotten after a while in favour of newer ones.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        let whole = self.kept.find(&input.handle, &cx.session.caller).ok_or_else(|| {
            ToolError::NotFound(
                "nothing is kept under this handle: it is of another caller, or had to make room for newer ones; repeat \
                 the call that it came from"
                    .to_owned(),
            )
        })?;
        let part = match input.part {
            Part::Text => &whole.text,
            Part::Json => &whole.json,
        };
        let part = part.as_ref().ok_or_else(|| {
            ToolError::InvalidInput(
                "this part of the outcome was not cut: you have all of it; read the other part".to_owned(),
            )
        })?;
        read(&input, part, cx.max_bytes)
    }
}

fn read(input: &Input, whole: &str, max_bytes: usize) -> Result<ToolOutcome, ToolError> {
    if input.offset >= whole.len() || !whole.is_char_boundary(input.offset) {
        let message = format!(
            "offset must be one that an outcome named, less than {}, not {}",
            whole.len(),
            input.offset
        );
        return Err(ToolError::InvalidInput(message));
    }
    let piece = piece(&whole[input.offset..], max_bytes.saturating_sub(NOTICE));
    let next = Some(input.offset + piece.len()).filter(|next| *next < whole.len());
    let notice = match next {
        Some(next) => format!(
            "[{} more bytes: read on with read_more, handle={} and offset={next}]",
            whole.len() - next,
            input.handle
        ),
        None => "[this is the end]".to_owned(),
    };
    let structured = json!({
        "handle": input.handle, "part": input.part, "offset": input.offset, "nextOffset": next,
        "totalBytes": whole.len(), "content": piece,
    });
    let text = format!("{}\n{notice}\n", piece.trim_end_matches('\n'));
    Ok(ToolOutcome { truncated: next.is_some(), ..ToolOutcome::new(structured, text) })
}

/// The beginning that fits, also where JSON needs more room for it; it ends at a line where it can.
fn piece(text: &str, room: usize) -> &str {
    // A character is read in any case, so that there is an end to it.
    let one = text.chars().next().map_or(0, char::len_utf8);
    let mut end = text.floor_char_boundary(room).max(one);
    while end > one && size(&&text[..end]) > room {
        end = text.floor_char_boundary(end * 3 / 4).max(one);
    }
    match text[..end].rfind('\n').filter(|_| end < text.len()) {
        Some(line) => &text[..=line],
        None => &text[..end],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::Session;
    use super::*;

    fn call(caller: &str) -> CallContext {
        CallContext::new(Session::new(caller, false), 1000)
    }

    fn outcome(bytes: usize) -> ToolOutcome {
        ToolOutcome::new(Value::Null, "x".repeat(bytes))
    }

    #[test]
    fn the_oldest_are_forgotten_and_nobody_crowds_out_the_others() {
        let kept = Kept::new(40_000);
        let (alice, bob) = (call("alice"), call("bob"));
        let of_bob = kept.keep(&outcome(5000), &bob).unwrap();
        let of_alice: Vec<String> = (0..9).map(|_| kept.keep(&outcome(4000), &alice).unwrap()).collect();
        let there = |handle: &str, caller| kept.find(handle, caller).is_some();
        let of_alice: Vec<bool> = of_alice.iter().map(|handle| there(handle, "alice")).collect();
        assert_eq!(of_alice, [false, false, false, false, false, false, false, true, true]);
        assert!(there(&of_bob, "bob") && !there(&of_bob, "alice"));
        for caller in ["c", "d", "e", "f"] {
            kept.keep(&outcome(9000), &call(caller)).unwrap();
        }
        assert!(!there(&of_bob, "bob"));
    }

    #[rstest]
    #[case::short(outcome(1000))]
    #[case::longer_than_the_room(outcome(10_001))]
    fn what_is_whole_or_too_large_has_no_handle(#[case] outcome: ToolOutcome) {
        assert_eq!(Kept::new(40_000).keep(&outcome, &call("alice")), None);
    }

    proptest! {
        #[test]
        fn piece_by_piece_the_whole_is_read(whole in "([a-zäß\"\\\\\u{1}\n]{1,40}|\u{1F600}){1,60}", max in 340_usize..700) {
            let mut input = Input { handle: "h".repeat(32), offset: 0, part: Part::Text };
            let mut all = String::new();
            loop {
                let outcome = read(&input, &whole, max).unwrap();
                prop_assert!(outcome.text.len() <= max && size(&outcome.structured) <= max);
                all.push_str(outcome.structured["content"].as_str().unwrap());
                let Some(next) = outcome.structured["nextOffset"].as_u64() else { break };
                prop_assert!(next > input.offset as u64);
                input.offset = usize::try_from(next).unwrap();
            }
            prop_assert_eq!(all, whole);
        }
    }
}
