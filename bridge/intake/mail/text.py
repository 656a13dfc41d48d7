"""The text of one body part: bytes as they stand in the mail, to clean and bounded text."""

import binascii
import re

from bridge.intake.mail.charset import decode
from bridge.intake.mail.clean import many_lines
from bridge.intake.mail.html import html_to_text

MAX_TEXT = 64 * 1024
"""Characters of `Message.text`."""
MAX_PART = 1024 * 1024
"""Bytes of a part that are looked at."""

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}charset\s{0,5}=\s{0,5}["']?([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE
)
_HTML_HEAD = 2048


def extract_text(part: bytes, *, content_type: str, charset: str, encoding: str) -> str:
    """The text of a part of the given Content-Type, charset and Content-Transfer-Encoding. Never raises.

    The bytes may be cut at their end. The text has line feeds and tabs as its only control characters and at
    most MAX_TEXT characters. A type that is neither HTML nor nothing is taken for plain text.
    """
    data = _decoded(part[:MAX_PART], encoding)
    if not content_type.strip().lower().startswith("text/html"):
        return many_lines(decode(data, charset), MAX_TEXT)
    declared = _META_CHARSET.search(data, 0, _HTML_HEAD) if not charset else None
    return many_lines(html_to_text(decode(data, declared[1].decode() if declared else charset)), MAX_TEXT)


def _decoded(part: bytes, encoding: str) -> bytes:
    """Without the Content-Transfer-Encoding (RFC 2045 section 6); an unknown one is taken for none."""
    match encoding.strip().lower():
        case "base64":
            usable = _NOT_BASE64.sub(b"", part)
            usable = usable[: len(usable) // 4 * 4 + (0, 0, 2, 3)[len(usable) % 4]]
            return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))
        case "quoted-printable":
            return binascii.a2b_qp(part)
        case _:
            return part
