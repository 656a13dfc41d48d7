"""A compressed body, decompressed within a bound. It is called after the signature was verified."""

import zlib

from bridge.errors import MessageError
from bridge.intake.webhook.refused import RefusedError

_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW = 31
"""zlib: 15 bits of window, plus 16 for the header of gzip (RFC 1952)."""


class BrokenEncodingError(MessageError):
    """The body is not encoded as its Content-Encoding says, or in a way that is not read here."""


def decoded(raw: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its Content-Encoding (RFC 9110 section 8.4).

    Raises BrokenEncodingError, and RefusedError (413) where more than `max_bytes` come out of it.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return raw
    if encoding not in _GZIP:
        raise BrokenEncodingError("Content-Encoding is not gzip")
    return _gunzipped(raw, max_bytes)


def _gunzipped(raw: bytes, max_bytes: int) -> bytes:
    inflating = zlib.decompressobj(_GZIP_WINDOW)
    try:
        body = inflating.decompress(raw, max_bytes + 1)
    except zlib.error:
        raise BrokenEncodingError("the body is no gzip") from None
    if len(body) > max_bytes:
        raise RefusedError(413, "too-large")
    if not inflating.eof or inflating.unused_data:
        raise BrokenEncodingError("the gzip body is cut off, or something follows it")
    return body
