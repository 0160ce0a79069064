//! Tokens that EKS clusters accept: a signed request to STS, which the cluster sends to learn who it is.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::query::{domain, endpoint};
use super::{AwsError, Connection};

/// What the signed request says of its validity. EKS accepts a token for 15 minutes whatever it says.
const EXPIRES: Duration = Duration::from_secs(60);
/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
const ACTION: &str = "sts:GetCallerIdentity";

impl Connection {
    /// A bearer token for this cluster, which it accepts for 15 minutes.
    ///
    /// # Errors
    /// There are no credentials, or the endpoint of STS is not valid.
    pub async fn eks_token(&self, cluster: &str) -> Result<SecretString, AwsError> {
        self.eks_token_at(cluster, SystemTime::now()).await
    }

    async fn eks_token_at(&self, cluster: &str, time: SystemTime) -> Result<SecretString, AwsError> {
        let credentials = self.credentials(ACTION).await?;
        let host = format!("https://sts.{}.{}", self.region, domain(&self.region));
        let host = endpoint(&self.sdk, "STS").unwrap_or(host);
        let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", host.trim_end_matches('/'));
        let url = presign(&url, &self.region, cluster, credentials, time);
        let url = url.ok_or_else(|| {
            AwsError::Invalid(format!("the endpoint for {ACTION} is not valid: check AWS_ENDPOINT_URL"))
        })?;
        Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url)).into())
    }
}

fn presign(
    url: &str,
    region: &str,
    cluster: &str,
    credentials: aws_credential_types::Credentials,
    time: SystemTime,
) -> Option<String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.into();
    let params = SigningParams::builder().identity(&identity).region(region).name("sts").time(time);
    let params = params.settings(settings).build().ok()?.into();
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let signable = SignableRequest::new("GET", url, headers, SignableBody::Bytes(&[])).ok()?;
    let (instructions, _) = sign(signable, &params).ok()?.into_parts();
    let mut request = http::Request::get(url).body(()).ok()?;
    instructions.apply_to_request_http1x(&mut request);
    Some(request.uri().to_string())
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_lc_rs::{digest, hmac};
    use secrecy::ExposeSecret;

    use super::super::Aws;
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn mac(key: &[u8], text: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    }

    /// The signature by the words of the SigV4 specification.
    fn expected_signature(query: &str, host: &str, cluster: &str) -> String {
        let hash = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let canonical = format!(
            "GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{}",
            hash("")
        );
        let scope = "20260701/eu-west-1/sts/aws4_request";
        let to_sign = format!("AWS4-HMAC-SHA256\n20260701T120000Z\n{scope}\n{}", hash(&canonical));
        let key = ["20260701", "eu-west-1", "sts", "aws4_request"]
            .iter()
            .fold(b"AWS4secret".to_vec(), |key, part| mac(&key, part));
        hex(&mac(&key, &to_sign))
    }

    #[tokio::test]
    async fn the_token_is_a_signed_question_who_i_am() {
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let connection = Aws::with_config(sdk).connection(None, None).await.unwrap();
        let time: jiff::Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let token = connection.eks_token_at("prod", time.into()).await.unwrap();
        let encoded = token.expose_secret().strip_prefix("k8s-aws-v1.").unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
        let query = url.strip_prefix("https://sts.eu-west-1.amazonaws.com/?").unwrap();
        let mut parameters: Vec<&str> = query.split('&').collect();
        let signature = parameters.iter().position(|parameter| parameter.starts_with("X-Amz-Signature="));
        let signature = parameters.remove(signature.unwrap());
        parameters.sort_unstable();
        for part in
            ["X-Amz-Expires=60", "Action=GetCallerIdentity", "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"]
        {
            assert!(parameters.contains(&part), "{url}");
        }
        let expected = expected_signature(&parameters.join("&"), "sts.eu-west-1.amazonaws.com", "prod");
        assert_eq!(signature, format!("X-Amz-Signature={expected}"));
    }
}
