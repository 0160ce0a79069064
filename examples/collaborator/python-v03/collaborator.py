"""A collaborator that hands a task to another agent over A2A 0.3 and waits for the result.

    pip install -r requirements.txt
    python collaborator.py http://127.0.0.1:9000 "Why is checkout down?"

More agents can be named before the task; the first one that can be found gets it. CLIENT_ID, CLIENT_SECRET, TOKEN_URL and,
where the provider wants it, SCOPE say how to get a machine token.
"""

import asyncio
import json
import os
import sys
import time
import uuid

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import AgentCard, Message, Part, Role, Task, TextPart

TRIES = 3


class MachineToken(httpx.Auth):
    """Signs requests with a machine token, which is kept until shortly before it ends."""

    requires_response_body = True

    def __init__(self) -> None:
        self.token, self.ends = "", 0.0

    def auth_flow(self, request):
        if time.monotonic() > self.ends - 60:
            form = {"grant_type": "client_credentials"}
            if scope := os.environ.get("SCOPE"):
                form["scope"] = scope
            basic = httpx.BasicAuth(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
            response = yield next(basic.auth_flow(httpx.Request("POST", os.environ["TOKEN_URL"], data=form)))
            response.raise_for_status()
            answer = response.json()
            self.token, self.ends = answer["access_token"], time.monotonic() + answer["expires_in"]
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


async def discover(http: httpx.AsyncClient, address: str) -> AgentCard | None:
    """The card of the agent at this address; None where it cannot be had after some tries."""
    for attempt in range(1, TRIES + 1):
        try:
            return await A2ACardResolver(http, address).get_agent_card()
        except Exception as error:
            print(f"{address}: try {attempt} of {TRIES}: {error}", file=sys.stderr)
            if attempt < TRIES:
                await asyncio.sleep(2**attempt)
    return None


async def hand_over(client: Client, task: str) -> Task:
    """Sends the task and waits until it has ended, or waits for an answer."""
    parts = [Part(root=TextPart(text=task))]
    message = Message(message_id=str(uuid.uuid4()), context_id=str(uuid.uuid4()), role=Role.user, parts=parts)
    async for event in client.send_message(message):
        if isinstance(event, tuple):
            return event[0]
    raise RuntimeError("the agent answered with a message instead of a task")


async def main(addresses: list[str], task: str) -> None:
    auth = MachineToken() if "CLIENT_ID" in os.environ else None
    timeout = httpx.Timeout(120, read=300)
    async with httpx.AsyncClient(auth=auth, timeout=timeout, headers={"User-Agent": "collaborator/1.0"}) as http:
        cards = [card for address in addresses if (card := await discover(http, address))]
        if not cards:
            sys.exit("no agent was found")
        for card in cards:
            print(json.dumps({"name": card.name, "description": card.description}), file=sys.stderr)
        client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(cards[0])
        result = await hand_over(client, task)
    print(f"{result.status.state.value}: task {result.id}", file=sys.stderr)
    for artifact in result.artifacts or []:
        for part in artifact.parts:
            if isinstance(part.root, TextPart):
                print(part.root.text)
    if result.status.state.value != "completed":
        sys.exit(1)


asyncio.run(main(sys.argv[1:-1], sys.argv[-1]))
