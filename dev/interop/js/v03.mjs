// A2A 0.3 as @a2a-js/sdk 0.3.14 speaks it: node v03.mjs DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN
// Its client has no method for tasks/list.
import { randomUUID } from "node:crypto";

import {
  ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, TaskNotCancelableError, TaskNotFoundError,
} from "a2a-js-sdk-0.3/client";

import * as checks from "./checks.mjs";

const is = (type) => (error) => error instanceof type;
const says = (text) => (error) => error.message.includes(text);

function params(text, { taskId, ...configuration } = {}) {
  const message = { kind: "message", messageId: randomUUID(), role: "user", parts: [{ kind: "text", text }] };
  if (taskId) message.taskId = taskId;
  return { message, configuration };
}

async function clientOf(url, token) {
  const fetchImpl = checks.fetchWith(token);
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  const card = await new DefaultAgentCardResolver().resolve(url);
  return { card, client: await factory.createFromAgentCard(card) };
}

const textOf = (artifact) => artifact.parts.map((part) => part.text ?? "").join("");
const chunksOf = (events) => events.filter((event) => event.kind === "artifact-update");

function artifactsOf(events) {
  const texts = {};
  for (const { artifact, append } of chunksOf(events)) {
    texts[artifact.artifactId] = (append ? (texts[artifact.artifactId] ?? "") : "") + textOf(artifact);
  }
  return texts;
}

async function diagnosis(url) {
  const { card, client } = await clientOf(url);
  checks.equal("resolves the card", [card.name, card.preferredTransport], ["K8s_Diagnostics_Agent", "JSONRPC"]);
  const task = await client.sendMessage(params("Is anything wrong in my cluster?"));
  checks.equal("sends and waits for the result", [task.kind, task.status.state], ["task", "completed"]);
  checks.equal("gets answer and report", task.artifacts.map((artifact) => artifact.name).sort(), ["k8s_diagnostics_result", "report"]);
  const report = task.artifacts.find((artifact) => artifact.name === "report");
  checks.equal("reads the report", report.parts[0].data.schema, "drydock.report/v1");
  const events = await checks.all(client.sendMessageStream(params("Is anything wrong in my cluster?")));
  checks.equal("streams: the task comes first", events[0].kind, "task");
  const last = events.at(-1);
  checks.equal("streams: the result comes last and is final", [last.final, last.status.state], [true, "completed"]);
  const got = await client.getTask({ id: events[0].id });
  const stored = Object.fromEntries(got.artifacts.map((artifact) => [artifact.artifactId, textOf(artifact)]));
  checks.equal("streams: the chunks make the artifact that tasks/get shows", artifactsOf(events), stored);
}

async function tasks(client) {
  const task = await client.sendMessage(params("hold", { blocking: false }));
  checks.equal("does not wait if it does not want to", task.status.state, "submitted");
  const cancel = () => client.cancelTask({ id: task.id });
  checks.equal("cancels a running task", (await cancel()).status.state, "canceled");
  checks.equal("gets it canceled", (await client.getTask({ id: task.id })).status.state, "canceled");
  await checks.refused("cannot cancel it twice", is(TaskNotCancelableError), cancel);
  await checks.refused("cannot continue it", says("-32602"), () => client.sendMessage(params("on", { taskId: task.id })));

  const asked = await client.sendMessage(params("ask"));
  checks.equal("is asked back", asked.status.state, "input-required");
  const done = await client.sendMessage(params("shop", { taskId: asked.id }));
  checks.equal("answers in the same task", [done.id, done.contextId], [asked.id, asked.contextId]);
  checks.equal("and completes it", done.status.state, "completed");
  const lengths = [];
  for (const historyLength of [0, 1, 9]) {
    lengths.push(((await client.getTask({ id: done.id, historyLength })).history ?? []).length);
  }
  checks.equal("gets as much history as it wants", lengths, [0, 1, 3]);
  await checks.refused("is told of an unknown task", is(TaskNotFoundError), () => client.getTask({ id: "nobody" }));
}

async function streams(client) {
  const stream = client.sendMessageStream(params("slow 12 100"));
  const { id } = (await stream.next()).value;
  await stream.return();
  const events = await checks.all(client.resubscribeTask({ id }));
  checks.equal("resubscribes: the task comes first", events[0].kind, "task");
  const before = (events[0].artifacts ?? []).map(textOf).join("");
  const whole = before + chunksOf(events).map((chunk) => textOf(chunk.artifact)).join("");
  const expected = Array.from({ length: 12 }, (_, index) => `chunk ${index + 1} of 12\n`).join("");
  checks.equal("resubscribes: nothing is lost or repeated", whole, expected);
}

async function push(client) {
  const hook = await checks.webhook();
  const config = {
    id: "mine", url: hook.url, token: "t-1", authentication: { schemes: ["Bearer"], credentials: "for-the-hook" },
  };
  const task = await client.sendMessage(params("ask", { pushNotificationConfig: config }));
  const { headers, body } = await hook.next();
  checks.equal("push: is told with the task of 0.3", [body.kind, body.id], ["task", task.id]);
  const names = [headers.authorization, headers["x-a2a-notification-token"]];
  checks.equal("push: with its credentials", names, ["Bearer for-the-hook", "t-1"]);

  const second = { taskId: task.id, pushNotificationConfig: { ...config, id: "second" } };
  const made = await client.setTaskPushNotificationConfig(second);
  checks.equal("push: sets a configuration", [made.taskId, made.pushNotificationConfig.id], [task.id, "second"]);
  const of = { id: task.id, pushNotificationConfigId: "second" };
  const got = await client.getTaskPushNotificationConfig(of);
  checks.equal("push: gets it", got.pushNotificationConfig.url, hook.url);
  const list = async () => {
    const configs = await client.listTaskPushNotificationConfig({ id: task.id });
    return configs.map((each) => each.pushNotificationConfig.id).sort();
  };
  checks.equal("push: lists both", await list(), ["mine", "second"]);
  await client.deleteTaskPushNotificationConfig(of);
  await client.deleteTaskPushNotificationConfig(of);
  checks.equal("push: deletes it, twice", await list(), ["mine"]);
  await checks.refused("push: gets none that is not there", is(TaskNotFoundError), () => client.getTaskPushNotificationConfig(of));
}

async function everyMethod(url, token) {
  const { card, client } = await clientOf(url, token);
  await tasks(client);
  await streams(client);
  await push(client);
  const extended = await client.getAgentCard();
  checks.equal("gets the extended card where there is one", extended.skills.length - card.skills.length, token ? 1 : 0);
}

async function withoutAToken(url) {
  const { card, client } = await clientOf(url);
  checks.equal("reads on the card that a token is needed", card.securitySchemes.bearer.scheme.toLowerCase(), "bearer");
  await checks.refused("is not let in without one", says("bearer token"), () => client.sendMessage(params("hello")));
  await checks.refused("nor for a task", says("bearer token"), () => client.getTask({ id: "nobody" }));
}

const [drydock, open, guarded, token] = process.argv.slice(2);
checks.client("a2a-js-sdk-0.3", "0.3.14");
await diagnosis(drydock);
await everyMethod(open);
await withoutAToken(guarded);
await everyMethod(guarded, token);
checks.done();
