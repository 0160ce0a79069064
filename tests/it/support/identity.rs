//! An identity provider of Cognito's shape: discovery, keys, and tokens for machines. A test can mint any token with its
//! keys, rotate them, count the requests and let it fail.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The machines that it knows, and their secrets.
pub const CLIENTS: [(&str, &str); 2] =
    [("machine-client", "machine-secret"), ("other-client", "other-secret")];
/// What they may ask for; all of it is given where a machine asks for nothing.
pub const SCOPES: [&str; 2] = ["drydock/read", "drydock/write"];

/// Where the pool is on the provider's host.
const POOL: &str = "/local-pool";

/// A running identity provider. It ends with the test's runtime.
#[derive(Clone)]
pub struct Identity {
    issuer: String,
    keys: Arc<Mutex<Vec<Arc<SigningKey>>>>,
    behaviour: Arc<Mutex<Behaviour>>,
    seen: Arc<Seen>,
}

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Everything is answered with this status.
    pub fails_with: Option<u16>,
    /// Everything is answered with a redirect to this address.
    pub redirects_to: Option<String>,
    /// HTTP Basic at the token endpoint is refused.
    pub wants_form: bool,
    /// How long tokens live, in seconds; an hour if not said.
    pub token_life: Option<u64>,
    /// What discovery says instead of the issuer.
    pub calls_itself: Option<String>,
    /// What the key set is instead of the keys.
    pub key_set: Option<Value>,
}

/// How often it was asked for what.
#[derive(Debug, Default)]
pub struct Seen {
    discovery: AtomicU32,
    keys: AtomicU32,
    tokens: AtomicU32,
}

impl Seen {
    pub fn discovery(&self) -> u32 {
        self.discovery.load(Ordering::SeqCst)
    }

    pub fn keys(&self) -> u32 {
        self.keys.load(Ordering::SeqCst)
    }

    pub fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::SeqCst)
    }
}

/// A key that signs.
pub struct SigningKey {
    pub id: String,
    pub algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    pub fn rsa(id: &str) -> Self {
        Self::rsa_of(id, rsa_pair())
    }

    fn rsa_of(id: &str, pair: Arc<RsaKeyPair>) -> Self {
        Self { id: id.to_owned(), algorithm: "RS256", pair: Pair::Rsa(pair, &RSA_PKCS1_SHA256) }
    }

    pub fn pss(id: &str) -> Self {
        Self { id: id.to_owned(), algorithm: "PS256", pair: Pair::Rsa(rsa_pair(), &RSA_PSS_SHA256) }
    }

    pub fn ec(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { id: id.to_owned(), algorithm: "ES256", pair: Pair::Ec(pair) }
    }

    pub fn ed(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        Self { id: id.to_owned(), algorithm: "EdDSA", pair: Pair::Ed(pair) }
    }

    /// The public half, as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => json!({
                "kty": "RSA",
                "n": base64(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": base64(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key()) }),
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with this header and these claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = signing_input(header, claims);
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", base64(signature))
    }

    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).expect("it signs");
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).expect("it signs").as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn rsa_pair() -> Arc<RsaKeyPair> {
    Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
}

/// The first key of every provider of this process: making one takes a while. Who wants different ones says so.
static FIRST: LazyLock<Arc<RsaKeyPair>> = LazyLock::new(rsa_pair);

/// The first two parts of a token.
pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Now, in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right").as_secs()
}

