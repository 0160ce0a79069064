//! A change is made when the person at the client says yes.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, Implementation,
};
use rmcp::service::{RequestContext, RoleClient, ServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ErrorData};
use rstest::rstest;
use serde_json::{Value, json};

use super::{Served, Stub};

/// A client whose user says this.
struct Asked(ElicitationAction, Value);

impl ClientHandler for Asked {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::internal_error("not a form", None));
        };
        assert_eq!(message, "Change it?\n\n-red\n+blue", "the user sees the plan");
        Ok(ElicitResult::new(self.0.clone()).with_content(self.1.clone()))
    }
}

#[rstest]
#[case::yes(ElicitationAction::Accept, json!({ "approve": true }), 1)]
#[case::no(ElicitationAction::Accept, json!({ "approve": false }), 0)]
#[case::decline(ElicitationAction::Decline, json!({ "approve": true }), 0)]
#[case::closed_the_dialog(ElicitationAction::Cancel, json!({}), 0)]
#[tokio::test]
async fn in_a_session_the_user_is_asked(
    #[case] action: ElicitationAction,
    #[case] content: Value,
    #[case] changes: usize,
) {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let transport = StreamableHttpClientTransport::from_uri(format!("{}/mcp", server.url));
    let client = Asked(action, content).serve(transport).await.unwrap();
    let arguments = json!({ "to": "blue" }).as_object().cloned().unwrap();
    let result =
        client.call_tool(CallToolRequestParams::new("change").with_arguments(arguments)).await.unwrap();
    assert_eq!(stub.done.lock().unwrap().len(), changes);
    assert_eq!(result.is_error, Some(changes == 0));
}

fn can_ask() -> Value {
    json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } })
}

#[rstest]
#[case::yes(json!({ "action": "accept", "content": { "approve": true } }), 1)]
#[case::no(json!({ "action": "decline" }), 0)]
#[tokio::test]
async fn without_a_session_the_client_is_asked_for_input_and_calls_again(
    #[case] response: Value,
    #[case] changes: usize,
) {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let call = json!({ "name": "change", "arguments": { "to": "blue" }, "_meta": can_ask() });
    let asked = server.stateless("tools/call", call.clone()).await;
    assert_eq!(asked.result()["resultType"], "input_required");
    let question = &asked.result()["inputRequests"]["approval"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains("+blue"));
    let mut again = call;
    again["requestState"] = asked.result()["requestState"].clone();
    again["inputResponses"] = json!({ "approval": response });
    let done = server.stateless("tools/call", again).await;
    assert_eq!(done.result()["isError"], changes == 0);
    assert_eq!(stub.done.lock().unwrap().len(), changes);
}

#[tokio::test]
async fn a_client_that_cannot_ask_shows_the_plan_and_calls_again_with_its_token() {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let shown =
        server.stateless("tools/call", json!({ "name": "change", "arguments": { "to": "blue" } })).await;
    assert_eq!(shown.result()["resultType"], "complete");
    let token = &shown.result()["structuredContent"]["planToken"];
    assert!(stub.done.lock().unwrap().is_empty());
    let arguments = json!({ "to": "blue", "plan_token": token });
    server.stateless("tools/call", json!({ "name": "change", "arguments": arguments })).await;
    assert_eq!(*stub.done.lock().unwrap(), [json!({ "to": "blue", "plan_token": "secret-plan" })]);
}

#[tokio::test]
async fn a_state_without_an_answer_changes_nothing() {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let call =
        json!({ "name": "change", "arguments": {}, "requestState": "secret-plan", "_meta": can_ask() });
    let answer = server.stateless("tools/call", call).await;
    assert_eq!(answer.result()["isError"], true);
    assert!(stub.done.lock().unwrap().is_empty());
}

/// A client that says that it can ask, and cannot.
struct Broken;

impl ClientHandler for Broken {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(ErrorData::internal_error("the window was closed", None))
    }
}

#[tokio::test]
async fn a_client_that_can_ask_and_does_not_gets_no_token() {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let transport = StreamableHttpClientTransport::from_uri(format!("{}/mcp", server.url));
    let client = Broken.serve(transport).await.unwrap();
    let result = client.call_tool(CallToolRequestParams::new("change")).await.unwrap();
    assert_eq!(result.is_error, Some(true));
    assert!(!format!("{result:?}").contains("secret-plan"), "{result:?}");
}

#[rstest]
#[case::too_long_to_be_read("long")]
#[case::cut("cut")]
#[tokio::test]
async fn a_plan_that_cannot_be_shown_whole_is_not_asked_about(#[case] to: &str) {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let call = json!({ "name": "change", "arguments": { "to": to }, "_meta": can_ask() });
    let answer = server.stateless("tools/call", call).await;
    assert_eq!(answer.result()["isError"], true);
    assert!(!answer.text.contains("secret-plan"), "{}", answer.text);
    assert!(answer.text.contains("smaller pieces"), "{}", answer.text);
}

#[tokio::test]
async fn a_question_hides_nothing() {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let call = json!({ "name": "change", "arguments": { "to": "hidden" }, "_meta": can_ask() });
    let asked = server.stateless("tools/call", call).await;
    let message = asked.result()["inputRequests"]["approval"]["params"]["message"].as_str().unwrap();
    assert_eq!(message, "Change it?\n\n\u{fffd}[2J-red\n\u{fffd}+blue");
}
