// A2A 1.0 as @a2a-js/sdk 1.3.0 speaks it, over both bindings: node v1.mjs DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN
import { randomUUID } from "node:crypto";

import { Role, TaskState } from "@a2a-js/sdk";
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";
import { TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError } from "@a2a-js/sdk/errors";

import * as checks from "./checks.mjs";

const is = (type) => (error) => error instanceof type;

function request(text, { taskId = "", contextId = "", ...configuration } = {}) {
  const part = { content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" };
  const message = {
    messageId: randomUUID(), contextId, taskId, role: Role.ROLE_USER, parts: [part],
    metadata: undefined, extensions: [], referenceTaskIds: [],
  };
  return {
    tenant: "", message, metadata: undefined,
    configuration: { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: false, ...configuration },
  };
}

async function clientOf(url, binding, token) {
  const fetchImpl = checks.fetchWith(token);
  const factory = new ClientFactory({
    transports: [binding === "JSONRPC" ? new JsonRpcTransportFactory({ fetchImpl }) : new RestTransportFactory({ fetchImpl })],
    preferredTransports: [binding],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  const card = await new DefaultAgentCardResolver().resolve(url);
  return { card, client: await factory.createFromAgentCard(card) };
}

const textOf = (artifact) => artifact.parts.map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("");
const chunksOf = (events) => events.filter((event) => event.payload.$case === "artifactUpdate").map((event) => event.payload.value);

/** The text of each artifact, put together from its chunks as the protocol says. */
function artifactsOf(events) {
  const texts = {};
  for (const { artifact, append } of chunksOf(events)) {
    texts[artifact.artifactId] = (append ? (texts[artifact.artifactId] ?? "") : "") + textOf(artifact);
  }
  return texts;
}

async function diagnosis(url) {
  const { card, client } = await clientOf(url, "JSONRPC");
  checks.equal("resolves the card", [card.name, card.skills[0].id], ["K8s_Diagnostics_Agent", "eks_diagnostics"]);
  const task = await client.sendMessage(request("Is anything wrong in my cluster?"));
  checks.equal("sends and waits for the result", task.status.state, TaskState.TASK_STATE_COMPLETED);
  checks.equal("gets answer and report", task.artifacts.map((artifact) => artifact.name).sort(), ["k8s_diagnostics_result", "report"]);
  const report = task.artifacts.find((artifact) => artifact.name === "report");
  checks.equal("reads the report", report.parts[0].content.value.schema, "drydock.report/v1");
  const events = await checks.all(client.sendMessageStream(request("Is anything wrong in my cluster?")));
  checks.equal("streams: the task comes first", events[0].payload.$case, "task");
  checks.equal("streams: the result comes last", events.at(-1).payload.value.status.state, TaskState.TASK_STATE_COMPLETED);
  const got = await client.getTask({ tenant: "", id: events[0].payload.value.id });
  const stored = Object.fromEntries(got.artifacts.map((artifact) => [artifact.artifactId, textOf(artifact)]));
  checks.equal("streams: the chunks make the artifact that GetTask shows", artifactsOf(events), stored);
}

async function tasks(client) {
  const task = await client.sendMessage(request("hold", { returnImmediately: true }));
  checks.equal("does not wait if it does not want to", task.status.state, TaskState.TASK_STATE_SUBMITTED);
  const cancel = () => client.cancelTask({ tenant: "", id: task.id, metadata: undefined });
  checks.equal("cancels a running task", (await cancel()).status.state, TaskState.TASK_STATE_CANCELED);
  const get = (id, historyLength) => client.getTask({ tenant: "", id, historyLength });
  checks.equal("gets it canceled", (await get(task.id)).status.state, TaskState.TASK_STATE_CANCELED);
  await checks.refused("cannot cancel it twice", is(TaskNotCancelableError), cancel);
  await checks.refused("cannot continue it", is(UnsupportedOperationError), () => client.sendMessage(request("on", { taskId: task.id })));

  const asked = await client.sendMessage(request("ask"));
  checks.equal("is asked back", asked.status.state, TaskState.TASK_STATE_INPUT_REQUIRED);
  const done = await client.sendMessage(request("shop", { taskId: asked.id }));
  checks.equal("answers in the same task", [done.id, done.contextId], [asked.id, asked.contextId]);
  checks.equal("and completes it", done.status.state, TaskState.TASK_STATE_COMPLETED);
  const lengths = [];
  for (const length of [0, 1, 9]) lengths.push((await get(done.id, length)).history.length);
  checks.equal("gets as much history as it wants", lengths, [0, 1, 3]);

  const contextId = asked.contextId;
  for (let i = 0; i < 2; i += 1) await client.sendMessage(request("echo", { contextId }));
  const list = (filter) => client.listTasks({ tenant: "", contextId, status: TaskState.TASK_STATE_UNSPECIFIED, pageToken: "", ...filter });
  const page = await list({ pageSize: 2, includeArtifacts: true });
  const rest = await list({ pageToken: page.nextPageToken });
  const listed = new Set([...page.tasks, ...rest.tasks].map((each) => each.id));
  checks.equal("lists a context page by page", [listed.size, page.totalSize, rest.nextPageToken], [3, 3, ""]);
  checks.equal("lists with artifacts, or without", [page.tasks[0].artifacts.length, rest.tasks[0].artifacts.length], [1, 0]);
  checks.equal("lists by state", (await list({ status: TaskState.TASK_STATE_INPUT_REQUIRED })).tasks, []);
  await checks.refused("is told of an unknown task", is(TaskNotFoundError), () => get("nobody"));
}

async function streams(client) {
  const stream = client.sendMessageStream(request("slow 12 100"));
  const { id } = (await stream.next()).value.payload.value;
  await stream.return();
  const events = await checks.all(client.resubscribeTask({ tenant: "", id }));
  checks.equal("resubscribes: the task comes first", events[0].payload.$case, "task");
  const before = events[0].payload.value.artifacts.map(textOf).join("");
  const whole = before + chunksOf(events).map((chunk) => textOf(chunk.artifact)).join("");
  const expected = Array.from({ length: 12 }, (_, index) => `chunk ${index + 1} of 12\n`).join("");
  checks.equal("resubscribes: nothing is lost or repeated", whole, expected);
  const watch = (task) => checks.all(client.resubscribeTask({ tenant: "", id: task }));
  await checks.refused("cannot watch what has ended", is(UnsupportedOperationError), () => watch(id));
  await checks.refused("cannot watch what is not there", is(TaskNotFoundError), () => watch("nobody"));
}

async function push(client) {
  const hook = await checks.webhook();
  const config = {
    tenant: "", id: "mine", taskId: "", url: hook.url, token: "t-1",
    authentication: { scheme: "Bearer", credentials: "for-the-hook" },
  };
  const task = await client.sendMessage(request("ask", { taskPushNotificationConfig: config }));
  const { headers, body } = await hook.next();
  checks.that("push: is told in the form of a stream", "task" in body || "statusUpdate" in body, body);
  const names = [headers.authorization, headers["x-a2a-notification-token"]];
  checks.equal("push: with its credentials", names, ["Bearer for-the-hook", "t-1"]);

  const made = await client.createTaskPushNotificationConfig({ ...config, id: "second", taskId: task.id });
  checks.equal("push: creates a configuration", [made.id, made.taskId, made.url], ["second", task.id, hook.url]);
  const of = { tenant: "", taskId: task.id, id: "second" };
  checks.equal("push: gets it", (await client.getTaskPushNotificationConfig(of)).url, hook.url);
  const list = async () => {
    const { configs } = await client.listTaskPushNotificationConfig({ tenant: "", taskId: task.id, pageSize: 0, pageToken: "" });
    return configs.map((each) => each.id).sort();
  };
  checks.equal("push: lists both", await list(), ["mine", "second"]);
  await client.deleteTaskPushNotificationConfig(of);
  await client.deleteTaskPushNotificationConfig(of);
  checks.equal("push: deletes it, twice", await list(), ["mine"]);
  await checks.refused("push: gets none that is not there", is(TaskNotFoundError), () => client.getTaskPushNotificationConfig(of));
}

async function everyMethod(url, binding, token) {
  const { card, client } = await clientOf(url, binding, token);
  await tasks(client);
  await streams(client);
  await push(client);
  const extended = await client.getAgentCard();
  checks.equal("gets the extended card where there is one", extended.skills.length - card.skills.length, token ? 1 : 0);
}

async function withoutAToken(url, binding) {
  const { card, client } = await clientOf(url, binding);
  const { scheme } = card.securitySchemes.bearer;
  checks.equal("reads on the card that a token is needed", scheme.value.scheme.toLowerCase(), "bearer");
  const anyError = (error) => error instanceof Error;
  await checks.refused("is not let in without one", anyError, () => client.sendMessage(request("hello")));
  await checks.refused("nor for a task", anyError, () => client.getTask({ tenant: "", id: "nobody" }));
}

const [drydock, open, guarded, token] = process.argv.slice(2);
checks.client("@a2a-js/sdk", "1.3.0");
await diagnosis(drydock);
for (const binding of ["JSONRPC", "HTTP+JSON"]) {
  checks.speaking(binding);
  await everyMethod(open, binding);
  await withoutAToken(guarded, binding);
  await everyMethod(guarded, binding, token);
}
checks.done();
