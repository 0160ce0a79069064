//! AWS by region and role, over a network: what is signed, read page by page, and said when it fails.

mod account;
mod clusters;
mod eks;
mod hostile;
mod network;
mod roles;
mod secrets;
mod services;

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use drydock::aws::{Aws, AwsError, Connection};
use rstest::rstest;
use tokio::net::TcpListener;

const ROLE: &str = "arn:aws:iam::111122223333:role/reader";

/// Settings that lead to this address.
async fn sdk_config(address: &str) -> SdkConfig {
    let credentials = Credentials::new("AKID", "secret", None, None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(address)
        .load()
        .await
}

/// A request as AWS gets it.
#[derive(Debug, Clone)]
struct Asked {
    form: String,
    authorization: String,
}

/// EC2 and STS on one port: two pages of subnets, and a role that may be assumed or not.
#[derive(Clone)]
struct StandIn {
    asked: Arc<Mutex<Vec<Asked>>>,
    role: bool,
    ec2: (StatusCode, &'static str),
}

impl StandIn {
    fn new() -> Self {
        Self { asked: Arc::default(), role: true, ec2: (StatusCode::OK, "") }
    }

    async fn connection(&self, role_arn: Option<&str>) -> Arc<Connection> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Aws::with_config(sdk_config(&address).await).connection(None, role_arn).await.unwrap()
    }

    fn asked(&self, action: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.form.contains(&format!("Action={action}&"))).cloned().collect()
    }
}

async fn answer(State(aws): State<StandIn>, headers: HeaderMap, form: String) -> impl IntoResponse {
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    aws.asked.lock().unwrap().push(Asked { form: form.clone(), authorization });
    let xml = |status: StatusCode, body: String| (status, [("content-type", "text/xml")], body);
    if form.contains("Action=AssumeRole&") {
        return match aws.role {
            true => xml(StatusCode::OK, ASSUMED.to_owned()),
            false => xml(StatusCode::FORBIDDEN, REFUSED.to_owned()),
        };
    }
    let (status, body) = aws.ec2;
    if !body.is_empty() {
        return xml(status, body.to_owned());
    }
    let (subnet, next) = match form.contains("NextToken=two") {
        true => ("subnet-b", ""),
        false => ("subnet-a", "<nextToken>two</nextToken>"),
    };
    let item = format!("<subnetSet><item><subnetId>{subnet}</subnetId></item></subnetSet>{next}");
    xml(StatusCode::OK, format!("<DescribeSubnetsResponse>{item}</DescribeSubnetsResponse>"))
}

const ASSUMED: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
    <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
const REFUSED: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
    <Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";

async fn subnets(connection: &Connection) -> Result<Vec<serde_json::Value>, AwsError> {
    connection.ec2("DescribeSubnets", "subnetSet", &[("Filter.1.Name", "vpc-id")]).await
}

#[tokio::test]
async fn a_list_of_ec2_is_signed_and_read_to_its_end() {
    let aws = StandIn::new();
    let found = subnets(&*aws.connection(None).await).await.unwrap();
    let ids: Vec<&str> = found.iter().filter_map(|subnet| subnet["subnetId"].as_str()).collect();
    assert_eq!(ids, ["subnet-a", "subnet-b"]);
    let asked = aws.asked("DescribeSubnets");
    assert_eq!(asked.len(), 2);
    let scope = "/eu-west-1/ec2/aws4_request, SignedHeaders=";
    assert!(asked.iter().all(|asked| asked.authorization.contains("Credential=AKID/")), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.authorization.contains(scope)), "{asked:?}");
    assert!(asked[0].form.contains("Filter.1.Name=vpc-id"), "{asked:?}");
}

#[tokio::test]
async fn a_role_is_assumed_once_and_its_credentials_sign() {
    let aws = StandIn::new();
    let connection = aws.connection(Some(ROLE)).await;
    subnets(&connection).await.unwrap();
    subnets(&connection).await.unwrap();
    connection.eks_token("prod").await.unwrap();
    assert_eq!(aws.asked("AssumeRole").len(), 1);
    let asked = aws.asked("DescribeSubnets");
    assert!(asked.iter().all(|asked| asked.authorization.contains("Credential=ASSUMED/")), "{asked:?}");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_as_that() {
    let aws = StandIn { role: false, ..StandIn::new() };
    let told = subnets(&*aws.connection(Some(ROLE)).await).await.unwrap_err();
    assert!(matches!(told, AwsError::Denied(_)), "{told:?}");
    assert!(told.to_string().contains("may not do sts:AssumeRole"), "{told}");
    let identity = aws_sdk_sts::Client::new(&aws.connection(Some(ROLE)).await.sdk).get_caller_identity();
    let told = identity.send().await.map_err(AwsError::of("sts:GetCallerIdentity")).unwrap_err();
    assert!(told.to_string().contains("may not do sts:AssumeRole"), "{told}");
}

const DENIED: &str = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors>\
    <RequestID>1</RequestID></Response>";

#[rstest]
#[case::denied(StatusCode::FORBIDDEN, DENIED, "allow ec2:DescribeSubnets in its IAM policy", 1)]
#[case::a_page_of_a_proxy(
    StatusCode::BAD_GATEWAY,
    "<html><p>Bad gateway<br></html>",
    "is not AWS (HTTP 502",
    3
)]
#[case::pages_without_end(
    StatusCode::OK,
    "<R><subnetSet><item><subnetId>a</subnetId></item></subnetSet><nextToken>n</nextToken></R>",
    "has more than 50 pages",
    50
)]
#[tokio::test]
async fn what_ec2_does_not_give_is_told_with_the_next_step(
    #[case] status: StatusCode,
    #[case] body: &'static str,
    #[case] part: &str,
    #[case] requests: usize,
) {
    let aws = StandIn { ec2: (status, body), ..StandIn::new() };
    let told = subnets(&*aws.connection(None).await).await.unwrap_err().to_string();
    assert!(told.contains(part) && !told.contains('\n'), "{told}");
    assert_eq!(aws.asked("DescribeSubnets").len(), requests);
}

#[tokio::test]
async fn an_endpoint_where_nobody_is_says_what_to_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let connection = Aws::with_config(sdk_config(&address).await).connection(None, None).await.unwrap();
    let told = subnets(&connection).await.unwrap_err().to_string();
    assert!(told.contains("AWS_ENDPOINT_URL"), "{told}");
}
