//! Keys: private ones from PEM files, public ones from PEM or JSON Web Keys (RFC 7517, 8037).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key {path} cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No private key that we can sign with.
    #[error(
        "an unencrypted PEM is needed (PKCS#8, SEC1 or PKCS#1) with a P-256 or Ed25519 key, or an RSA key of at least \
         2048 bits; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one"
    )]
    NotPrivate,
    /// No public key that we can verify with.
    #[error("a PEM (PUBLIC KEY) or a JSON Web Key Set is needed, with P-256, P-384, Ed25519 or RSA keys")]
    NotPublic,
}

/// A private key.
pub(super) enum SigningKey {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPrivate)?;
        let bytes = der.secret_der();
        let p256 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).ok();
        let ed25519 = || Ed25519KeyPair::from_pkcs8(bytes).ok();
        let rsa = || RsaKeyPair::from_pkcs8(bytes).or_else(|_| RsaKeyPair::from_der(bytes)).ok();
        let key = p256().map(|key| Self::P256(Box::new(key)));
        let key = key.or_else(|| ed25519().map(|key| Self::Ed25519(Box::new(key))));
        key.or_else(|| rsa().map(|key| Self::Rsa(Box::new(key)))).ok_or(KeyError::NotPrivate)
    }

    /// Name of the algorithm (RFC 7518).
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::P256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.try_sign(message).ok()?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }

    /// The members of the public key that identify it, as a JSON Web Key.
    pub(super) fn public(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::P256(key) => {
                // 0x04, x, y
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) })
            }
            Self::Rsa(key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
        }
    }
}

