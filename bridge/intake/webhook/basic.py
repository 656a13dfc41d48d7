"""HTTP Basic authentication (RFC 7617)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

MAX_HEADER = 4096


def fits_basic(values: Sequence[str], username: str, password: str) -> bool:
    """Whether the Authorization header (all its values) carries this user and password.

    RFC 7617 section 2 leaves the charset open: UTF-8 is right today, Latin-1 is what Python's requests sends.
    The time taken tells neither which of both was wrong nor their lengths.
    """
    given = _given(values)
    wanted = _encodings(f"{username}:{password}")
    # sum() and not any(), which would end early.
    return sum(hmac.compare_digest(_digest(given), _digest(one)) for one in wanted) > 0 and given != b""


def _encodings(text: str) -> list[bytes]:
    utf8 = text.encode("utf-8", "surrogateescape")
    try:
        return [utf8, text.encode("latin-1")]
    except UnicodeEncodeError:
        return [utf8]


def _given(values: Sequence[str]) -> bytes:
    """`user:password` as sent, or nothing where the header is missing, given twice or malformed."""
    if len(values) != 1 or len(values[0]) > MAX_HEADER:
        return b""
    scheme, _, credentials = values[0].partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
