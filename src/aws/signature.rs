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

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_lc_rs::{digest, hmac};

    use super::super::Aws;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn mac(key: &[u8], text: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    }

    fn hash(text: &str) -> String {
        hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }

    /// The signature by the words of the SigV4 specification. Paths are encoded once more than in the URL.
    fn expected(body: &str) -> String {
        let headers = format!(
            "host:mcp.example.com\nx-amz-content-sha256:{}\nx-amz-date:20260701T120000Z\nx-amz-security-token:session\n",
            hash(body)
        );
        let names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        let request = format!("POST\n/a%252Fb/mcp\nq=1\n{headers}\n{names}\n{}", hash(body));
        let scope = "20260701/eu-west-1/bedrock-agentcore/aws4_request";
        let to_sign = format!("AWS4-HMAC-SHA256\n20260701T120000Z\n{scope}\n{}", hash(&request));
        let key = ["20260701", "eu-west-1", "bedrock-agentcore", "aws4_request"];
        let key = key.iter().fold(b"AWS4secret".to_vec(), |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        format!("AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    #[tokio::test]
    async fn a_request_is_signed_with_its_body() {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .build();
        let connection = Aws::with_config(sdk).connection(None, None).await.unwrap();
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
        let time: jiff::Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let (url, body) = ("https://mcp.example.com/a%2Fb/mcp?q=1", br#"{"a":1}"#);
        let headers =
            connection.signed_at("bedrock-agentcore", "POST", url, body, credentials, time.into()).unwrap();
        assert_eq!(headers["authorization"].to_str().unwrap(), expected(r#"{"a":1}"#));
        assert_eq!(headers["x-amz-security-token"], "session");
    }
}
