"""A2A 1.0 as a2a-sdk 1.3.0 speaks it, over both bindings: python v1.py DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN"""

import asyncio
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import (
    AuthenticationInfo, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest, ListTasksRequest,
    Message, Part, Role, SendMessageConfiguration, SendMessageRequest, SubscribeToTaskRequest, TaskNotCancelableError,
    TaskNotFoundError, TaskPushNotificationConfig, TaskState, UnsupportedOperationError,
)

import checks
from webhook import Webhook

COMPLETED, WAITS = TaskState.TASK_STATE_COMPLETED, TaskState.TASK_STATE_INPUT_REQUIRED


def request(text: str, task_id: str = "", **configuration) -> SendMessageRequest:
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)], task_id=task_id)
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(**configuration))


async def clients(http: httpx.AsyncClient, url: str, binding: str):
    """The card, a client that streams, and one that does not."""
    card = await A2ACardResolver(http, url).get_agent_card()
    config = lambda streaming: ClientConfig(
        httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding],
    )
    make = lambda streaming: ClientFactory(config(streaming)).create(card)
    return card, make(True), make(False)


async def send(client, *args, **configuration):
    """The task that a send without streaming answers with."""
    [event] = [event async for event in client.send_message(request(*args, **configuration))]
    return event.task


def text_of(artifact) -> str:
    return "".join(part.text for part in artifact.parts)


def artifacts_of(events) -> dict[str, str]:
    """The text of each artifact, put together from its chunks as the protocol says."""
    texts: dict[str, str] = {}
    for update in (event.artifact_update for event in events if event.HasField("artifact_update")):
        known = texts.get(update.artifact.artifact_id, "") if update.append else ""
        texts[update.artifact.artifact_id] = known + text_of(update.artifact)
    return texts


async def refused(what: str, error: type[Exception], call) -> None:
    try:
        answer = await call
    except error:
        checks.that(what, True)
    else:
        checks.that(what, False, answer)


async def diagnosis(http: httpx.AsyncClient, url: str) -> None:
    card, streaming, unary = await clients(http, url, "JSONRPC")
    checks.that("resolves the card", card.name == "K8s_Diagnostics_Agent" and card.skills[0].id == "eks_diagnostics")
    versions = {interface.protocol_version for interface in card.supported_interfaces}
    checks.that("finds both versions on it", versions == {"1.0", "0.3"}, versions)

    task = await send(unary, checks.QUESTION)
    checks.that("sends and waits for the result", task.status.state == COMPLETED)
    names = [artifact.name for artifact in task.artifacts]
    checks.that("gets answer and report", sorted(names) == ["k8s_diagnostics_result", "report"], names)
    [report] = [artifact for artifact in task.artifacts if artifact.name == "report"]
    schema = report.parts[0].data.struct_value["schema"]
    checks.that("reads the report", schema == "drydock.report/v1", schema)

    events = [event async for event in streaming.send_message(request(checks.QUESTION))]
    checks.that("streams: the task comes first", events[0].HasField("task"))
    last = events[-1].status_update.status.state
    checks.that("streams: the result comes last", last == COMPLETED, last)
    got = await unary.get_task(GetTaskRequest(id=events[0].task.id))
    stored = {artifact.artifact_id: text_of(artifact) for artifact in got.artifacts}
    checks.that("streams: the chunks make the artifact that GetTask shows", artifacts_of(events) == stored)
    checks.that("streams: the answer names a root cause", "#" in stored["k8s_diagnostics_result"])


async def tasks(streaming, unary) -> None:
    task = await send(unary, "hold", return_immediately=True)
    checks.that("does not wait if it does not want to", task.status.state == TaskState.TASK_STATE_SUBMITTED)
    canceled = await unary.cancel_task(CancelTaskRequest(id=task.id))
    checks.that("cancels a running task", canceled.status.state == TaskState.TASK_STATE_CANCELED)
    got = await unary.get_task(GetTaskRequest(id=task.id))
    checks.that("gets it canceled", got.status.state == TaskState.TASK_STATE_CANCELED)
    await refused("cannot cancel it twice", TaskNotCancelableError, unary.cancel_task(CancelTaskRequest(id=task.id)))
    await refused("cannot continue it", UnsupportedOperationError, send(unary, "on", task_id=task.id))

    asked = await send(unary, "ask")
    checks.that("is asked back", asked.status.state == WAITS)
    done = await send(unary, "shop", task_id=asked.id)
    checks.that("answers in the same task", (done.id, done.context_id) == (asked.id, asked.context_id))
    checks.that("and completes it", done.status.state == COMPLETED)
    lengths = [len((await unary.get_task(GetTaskRequest(id=done.id, history_length=n))).history) for n in (0, 1, 9)]
    checks.that("gets as much history as it wants", lengths == [0, 1, 3], lengths)

    for _ in range(2):
        follow_up = request("echo")
        follow_up.message.context_id = asked.context_id
        [_] = [event async for event in unary.send_message(follow_up)]
    page = await unary.list_tasks(ListTasksRequest(context_id=asked.context_id, page_size=2, include_artifacts=True))
    rest = await unary.list_tasks(ListTasksRequest(context_id=asked.context_id, page_token=page.next_page_token))
    listed = [task.id for task in [*page.tasks, *rest.tasks]]
    checks.that("lists a context page by page", (len(set(listed)), page.total_size, rest.next_page_token) == (3, 3, ""))
    checks.that("lists with artifacts, or without", bool(page.tasks[0].artifacts) and not rest.tasks[0].artifacts)
    waiting = await unary.list_tasks(ListTasksRequest(context_id=asked.context_id, status=WAITS))
    checks.that("lists by state", not waiting.tasks)
    await refused("is told of an unknown task", TaskNotFoundError, unary.get_task(GetTaskRequest(id="nobody")))


