// The TypeScript clients of MCP, those with and those without 2026-07-28, on stdin and stdout and over HTTP:
// DRYDOCK BUNDLE CALLS URL FIXTURES_URL
import { readFileSync } from "node:fs";
import * as v2 from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioOfV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientOfV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioOfV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpOfV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { client as isClient, done, equal, refused, speaking, that } from "./checks.mjs";

console.warn = (...said) => that("has nothing to warn of", false, said);

const [drydock, bundle, callsFile, url, fixtures] = process.argv.slice(2);
const calls = JSON.parse(readFileSync(callsFile));
const who = { name: "drydock-interop", version: "1" };
const capabilities = { elicitation: {} };
const child = { command: drydock, args: ["mcp", "--bundle", bundle, "--allow-sensitive-data"] };

/** A transport that says which revision it was told: the older client does not. */
function told(transport) {
  const set = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (revision) => {
    transport.revision = revision;
    set?.(revision);
  };
  return transport;
}

/** Each client: how it connects, how it calls, and which revision it speaks then. */
const pinned = { versionNegotiation: { mode: { pin: "2026-07-28" } } };
const clients = [
  {
    folder: "@modelcontextprotocol/sdk",
    version: "1.32.2",
    revision: "2025-11-25",
    make: () => new ClientOfV1(who, { capabilities }),
    http: (to) => told(new HttpOfV1(new URL(to))),
    stdio: () => told(new StdioOfV1(child)),
    call: (client, params, options) => client.callTool(params, undefined, options),
    asks: (client, person) => client.setRequestHandler(ElicitRequestSchema, person),
    spoken: (client, transport) => transport.revision,
  },
  ...[["2025-11-25", {}], ["2026-07-28", pinned]].map(([revision, options]) => ({
    folder: "@modelcontextprotocol/client",
    version: "2.4.0",
    revision,
    make: () => new v2.Client(who, { capabilities, ...options }),
    http: (to) => new v2.StreamableHTTPClientTransport(new URL(to)),
    stdio: () => new StdioOfV2(child),
    call: (client, params, options) => client.callTool(params, options),
    asks: (client, person) => client.setRequestHandler("elicitation/create", person),
    spoken: (client) => client.getNegotiatedProtocolVersion(),
  })),
];

async function allPages(list, member) {
  const found = [];
  let cursor;
  do {
    const page = await list(cursor && { cursor });
    found.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor);
  return found;
}

async function tools(client, call) {
  const offered = await allPages((page) => client.listTools(page), "tools");
  const names = offered.map((tool) => tool.name);
  that("lists tools", ["diagnose_cluster", "get_pod_logs"].every((name) => names.includes(name)), names);
  const isWhole = (tool) => tool.title && tool.outputSchema && tool.annotations.readOnlyHint !== undefined;
  that("each has a title, an output schema and annotations", offered.every(isWhole), offered);
  equal("each is one that calls.json can call", names.filter((name) => !(name in calls)), []);
  for (const name of names) {
    // The client holds structured content against the output schema, and throws where it does not fit.
    const result = await call({ name, arguments: calls[name].arguments });
    const fits = (result.isError ?? false) === (calls[name].fails ?? false) && result.structuredContent && result.content[0];
    that(`${name} answers as its schema says`, fits, result);
  }
}

async function diagnosis(call) {
  const told = [];
  const params = { name: "diagnose_cluster", arguments: { namespace: "checkout" } };
  const result = await call(params, { onprogress: (progress) => told.push(progress) });
  const found = result.structuredContent.findings.map((finding) => finding.rule);
  that("a diagnosis names root causes", found.includes("storage-class-missing"), found);
  const rises = told.every(({ progress, total }, index) => total && (index === 0 || progress > told[index - 1].progress));
  that("and tells how far it is, rising", told.length > 2 && rises, told);
}

