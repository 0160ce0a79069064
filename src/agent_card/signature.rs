//! Signatures of a card: JWS (RFC 7515) whose payload is not sent but reconstructed from the card (specification §8.4).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::canonical::{Coverage, Payload, payloads};
use super::keys::{KeyError, SigningKey, VerifyingKey, thumbprint};
use super::types::AgentCardSignature;

/// Signs cards with one private key. Cheap to clone; shows nothing of the key.
#[derive(Clone)]
pub struct CardSigner {
    key: Arc<SigningKey>,
    key_id: String,
    jku: Option<String>,
}

impl CardSigner {
    /// A signer with the private key in this PEM: P-256 signs with ES256, Ed25519 with EdDSA, RSA with RS256. Without a
    /// key id it is the key's thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`].
    pub fn from_pem(pem: &[u8], key_id: Option<String>) -> Result<Self, KeyError> {
        let key = SigningKey::from_pem(pem)?;
        let key_id = key_id.unwrap_or_else(|| thumbprint(&key.public()));
        Ok(Self { key: Arc::new(key), key_id, jku: None })
    }

    /// The same from a file. Warns where everyone on this machine can read it.
    ///
    /// # Errors
    /// It cannot be read, or holds no private key.
    pub fn load(path: &Path, key_id: Option<String>) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable { path: path.display().to_string(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
            if mode & 0o004 != 0 {
                tracing::warn!(path = %path.display(), "everyone on this machine can read the card's private key: chmod 600");
            }
        }
        Self::from_pem(&std::fs::read(path).map_err(unreadable)?, key_id)
    }

    /// The same signer, which says in each signature where its public key is published.
    #[must_use]
    pub fn published_at(self, jku: &str) -> Self {
        Self { jku: Some(jku.to_owned()), ..self }
    }

    /// The name of the key in signatures.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key as a JSON Web Key.
    pub fn public_key(&self) -> Value {
        let mut jwk = self.key.public();
        jwk["kid"] = json!(self.key_id);
        jwk["alg"] = json!(self.key.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// These claims as a signed token (RFC 7519). None where the key does not work.
    pub fn token(&self, claims: &Value) -> Option<String> {
        let header = json!({ "alg": self.key.algorithm(), "kid": self.key_id, "typ": "JWT" });
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let claims = claims.to_string();
        let signature = self.key.sign(&signing_input(&protected, claims.as_bytes()))?;
        let (claims, signature) = (URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature));
        Some(format!("{protected}.{claims}.{signature}"))
    }

    /// The protected header of its signatures.
    pub(super) fn header(&self) -> Value {
        let mut header = json!({ "alg": self.key.algorithm(), "kid": self.key_id, "typ": "JOSE" });
        if let Some(jku) = &self.jku {
            header["jku"] = json!(jku);
        }
        header
    }

    fn sign(&self, payload: &Payload) -> Option<AgentCardSignature> {
        let protected = URL_SAFE_NO_PAD.encode(self.header().to_string());
        let signature = self.key.sign(&signing_input(&protected, &payload.bytes))?;
        Some(AgentCardSignature { protected, signature: URL_SAFE_NO_PAD.encode(signature), header: None })
    }
}

impl fmt::Debug for CardSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CardSigner");
        shown.field("key_id", &self.key_id).field("algorithm", &self.key.algorithm()).finish_non_exhaustive()
    }
}

/// Adds the signatures of these signers to a card in any form: one for each way in which its readers reconstruct what
/// was signed, so that each of them finds one that fits.
pub fn sign(card: &mut Value, signers: &[CardSigner]) {
    let payloads = payloads(card);
    let mut signatures = card["signatures"].as_array().cloned().unwrap_or_default();
    for signer in signers {
        for payload in &payloads {
            match signer.sign(payload) {
                Some(signature) => signatures.push(json!(signature)),
                None => tracing::error!(key = signer.key_id, "the card could not be signed"),
            }
        }
    }
    if !signatures.is_empty() {
        card["signatures"] = signatures.into();
    }
}