async def streams(streaming, unary) -> None:
    stream = streaming.send_message(request("slow 12 100"))
    first = await anext(stream)
    await stream.aclose()
    events = [event async for event in streaming.subscribe(SubscribeToTaskRequest(id=first.task.id))]
    checks.that("resubscribes: the task comes first", events[0].HasField("task"))
    before = {artifact.artifact_id: text_of(artifact) for artifact in events[0].task.artifacts}
    whole = before.get("answer", "") + "".join(
        text_of(event.artifact_update.artifact) for event in events if event.HasField("artifact_update")
    )
    expected = "".join(f"chunk {number} of 12\n" for number in range(1, 13))
    checks.that("resubscribes: nothing is lost or repeated", whole == expected, whole)

    async def subscribed(task_id: str):
        return [event async for event in streaming.subscribe(SubscribeToTaskRequest(id=task_id))]

    await refused("cannot watch what has ended", UnsupportedOperationError, subscribed(first.task.id))
    await refused("cannot watch what is not there", TaskNotFoundError, subscribed("nobody"))


async def push(unary) -> None:
    hook = Webhook()
    authentication = AuthenticationInfo(scheme="Bearer", credentials="for-the-hook")
    config = TaskPushNotificationConfig(id="mine", url=hook.url, token="t-1", authentication=authentication)
    task = await send(unary, "ask", task_push_notification_config=config)
    headers, body = hook.next()
    checks.that("push: is told in the form of a stream", body.keys() <= {"task", "statusUpdate", "artifactUpdate"}, body)
    names = (headers.get("authorization"), headers.get("x-a2a-notification-token"))
    checks.that("push: with its credentials", names == ("Bearer for-the-hook", "t-1"), names)

    config.id, config.task_id = "second", task.id
    made = await unary.create_task_push_notification_config(config)
    checks.that("push: creates a configuration", (made.id, made.task_id, made.url) == ("second", task.id, hook.url), made)
    of = {"task_id": task.id, "id": "second"}
    got = await unary.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(**of))
    checks.that("push: gets it", got.url == hook.url, got)
    by_task = ListTaskPushNotificationConfigsRequest(task_id=task.id)
    listed = await unary.list_task_push_notification_configs(by_task)
    checks.that("push: lists both", {c.id for c in listed.configs} == {"mine", "second"}, listed)
    await unary.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(**of))
    await unary.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(**of))
    listed = await unary.list_task_push_notification_configs(by_task)
    checks.that("push: deletes it, twice", [c.id for c in listed.configs] == ["mine"], listed)
    await refused(
        "push: gets none that is not there", TaskNotFoundError,
        unary.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(**of)),
    )
    await send(unary, "shop", task_id=task.id)
    while "TASK_STATE_COMPLETED" not in str(body):
        _, body = hook.next()
    checks.that("push: is told of the end", True)


async def every_method(url: str, binding: str, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(timeout=60, headers=headers) as http:
        card, streaming, unary = await clients(http, url, binding)
        await tasks(streaming, unary)
        await streams(streaming, unary)
        await push(unary)
        extended = await unary.get_extended_agent_card(GetExtendedAgentCardRequest())
        more = len(extended.skills) - len(card.skills)
        checks.that("gets the extended card where there is one", more == (1 if token else 0), extended)


async def without_a_token(url: str, binding: str) -> None:
    """Both bindings refuse; the SDK has no type of its own for that."""
    async with httpx.AsyncClient(timeout=60) as http:
        card, streaming, unary = await clients(http, url, binding)
        scheme = card.security_schemes["bearer"].http_auth_security_scheme.scheme
        checks.that("reads on the card that a token is needed", scheme.lower() == "bearer", card)
        await refused("is not let in without one", A2AClientError, send(unary, "hello"))
        await refused("nor for a task", A2AClientError, unary.get_task(GetTaskRequest(id="nobody")))


async def main() -> None:
    drydock, open_agent, guarded, token = sys.argv[1:]
    async with httpx.AsyncClient(timeout=60) as http:
        await diagnosis(http, drydock)
    for binding in ("JSONRPC", "HTTP+JSON"):
        checks.speaking(binding)
        await every_method(open_agent, binding, None)
        await without_a_token(guarded, binding)
        await every_method(guarded, binding, token)


checks.client("a2a-sdk", "1.3.0")
asyncio.run(main())
checks.done()