impl Identity {
    /// A provider on a free port.
    pub async fn start() -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// A provider on this port.
    pub fn serve(listener: TcpListener) -> Self {
        let address: SocketAddr = listener.local_addr().expect("an address");
        let identity = Self {
            issuer: format!("http://{address}{POOL}"),
            keys: Arc::new(Mutex::new(vec![Arc::new(SigningKey::rsa_of("key-1", Arc::clone(&FIRST)))])),
            behaviour: Arc::default(),
            seen: Arc::default(),
        };
        let router = Router::new()
            .route(&format!("{POOL}/.well-known/openid-configuration"), get(get_metadata))
            .route(&format!("{POOL}/.well-known/jwks.json"), get(get_keys))
            .route(&format!("{POOL}/oauth2/token"), post(post_token))
            .with_state(identity.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        identity
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.issuer)
    }

    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.issuer)
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().expect("not poisoned"));
    }

    /// The key that signs now.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.keys()[0])
    }

    /// Signs with this key from now on; the old ones stay known.
    pub fn sign_with(&self, key: SigningKey) {
        self.keys().insert(0, Arc::new(key));
    }

    /// Forgets all keys but the one that signs.
    pub fn forget_old_keys(&self) {
        self.keys().truncate(1);
    }

    /// The claims of a machine's access token.
    pub fn machine(&self, client: &str, scopes: &str) -> Value {
        let life = self.behaviour().token_life.unwrap_or(3600);
        json!({
            "iss": self.issuer, "sub": client, "client_id": client, "token_use": "access", "scope": scopes,
            "iat": now(), "exp": now() + life, "jti": uuid::Uuid::new_v4(), "auth_time": now(), "version": 2,
        })
    }

    /// The claims of a person's access token.
    pub fn person(&self, name: &str, groups: &[&str], scopes: &str) -> Value {
        let mut claims = self.machine("web-client", scopes);
        claims["sub"] = json!(format!("sub-of-{name}"));
        claims["username"] = json!(name);
        claims["cognito:groups"] = json!(groups);
        claims
    }

    /// A token with these claims, signed by the key of now. Cognito's header has nothing but key and algorithm.
    pub fn mint(&self, claims: &Value) -> String {
        let key = self.key();
        key.sign(&json!({ "kid": key.id, "alg": key.algorithm }), claims)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Arc<SigningKey>>> {
        self.keys.lock().expect("not poisoned")
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().expect("not poisoned").clone()
    }

    /// The answer where it is to fail.
    fn failure(&self) -> Option<Response> {
        let behaviour = self.behaviour();
        if let Some(address) = behaviour.redirects_to {
            return Some((StatusCode::FOUND, [("location", address)]).into_response());
        }
        let status = StatusCode::from_u16(behaviour.fails_with?).expect("a status");
        Some((status, "as the test wants").into_response())
    }
}

async fn get_metadata(State(identity): State<Identity>) -> Response {
    identity.seen.discovery.fetch_add(1, Ordering::SeqCst);
    if let Some(failure) = identity.failure() {
        return failure;
    }
    let behaviour = identity.behaviour();
    let metadata = json!({
        "issuer": behaviour.calls_itself.as_deref().unwrap_or(&identity.issuer),
        "jwks_uri": identity.jwks_url(),
        "authorization_endpoint": format!("{}/oauth2/authorize", identity.issuer),
        "token_endpoint": identity.token_url(),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
    });
    Json(metadata).into_response()
}

async fn get_keys(State(identity): State<Identity>) -> Response {
    identity.seen.keys.fetch_add(1, Ordering::SeqCst);
    if let Some(failure) = identity.failure() {
        return failure;
    }
    if let Some(instead) = identity.behaviour().key_set {
        return Json(instead).into_response();
    }
    let keys: Vec<Value> = identity.keys().iter().map(|key| key.jwk()).collect();
    Json(json!({ "keys": keys })).into_response()
}

async fn post_token(State(identity): State<Identity>, headers: HeaderMap, body: String) -> Response {
    identity.seen.tokens.fetch_add(1, Ordering::SeqCst);
    if let Some(failure) = identity.failure() {
        return failure;
    }
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    if field("grant_type").as_deref() != Some("client_credentials") {
        return refusal("unsupported_grant_type");
    }
    let of_form = || Some((field("client_id")?, field("client_secret")?));
    let client = match headers.get("authorization") {
        Some(_) if identity.behaviour().wants_form => None,
        Some(value) => basic(value.to_str().unwrap_or_default()),
        None => of_form(),
    };
    let known = |(id, secret): &(String, String)| CLIENTS.contains(&(id.as_str(), secret.as_str()));
    let Some((client, _)) = client.filter(known) else { return refusal("invalid_client") };
    let scopes = field("scope").filter(|scopes| !scopes.is_empty()).unwrap_or_else(|| SCOPES.join(" "));
    if !scopes.split(' ').all(|scope| SCOPES.contains(&scope)) {
        return refusal("invalid_scope");
    }
    let token = identity.mint(&identity.machine(&client, &scopes));
    let life = identity.behaviour().token_life.unwrap_or(3600);
    Json(json!({ "access_token": token, "expires_in": life, "token_type": "Bearer" })).into_response()
}

/// Cognito answers 400 even to a wrong secret.
fn refusal(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
}

/// Id and secret of an `Authorization: Basic` header.
fn basic(header: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let plain =
        |text: &str| form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned());
    Some((plain(id)?, plain(secret)?))
}
