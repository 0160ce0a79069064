//! Keys, made anew for each test.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A private P-256 key as PEM.
pub fn private_key() -> String {
    key_pair().0
}

/// A private P-256 key and its public key, both as PEM.
pub fn key_pair() -> (String, String) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().expect("a public key");
    (pem("PRIVATE KEY", key.to_pkcs8v1().expect("PKCS#8").as_ref()), pem("PUBLIC KEY", public.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
