// One line per check; the first that fails ends the run.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { isDeepStrictEqual } from "node:util";

let count = 0;
let name = "";
let binding = "";

export function client(folder, version) {
  const found = JSON.parse(readFileSync(new URL(`node_modules/${folder}/package.json`, import.meta.url)));
  if (found.version !== version) throw new Error(`${version} is meant, ${found.version} is installed`);
  name = `${found.name} ${version}`;
}

export function speaking(what) {
  binding = `, ${what}`;
}

export function that(what, isSo, seen) {
  count += 1;
  console.log(`${isSo ? "ok  " : "FAIL"} ${name}${binding}: ${what}`, ...(isSo ? [] : [JSON.stringify(seen)?.slice(0, 2000)]));
  if (!isSo) process.exit(1);
}

export function equal(what, seen, expected) {
  that(what, isDeepStrictEqual(seen, expected), seen);
}

/** `isMeant` says whether the error is the one that is meant. */
export async function refused(what, isMeant, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    return that(what, isMeant(error), `${error.name}: ${error.message}`);
  }
  that(what, false, answer);
}

export function done() {
  console.log(`${name}: ${count} checks passed`);
  process.exit(0);
}

export async function all(events) {
  const taken = [];
  for await (const event of events) taken.push(structuredClone(event));
  return taken;
}

/** `fetch` with this token. */
export function fetchWith(token) {
  if (!token) return fetch;
  return (url, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${token}`);
    return fetch(url, { ...init, headers });
  };
}

/** A receiver of push notifications: its URL, and the next notification. */
export async function webhook() {
  const received = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.end();
    const notification = { headers: request.headers, body: JSON.parse(body) };
    const waiter = waiting.shift();
    if (waiter) waiter(notification);
    else received.push(notification);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    next: () => received.shift() ?? within(20_000, new Promise((resolve) => waiting.push(resolve))),
  };
}

function within(milliseconds, promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no notification")), milliseconds));
  return Promise.race([promise, late]);
}
