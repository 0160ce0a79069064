"""A collaborator that asks another agent over A2A 1.0 and prints the answer as it streams.

    pip install -r requirements.txt
    python collaborator.py http://127.0.0.1:9000 "Why is checkout down?"

CLIENT_ID and CLIENT_SECRET, and SCOPE where the provider wants it, say how to get a machine token. Where it comes from is
on the agent's card, unless TOKEN_URL says it.
"""

import asyncio
import os
import sys
import time
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import AgentCard, Message, Part, Role, SendMessageRequest, TaskState


class MachineToken(httpx.Auth):
    """Signs requests with a machine token, which is kept until shortly before it ends."""

    requires_response_body = True

    def __init__(self, token_url: str) -> None:
        self.token_url, self.token, self.ends = token_url, "", 0.0

    def auth_flow(self, request):
        if time.monotonic() > self.ends - 60:
            form = {"grant_type": "client_credentials"}
            if scope := os.environ.get("SCOPE"):
                form["scope"] = scope
            basic = httpx.BasicAuth(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
            response = yield next(basic.auth_flow(httpx.Request("POST", self.token_url, data=form)))
            response.raise_for_status()
            answer = response.json()
            self.token, self.ends = answer["access_token"], time.monotonic() + answer["expires_in"]
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


def token_url_of(card: AgentCard) -> str:
    """Where the card says that machine tokens come from."""
    for scheme in card.security_schemes.values():
        if scheme.oauth2_security_scheme.flows.HasField("client_credentials"):
            return scheme.oauth2_security_scheme.flows.client_credentials.token_url
    sys.exit(f"{card.name} does not say where machine tokens come from: set TOKEN_URL")


async def ask(http: httpx.AsyncClient, card: AgentCard, question: str) -> int:
    """Prints the answer as it comes. Returns the state in which the task ended."""
    client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=question)])
    state = TaskState.TASK_STATE_UNSPECIFIED
    async for event in client.send_message(SendMessageRequest(message=message)):
        if event.HasField("artifact_update"):
            for part in event.artifact_update.artifact.parts:
                print(part.text, end="", flush=True)
        elif event.HasField("status_update"):
            state = event.status_update.status.state
            progress = " ".join(part.text for part in event.status_update.status.message.parts)
            print(f"[{TaskState.Name(state)}] {progress}", file=sys.stderr)
    return state


async def main(address: str, question: str) -> None:
    async with httpx.AsyncClient(timeout=httpx.Timeout(30, read=300)) as http:
        card = await A2ACardResolver(http, address).get_agent_card()
        if "CLIENT_ID" in os.environ:
            http.auth = MachineToken(os.environ.get("TOKEN_URL") or token_url_of(card))
        state = await ask(http, card, question)
    if state != TaskState.TASK_STATE_COMPLETED:
        sys.exit(1)


asyncio.run(main(sys.argv[1], sys.argv[2]))
