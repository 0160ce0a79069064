"""An agent of another house, as a2a-sdk 1.3.0 serves it: python echo_v1.py PORT"""

import sys

import uvicorn
from a2a.helpers import new_task_from_user_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part
from starlette.applications import Starlette

PORT = int(sys.argv[1])


class Echo(AgentExecutor):
    async def execute(self, context, event_queue):
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        words = context.get_user_input().split()
        for index, word in enumerate(words):
            last = index == len(words) - 1
            part = Part(text=f"{word}\n")
            await updater.add_artifact([part], artifact_id="echo", append=index > 0, last_chunk=last)
        await updater.complete()

    async def cancel(self, context, event_queue):
        raise NotImplementedError


url = f"http://127.0.0.1:{PORT}/"
card = AgentCard(
    name="Echo", description="Says what it hears", version="1.0.0",
    supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
    capabilities=AgentCapabilities(streaming=True), default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[AgentSkill(id="echo", name="Echo", description="Says what it hears", tags=["echo"])],
)
handler = DefaultRequestHandler(agent_executor=Echo(), task_store=InMemoryTaskStore(), agent_card=card)
routes = create_agent_card_routes(card) + create_jsonrpc_routes(handler, rpc_url="/")
uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=PORT, log_level="warning")
