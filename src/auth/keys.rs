//! The keys of an issuer: which of them a token may be checked with, and by which algorithm.
//!
//! The algorithm is the key's, never the token's to choose: a key that names one is good for that one only, and one
//! that names none for the usual one of its type. Only public-key signatures count.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// More keys than this are not looked at.
const MAX_KEYS: usize = 64;

/// A JSON Web Key Set as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct JwkSet {
    keys: Vec<Value>,
}

/// The keys of an issuer that signatures can be checked with.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

/// One of them.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl From<JwkSet> for KeySet {
    /// Takes the keys that are of use. Others (of other types, for encryption, malformed) hold up nothing.
    fn from(set: JwkSet) -> Self {
        let keys = set.keys.into_iter().take(MAX_KEYS);
        Self(keys.filter_map(|key| Key::from_jwk(&serde_json::from_value(key).ok()?)).collect())
    }
}

impl KeySet {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that a token names and whose algorithm it uses. A token that names none can only mean the only one.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// True where a key has this name, whatever it is good for.
    pub(super) fn knows(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.0.iter().any(|key| key.id.as_deref() == Some(id)))
    }
}

impl Key {
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let verifies =
            common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify));
        let usual = usual_algorithm(&jwk.algorithm)?;
        let algorithm = match common.key_algorithm {
            Some(named) => Algorithm::try_from(named).ok()?,
            None => usual,
        };
        // ES256 is a P-256 signature and nothing else; of the others the type of the key is enough.
        let fits = match usual {
            Algorithm::ES256 | Algorithm::ES384 => algorithm == usual,
            _ => algorithm.family() == usual.family(),
        };
        let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs && verifies && fits)?;
        Some(Self { id: common.key_id.clone(), algorithm, key })
    }
}

/// The algorithm of a key that names none. Keys that are no public keys for signatures have none.
fn usual_algorithm(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(Algorithm::ES256),
            EllipticCurve::P384 => Some(Algorithm::ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) => {
            (key.curve == EllipticCurve::Ed25519).then_some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    // Public keys of the examples in RFC 7515 and RFC 8037.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn rsa(more: Value) -> Value {
        with(json!({ "kty": "RSA", "n": N, "e": "AQAB", "kid": "k" }), more)
    }

    fn ec(more: Value) -> Value {
        with(json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "k" }), more)
    }

    fn with(mut key: Value, more: Value) -> Value {
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn set(keys: &[Value]) -> KeySet {
        serde_json::from_value::<JwkSet>(json!({ "keys": keys })).unwrap().into()
    }

    #[rstest]
    #[case::rsa(rsa(json!({})), Some(Algorithm::RS256))]
    #[case::rsa_named(rsa(json!({ "alg": "PS384", "use": "sig" })), Some(Algorithm::PS384))]
    #[case::ec(ec(json!({})), Some(Algorithm::ES256))]
    #[case::ed(json!({ "kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "k" }), Some(Algorithm::EdDSA))]
    #[case::verifies(rsa(json!({ "key_ops": ["verify"] })), Some(Algorithm::RS256))]
    #[case::encrypts(rsa(json!({ "use": "enc" })), None)]
    #[case::signs_only(rsa(json!({ "key_ops": ["sign"] })), None)]
    #[case::named_for_encryption(rsa(json!({ "alg": "RSA-OAEP" })), None)]
    #[case::named_unknown(rsa(json!({ "alg": "none" })), None)]
    #[case::named_symmetric(rsa(json!({ "alg": "HS256" })), None)]
    #[case::named_of_another_type(rsa(json!({ "alg": "ES256" })), None)]
    #[case::named_of_another_curve(ec(json!({ "alg": "ES384" })), None)]
    #[case::symmetric(json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "k" }), None)]
    #[case::unknown_type(json!({ "kty": "LMS", "kid": "k" }), None)]
    #[case::malformed(json!({ "kty": "RSA", "n": "%", "e": "AQAB", "kid": "k" }), None)]
    #[case::no_object(json!("k"), None)]
    fn the_algorithm_is_the_keys(#[case] key: Value, #[case] expected: Option<Algorithm>) {
        let set = set(&[key]);
        assert_eq!(set.0.first().map(|key| key.algorithm), expected);
        assert_eq!(set.knows(Some("k")), expected.is_some());
    }

    #[test]
    fn a_key_is_found_by_its_name_and_algorithm() {
        let set = set(&[rsa(json!({})), ec(json!({})), rsa(json!({ "kid": "other" }))]);
        assert!(set.find(Some("k"), Algorithm::RS256).is_some());
        assert!(set.find(Some("k"), Algorithm::ES256).is_some());
        assert!(set.find(Some("k"), Algorithm::RS512).is_none(), "not the key's algorithm");
        assert!(set.find(Some("unknown"), Algorithm::RS256).is_none());
    }

    #[test]
    fn a_token_without_a_name_means_the_only_key() {
        let set = set(&[rsa(json!({})), rsa(json!({ "kid": "other" })), ec(json!({}))]);
        assert!(set.find(None, Algorithm::ES256).is_some());
        assert!(set.find(None, Algorithm::RS256).is_none(), "two fit");
    }
}
