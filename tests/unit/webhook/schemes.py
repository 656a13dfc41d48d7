"""The signature schemes of helpdesks, as data of the verifier, and a signer that is independent of it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from bridge.intake.webhook.preset_file import read_preset
from bridge.intake.webhook.scheme import Scheme

BODY = '{"ticket":{"id":4711,"subject":"Drucker streikt \u2013 Büro 3"}}'.encode()
NOW = 1795406526.0
URI = "https://events.example.test/in/hubspot?a=1"


def scheme(**fields: object) -> Scheme:
    return Scheme.model_validate(fields)


def stamp(header: str | None, unit: str) -> dict[str, object]:
    return {"unit": unit, **({"header": header} if header else {})}


SHA1_B64 = {"algorithm": "hmac-sha1", "encoding": "base64"}
SHA256_B64 = {"algorithm": "hmac-sha256", "encoding": "base64"}
SHA256_HEX = {"algorithm": "hmac-sha256", "encoding": "hex"}

SCHEMES: dict[str, Scheme] = {
    "zammad": read_preset("zammad").signature[0],
    "zendesk": scheme(
        header="x-zendesk-webhook-signature",
        signed=["{timestamp}", "{body}"],
        timestamp=stamp("x-zendesk-webhook-signature-timestamp", "iso"),
        **SHA256_B64,
    ),
    "jira": scheme(header="x-hub-signature", shape="sha256={signature}", **SHA256_HEX),
    "redmine7": scheme(header="x-redmine-signature-256", shape="sha256={signature}", **SHA256_HEX),
    "helpscout": scheme(header="x-helpscout-signature", **SHA1_B64),
    "freescout": scheme(header="x-freescout-signature", **SHA1_B64),
    "front-rule": scheme(header="x-front-signature", **SHA1_B64),
    "front-app": scheme(
        header="x-front-signature",
        signed=["{timestamp}", ":", "{body}"],
        timestamp=stamp("x-front-request-timestamp", "ms"),
        **SHA256_B64,
    ),
    "intercom": scheme(header="x-hub-signature", shape="sha1={signature}", algorithm="hmac-sha1"),
    "hubspot-v3": scheme(
        header="x-hubspot-signature-v3",
        signed=["{method}", "{uri}", "{body}", "{timestamp}"],
        timestamp=stamp("x-hubspot-request-timestamp", "ms"),
        **SHA256_B64,
    ),
    "trengo": scheme(
        header="trengo-signature",
        shape="{timestamp};{signature}",
        signed=["{timestamp}", ".", "{body}"],
        timestamp=stamp(None, "s"),
        **SHA256_HEX,
    ),
    "chatwoot": scheme(
        header="x-chatwoot-signature",
        shape="sha256={signature}",
        signed=["{timestamp}", ".", "{body}"],
        timestamp=stamp("x-chatwoot-timestamp", "s"),
        **SHA256_HEX,
    ),
    "glpi11": scheme(
        header="x-glpi-signature",
        signed=["{body}", "{timestamp}"],
        timestamp=stamp("x-glpi-timestamp", "s") | {"tolerance": 86400.0},
        **SHA256_HEX,
    ),
    "escalated-django": scheme(header="x-escalated-signature", **SHA256_HEX),
    "gitlab-token": scheme(header="x-gitlab-token", algorithm="plain", encoding="text"),
    "standard-webhooks-v1": read_preset("generic").signature[0],
    "standard-webhooks-v1a": read_preset("generic").signature[1],
}


def lists(headers: Mapping[str, str]) -> dict[str, Sequence[str]]:
    return {name.lower(): [value] for name, value in headers.items()}


def standard_webhooks(
    body: bytes, key: bytes, *, at: float = NOW, message_id: str = "msg_1"
) -> dict[str, str]:
    """Headers of a signed request, made straight from the specification."""
    signed = f"{message_id}.{int(at)}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{signature}",
    }
