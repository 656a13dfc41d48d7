"""Words for people out of what a server sent: short, in one line, without control characters."""

import re
from typing import Any

MAX_WORDS = 500
"""Characters of a foreign text that are kept at most."""
_LOOKED_AT = 4096
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,300})", re.IGNORECASE)


def cleaned(text: str) -> str:
    """The text in one line of at most MAX_WORDS characters; what cannot be printed becomes a space."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text[:_LOOKED_AT])
    return " ".join(printable.split())[:MAX_WORDS]


def is_html(body: bytes) -> bool:
    """Whether the body looks like a page for people: then it is not from the ACD's API."""
    return body[:_LOOKED_AT].lstrip()[:1] == b"<"


def words_of(document: Any, body: bytes) -> str:
    """What a refusing answer says: the ACD's `error`, a page's title, or the text itself.

    `document` is the body read as JSON, or None where it is no JSON. The words may name what was sent, so
    they are stored and shown, never logged.
    """
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        return cleaned(document["error"])
    text = body[:_LOOKED_AT].decode("utf-8", "replace")
    if is_html(body):
        title = _TITLE.search(text)
        named = f" titled {cleaned(title[1])!r}" if title and cleaned(title[1]) else ""
        return f"an HTML page{named}, probably of a proxy and not of the ACD"[:MAX_WORDS]
    return cleaned(text)
