//! A2A 1.0 as the official Rust client speaks it, over both bindings:
//! `drydock-interop DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN`. One line per check; the first that fails ends the run.

mod checks;
mod webhook;

use std::sync::Arc;

use a2a::{
    A2AError, AgentCard, Artifact, AuthenticationInfo, CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest, GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    ListTasksRequest, Message, Part, PartContent, Role, SendMessageConfiguration, SendMessageRequest,
    SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task, TaskPushNotificationConfig, TaskState,
};
use a2a_client::agent_card::AgentCardResolver;
use a2a_client::auth::AuthInterceptor;
use a2a_client::{A2AClient, A2AClientFactory, Transport};
use checks::Checks;
use futures::{StreamExt, TryStreamExt};

type Client = A2AClient<Box<dyn Transport>>;

const QUESTION: &str = "Is anything wrong in my cluster?";

fn request(text: &str) -> SendMessageRequest {
    SendMessageRequest {
        message: Message::new(Role::User, vec![Part::text(text)]),
        configuration: None,
        metadata: None,
        tenant: None,
    }
}

fn configuration() -> SendMessageConfiguration {
    SendMessageConfiguration {
        accepted_output_modes: None,
        task_push_notification_config: None,
        history_length: None,
        return_immediately: None,
    }
}

fn get(id: &str, history_length: Option<i32>) -> GetTaskRequest {
    GetTaskRequest { id: id.to_owned(), history_length, tenant: None }
}

async fn send(client: &Client, request: SendMessageRequest) -> Result<Task, A2AError> {
    match client.send_message(&request).await? {
        SendMessageResponse::Task(task) => Ok(task),
        SendMessageResponse::Message(message) => panic!("a message: {message:?}"),
    }
}

fn text_of(artifact: &Artifact) -> String {
    artifact.parts.iter().filter_map(Part::as_text).collect()
}

fn artifacts_of(task: &Task) -> &[Artifact] {
    task.artifacts.as_deref().unwrap_or_default()
}

/// The text of the chunks in events.
fn chunks_of(events: &[StreamResponse]) -> String {
    let chunks = events.iter().filter_map(|event| match event {
        StreamResponse::ArtifactUpdate(update) => Some(text_of(&update.artifact)),
        _ => None,
    });
    chunks.collect()
}

async fn client_of(url: &str, binding: &str, token: Option<&str>) -> (AgentCard, Client) {
    let card = AgentCardResolver::new(None).resolve(url).await.expect("the card");
    let mut factory = A2AClientFactory::builder().preferred_bindings(vec![binding.to_owned()]);
    if let Some(token) = token {
        factory = factory.with_interceptor(Arc::new(AuthInterceptor::bearer(token)));
    }
    let client = factory.build().create_from_card(&card).await.expect("a client");
    (card, client)
}

async fn diagnosis(checks: &mut Checks, url: &str) -> Result<(), A2AError> {
    let (card, client) = client_of(url, "JSONRPC", None).await;
    checks.equal(
        "resolves the card",
        (card.name.as_str(), card.skills[0].id.as_str()),
        ("K8s_Diagnostics_Agent", "eks_diagnostics"),
    );
    let task = send(&client, request(QUESTION)).await?;
    checks.equal("sends and waits for the result", task.status.state.clone(), TaskState::Completed);
    let report = artifacts_of(&task).iter().find(|artifact| artifact.name.as_deref() == Some("report"));
    let schema = report.and_then(|report| match &report.parts[0].content {
        PartContent::Data(data) => data["schema"].as_str().map(str::to_owned),
        _ => None,
    });
    checks.equal("reads the report", schema.as_deref(), Some("drydock.report/v1"));
    let events: Vec<StreamResponse> =
        client.send_streaming_message(&request(QUESTION)).await?.try_collect().await?;
    let StreamResponse::Task(first) = &events[0] else { panic!("no task first: {:?}", events[0]) };
    let got = client.get_task(&get(&first.id, None)).await?;
    let stored: String = artifacts_of(&got).iter().map(text_of).collect();
    checks.equal("streams: the chunks make the artifact that GetTask shows", chunks_of(&events), stored);
    Ok(())
}

