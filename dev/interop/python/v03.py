"""A2A 0.3 as a2a-sdk 0.3.26 speaks it: python v03.py DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN

Its client has no methods for tasks/list and for listing and deleting push configurations.
"""

import asyncio
import sys
import uuid
import warnings

import httpx
from a2a.client import A2ACardResolver, A2AClientError, ClientConfig, ClientFactory
from a2a.types import (
    GetTaskPushNotificationConfigParams, Message, MessageSendConfiguration, Part, PushNotificationAuthenticationInfo,
    PushNotificationConfig, Role, TaskArtifactUpdateEvent, TaskIdParams, TaskPushNotificationConfig, TaskQueryParams,
    TaskState, TextPart,
)

import checks
from webhook import Webhook

# The SDK dumps what a single call configures and then serializes it as if it had not: right on the wire, with a warning.
warnings.filterwarnings("ignore", "Pydantic serializer warnings")


def message(text: str, task_id: str | None = None) -> Message:
    parts = [Part(root=TextPart(text=text))]
    return Message(message_id=str(uuid.uuid4()), role=Role.user, parts=parts, task_id=task_id)


async def clients(http: httpx.AsyncClient, url: str):
    """The card, a client that streams, and one that does not."""
    card = await A2ACardResolver(http, url).get_agent_card()
    make = lambda streaming: ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)
    return card, make(True), make(False)


async def send(client, message: Message, **configuration):
    """The task that a send without streaming answers with."""
    configuration = MessageSendConfiguration(**configuration)
    [(task, _)] = [event async for event in client.send_message(message, configuration=configuration)]
    return task


async def taken(stream) -> list:
    """Every event as it was when it came: the client goes on writing into what it has handed out."""
    return [(task, update and update.model_copy(deep=True)) async for task, update in stream]


def text_of(artifact) -> str:
    return "".join(part.root.text for part in artifact.parts if part.root.kind == "text")


def artifacts_of(events) -> dict[str, str]:
    """The text of each artifact, put together from its chunks as the protocol says."""
    texts: dict[str, str] = {}
    for update in (update for _, update in events if isinstance(update, TaskArtifactUpdateEvent)):
        known = texts.get(update.artifact.artifact_id, "") if update.append else ""
        texts[update.artifact.artifact_id] = known + text_of(update.artifact)
    return texts


async def diagnosis(http: httpx.AsyncClient, url: str) -> None:
    card, streaming, unary = await clients(http, url)
    checks.that("resolves the card", card.name == "K8s_Diagnostics_Agent" and card.skills[0].id == "eks_diagnostics")
    checks.that("finds its transport on it", (card.preferred_transport, card.url.rstrip("/")) == ("JSONRPC", url))

    task = await send(unary, message(checks.QUESTION))
    checks.that("sends and waits for the result", task.status.state == TaskState.completed)
    names = [artifact.name for artifact in task.artifacts]
    checks.that("gets answer and report", sorted(names) == ["k8s_diagnostics_result", "report"], names)
    [report] = [artifact for artifact in task.artifacts if artifact.name == "report"]
    schema = report.parts[0].root.data["schema"]
    checks.that("reads the report", schema == "drydock.report/v1", schema)

    events = await taken(streaming.send_message(message(checks.QUESTION)))
    checks.that("streams: the task comes first", events[0][1] is None)
    final, update = events[-1]
    checks.that("streams: the result comes last and is final", update.final and update.status.state == TaskState.completed)
    got = await unary.get_task(TaskQueryParams(id=final.id))
    stored = {artifact.artifact_id: text_of(artifact) for artifact in got.artifacts}
    checks.that("streams: the chunks make the artifact that tasks/get shows", artifacts_of(events) == stored)
    own = {artifact.artifact_id: text_of(artifact) for artifact in final.artifacts}
    checks.that("streams: and the one that the client keeps", own == stored)


async def refused(what: str, said: str, call) -> None:
    try:
        answer = await call
    except A2AClientError as error:
        checks.that(what, said in str(error), error)
    else:
        checks.that(what, False, answer)