/// Public keys that a reader trusts.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<TrustedKey>);

#[derive(Debug, Clone)]
struct TrustedKey {
    /// None: tried with every signature.
    key_id: Option<String>,
    key: VerifyingKey,
}

impl TrustedKeys {
    /// The `PUBLIC KEY` in this PEM, or the keys of this JSON Web Key Set that can verify a card.
    ///
    /// # Errors
    /// [`KeyError::NotPublic`] where there is none.
    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        let Ok(set) = serde_json::from_slice::<Value>(text) else {
            return Ok(Self(vec![TrustedKey { key_id: None, key: VerifyingKey::from_pem(text)? }]));
        };
        let keys = set["keys"].as_array().map_or(std::slice::from_ref(&set), Vec::as_slice);
        let is_for_signatures = |jwk: &&Value| jwk.get("use").is_none_or(|purpose| purpose == "sig");
        let keys = keys.iter().filter(is_for_signatures).filter_map(|jwk| {
            let key_id = jwk["kid"].as_str().map(str::to_owned);
            Some(TrustedKey { key_id, key: VerifyingKey::from_jwk(jwk).ok()? })
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() { Err(KeyError::NotPublic) } else { Ok(Self(keys)) }
    }

    /// Trusts those keys as well.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn named(&self, key_id: Option<&str>) -> impl Iterator<Item = &VerifyingKey> {
        let fits = move |key: &&TrustedKey| key.key_id.is_none() || key.key_id.as_deref() == key_id;
        self.0.iter().filter(fits).map(|key| &key.key)
    }
}

/// What became of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key it names.
    pub key_id: Option<String>,
    /// The algorithm it names.
    pub algorithm: Option<String>,
    /// Where it says that its key is published.
    pub jku: Option<String>,
    /// Whether it holds.
    pub outcome: Outcome,
}

/// Whether a signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A trusted key signed this part of the card.
    Good(Coverage),
    /// No trusted key has this id.
    UnknownKey,
    /// The key is trusted, but it did not sign this card.
    Wrong,
    /// It is no JWS that we understand.
    Malformed,
}

#[derive(Debug, Default, Deserialize)]
struct ProtectedHeader {
    alg: Option<String>,
    kid: Option<String>,
    jku: Option<String>,
    /// Extensions that have to be understood; we know none.
    crit: Option<Value>,
}

/// Holds every signature of a card against keys that are trusted. Empty where it has no signature.
pub fn verify(card: &Value, keys: &TrustedKeys) -> Vec<Verified> {
    let payloads = payloads(card);
    let signatures = card["signatures"].as_array().into_iter().flatten();
    signatures.map(|signature| verify_one(signature, &payloads, keys)).collect()
}

fn verify_one(signature: &Value, payloads: &[Payload], keys: &TrustedKeys) -> Verified {
    let header = read_header(signature);
    let outcome = match &header {
        Some(header) => outcome(header, signature, payloads, keys).unwrap_or(Outcome::Malformed),
        None => Outcome::Malformed,
    };
    let header = header.unwrap_or_default();
    Verified { key_id: header.kid, algorithm: header.alg, jku: header.jku, outcome }
}