async function failures(client, call) {
  const result = await call({ name: "get_pod_logs", arguments: { namespace: "checkout", pod_name: "none" } });
  that("what goes wrong in a tool is its result", result.isError && result.content[0].text.includes("none"), result);
  const wrong = await call({ name: "list_k8s_resources", arguments: { kind: 3 } });
  that("so are arguments that do not fit", wrong.isError && wrong.content[0].text.includes("kind"), wrong);
  const isNotFound = (error) => /no such resource/.test(error.message);
  await refused("a resource that is not there is refused", isNotFound, () => client.readResource({ uri: "drydock://guide/none" }));
}

async function library(client) {
  const uris = (await allPages((page) => client.listResources(page), "resources")).map((resource) => resource.uri);
  that("lists resources, more than a page", uris.length > 100 && new Set(uris).size === uris.length, uris);
  that("the diagnosis is one of them", uris.some((uri) => uri.startsWith("drydock://reports/")), uris);
  for (const uri of uris) {
    const { contents } = await client.readResource({ uri });
    if (!contents[0].text) that(`${uri} can be read`, false, contents);
  }
  that("each can be read", true);
  equal("has templates", (await allPages((page) => client.listResourceTemplates(page), "resourceTemplates")).length, 3);
  const prompts = (await allPages((page) => client.listPrompts(page), "prompts")).map((prompt) => prompt.name);
  that("has prompts", prompts.includes("pod_crash"), prompts);
  const prompt = await client.getPrompt({ name: "pod_crash", arguments: { namespace: "checkout" } });
  that("a prompt takes up its arguments", prompt.messages[0].content.text.includes("checkout"), prompt);
}

/** Cancels a call when it has begun. */
async function cancellation(call, name, isOver) {
  const abort = new AbortController();
  const options = { signal: abort.signal, onprogress: () => abort.abort("enough") };
  await refused("a call can be canceled", (error) => /enough|abort/i.test(String(error)), () => call({ name, arguments: {} }, options));
  that("and the server is done with it", await isOver());
}

async function connected({ make, asks, spoken, call, folder, version, revision }, transport, how, use) {
  isClient(folder, version);
  speaking(`${how}, ${revision}`);
  const client = make();
  const asked = [];
  asks(client, ({ params }) => {
    asked.push(params.message);
    const content = Object.fromEntries(Object.keys(params.requestedSchema.properties).map((name) => [name, "blue"]));
    return { action: "accept", content };
  });
  await client.connect(transport);
  equal("speaks the revision that is meant", spoken(client, transport), revision);
  await use(client, (params, options) => call(client, params, options), { asked, revision });
  await client.close();
}

async function drydockItself(client, call) {
  that("is told who serves, and what for", client.getServerVersion()?.name === "drydock" && client.getInstructions());
  await tools(client, call);
  await diagnosis(call);
  await failures(client, call);
  await library(client);
  await cancellation(call, "diagnose_cluster", async () => !(await call({ name: "current_time", arguments: {} })).isError);
}

async function fixtureServer(client, call, { asked, revision }) {
  // In a session the server asks; without one it answers with what it asks, here twice.
  const asks = { "2025-11-25": ["test_elicitation", 1], "2026-07-28": ["test_input_required_result_multi_round", 2] };
  const [name, times] = asks[revision];
  const answer = await call({ name, arguments: { message: "Which color?" } });
  that("a person is asked", answer.content[0].text.includes("blue") && asked.length === times, { answer, asked });
  const givenUp = async () => Number((await call({ name: "test_given_up", arguments: {} })).content[0].text);
  const before = await givenUp();
  await cancellation(call, "test_wait", async () => {
    const end = Date.now() + 20_000;
    while ((await givenUp()) === before && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
    return (await givenUp()) > before;
  });
  const mixed = await call({ name: "test_multiple_content_types", arguments: {} });
  equal("takes content of every kind", mixed.content.map((block) => block.type), ["text", "image", "resource"]);
}

for (const kind of clients) {
  await connected(kind, kind.stdio(), "stdio", drydockItself);
  await connected(kind, kind.http(`${url}/mcp`), "HTTP", drydockItself);
  await connected(kind, kind.http(`${fixtures}/mcp`), "HTTP, fixtures", fixtureServer);
}
done();