async fn tasks(checks: &mut Checks, client: &Client) -> Result<(), A2AError> {
    let mut hold = request("hold");
    hold.configuration = Some(SendMessageConfiguration { return_immediately: Some(true), ..configuration() });
    let task = send(client, hold).await?;
    checks.equal("does not wait if it does not want to", task.status.state, TaskState::Submitted);
    let cancel = CancelTaskRequest { id: task.id.clone(), metadata: None, tenant: None };
    checks.equal(
        "cancels a running task",
        client.cancel_task(&cancel).await?.status.state,
        TaskState::Canceled,
    );
    let got = client.get_task(&get(&task.id, None)).await?;
    checks.equal("gets it canceled", got.status.state, TaskState::Canceled);
    checks.refused(
        "cannot cancel it twice",
        client.cancel_task(&cancel).await,
        a2a::error_code::TASK_NOT_CANCELABLE,
    );
    let mut more = request("on");
    more.message.task_id = Some(task.id.clone());
    checks.refused("cannot continue it", send(client, more).await, a2a::error_code::UNSUPPORTED_OPERATION);

    let asked = send(client, request("ask")).await?;
    checks.equal("is asked back", asked.status.state.clone(), TaskState::InputRequired);
    let mut answer = request("shop");
    answer.message.task_id = Some(asked.id.clone());
    let done = send(client, answer).await?;
    checks.equal("answers in the same task", (&done.id, &done.context_id), (&asked.id, &asked.context_id));
    checks.equal("and completes it", done.status.state.clone(), TaskState::Completed);
    let mut lengths = Vec::new();
    for length in [0, 1, 9] {
        lengths.push(client.get_task(&get(&done.id, Some(length))).await?.history.unwrap_or_default().len());
    }
    checks.equal("gets as much history as it wants", lengths, vec![0, 1, 3]);
    lists(checks, client, &asked.context_id).await?;
    checks.refused(
        "is told of an unknown task",
        client.get_task(&get("nobody", None)).await,
        a2a::error_code::TASK_NOT_FOUND,
    );
    Ok(())
}

async fn lists(checks: &mut Checks, client: &Client, context_id: &str) -> Result<(), A2AError> {
    for _ in 0..2 {
        let mut echo = request("echo");
        echo.message.context_id = Some(context_id.to_owned());
        send(client, echo).await?;
    }
    let everything = ListTasksRequest {
        context_id: Some(context_id.to_owned()),
        status: None,
        page_size: None,
        page_token: None,
        history_length: None,
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    };
    let first = ListTasksRequest { page_size: Some(2), include_artifacts: Some(true), ..everything.clone() };
    let page = client.list_tasks(&first).await?;
    let next = ListTasksRequest { page_token: Some(page.next_page_token.clone()), ..everything.clone() };
    let rest = client.list_tasks(&next).await?;
    let counts = (page.tasks.len(), rest.tasks.len(), page.total_size, rest.next_page_token.as_str());
    checks.equal("lists a context page by page", counts, (2, 1, 3, ""));
    let artifacts = (artifacts_of(&page.tasks[0]).len(), artifacts_of(&rest.tasks[0]).len());
    checks.equal("lists with artifacts, or without", artifacts, (1, 0));
    let waiting = ListTasksRequest { status: Some(TaskState::InputRequired), ..everything };
    checks.equal("lists by state", client.list_tasks(&waiting).await?.tasks.len(), 0);
    Ok(())
}

async fn streams(checks: &mut Checks, client: &Client) -> Result<(), A2AError> {
    let mut stream = client.send_streaming_message(&request("slow 12 100")).await?;
    let Some(StreamResponse::Task(task)) = stream.next().await.transpose()? else { panic!("no task first") };
    drop(stream);
    let subscribe = SubscribeToTaskRequest { id: task.id.clone(), tenant: None };
    let events: Vec<StreamResponse> = client.subscribe_to_task(&subscribe).await?.try_collect().await?;
    let StreamResponse::Task(first) = &events[0] else { panic!("no task first: {:?}", events[0]) };
    let before: String = artifacts_of(first).iter().map(text_of).collect();
    let expected: String = (1..=12).map(|number| format!("chunk {number} of 12\n")).collect();
    checks.equal("resubscribes: nothing is lost or repeated", before + &chunks_of(&events), expected);
    let watched = client.subscribe_to_task(&subscribe).await.map(|_| ());
    checks.refused("cannot watch what has ended", watched, a2a::error_code::UNSUPPORTED_OPERATION);
    let nobody = SubscribeToTaskRequest { id: "nobody".to_owned(), tenant: None };
    let watched = client.subscribe_to_task(&nobody).await.map(|_| ());
    checks.refused("cannot watch what is not there", watched, a2a::error_code::TASK_NOT_FOUND);
    Ok(())
}

