"""What the answer of a token server means (RFC 6749 sections 5.1 and 5.2). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge.intake.oauth import causes
from bridge.intake.oauth.failure import State, TokenFailure

MAX_TOKEN = 16 * 1024
"""Characters of a token at most; Microsoft's have about two thousand."""
MAX_WORDS = 200
MAX_WAIT = 3600.0
"""A token server may ask for a pause of so many seconds at most."""
DEFAULT_LIFE = 600.0
"""Seconds that a token is used whose life the server did not tell."""
MAX_LIFE = 86_400.0


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and what came with it."""

    access_token: str = field(repr=False)
    life: float
    """Seconds from now."""
    refresh_token: str | None = field(default=None, repr=False)
    """A new one, where the server rotates them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def granted_by(reply: Reply, *hidden: str) -> Granted:
    """The token of an answer. Raises TokenFailure; the `hidden` texts stay out of its words."""
    body = _object(reply.body)
    if reply.status != 200:
        raise _failure(reply, body, hidden)
    token = _token(body.get("access_token"))
    if token is None or str(body.get("token_type", "bearer")).lower() != "bearer":
        raise TokenFailure(
            State.TRANSIENT,
            "the token server's answer holds no usable access token",
            hint="check that token_url leads to the provider, and not to a proxy's page",
        )
    return Granted(token, _life(body.get("expires_in")), _token(body.get("refresh_token")))


def _failure(reply: Reply, body: Mapping[str, Any], hidden: tuple[str, ...]) -> TokenFailure:
    error, description = str(body.get("error", "")), str(body.get("error_description", ""))
    state = _state(reply.status, error, description)
    said = _shown(f"{error}: {description}" if description else error, hidden)
    words = f"the token server answers HTTP {reply.status}" + (f", {said}" if said else "")
    if state is State.REFUSED:
        return TokenFailure(state, words, hint=_hint(reply.status, error, description))
    return TokenFailure(state, words, wait=_asked(reply.headers), hint="nothing, unless it stays")


def _state(status: int, error: str, description: str) -> State:
    code = causes.aadsts(description)
    if status == 429 or error in causes.THROTTLED_ERRORS or code in causes.AADSTS_THROTTLED:
        return State.THROTTLED
    transient = error in causes.TRANSIENT_ERRORS or code in causes.AADSTS_TRANSIENT
    return State.TRANSIENT if transient or status >= 500 or status in {408, 425} else State.REFUSED


def _hint(status: int, error: str, description: str) -> str:
    if not error:
        return f"HTTP {status} without an error of OAuth: check token_url (and tenant)"
    return causes.hint_for(error, description)


def _asked(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds (RFC 9110 section 10.2.3); token servers send no dates."""
    value = headers.get("Retry-After", "").strip()
    return min(float(value), MAX_WAIT) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _token(value: Any) -> str | None:
    """A token is printable ASCII (RFC 6749 appendix A.12); anything else could steer what it is put into."""
    usable = (
        isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value) <= MAX_TOKEN
    )
    return value if usable else None


def _life(value: Any) -> float:
    """Some servers send the number as a text."""
    text = str(value)
    number = float(text) if text.isascii() and text.isdigit() and len(text) < 12 else DEFAULT_LIFE
    return min(number, MAX_LIFE)


def _shown(text: str, hidden: tuple[str, ...]) -> str:
    """The server's words without secrets and on one line; Microsoft's trace lines are left out."""
    first = text.split(" Trace ID:", 1)[0].splitlines()
    line = first[0] if first else ""
    for secret in hidden:
        line = line.replace(secret, "...") if secret else line
    return "".join(sign for sign in line if sign.isprintable())[:MAX_WORDS]
