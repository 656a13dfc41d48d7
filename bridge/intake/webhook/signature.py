"""The one verifier of all signatures. It takes values and gives a refusal or None; it never raises.

The raw bytes are verified before anything is parsed, every comparison takes the same time whatever is wrong,
and every secret is tried, so that one can be replaced while both are in use (Standard Webhooks 1.0.0).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.intake.webhook.scheme import Scheme, Timestamp

MAX_HEADER = 4096
MAX_SIGNATURES = 16
"""Signatures in one header; each one costs a computation per secret."""
_MAX_TIMESTAMP_DIGITS = 16


class Refusal(StrEnum):
    """Why a request was not believed, the most telling last. The sender learns only that it was not."""

    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_TWICE = "signature-twice"
    SIGNATURE_MALFORMED = "signature-malformed"
    SIGNED_HEADER_MISSING = "signed-header-missing"
    TIMESTAMP_MALFORMED = "timestamp-malformed"
    SIGNATURE_WRONG = "signature-wrong"
    TIMESTAMP_STALE = "timestamp-stale"


_TELLING = list(Refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What of a request can be signed."""

    body: bytes
    """The bytes as they were sent, before any decompression."""
    headers: Mapping[str, Sequence[str]]
    """Every value of every header, by lower-case name."""
    method: str = "POST"
    uri: str = ""
    """The whole address as the sender knows it, with scheme, host and query."""


@dataclass(frozen=True, slots=True)
class _Claim:
    signatures: tuple[bytes, ...]
    timestamp: str


def verify(
    schemes: Sequence[Scheme],
    secrets: Sequence[str],
    request: SignedRequest,
    *,
    now: float,
    tolerance: float | None = None,
) -> Refusal | None:
    """None where one of the schemes and secrets proves the request genuine and fresh, else why it is not.

    `now` is Unix time in seconds; `tolerance` overrides that of the scheme.
    """
    verdicts = [_verify_one(scheme, secrets, request, now, tolerance) for scheme in schemes]
    refusals = [verdict for verdict in verdicts if verdict is not None]
    if len(refusals) < len(verdicts):
        return None
    return max(refusals, key=_TELLING.index, default=Refusal.SIGNATURE_MISSING)


def _verify_one(
    scheme: Scheme, secrets: Sequence[str], request: SignedRequest, now: float, tolerance: float | None
) -> Refusal | None:
    claim = _claim(scheme, request.headers)
    if isinstance(claim, Refusal):
        return claim
    content = _signed_content(scheme, request, claim.timestamp)
    if content is None:
        return Refusal.SIGNED_HEADER_MISSING
    keys = [key for secret in secrets if (key := scheme.key_of(secret)) is not None]
    # sum() and not any(), here and below: it must not end early at the key that fits.
    if not sum(_is_genuine(scheme, key, content, claim.signatures) for key in keys):
        return Refusal.SIGNATURE_WRONG
    return _freshness(scheme.timestamp, claim.timestamp, now, tolerance)


def _claim(scheme: Scheme, headers: Mapping[str, Sequence[str]]) -> _Claim | Refusal:
    values = headers.get(scheme.header, ())
    if not values:
        return Refusal.SIGNATURE_MISSING
    if len(values) > 1:
        return Refusal.SIGNATURE_TWICE
    words = values[0].split(" ") if scheme.several else [values[0].strip()]
    if len(values[0]) > MAX_HEADER or len(words) > MAX_SIGNATURES:
        return Refusal.SIGNATURE_MALFORMED
    return _read_words(scheme, words, headers)


def _read_words(
    scheme: Scheme, words: Sequence[str], headers: Mapping[str, Sequence[str]]
) -> _Claim | Refusal:
    matches = [match for word in words if (match := scheme.form.fullmatch(word))]
    decoded = [_decode(scheme.encoding, match["signature"]) for match in matches]
    signatures = tuple(one for one in decoded if one is not None)
    if not signatures:
        return Refusal.SIGNATURE_MALFORMED
    if scheme.timestamp is None or scheme.timestamp.header is None:
        return _Claim(signatures, matches[0].groupdict().get("timestamp") or "")
    stamps = headers.get(scheme.timestamp.header, ())
    return _Claim(signatures, stamps[0].strip()) if len(stamps) == 1 else Refusal.SIGNED_HEADER_MISSING


def _decode(encoding: str, text: str) -> bytes | None:
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return _bytes_of(text)


def _signed_content(scheme: Scheme, request: SignedRequest, timestamp: str) -> bytes | None:
    """The signed bytes, or None where a header that is part of them is missing or given twice."""
    parts = [_part(part, request, timestamp) for part in scheme.signed]
    return None if None in parts else b"".join(part for part in parts if part is not None)


def _part(part: str, request: SignedRequest, timestamp: str) -> bytes | None:
    if part == "{body}":
        return request.body
    if part.startswith("{header:"):
        values = request.headers.get(part[len("{header:") : -1], ())
        return _bytes_of(values[0]) if len(values) == 1 else None
    named = {"{method}": request.method, "{uri}": request.uri, "{timestamp}": timestamp}
    return _bytes_of(named.get(part, part))


def _is_genuine(scheme: Scheme, key: bytes, content: bytes, signatures: Sequence[bytes]) -> bool:
    if scheme.algorithm == "ed25519":
        return sum(_ed25519_fits(key, content, one) for one in signatures) > 0
    right = key if scheme.algorithm == "plain" else _mac(scheme.algorithm, key, content)
    # Digests of both, so that the time does not even tell the length of a plain secret.
    digest = hashlib.sha256(right).digest()
    return sum(hmac.compare_digest(digest, hashlib.sha256(one).digest()) for one in signatures) > 0


def _mac(algorithm: str, key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha1" if algorithm == "hmac-sha1" else "sha256")


def _ed25519_fits(key: bytes, content: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _freshness(stamp: Timestamp | None, text: str, now: float, tolerance: float | None) -> Refusal | None:
    if stamp is None:
        return None
    moment = _unix_time(stamp.unit, text)
    if moment is None:
        return Refusal.TIMESTAMP_MALFORMED
    allowed = stamp.tolerance if tolerance is None else tolerance
    return None if abs(now - moment) <= allowed else Refusal.TIMESTAMP_STALE


def _unix_time(unit: str, text: str) -> float | None:
    if unit == "iso":
        return _iso_time(text)
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_TIMESTAMP_DIGITS):
        return None
    return int(text) / 1000 if unit == "ms" else float(text)


def _iso_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _bytes_of(text: str) -> bytes:
    """A header's bytes as they were sent; aiohttp decodes them as UTF-8 with surrogate escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
