"""The Python client of MCP, on stdin and stdout and over HTTP, with and without sessions.

DRYDOCK BUNDLE CALLS URL GATEWAY_URL FIXTURES_URL; the gateway calls the server at URL shop.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

from checks import client as is_client
from checks import done, speaking, that
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


async def all_pages(of, member):
    found, pages, cursor = [], 0, None
    while True:
        page = await of(cursor=cursor)
        found, pages, cursor = found + getattr(page, member), pages + 1, page.next_cursor
        if cursor is None:
            return found, pages


async def refused(call):
    try:
        return await call, None
    except MCPError as error:
        return None, error


async def tools(client, calls, prefix=""):
    offered, _ = await all_pages(client.list_tools, "tools")
    offered = [tool for tool in offered if tool.name.startswith(prefix)]
    names = [tool.name.removeprefix(prefix) for tool in offered]
    that("lists tools", {"diagnose_cluster", "get_pod_logs", "explain_finding"} <= set(names), names)
    whole = all(tool.title and tool.output_schema and tool.annotations.read_only_hint is not None for tool in offered)
    that("each has a title, an output schema and annotations", whole, offered)
    unknown = set(names) - set(calls)
    that("each is one that calls.json can call", not unknown, unknown)
    for name in names:
        call = calls[name]
        # The client holds structured content against the output schema, and raises where it does not fit.
        result = await client.call_tool(prefix + name, call["arguments"])
        fits = result.is_error == call.get("fails", False) and result.structured_content and result.content
        that(f"{name} answers as its schema says", bool(fits), result)


async def diagnosis(client, prefix=""):
    told = []

    async def progress(done, total, says):
        told.append((done, total, says))

    scope = {"namespace": "checkout"}
    result = await client.call_tool(f"{prefix}diagnose_cluster", scope, progress_callback=progress)
    found = [finding["rule"] for finding in result.structured_content["findings"]]
    that("a diagnosis names root causes", "storage-class-missing" in found, result)
    steps = [done for done, _, _ in told]
    rises = len(steps) > 2 and all(one < next_one for one, next_one in zip(steps, steps[1:]))
    that("and tells how far it is, rising", rises and all(total for _, total, _ in told), told)


async def failures(client, prefix=""):
    result = await client.call_tool(f"{prefix}get_pod_logs", {"namespace": "checkout", "pod_name": "none"})
    that("what goes wrong in a tool is its result", result.is_error and "none" in result.content[0].text, result)
    result = await client.call_tool(f"{prefix}list_k8s_resources", {"kind": 3})
    that("so are arguments that do not fit", result.is_error and "kind" in result.content[0].text, result)


async def library(client):
    _, error = await refused(client.read_resource("drydock://guide/none"))
    that("a resource that is not there is refused", error is not None, error)
    resources, pages = await all_pages(client.list_resources, "resources")
    uris = [resource.uri for resource in resources]
    that(f"lists {len(uris)} resources on {pages} pages", pages > 1 and len(set(uris)) == len(uris), uris)
    that("the diagnosis is one of them", any(uri.startswith("drydock://reports/") for uri in uris), uris)
    for uri in uris:
        contents = (await client.read_resource(uri)).contents
        if not contents[0].text:
            that(f"{uri} can be read", False, contents)
    that("each can be read", True)
    templates, _ = await all_pages(client.list_resource_templates, "resource_templates")
    that("has templates", len(templates) == 3, templates)
    prompts, _ = await all_pages(client.list_prompts, "prompts")
    that("has prompts", "pod_crash" in [prompt.name for prompt in prompts], prompts)
    prompt = await client.get_prompt("pod_crash", {"namespace": "checkout"})
    that("a prompt takes up its arguments", "checkout" in prompt.messages[0].content.text, prompt)


async def cancellation(call, is_over):
    """Cancels a call when it has begun."""
    begun = asyncio.Event()

    async def progress(*_):
        begun.set()

    calling = asyncio.create_task(call(progress))
    await asyncio.wait_for(begun.wait(), 20)
    calling.cancel()
    try:
        await calling
        that("a call can be canceled", False, "it ended")
    except asyncio.CancelledError:
        that("a call can be canceled", await is_over(), "the server goes on with it")


@asynccontextmanager
async def connected(server, mode, how, person=None):
    speaking(f"{how}, {VERSIONS[mode]}")
    async with Client(server, mode=mode, read_timeout_seconds=60, elicitation_callback=person) as client:
        version = client.protocol_version
        that("speaks the revision that is meant", version == VERSIONS[mode], version)
        yield client


async def with_drydock(server, mode, how, calls):
    async with connected(server, mode, how) as client:
        info = client.server_info
        that("is told who serves, and what for", info and info.name == "drydock" and client.instructions, info)
        await tools(client, calls)
        await diagnosis(client)
        await failures(client)
        await library(client)

        def diagnose(progress):
            return client.call_tool("diagnose_cluster", {}, progress_callback=progress)

        async def serves():
            return not (await client.call_tool("current_time", {})).is_error

        await cancellation(diagnose, serves)


async def with_gateway(url, mode, calls):
    async with connected(f"{url}/mcp", mode, "HTTP, gateway") as client:
        await tools(client, calls, "shop___")
        await diagnosis(client, "shop___")
        await failures(client, "shop___")
        found = await client.call_tool("x_amz_bedrock_agentcore_search", {"query": "read the logs of a pod"})
        names = [tool["name"] for tool in found.structured_content["tools"]]
        that("finds the tool for a task", "shop___get_pod_logs" in names, names)


async def with_fixtures(url, mode):
    asked = []

    async def person(_, params):
        asked.append(params.message)
        return ElicitResult(action="accept", content={name: "blue" for name in params.requested_schema["properties"]})

    async with connected(f"{url}/mcp", mode, "HTTP, fixtures", person) as client:
        # In a session the server asks; without one it answers with what it asks, here twice.
        asks = {"auto": ("test_input_required_result_multi_round", 2), "legacy": ("test_elicitation", 1)}
        tool, times = asks[mode]
        result = await client.call_tool(tool, {"message": "Which color?"})
        that("a person is asked", "blue" in result.content[0].text and len(asked) == times, (result, asked))

        async def given_up():
            return int((await client.call_tool("test_given_up", {})).content[0].text)

        before = await given_up()

        def wait(progress):
            return client.call_tool("test_wait", {}, progress_callback=progress)

        async def ends():
            async with asyncio.timeout(20):
                while await given_up() == before:
                    await asyncio.sleep(0.05)
            return True

        await cancellation(wait, ends)
        mixed = await client.call_tool("test_multiple_content_types", {})
        that("takes content of every kind", [block.type for block in mixed.content] == ["text", "image", "resource"], mixed)


async def main():
    drydock, bundle, calls, url, gateway, fixtures = sys.argv[1:]
    with open(calls, encoding="utf-8") as file:
        calls = json.load(file)
    child = StdioServerParameters(command=drydock, args=["mcp", "--bundle", bundle, "--allow-sensitive-data"])
    for mode in VERSIONS:
        await with_drydock(child, mode, "stdio", calls)
        await with_drydock(f"{url}/mcp", mode, "HTTP", calls)
        await with_gateway(gateway, mode, calls)
        await with_fixtures(fixtures, mode)


is_client("mcp", "2.1.1")
asyncio.run(main())
done()
