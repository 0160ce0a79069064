"""Asks an A2A agent a question with the a2a-sdk (1.x) and prints the answer as it streams.

    pip install 'a2a-sdk[http-server]>=1.3'
    python ask.py http://127.0.0.1:9000 "Why is checkout down?"
"""

import asyncio
import sys
import uuid

from a2a.client import create_client
from a2a.types import Message, Part, Role, SendMessageRequest


async def main(url: str, question: str) -> None:
    client = await create_client(url)
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=question)])
    async for event in client.send_message(SendMessageRequest(message=message)):
        if event.HasField("artifact_update"):
            for part in event.artifact_update.artifact.parts:
                print(part.text, end="", flush=True)
    await client.close()


asyncio.run(main(sys.argv[1], " ".join(sys.argv[2:])))
