// A collaborator that asks another agent over A2A 1.0 and prints the answer as it streams.
//
//     npm ci && npm run build
//     npm start -- http://127.0.0.1:9000 "Why is checkout down?"
//
// CLIENT_ID and CLIENT_SECRET, and SCOPE where the provider wants it, say how to get a machine token. Where it comes from
// is on the agent's card, unless TOKEN_URL says it.
import { randomUUID } from "node:crypto";

import { type AgentCard, Role, TaskState } from "@a2a-js/sdk";
import {
  ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, createAuthenticatingFetchWithRetry,
} from "@a2a-js/sdk/client";

/** Where the card says that machine tokens come from. */
function tokenUrlOf(card: AgentCard): string {
  for (const { scheme } of Object.values(card.securitySchemes)) {
    if (scheme?.$case !== "oauth2SecurityScheme") continue;
    const flow = scheme.value.flows?.flow;
    if (flow?.$case === "clientCredentials") return flow.value.tokenUrl;
  }
  throw new Error(`${card.name} does not say where machine tokens come from: set TOKEN_URL`);
}

/** `fetch` with a machine token, which is kept until shortly before it ends. */
function fetchWithToken(tokenUrl: string): typeof fetch {
  const { CLIENT_ID = "", CLIENT_SECRET = "", SCOPE } = process.env;
  let token = "";
  let ends = 0;
  const headers = async () => {
    if (Date.now() > ends - 60_000) {
      const body = new URLSearchParams({ grant_type: "client_credentials", ...(SCOPE && { scope: SCOPE }) });
      const basic = Buffer.from(`${encodeURIComponent(CLIENT_ID)}:${encodeURIComponent(CLIENT_SECRET)}`);
      const Authorization = `Basic ${basic.toString("base64")}`;
      const response = await fetch(tokenUrl, { method: "POST", body, headers: { Authorization } });
      if (!response.ok) throw new Error(`no machine token: ${tokenUrl} answers ${response.status}`);
      const answer = (await response.json()) as { access_token: string; expires_in: number };
      token = answer.access_token;
      ends = Date.now() + answer.expires_in * 1000;
    }
    return { Authorization: `Bearer ${token}` };
  };
  return createAuthenticatingFetchWithRetry(fetch, { headers, shouldRetryWithHeaders: async () => undefined });
}

/** Prints the answer as it comes. Returns the state in which the task ended. */
async function ask(card: AgentCard, fetchImpl: typeof fetch, question: string): Promise<TaskState> {
  const factory = new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl })] });
  const client = await factory.createFromAgentCard(card);
  const part = { content: { $case: "text" as const, value: question }, metadata: undefined, filename: "", mediaType: "" };
  const message = {
    messageId: randomUUID(), contextId: "", taskId: "", role: Role.ROLE_USER, parts: [part],
    metadata: undefined, extensions: [], referenceTaskIds: [],
  };
  let state = TaskState.TASK_STATE_UNSPECIFIED;
  const request = { tenant: "", message, configuration: undefined, metadata: undefined };
  for await (const { payload } of client.sendMessageStream(request)) {
    if (payload?.$case === "artifactUpdate") {
      for (const { content } of payload.value.artifact?.parts ?? []) {
        if (content?.$case === "text") process.stdout.write(content.value);
      }
    } else if (payload?.$case === "statusUpdate") {
      state = payload.value.status?.state ?? state;
      const said = (payload.value.status?.message?.parts ?? []).map(({ content }) => content?.value);
      console.error(`[${TaskState[state]}]`, ...said);
    }
  }
  return state;
}

const [address, question] = process.argv.slice(2);
const card = await new DefaultAgentCardResolver().resolve(address);
const fetchImpl = process.env.CLIENT_ID ? fetchWithToken(process.env.TOKEN_URL ?? tokenUrlOf(card)) : fetch;
process.exitCode = (await ask(card, fetchImpl, question)) === TaskState.TASK_STATE_COMPLETED ? 0 : 1;
