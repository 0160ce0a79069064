//! Requests to AWS endpoints that no SDK makes.

use std::time::SystemTime;

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::HeaderMap;

use super::{AwsError, Connection};

impl Connection {
    /// The headers that prove who sends this request (Signature Version 4). Of its headers only the host is signed.
    ///
    /// # Errors
    /// There are no credentials, or the URL is not valid.
    pub async fn signature(
        &self,
        service: &str,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> Result<HeaderMap, AwsError> {
        let credentials = self.credentials(service).await?;
        let headers = self.signed_at(service, method, url, body, credentials, SystemTime::now());
        headers.ok_or_else(|| {
            AwsError::Invalid(format!("a request to {service} cannot be signed: check its URL"))
        })
    }

    fn signed_at(
        &self,
        service: &str,
        method: &str,
        url: &str,
        body: &[u8],
        credentials: aws_credential_types::Credentials,
        time: SystemTime,
    ) -> Option<HeaderMap> {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = credentials.into();
        let params =
            SigningParams::builder().identity(&identity).region(&self.region).name(service).time(time);
        let params = params.settings(settings).build().ok()?.into();
        let signable =
            SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body)).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let mut request = http::Request::builder().method(method).uri(url).body(()).ok()?;
        instructions.apply_to_request_http1x(&mut request);
        Some(std::mem::take(request.headers_mut()))
    }
}