fn read_header(signature: &Value) -> Option<ProtectedHeader> {
    let bytes = URL_SAFE_NO_PAD.decode(signature["protected"].as_str()?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn outcome(
    header: &ProtectedHeader,
    signature: &Value,
    payloads: &[Payload],
    keys: &TrustedKeys,
) -> Option<Outcome> {
    let protected = signature["protected"].as_str()?;
    let bytes = URL_SAFE_NO_PAD.decode(signature["signature"].as_str()?).ok()?;
    let algorithm = header.alg.as_deref().filter(|_| header.crit.is_none())?;
    let keys: Vec<_> = keys.named(header.kid.as_deref()).collect();
    if keys.is_empty() {
        return Some(Outcome::UnknownKey);
    }
    let good = payloads.iter().find(|payload| {
        let input = signing_input(protected, &payload.bytes);
        keys.iter().any(|key| key.verifies(algorithm, &input, &bytes))
    });
    Some(good.map_or(Outcome::Wrong, |payload| Outcome::Good(payload.coverage)))
}

fn signing_input(protected: &str, payload: &[u8]) -> Vec<u8> {
    format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload)).into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::Map;

    use super::super::keys::tests::new_key;
    use super::*;

    fn signer(kind: &str) -> CardSigner {
        CardSigner::from_pem(&new_key(kind).0, None).expect("a private key")
    }

    fn keys_of(signers: &[CardSigner]) -> TrustedKeys {
        let keys: Vec<Value> = signers.iter().map(CardSigner::public_key).collect();
        TrustedKeys::read(json!({ "keys": keys }).to_string().as_bytes()).expect("public keys")
    }

    fn card() -> Value {
        json!({
            "name": "N", "description": "D", "version": "1", "documentationUrl": "https://d", "iconUrl": "https://i",
            "provider": { "organization": "O", "url": "https://o" },
            "supportedInterfaces": [{ "url": "https://a/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "t" }],
            "capabilities": { "streaming": true, "pushNotifications": false,
                "extensions": [{ "uri": "urn:x", "required": true, "description": "e", "params": { "n": 1.5, "list": [1] } }] },
            "securitySchemes": { "s": { "oauth2SecurityScheme": { "oauth2MetadataUrl": "https://m",
                "flows": { "clientCredentials": { "tokenUrl": "https://t", "scopes": { "read": "r" } } } } } },
            "securityRequirements": [{ "schemes": { "s": { "list": ["read"] } } }],
            "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
            "skills": [{ "id": "k", "name": "n", "description": "네임스페이스 ✓", "tags": ["a", "b"], "examples": ["e"],
                "securityRequirements": [{ "schemes": { "s": { "list": ["write"] } } }] }],
        })
    }

    fn signed(mut card: Value, signers: &[CardSigner]) -> Value {
        sign(&mut card, signers);
        card
    }

    fn is_good(card: &Value, keys: &TrustedKeys) -> bool {
        verify(card, keys).iter().any(|verified| matches!(verified.outcome, Outcome::Good(_)))
    }

    #[rstest]
    #[case("P-256")]
    #[case("Ed25519")]
    #[case("RSA")]
    fn what_is_signed_verifies(#[case] kind: &str) {
        let signers = [signer(kind)];
        let verified = verify(&signed(card(), &signers), &keys_of(&signers));
        let good = Verified {
            key_id: Some(signers[0].key_id().to_owned()),
            algorithm: Some(new_key(kind).2.to_owned()),
            jku: None,
            outcome: Outcome::Good(Coverage::Whole),
        };
        assert_eq!(verified, [good]);
    }

    #[test]
    fn the_protected_header_says_what_the_specification_wants() {
        let signer = signer("P-256").published_at("https://a/.well-known/jwks.json");
        let card = signed(card(), std::slice::from_ref(&signer));
        let protected = card["signatures"][0]["protected"].as_str().expect("text");
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).expect("base64url")).expect("JSON");
        let expected = json!({
            "alg": "ES256", "kid": signer.key_id(), "typ": "JOSE", "jku": "https://a/.well-known/jwks.json",
        });
        assert_eq!(header, expected);
    }

    /// Paths of everything in a value that can be changed.
    fn places(value: &Value, path: &str, places: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
            }
            _ => Vec::new(),
        };
        for (name, child) in children {
            let path = format!("{path}/{name}");
            places.push(path.clone());
            self::places(child, &path, places);
        }
    }

    fn changed(value: &Value) -> Value {
        match value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Bool(value) => json!(!value),
            Value::Number(number) => json!(number.as_f64().expect("a number") + 1.0),
            Value::Null => json!(0),
            Value::Array(items) => json!(items.iter().chain([&json!("x")]).collect::<Vec<_>>()),
            Value::Object(members) => {
                let mut members = members.clone();
                members.insert("zz".to_owned(), json!("x"));
                Value::Object(members)
            }
        }
    }

    #[test]
    fn any_change_of_any_member_breaks_it() {
        let signers = [signer("Ed25519")];
        let keys = keys_of(&signers);
        let card = signed(card(), &signers);
        let mut all = Vec::new();
        places(&card, "", &mut all);
        all.retain(|place| !place.starts_with("/signatures"));
        assert!(all.len() > 40, "it looks into the card");
        for place in all {
            let mut forged = card.clone();
            let member = forged.pointer_mut(&place).expect("it is there");
            *member = changed(member);
            let whole =
                verify(&forged, &keys).iter().any(|one| one.outcome == Outcome::Good(Coverage::Whole));
            assert!(!whole, "{place} was changed");
            // An unknown member is the only thing that a signature over 1.0's members lets pass.
            let adds_unknown = card.pointer(&place).expect("it is there").is_object();
            assert!(adds_unknown || !is_good(&forged, &keys), "{place} was changed");
        }
    }

    #[test]
    fn a_member_that_is_left_out_or_added_breaks_it() {
        let signers = [signer("Ed25519")];
        let keys = keys_of(&signers);
        let card = signed(card(), &signers);
        for name in ["iconUrl", "provider", "securityRequirements", "skills"] {
            let mut forged = card.clone();
            forged.as_object_mut().expect("an object").remove(name);
            assert!(!is_good(&forged, &keys), "{name} was left out");
        }
        let mut forged = card.clone();
        forged["capabilities"]["extendedAgentCard"] = json!(false);
        assert!(!is_good(&forged, &keys), "set to its default is not the same as not set");
    }

    #[test]
    fn members_beyond_1_0_have_a_signature_of_their_own() {
        let signers = [signer("P-256")];
        let keys = keys_of(&signers);
        let mut merged = card();
        merged["url"] = json!("https://a/");
        let merged = signed(merged, &signers);
        let coverage = |card: &Value| -> Vec<Outcome> {
            verify(card, &keys).into_iter().map(|one| one.outcome).collect()
        };
        assert_eq!(coverage(&merged), [Outcome::Good(Coverage::Whole), Outcome::Good(Coverage::Known)]);
        let mut forged = merged.clone();
        forged["url"] = json!("https://evil/");
        assert_eq!(coverage(&forged), [Outcome::Wrong, Outcome::Good(Coverage::Known)]);
        let mut reduced = merged;
        reduced.as_object_mut().expect("an object").remove("url");
        assert_eq!(
            coverage(&reduced),
            [Outcome::Wrong, Outcome::Good(Coverage::Whole)],
            "a reader of 1.0 sees this"
        );
    }

    #[test]
    fn while_a_key_is_replaced_readers_of_either_find_a_signature() {
        let signers = [signer("P-256"), signer("RSA")];
        let card = signed(card(), &signers);
        for trusted in &signers {
            let outcomes: Vec<Outcome> = verify(&card, &keys_of(std::slice::from_ref(trusted)))
                .into_iter()
                .map(|one| one.outcome)
                .collect();
            assert!(
                outcomes.contains(&Outcome::Good(Coverage::Whole)) && outcomes.contains(&Outcome::UnknownKey)
            );
        }
    }

    #[test]
    fn a_key_of_the_same_name_is_not_the_same_key() {
        let named =
            |kind| CardSigner::from_pem(&new_key(kind).0, Some("k".to_owned())).expect("a private key");
        let card = signed(card(), &[named("P-256")]);
        for other in ["P-256", "RSA", "Ed25519"] {
            assert_eq!(verify(&card, &keys_of(&[named(other)]))[0].outcome, Outcome::Wrong);
        }
    }

    #[test]
    fn a_public_pem_is_tried_whatever_the_key_is_called() {
        let (private, public, _) = new_key("P-256");
        let signer = CardSigner::from_pem(&private, Some("my-key".to_owned())).expect("a private key");
        let keys = TrustedKeys::read(&public).expect("a public key");
        assert!(is_good(&signed(card(), &[signer]), &keys));
    }

    #[rstest]
    #[case::nothing(json!({}))]
    #[case::not_base64(json!({ "protected": "é", "signature": "" }))]
    #[case::no_json(json!({ "protected": "AAAA", "signature": "" }))]
    #[case::no_object(json!({ "protected": URL_SAFE_NO_PAD.encode("[1]"), "signature": "" }))]
    #[case::no_algorithm(json!({ "protected": URL_SAFE_NO_PAD.encode("{}"), "signature": "" }))]
    #[case::critical(json!({ "protected": URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#), "signature": "" }))]
    #[case::a_text(json!("x"))]
    fn what_is_no_signature_is_malformed(#[case] signature: Value) {
        let mut card = card();
        card["signatures"] = json!([signature]);
        assert_eq!(verify(&card, &keys_of(&[signer("P-256")]))[0].outcome, Outcome::Malformed);
    }

    #[rstest]
    #[case("none")]
    #[case("HS256")]
    fn algorithms_that_prove_nothing_are_refused(#[case] algorithm: &str) {
        let trusted = signer("P-256");
        let header = json!({ "alg": algorithm, "kid": trusted.key_id() }).to_string();
        let mut card = card();
        card["signatures"] = json!([{ "protected": URL_SAFE_NO_PAD.encode(header), "signature": "" }]);
        assert_eq!(verify(&card, &keys_of(&[trusted]))[0].outcome, Outcome::Wrong);
    }

    #[test]
    fn a_signer_shows_nothing_of_its_key() {
        let (pem, ..) = new_key("Ed25519");
        let shown = format!("{:?}", CardSigner::from_pem(&pem, None).expect("a private key"));
        let private = String::from_utf8(pem).expect("text");
        let private = private.lines().nth(1).expect("a line");
        assert!(shown.contains("EdDSA") && !shown.contains(&private[20..40]), "{shown}");
        let public = signer("RSA").public_key();
        assert!(public.get("d").is_none() && public.get("p").is_none());
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), any::<String>(), "[가-힣 \"\\\\\u{0}-\u{1f}]{0,8}"]
    }

    prop_compose! {
        fn cards()(
            name in text(), description in text(), tags in proptest::collection::vec(text(), 0..3),
            icon in proptest::option::of(text()), streaming in proptest::option::of(any::<bool>()),
            number in proptest::num::f64::NORMAL, extra in proptest::option::of(text()),
            scopes in proptest::collection::btree_map(text(), proptest::collection::vec(text(), 0..2), 0..3),
        ) -> Value {
            let schemes: Map<String, Value> =
                scopes.into_iter().map(|(name, scopes)| (name, json!({ "list": scopes }))).collect();
            let mut card = json!({
                "name": name, "description": description, "version": "", "supportedInterfaces": [], "iconUrl": icon,
                "capabilities": { "streaming": streaming, "extensions": [{ "uri": "u", "params": { "n": number } }] },
                "defaultInputModes": [], "defaultOutputModes": [], "securityRequirements": [{ "schemes": schemes }],
                "skills": [{ "id": "x", "name": "", "description": "", "tags": tags }],
            });
            if let Some(extra) = extra {
                card["extra"] = json!(extra);
            }
            card
        }
    }

    proptest! {
        #[test]
        fn whatever_is_signed_verifies_also_after_a_journey_as_text(card in cards()) {
            let signers = [signer("Ed25519")];
            let card = signed(card, &signers);
            let turned: String = reversed(&card);
            let read: Value = serde_json::from_str(&turned).expect("it is JSON");
            let verified = verify(&read, &keys_of(&signers));
            prop_assert!(verified.iter().all(|one| matches!(one.outcome, Outcome::Good(_))), "{:?}", verified);
            prop_assert_eq!(verified[0].outcome, Outcome::Good(Coverage::Whole));
        }
    }

    /// JSON with the members of each object in reverse order.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .rev()
                    .map(|(name, value)| format!("{}:{}", json!(name), reversed(value)))
                    .collect();
                format!("{{{}}}", members.join(" ,\n"))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(reversed).collect::<Vec<_>>().join(", ")),
            other => other.to_string(),
        }
    }
}
