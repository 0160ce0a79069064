"""Signatures as a2a-sdk 1.3.0 makes and checks them: signatures.py OPEN_URL GUARDED_URL KEY.pem OUTPUT_PREFIX"""

import asyncio
import json
import sys

import httpx
import jwt
from a2a.client.card_resolver import A2ACardResolver, parse_agent_card
from a2a.utils.signing import InvalidSignaturesError, create_agent_card_signer, create_signature_verifier
from google.protobuf.json_format import MessageToDict

import checks

FORMS = {"merged": {}, "1.0": {"headers": {"A2A-Version": "1.0"}}}


def verifier(keys: dict, algorithm: str):
    def key(kid: str, jku: str):
        if keys[kid].algorithm_name != algorithm:
            raise jwt.PyJWTError("another key")
        return keys[kid]

    return create_signature_verifier(key, [algorithm])


async def check(client: httpx.AsyncClient, url: str, name: str, private_key: str, output: str) -> None:
    published = (await client.get(f"{url}/.well-known/jwks.json")).json()["keys"]
    keys = {key["kid"]: jwt.PyJWK(key) for key in published}
    resolver = A2ACardResolver(client, url)
    for form, how in FORMS.items():
        checks.speaking(f"{name} {form} card")
        for algorithm in ["ES256", "EdDSA", "RS256"]:
            card = await resolver.get_agent_card(http_kwargs=how, signature_verifier=verifier(keys, algorithm))
            checks.that(f"its {algorithm} signature holds", card.name == "K8s_Diagnostics_Agent", card)
        card.supported_interfaces[0].url = "https://evil.example/"
        try:
            verifier(keys, "ES256")(card)
            checks.that("a changed card is refused", False)
        except InvalidSignaturesError:
            checks.that("a changed card is refused", True)
        raw = (await client.get(f"{url}/.well-known/agent-card.json", **how)).json()
        del raw["signatures"]
        header = {"kid": "theirs", "alg": "ES256", "typ": "JOSE", "jku": None}
        signed = create_agent_card_signer(private_key, header)(parse_agent_card(raw))
        with open(f"{output}-{name}-{form}.json", "w") as file:
            json.dump(MessageToDict(signed), file)


async def main() -> None:
    open_url, guarded_url, key, output = sys.argv[1:]
    checks.client("a2a-sdk", "1.3.0")
    with open(key) as file:
        private_key = file.read()
    async with httpx.AsyncClient() as client:
        await check(client, open_url, "open", private_key, output)
        await check(client, guarded_url, "guarded", private_key, output)
    checks.done()


asyncio.run(main())
