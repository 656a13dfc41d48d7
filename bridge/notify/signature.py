"""Signing what is sent (Standard Webhooks 1.0.0), so that `bridge.intake.webhook.signature` would believe it."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
LEAST_KEY_BYTES: Final = 24
MOST_KEY_BYTES: Final = 64
"""Standard Webhooks 1.0.0, "Signature scheme": a symmetric secret has 24 to 64 bytes."""

HOW_TO_MAKE_ONE: Final = (
    "make one with `echo whsec_$(openssl rand -base64 32)`, and give it to the receiver too"
)


def key_of(secret: str) -> bytes | None:
    """The key that a secret stands for, or None where it is not `whsec_` and base64 of 24 to 64 bytes."""
    if not secret.startswith(PREFIX):
        return None
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES else None


def signed_headers(keys: Sequence[bytes], message_id: str, body: bytes, *, now: float) -> Mapping[str, str]:
    """The three headers of a message that is sent now (seconds since 1970), signed with each key.

    The ID stays over retries and has no full stop in it; the time is that of this try.
    """
    timestamp = str(int(now))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
