"""A2A 1.0 as a2a-sdk 1.3.0 speaks it: python v1.py DRYDOCK_URL SCRIPTED_URL"""

import asyncio
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest, GetTaskRequest, Message, Part, Role, SendMessageConfiguration, SendMessageRequest,
    SubscribeToTaskRequest, TaskNotFoundError, TaskState,
)

import checks


def request(text: str, **configuration) -> SendMessageRequest:
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)])
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(**configuration))


async def clients(http: httpx.AsyncClient, url: str):
    """The card, a client that streams, and one that does not."""
    card = await A2ACardResolver(http, url).get_agent_card()
    make = lambda streaming: ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)
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


async def diagnosis(http: httpx.AsyncClient, url: str) -> None:
    card, streaming, unary = await clients(http, url)
    checks.that("resolves the card", card.name == "K8s_Diagnostics_Agent" and card.skills[0].id == "eks_diagnostics")
    checks.that("finds both versions on it", [i.protocol_version for i in card.supported_interfaces] == ["1.0", "0.3"])

    task = await send(unary, checks.QUESTION)
    checks.that("sends and waits for the result", task.status.state == TaskState.TASK_STATE_COMPLETED)
    names = [artifact.name for artifact in task.artifacts]
    checks.that("gets answer and report", sorted(names) == ["k8s_diagnostics_result", "report"], names)
    [report] = [artifact for artifact in task.artifacts if artifact.name == "report"]
    schema = report.parts[0].data.struct_value["schema"]
    checks.that("reads the report", schema == "drydock.report/v1", schema)

    events = [event async for event in streaming.send_message(request(checks.QUESTION))]
    checks.that("streams: the task comes first", events[0].HasField("task"))
    last = events[-1].status_update.status.state
    checks.that("streams: the result comes last", last == TaskState.TASK_STATE_COMPLETED, last)
    got = await unary.get_task(GetTaskRequest(id=events[0].task.id))
    stored = {artifact.artifact_id: text_of(artifact) for artifact in got.artifacts}
    checks.that("streams: the chunks make the artifact that GetTask shows", artifacts_of(events) == stored)
    checks.that("streams: the answer names a root cause", "#" in stored["k8s_diagnostics_result"])


async def courses(http: httpx.AsyncClient, url: str) -> None:
    _, streaming, unary = await clients(http, url)
    task = await send(unary, "hold", return_immediately=True)
    checks.that("does not wait if it does not want to", task.status.state == TaskState.TASK_STATE_SUBMITTED)
    canceled = await unary.cancel_task(CancelTaskRequest(id=task.id))
    checks.that("cancels a running task", canceled.status.state == TaskState.TASK_STATE_CANCELED)
    got = await unary.get_task(GetTaskRequest(id=task.id))
    checks.that("gets it canceled", got.status.state == TaskState.TASK_STATE_CANCELED)

    stream = streaming.send_message(request("slow 12 100"))
    first = await anext(stream)
    await stream.aclose()
    again = streaming.subscribe(SubscribeToTaskRequest(id=first.task.id))
    events = [event async for event in again]
    checks.that("resubscribes: the task comes first", events[0].HasField("task"))
    before = {artifact.artifact_id: text_of(artifact) for artifact in events[0].task.artifacts}
    whole = before.get("answer", "") + "".join(
        text_of(event.artifact_update.artifact) for event in events if event.HasField("artifact_update")
    )
    expected = "".join(f"chunk {number} of 12\n" for number in range(1, 13))
    checks.that("resubscribes: nothing is lost or repeated", whole == expected, whole)

    asked = await send(unary, "ask")
    checks.that("is asked back", asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED)
    follow_up = request("shop")
    follow_up.message.task_id = asked.id
    [event] = [event async for event in unary.send_message(follow_up)]
    checks.that("answers in the same task", (event.task.id, event.task.context_id) == (asked.id, asked.context_id))
    checks.that("and completes it", event.task.status.state == TaskState.TASK_STATE_COMPLETED)
    try:
        await unary.get_task(GetTaskRequest(id="nobody"))
        checks.that("is told of an unknown task", False)
    except TaskNotFoundError:
        checks.that("is told of an unknown task", True)


async def main() -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        await diagnosis(http, sys.argv[1])
        await courses(http, sys.argv[2])


checks.client("a2a-sdk", "1.3.0")
asyncio.run(main())
checks.done()
