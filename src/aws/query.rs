//! Requests of the EC2 Query API. Its SDK crate takes longer to compile than all the rest, for a handful of lists.

use std::sync::{LazyLock, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_types::service_config::ServiceConfigKey;
use futures::TryStreamExt;
use serde_json::{Map, Value};

use super::{ATTEMPT_TIMEOUT, ATTEMPTS, AwsError, CONNECT_TIMEOUT, Connection, OPERATION_TIMEOUT};

/// The version of the API.
const VERSION: &str = "2016-11-15";
/// The most bytes of one answer.
const MAX_ANSWER: usize = 8 << 20;
/// The most pages of one list.
const MAX_PAGES: usize = 50;
/// Credentials that end within this time are not used any more.
const RENEWED_AHEAD: Duration = Duration::from_secs(300);
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

static HTTP: LazyLock<Option<reqwest::Client>> = LazyLock::new(|| {
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(ATTEMPT_TIMEOUT);
    builder.redirect(reqwest::redirect::Policy::none()).user_agent("app/drydock").build().ok()
});

impl Connection {
    /// A list of EC2, all pages: `DescribeSubnets` gives its `subnetSet`. Members are called as in the API's XML.
    ///
    /// # Errors
    /// EC2 could not be asked, or refused; the list is longer than anyone reads.
    pub async fn ec2(
        &self,
        action: &str,
        list: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, AwsError> {
        let read = tokio::time::timeout(OPERATION_TIMEOUT, self.ec2_pages(action, list, parameters)).await;
        read.unwrap_or_else(|_| Err(AwsError::unreachable(&format!("ec2:{action}"))))
    }

    async fn ec2_pages(
        &self,
        action: &str,
        list: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, AwsError> {
        let mut items = Vec::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let form = form(action, parameters, &token);
            let mut answer = self.ec2_attempts(action, &form).await?;
            if let Value::Array(page) = answer[list].take() {
                items.extend(page);
            }
            token = answer["nextToken"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                return Ok(items);
            }
        }
        Err(AwsError::Invalid(format!(
            "ec2:{action} has more than {MAX_PAGES} pages: ask for less with a filter"
        )))
    }

    async fn ec2_attempts(&self, action: &str, form: &str) -> Result<Value, AwsError> {
        let action = format!("ec2:{action}");
        let mut attempt = 1;
        loop {
            match self.ec2_once(&action, form).await {
                Err(AwsError::Unavailable(_)) if attempt < ATTEMPTS => {
                    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 200 + jitter)).await;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn ec2_once(&self, action: &str, form: &str) -> Result<Value, AwsError> {
        let endpoint = ec2_endpoint(&self.sdk, &self.region);
        let request = self.signed(action, &endpoint, form).await?;
        let http = HTTP.as_ref().ok_or_else(|| AwsError::unreachable(action))?;
        let answer = http.execute(request).await.map_err(|_| AwsError::unreachable(action))?;
        let status = answer.status().as_u16();
        let text = read(answer).await.ok_or_else(|| AwsError::unreachable(action))?;
        let answer = parse(&text).ok_or_else(|| AwsError::from_answer(action, status, None, None))?;
        if status == 200 {
            return Ok(answer);
        }
        let error = &answer["Errors"]["Error"];
        Err(AwsError::from_answer(action, status, error["Code"].as_str(), error["Message"].as_str()))
    }

    async fn signed(&self, action: &str, endpoint: &str, form: &str) -> Result<reqwest::Request, AwsError> {
        let invalid =
            || AwsError::Invalid(format!("the endpoint for {action} is not valid: check AWS_ENDPOINT_URL"));
        let credentials = self.credentials(action).await?;
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default());
        let params = params.build().map_err(|_| invalid())?.into();
        let url = reqwest::Url::parse(endpoint).map_err(|_| invalid())?;
        let headers = [("content-type", FORM)].into_iter();
        let body = SignableBody::Bytes(form.as_bytes());
        let signable = SignableRequest::new("POST", url.as_str(), headers, body).map_err(|_| invalid())?;
        let (instructions, _) = sign(signable, &params).map_err(|_| invalid())?.into_parts();
        let mut request =
            http::Request::post(url.as_str()).header("content-type", FORM).body(form.to_owned());
        if let Ok(request) = &mut request {
            instructions.apply_to_request_http1x(request);
        }
        request.ok().and_then(|request| reqwest::Request::try_from(request).ok()).ok_or_else(invalid)
    }

    /// Credentials that hold for a while. A role is not assumed anew for each request.
    pub(super) async fn credentials(&self, action: &str) -> Result<Credentials, AwsError> {
        let known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let soon = SystemTime::now() + RENEWED_AHEAD;
        if let Some(known) = known.filter(|known| known.expiry().is_some_and(|expiry| expiry > soon)) {
            return Ok(known);
        }
        let provider = self.sdk.credentials_provider();
        let provider = provider
            .ok_or_else(|| AwsError::of_credentials(action, &CredentialsError::not_loaded("no provider")))?;
        let fresh = provider.provide_credentials().await;
        let fresh = fresh.map_err(|error| AwsError::before_the_answer(action, &error))?;
        *self.credentials.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }
}

fn form(action: &str, parameters: &[(&str, &str)], token: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", VERSION).extend_pairs(parameters);
    if !token.is_empty() {
        form.append_pair("NextToken", token);
    }
    form.finish()
}

fn ec2_endpoint(sdk: &SdkConfig, region: &str) -> String {
    endpoint(sdk, "EC2").unwrap_or_else(|| format!("https://ec2.{region}.{}/", domain(region)))
}

/// The endpoint that the configuration gives for a service, by its id.
pub(super) fn endpoint(sdk: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = key.build().ok().and_then(|key| sdk.service_config()?.load_config(key));
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// The domain of a region's endpoints.
pub(super) fn domain(region: &str) -> &'static str {
    match region.split_once('-').map(|(partition, _)| partition) {
        Some("cn") => "amazonaws.com.cn",
        _ => "amazonaws.com",
    }
}

async fn read(answer: reqwest::Response) -> Option<String> {
    let mut stream = answer.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

fn parse(text: &str) -> Option<Value> {
    let document = roxmltree::Document::parse(text).ok()?;
    let answer = value(document.root_element());
    answer.is_object().then_some(answer)
}

/// Elements of nothing but `item`s are lists, other elements with elements are objects, the rest is text.
fn value(node: roxmltree::Node<'_, '_>) -> Value {
    let children: Vec<_> = node.children().filter(|child| child.is_element()).collect();
    if children.is_empty() {
        return node.text().unwrap_or_default().trim().into();
    }
    if children.iter().all(|child| child.tag_name().name() == "item") {
        return children.into_iter().map(value).collect();
    }
    let members = children.into_iter().map(|child| (child.tag_name().name().to_owned(), value(child)));
    Value::Object(members.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_a_list_and_the_rest_is_objects() {
        let xml = "<R xmlns='urn:x'><subnetSet><item><subnetId>a</subnetId><tagSet/></item></subnetSet></R>";
        assert_eq!(parse(xml), Some(json!({ "subnetSet": [{ "subnetId": "a", "tagSet": "" }] })));
    }

    #[test]
    fn a_page_of_a_proxy_is_no_answer() {
        assert_eq!(parse("<html><p>Bad gateway<br></html>"), None);
        assert_eq!(parse("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"), None);
    }
}
