//! The way to one cluster: requests get a token that is renewed ahead, and it is noted when nothing comes of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use kube::client::Body;
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::aws::{AwsError, Connection};

/// How long a token is used. EKS accepts it for 15 minutes, but not longer than the credentials last that signed it,
/// which may be five. Making one asks nobody, so nothing is gained by using it longer.
const USED_FOR: Duration = Duration::from_secs(240);

/// What became of a cluster's requests, and the tokens for them.
#[derive(Default)]
pub(super) struct Link {
    /// Absent where the client has its own credentials.
    pub(super) token: Option<EksToken>,
    /// See [`super::Cluster`].
    pub(super) broken: Arc<AtomicBool>,
}

/// Why a request was not sent, or not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    NoToken(AwsError),
    #[error(
        "it does not accept {0} (401): an administrator has to give it an access entry, for instance with `aws eks \
         create-access-entry` and `aws eks associate-access-policy`; or pass a role_arn that has one"
    )]
    NotAccepted(String),
}

impl Link {
    /// The client with this link before it.
    pub(super) fn before(self, client: kube::Client) -> kube::Client {
        let link = Arc::new(self);
        let service = tower::service_fn(move |request| {
            let (link, client) = (Arc::clone(&link), client.clone());
            async move { link.send(&client, request).await }
        });
        kube::Client::new(service, "default")
    }

    async fn send(
        &self,
        client: &kube::Client,
        request: Request<Body>,
    ) -> Result<Response<Body>, kube::Error> {
        let answer = match &self.token {
            None => client.send(request).await,
            Some(token) => token.send(client, request).await,
        };
        if answer.as_ref().map_or(true, |answer| answer.status() == StatusCode::UNAUTHORIZED) {
            self.broken.store(true, Ordering::Relaxed);
        }
        answer
    }
}

/// The token of one cluster. Whoever needs a new one while it is being made waits for that one.
pub(super) struct EksToken {
    connection: Arc<Connection>,
    cluster: String,
    current: Mutex<Arc<Token>>,
}

struct Token {
    since: Instant,
    header: OnceCell<HeaderValue>,
}

impl Default for Token {
    fn default() -> Self {
        Self { since: Instant::now(), header: OnceCell::new() }
    }
}

impl EksToken {
    pub(super) fn new(connection: Arc<Connection>, cluster: &str) -> Self {
        Self { connection, cluster: cluster.to_owned(), current: Mutex::default() }
    }

    async fn send(
        &self,
        client: &kube::Client,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, kube::Error> {
        let token = self.get().await?;
        request.headers_mut().insert(AUTHORIZATION, token.clone());
        let again = (request.method() == Method::GET).then(|| {
            let mut again = Request::new(Body::empty());
            *again.uri_mut() = request.uri().clone();
            *again.headers_mut() = request.headers().clone();
            again
        });
        let mut answer = client.send(request).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.void(&token);
            if let Some(mut again) = again {
                again.headers_mut().insert(AUTHORIZATION, self.get().await?);
                answer = client.send(again).await?;
            }
        }
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(service(LinkError::NotAccepted(self.identity()))),
            _ => Ok(answer),
        }
    }

    fn identity(&self) -> String {
        match &self.connection.role_arn {
            Some(role) => format!("the role {role}"),
            None => "the AWS identity of this server".to_owned(),
        }
    }

    async fn get(&self) -> Result<HeaderValue, kube::Error> {
        let token = self.current();
        let made = token.header.get_or_try_init(|| self.make()).await;
        made.cloned().map_err(|error| service(LinkError::NoToken(error)))
    }

    /// The token that is used now; an old one gives way to one that has yet to be made.
    fn current(&self) -> Arc<Token> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.since.elapsed() >= USED_FOR {
            *current = Arc::default();
        }
        Arc::clone(&current)
    }

    /// This token was not accepted. If it is still in use, another one has to be made.
    fn void(&self, refused: &HeaderValue) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.header.get() == Some(refused) {
            *current = Arc::default();
        }
    }

    async fn make(&self) -> Result<HeaderValue, AwsError> {
        let token = self.connection.eks_token(&self.cluster).await?;
        let header = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
        let mut header = header.map_err(|_| AwsError::Invalid("the token of EKS is no header".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn service(error: LinkError) -> kube::Error {
    kube::Error::Service(Box::new(error))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

    use super::*;
    use crate::aws::Aws;

    /// Counts how often it is asked, and lets others run meanwhile.
    #[derive(Debug, Clone, Default)]
    struct Source(Arc<std::sync::atomic::AtomicUsize>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::SeqCst);
            future::ProvideCredentials::new(async {
                tokio::task::yield_now().await;
                Ok(Credentials::new("AKID", "secret", None, None, "test"))
            })
        }
    }

    async fn token(source: &Source) -> EksToken {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(source.clone()))
            .build();
        EksToken::new(Aws::with_config(sdk).connection(None, None).await.unwrap(), "prod")
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_made_once_and_anew_after_four_minutes() {
        let source = Source::default();
        let token = token(&source).await;
        let (a, b) = tokio::join!(token.get(), token.get());
        assert_eq!(a.unwrap(), b.unwrap());
        tokio::time::advance(Duration::from_secs(239)).await;
        token.get().await.unwrap();
        assert_eq!(source.0.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        let header = token.get().await.unwrap();
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
        assert!(header.is_sensitive());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_made_anew_and_a_newer_one_stays() {
        let source = Source::default();
        let token = token(&source).await;
        let refused = token.get().await.unwrap();
        token.void(&refused);
        token.get().await.unwrap();
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
        token.void(&HeaderValue::from_static("Bearer another"));
        token.get().await.unwrap();
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
    }
}
