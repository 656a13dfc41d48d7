"""Folder names between people and the server: modified UTF-7 (RFC 3501 section 5.1.3)."""

import base64
import binascii
import re

from bridge.intake.imap.grammar import GrammarError

_OTHERS = re.compile(r"[^\x20-\x7e]+")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> str:
    """The name as it is sent: `Anfragen/Büro` becomes `Anfragen/B&APw-ro`."""
    return _OTHERS.sub(_shift, name.replace("&", "&-"))


def _shift(match: re.Match[str]) -> str:
    packed = base64.b64encode(match[0].encode("utf-16-be"), altchars=b"+,")
    return "&" + packed.decode("ascii").rstrip("=") + "-"


def decode(name: bytes) -> str:
    """The name as people read it. Raises GrammarError for what is not modified UTF-7.

    Some servers send UTF-8 although nobody enabled it (RFC 6855); such names are taken as they are.
    """
    try:
        return _SHIFTED.sub(_unshift, name).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise GrammarError("a folder's name is not modified UTF-7") from error


def _unshift(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return b"&"
    packed = match[1] + b"=" * (-len(match[1]) % 4)
    return base64.b64decode(packed, altchars=b"+,", validate=True).decode("utf-16-be").encode("utf-8")
