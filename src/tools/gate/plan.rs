//! Plan tokens: who was shown a plan may have exactly that done, once, for some minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::ToolError;
use super::Act;

/// How long a plan may be approved, in seconds.
pub(super) const LIFETIME: i64 = 600;
/// Acts that are remembered as done; more within the lifetime of their plans are refused.
const MAX_USED: usize = 4096;
const NONCE: usize = 16;
/// Expiry and nonce, before the signature.
const HEAD: usize = 8 + NONCE;

/// Issues tokens and takes them back.
#[derive(Debug)]
pub(super) struct Plans {
    /// Of this process: a restart voids all plans. Without randomness there is none, and no plan either.
    key: Option<hmac::Key>,
    /// Heads of the tokens that were used, with their expiry.
    used: Mutex<HashMap<[u8; HEAD], i64>>,
}

impl Default for Plans {
    fn default() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        Self { key: key.ok(), used: Mutex::default() }
    }
}

impl Plans {
    /// A token for this act by this caller.
    pub(super) fn issue(&self, caller: &str, act: &Act<'_>, now: i64) -> Result<String, ToolError> {
        let mut head = [0; HEAD];
        let (expiry, nonce) = head.split_at_mut(8);
        expiry.copy_from_slice(&(now + LIFETIME).to_be_bytes());
        rand::fill(nonce).map_err(|_| ToolError::Bug)?;
        let signature = hmac::sign(self.key()?, &signed(&head, caller, act)?);
        Ok(URL_SAFE_NO_PAD.encode([&head, signature.as_ref()].concat()))
    }

    /// Takes a token back: it is of this act and caller, in time, and was not used before.
    pub(super) fn redeem(&self, token: &str, caller: &str, act: &Act<'_>, now: i64) -> Result<(), ToolError> {
        let token = URL_SAFE_NO_PAD.decode(token.trim()).unwrap_or_default();
        let Some((head, signature)) = token.split_first_chunk::<HEAD>() else { return Err(unfit()) };
        hmac::verify(self.key()?, &signed(head, caller, act)?, signature).map_err(|_| unfit())?;
        let expiry = head.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)).unwrap_or_default();
        if expiry < now {
            return Err(refused("this plan_token is too old"));
        }
        self.use_up(*head, expiry, now)
    }

    fn key(&self) -> Result<&hmac::Key, ToolError> {
        self.key.as_ref().ok_or(ToolError::Bug)
    }

    fn use_up(&self, head: [u8; HEAD], expiry: i64, now: i64) -> Result<(), ToolError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expiry| *expiry >= now);
        if used.contains_key(&head) {
            return Err(refused("this plan_token was used already"));
        }
        if used.len() >= MAX_USED {
            return Err(ToolError::Refused("too many changes within minutes; try again later".to_owned()));
        }
        used.insert(head, expiry);
        Ok(())
    }
}

/// What a token is bound to. As canonical JSON no part can be taken for another.
fn signed(head: &[u8], caller: &str, act: &Act<'_>) -> Result<Vec<u8>, ToolError> {
    let mut arguments = act.arguments.clone();
    if let Value::Object(arguments) = &mut arguments {
        arguments.remove("plan_token");
    }
    let bound = json!([URL_SAFE_NO_PAD.encode(head), caller, act.tool, act.place, arguments, act.state]);
    serde_json_canonicalizer::to_vec(&bound).map_err(|_| ToolError::Bug)
}

fn unfit() -> ToolError {
    refused(
        "this plan_token does not fit: it is of other arguments, of another caller, or what it would change has changed \
         since",
    )
}

fn refused(why: &str) -> ToolError {
    ToolError::Refused(format!(
        "{why}; nothing was done. Call without plan_token to see what would be done now"
    ))
}