async def tasks(unary) -> None:
    task = await send(unary, message("hold"), blocking=False)
    checks.that("does not wait if it does not want to", task.status.state == TaskState.submitted)
    canceled = await unary.cancel_task(TaskIdParams(id=task.id))
    checks.that("cancels a running task", canceled.status.state == TaskState.canceled)
    got = await unary.get_task(TaskQueryParams(id=task.id))
    checks.that("gets it canceled", got.status.state == TaskState.canceled)
    await refused("cannot cancel it twice", "-32002", unary.cancel_task(TaskIdParams(id=task.id)))
    await refused("cannot continue it", "-32602", send(unary, message("on", task_id=task.id)))

    asked = await send(unary, message("ask"))
    checks.that("is asked back", asked.status.state == TaskState.input_required)
    task = await send(unary, message("shop", task_id=asked.id))
    checks.that("answers in the same task", (task.id, task.context_id) == (asked.id, asked.context_id))
    checks.that("and completes it", task.status.state == TaskState.completed)
    histories = [(await unary.get_task(TaskQueryParams(id=task.id, history_length=n))).history for n in (0, 1, 9)]
    lengths = [len(history or []) for history in histories]
    checks.that("gets as much history as it wants", lengths == [0, 1, 3], lengths)
    await refused("is told of an unknown task", "-32001", unary.get_task(TaskQueryParams(id="nobody")))


async def streams(streaming, unary) -> None:
    stream = streaming.send_message(message("slow 12 100"))
    task, _ = await anext(stream)
    await stream.aclose()
    events = await taken(streaming.resubscribe(TaskIdParams(id=task.id)))
    checks.that("resubscribes: the task comes first", events[0][1] is None)
    chunks = [update for _, update in events if isinstance(update, TaskArtifactUpdateEvent)]
    whole = "".join(text_of(update.artifact) for update in chunks)
    # The client adds later chunks to the snapshot that it holds; what was there before is the rest of it.
    got = await unary.get_task(TaskQueryParams(id=task.id))
    expected = "".join(f"chunk {number} of 12\n" for number in range(1, 13))
    checks.that("resubscribes: gets the rest", whole != "" and expected.endswith(whole), whole)
    checks.that("resubscribes: the client's task is the agent's", text_of(events[-1][0].artifacts[0]) == expected)
    checks.that("resubscribes: as tasks/get shows it", text_of(got.artifacts[0]) == expected)


async def push(unary) -> None:
    hook = Webhook()
    authentication = PushNotificationAuthenticationInfo(schemes=["Bearer"], credentials="for-the-hook")
    config = PushNotificationConfig(id="mine", url=hook.url, token="t-1", authentication=authentication)
    task = await send(unary, message("ask"), push_notification_config=config)
    headers, body = hook.next()
    checks.that("push: is told with the task of 0.3", (body["kind"], body["id"]) == ("task", task.id), body)
    names = (headers.get("authorization"), headers.get("x-a2a-notification-token"))
    checks.that("push: with its credentials", names == ("Bearer for-the-hook", "t-1"), names)
    second = PushNotificationConfig(id="second", url=hook.url)
    of_task = TaskPushNotificationConfig(task_id=task.id, push_notification_config=second)
    made = await unary.set_task_callback(of_task)
    checks.that("push: sets a configuration", (made.task_id, made.push_notification_config.id) == (task.id, "second"), made)
    by_id = lambda name: GetTaskPushNotificationConfigParams(id=task.id, push_notification_config_id=name)
    got = await unary.get_task_callback(by_id("second"))
    checks.that("push: gets it", got.push_notification_config.url == hook.url, got)
    await refused("push: gets none that is not there", "-32001", unary.get_task_callback(by_id("third")))


async def every_method(url: str, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(timeout=60, headers=headers) as http:
        card, streaming, unary = await clients(http, url)
        await tasks(unary)
        await streams(streaming, unary)
        await push(unary)
        extended = await unary.get_card()
        more = len(extended.skills) - len(card.skills)
        checks.that("gets the extended card where there is one", more == (1 if token else 0), extended)


async def without_a_token(url: str) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        card, _, unary = await clients(http, url)
        scheme = card.security_schemes["bearer"].root.scheme
        checks.that("reads on the card that a token is needed", scheme.lower() == "bearer", card)
        await refused("is not let in without one", "401", send(unary, message("hello")))
        await refused("nor for a task", "401", unary.get_task(TaskQueryParams(id="nobody")))


async def main() -> None:
    drydock, open_agent, guarded, token = sys.argv[1:]
    async with httpx.AsyncClient(timeout=60) as http:
        await diagnosis(http, drydock)
    await every_method(open_agent, None)
    await without_a_token(guarded)
    await every_method(guarded, token)


checks.client("a2a-sdk", "0.3.26")
asyncio.run(main())
checks.done()
