// Signatures as @a2a-js/sdk 1.3.0 makes and checks them: node signatures.mjs OPEN_URL GUARDED_URL KEY.pem OUTPUT_PREFIX
// Its card resolver hands out a card from which its verifier cannot rebuild the security schemes, so the card is checked
// as it came.
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

import { generateAgentCardSignature, verifyAgentCardSignature } from "@a2a-js/sdk";
import * as jose from "jose";

import * as checks from "./checks.mjs";

const [open, guarded, key, output] = process.argv.slice(2);
const privateKey = createPrivateKey(readFileSync(key));
console.debug = () => {};

async function check(url, name) {
  const { keys } = await (await fetch(`${url}/.well-known/jwks.json`)).json();
  const verifier = (algorithm) =>
    verifyAgentCardSignature(async (kid) => {
      const jwk = keys.find((known) => known.kid === kid && known.alg === algorithm);
      if (!jwk) throw new Error("another key");
      return jose.importJWK(jwk, algorithm);
    });
  for (const [form, headers] of [["merged", {}], ["1.0", { "A2A-Version": "1.0" }]]) {
    checks.speaking(`${name} ${form} card`);
    const card = await (await fetch(`${url}/.well-known/agent-card.json`, { headers })).json();
    for (const algorithm of ["ES256", "EdDSA", "RS256"]) {
      await verifier(algorithm)(card);
      checks.that(`its ${algorithm} signature holds`, true);
    }
    const changed = structuredClone(card);
    changed.supportedInterfaces[0].url = "https://evil.example/";
    const refused = await verifier("ES256")(changed).then(() => false, () => true);
    checks.that("a changed card is refused", refused);
    delete card.signatures;
    const signed = await generateAgentCardSignature(privateKey, { alg: "ES256", kid: "theirs", typ: "JOSE" })(card);
    writeFileSync(`${output}-${name}-${form}.json`, JSON.stringify(signed));
  }
}

checks.client("@a2a-js/sdk", "1.3.0");
await check(open, "open");
await check(guarded, "guarded");
checks.done();