/// RFC 7638: the hash of the members that identify a key, in lexicographic order.
pub(super) fn thumbprint(public: &Value) -> String {
    let canonical = serde_json_canonicalizer::to_vec(public).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// A public key, which fixes the algorithms that it may be used with.
#[derive(Debug, Clone)]
pub(super) struct VerifyingKey(Vec<(&'static str, ParsedPublicKey)>);

type Algorithm = (&'static str, &'static dyn VerificationAlgorithm);

const P256: [Algorithm; 1] = [("ES256", &signature::ECDSA_P256_SHA256_FIXED)];
const P384: [Algorithm; 1] = [("ES384", &signature::ECDSA_P384_SHA384_FIXED)];
const ED25519: [Algorithm; 2] = [("EdDSA", &signature::ED25519), ("Ed25519", &signature::ED25519)];
const RSA: [(&str, &RsaParameters); 6] = [
    ("RS256", &signature::RSA_PKCS1_2048_8192_SHA256),
    ("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &signature::RSA_PKCS1_2048_8192_SHA512),
    ("PS256", &signature::RSA_PSS_2048_8192_SHA256),
    ("PS384", &signature::RSA_PSS_2048_8192_SHA384),
    ("PS512", &signature::RSA_PSS_2048_8192_SHA512),
];

impl VerifyingKey {
    /// A `PUBLIC KEY` in PEM.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NotPublic)?;
        let rsa = RSA.map(|(name, parameters)| (name, parameters as &dyn VerificationAlgorithm));
        let families: [&[Algorithm]; 4] = [&P256, &P384, &ED25519, &rsa];
        families.into_iter().find_map(|family| Self::parse(family, &der).ok()).ok_or(KeyError::NotPublic)
    }

    /// A JSON Web Key.
    pub(super) fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let bytes = |member: &str| {
            let text = jwk[member].as_str().ok_or(KeyError::NotPublic)?;
            URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| KeyError::NotPublic)
        };
        let point = || Ok::<_, KeyError>([vec![4], bytes("x")?, bytes("y")?].concat());
        match (jwk["kty"].as_str(), jwk["crv"].as_str()) {
            (Some("EC"), Some("P-256")) => Self::parse(&P256, &point()?),
            (Some("EC"), Some("P-384")) => Self::parse(&P384, &point()?),
            (Some("OKP"), Some("Ed25519")) => Self::parse(&ED25519, &bytes("x")?),
            (Some("RSA"), _) => Self::parse_rsa(&RsaPublicKeyComponents { n: bytes("n")?, e: bytes("e")? }),
            _ => Err(KeyError::NotPublic),
        }
    }

    fn parse(family: &[Algorithm], key: &[u8]) -> Result<Self, KeyError> {
        let keys =
            family.iter().map(|(name, algorithm)| Some((*name, ParsedPublicKey::new(*algorithm, key).ok()?)));
        keys.collect::<Option<_>>().map(Self).ok_or(KeyError::NotPublic)
    }

    fn parse_rsa(key: &RsaPublicKeyComponents<Vec<u8>>) -> Result<Self, KeyError> {
        let keys =
            RSA.iter().map(|(name, parameters)| Some((*name, key.to_parsed_public_key(parameters).ok()?)));
        keys.collect::<Option<_>>().map(Self).ok_or(KeyError::NotPublic)
    }

    /// True where this key made the signature with this algorithm.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let mut keys = self.0.iter().filter(|(name, _)| *name == algorithm);
        keys.any(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::KeySize;
    use base64::engine::general_purpose::STANDARD;
    use rstest::rstest;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> Vec<u8> {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
    }

    /// New keys of each kind: the private PEM, the public PEM, the algorithm.
    pub(in crate::agent_card) fn new_key(kind: &str) -> (Vec<u8>, Vec<u8>, &'static str) {
        match kind {
            "P-256" | "P-256 in SEC1" => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
                let private = match kind {
                    "P-256" => pem("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()),
                    _ => {
                        let der: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().unwrap();
                        pem("EC PRIVATE KEY", der.as_ref())
                    }
                };
                (private, pem("PUBLIC KEY", public.as_ref()), "ES256")
            }
            "Ed25519" => {
                let key = Ed25519KeyPair::generate().unwrap();
                let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
                (
                    pem("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()),
                    pem("PUBLIC KEY", public.as_ref()),
                    "EdDSA",
                )
            }
            _ => {
                use aws_lc_rs::encoding::Pkcs8V1Der;
                let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
                let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
                (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()), "RS256")
            }
        }
    }

    #[rstest]
    #[case("P-256")]
    #[case("P-256 in SEC1")]
    #[case("Ed25519")]
    #[case("RSA")]
    fn each_kind_of_key_signs_and_both_of_its_public_forms_verify(#[case] kind: &str) {
        let (private, public, algorithm) = new_key(kind);
        let key = SigningKey::from_pem(&private).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let signature = key.sign(b"message").unwrap();
        for verifying in [VerifyingKey::from_pem(&public), VerifyingKey::from_jwk(&key.public())] {
            let verifying = verifying.unwrap();
            assert!(verifying.verifies(algorithm, b"message", &signature));
            assert!(!verifying.verifies(algorithm, b"massage", &signature));
            for other in ["none", "HS256", "ES256", "EdDSA", "RS256", "PS256"] {
                let holds = verifying.verifies(other, b"message", &signature);
                assert_eq!(holds, other == algorithm, "{other}");
            }
        }
    }

    #[rstest]
    #[case::nothing(b"".to_vec())]
    #[case::another_curve({
        let alg = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        pem("PRIVATE KEY", EcdsaKeyPair::generate(alg).unwrap().to_pkcs8v1().unwrap().as_ref())
    })]
    #[case::a_public_key(new_key("P-256").1)]
    #[case::encrypted(pem("ENCRYPTED PRIVATE KEY", b"x"))]
    #[case::cut_off(new_key("Ed25519").0[..60].to_vec())]
    fn what_cannot_sign_is_refused_and_not_shown(#[case] pem: Vec<u8>) {
        let error = SigningKey::from_pem(&pem).err().expect("it is refused");
        assert!(matches!(error, KeyError::NotPrivate));
    }

    #[rstest]
    #[case::symmetric(json!({ "kty": "oct", "k": "AAAA" }))]
    #[case::not_on_the_curve(json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }))]
    #[case::short(json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }))]
    #[case::no_modulus(json!({ "kty": "RSA", "e": "AQAB" }))]
    #[case::not_base64(json!({ "kty": "OKP", "crv": "Ed25519", "x": "é" }))]
    fn what_cannot_verify_is_refused(#[case] jwk: Value) {
        assert!(matches!(VerifyingKey::from_jwk(&jwk), Err(KeyError::NotPublic)));
    }

    #[rstest]
    #[case::rfc_8037(
        json!({ "crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )]
    #[case::rfc_7638(
        json!({ "e": "AQAB", "kty": "RSA", "n": concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi",
            "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnY",
            "b9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0",
            "Ls1jF44-csFCur-kEgU8awapJzKnqDKgw") }),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )]
    fn a_thumbprint_is_that_of_the_rfc(#[case] jwk: Value, #[case] expected: &str) {
        assert_eq!(thumbprint(&jwk), expected);
    }

    /// RFC 8037, appendix A.4.
    #[test]
    fn a_signature_of_others_verifies() {
        let jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(VerifyingKey::from_jwk(&jwk).unwrap().verifies("EdDSA", message, &signature));
    }
}
