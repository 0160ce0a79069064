//! Tools and a prompt that need something of the client before they answer: a person's word, a model's, its folders. They
//! ask in rounds, as 2026-07-28 has it; what is under way travels with the client, sealed.

use rmcp::ErrorData as McpError;
use rmcp::model::{
    InputRequest, InputRequests, InputRequiredResult, InputResponses, RequestStateCodec, SealOptions,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use crate::tools::parsed;

/// What comes next.
pub enum Turn {
    Ask(InputRequiredResult),
    Done(String),
}

/// Seals what is under way.
pub struct Asking {
    seal: RequestStateCodec,
}

fn elicitation(message: &str, member: &str, kind: &str) -> Value {
    let schema =
        json!({ "type": "object", "properties": { member: { "type": kind } }, "required": [member] });
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn sampling(question: &str) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": question } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 100 } })
}

/// What a tool or a prompt asks, round by round; nothing where it does not ask.
pub fn rounds(name: &str) -> Option<Vec<Value>> {
    let name_of_user = || elicitation("What is your name?", "name", "string");
    let roots = || json!({ "method": "roots/list", "params": {} });
    let confirm = || json!({ "confirm": elicitation("Please confirm", "ok", "boolean") });
    Some(match name {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            vec![json!({ "user_name": name_of_user() })]
        }
        "test_input_required_result_sampling" => {
            vec![json!({ "capital_question": sampling("What is the capital of France?") })]
        }
        "test_missing_capability" => vec![json!({ "question": sampling("Are you there?") })],
        "test_input_required_result_list_roots" => vec![json!({ "client_roots": roots() })],
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            vec![confirm()]
        }
        "test_input_required_result_multiple_inputs" => vec![json!({
            "user_name": name_of_user(), "greeting": sampling("Generate a greeting"), "client_roots": roots(),
        })],
        "test_input_required_result_multi_round" => vec![
            json!({ "step1": elicitation("Step 1: What is your name?", "name", "string") }),
            json!({ "step2": elicitation("Step 2: What is your favorite color?", "color", "string") }),
        ],
        "test_input_required_result_capabilities" => {
            vec![json!({ "user_name": name_of_user(), "greeting": sampling("Generate a greeting") })]
        }
        "test_input_required_result_prompt" => {
            vec![
                json!({ "user_context": elicitation("What context should the prompt use?", "context", "string") }),
            ]
        }
        _ => return None,
    })
}

impl Asking {
    pub fn new() -> anyhow::Result<Self> {
        let key = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
        Ok(Self { seal: RequestStateCodec::try_new(key)? })
    }

    /// Asks what the round wants to know until the client has said it, then what the next one wants.
    pub fn turn(
        &self,
        name: &str,
        rounds: &[Value],
        answers: Option<&InputResponses>,
        state: Option<&str>,
        cx: &RequestContext<RoleServer>,
    ) -> Result<Turn, McpError> {
        let mut round = state.map_or(Ok(0), |state| self.opened(name, state))?;
        let mut wanted = askable(rounds, round, cx)?;
        let said =
            |key: &String| answers.is_some_and(|answers| answers.get(key).is_some_and(Value::is_object));
        if wanted.keys().all(said) {
            round += 1;
            if round == rounds.len() {
                let state = if state.is_some() { "state-ok: " } else { "" };
                return Ok(Turn::Done(format!("{state}{}", json!(answers))));
            }
            wanted = askable(rounds, round, cx)?;
        }
        let sealed = self.sealed(name, round)?;
        Ok(Turn::Ask(InputRequiredResult::new(Some(wanted), Some(sealed))))
    }

    fn sealed(&self, name: &str, round: usize) -> Result<String, McpError> {
        let options = SealOptions::new().associated_data(name.as_bytes());
        let sealed = self.seal.seal_json_with(&round, &options);
        sealed.map_err(|error| McpError::internal_error(error.to_string(), None))
    }

    fn opened(&self, name: &str, state: &str) -> Result<usize, McpError> {
        let opened = self.seal.open_json_with(state, name.as_bytes());
        opened.map_err(|_| McpError::invalid_params("requestState is not one that was given for this", None))
    }
}

/// What of a round can be asked of this client.
fn askable(
    rounds: &[Value],
    round: usize,
    cx: &RequestContext<RoleServer>,
) -> Result<InputRequests, McpError> {
    let of_round = rounds.get(round).cloned().unwrap_or_default();
    let mut wanted: InputRequests = parsed(of_round)?;
    let missing: Map<String, Value> =
        wanted.values().map(|request| (capability(request).to_owned(), json!({}))).collect();
    let client = json!(cx.client_capabilities());
    wanted.retain(|_, request| client.get(capability(request)).is_some());
    if wanted.is_empty() {
        return Err(McpError::missing_required_client_capability(parsed(missing.into())?));
    }
    Ok(wanted)
}

/// What a client must be able to do to answer.
fn capability(request: &InputRequest) -> &'static str {
    match request {
        InputRequest::CreateMessage(_) => "sampling",
        InputRequest::ListRoots(_) => "roots",
        _ => "elicitation",
    }
}