async fn push(checks: &mut Checks, client: &Client) -> Result<(), A2AError> {
    let mut hook = webhook::Webhook::start().await;
    let config = TaskPushNotificationConfig {
        url: hook.url.clone(),
        id: Some("mine".to_owned()),
        task_id: String::new(),
        token: Some("t-1".to_owned()),
        authentication: Some(AuthenticationInfo {
            scheme: "Bearer".to_owned(),
            credentials: Some("for-the-hook".to_owned()),
        }),
        tenant: None,
    };
    let mut ask = request("ask");
    ask.configuration = Some(SendMessageConfiguration {
        task_push_notification_config: Some(config.clone()),
        ..configuration()
    });
    let task = send(client, ask).await?;
    let (headers, body) = hook.next().await;
    checks.that(
        "push: is told in the form of a stream",
        body.get("task").is_some() || body.get("statusUpdate").is_some(),
        &body,
    );
    let names =
        ["authorization", "x-a2a-notification-token"].map(|name| headers[name].to_str().unwrap_or_default());
    checks.equal("push: with its credentials", names, ["Bearer for-the-hook", "t-1"]);

    let second =
        TaskPushNotificationConfig { id: Some("second".to_owned()), task_id: task.id.clone(), ..config };
    let made = client.create_push_config(&second).await?;
    checks.equal(
        "push: creates a configuration",
        (made.id.as_deref(), &made.task_id),
        (Some("second"), &task.id),
    );
    let of = GetTaskPushNotificationConfigRequest {
        task_id: task.id.clone(),
        id: "second".to_owned(),
        tenant: None,
    };
    checks.equal("push: gets it", client.get_push_config(&of).await?.url, hook.url.clone());
    let list = ListTaskPushNotificationConfigsRequest {
        task_id: task.id.clone(),
        page_size: None,
        page_token: None,
        tenant: None,
    };
    checks.equal("push: lists both", client.list_push_configs(&list).await?.configs.len(), 2);
    let delete =
        DeleteTaskPushNotificationConfigRequest { task_id: task.id, id: "second".to_owned(), tenant: None };
    client.delete_push_config(&delete).await?;
    client.delete_push_config(&delete).await?;
    checks.equal("push: deletes it, twice", client.list_push_configs(&list).await?.configs.len(), 1);
    checks.refused(
        "push: gets none that is not there",
        client.get_push_config(&of).await,
        a2a::error_code::TASK_NOT_FOUND,
    );
    Ok(())
}

async fn every_method(
    checks: &mut Checks,
    url: &str,
    binding: &str,
    token: Option<&str>,
) -> Result<(), A2AError> {
    let (card, client) = client_of(url, binding, token).await;
    tasks(checks, &client).await?;
    streams(checks, &client).await?;
    push(checks, &client).await?;
    let extended = client.get_extended_agent_card(&GetExtendedAgentCardRequest { tenant: None }).await;
    match token {
        Some(_) => checks.equal("gets the extended card", extended?.skills.len(), card.skills.len() + 1),
        None => checks.refused("gets none without a token", extended, a2a::error_code::UNSUPPORTED_OPERATION),
    }
    Ok(())
}

async fn without_a_token(checks: &mut Checks, url: &str, binding: &str) {
    let (card, client) = client_of(url, binding, None).await;
    let schemes = card.security_schemes.unwrap_or_default();
    checks.that("reads on the card that a token is needed", schemes.contains_key("bearer"), &schemes);
    checks.that("is not let in without one", send(&client, request("hello")).await.is_err(), &());
    checks.that("nor for a task", client.get_task(&get("nobody", None)).await.is_err(), &());
}

#[tokio::main]
async fn main() -> Result<(), A2AError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [drydock, open, guarded, token] = &arguments[..] else { panic!("four arguments are needed") };
    let mut checks = Checks::of("a2a-client-lf 0.2.9");
    diagnosis(&mut checks, drydock).await?;
    for binding in ["JSONRPC", "HTTP+JSON"] {
        checks.speaking(binding);
        every_method(&mut checks, open, binding, None).await?;
        without_a_token(&mut checks, guarded, binding).await;
        every_method(&mut checks, guarded, binding, Some(token)).await?;
    }
    checks.done();
    Ok(())
}
