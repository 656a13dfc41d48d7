"""The text part of a whole mail (RFC 2046), found without building its tree."""

import re
from dataclasses import dataclass

from bridge.intake.mail.content_type import split_parameters
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import Fields, split_fields, split_message

MAX_DEPTH = 16
MAX_PARTS = 200
_LINE_END = re.compile(rb"\r?\n|\r|\Z")


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part as `extract_text` takes it."""

    data: bytes
    content_type: str
    charset: str
    encoding: str


def text_part(fields: Fields, body: bytes) -> TextPart | None:
    """The first text/plain part that is neither attachment nor empty, else the first such text/html, else None."""
    html = None
    for part in _leaves(fields, body):
        if part.content_type == "text/plain" and part.data.strip():
            return part
        if part.content_type == "text/html" and part.data.strip():
            html = html or part
    return html


def _leaves(fields: Fields, body: bytes) -> list[TextPart]:
    """The parts that hold no parts, in their order, down to MAX_DEPTH and up to MAX_PARTS."""
    leaves: list[TextPart] = []
    waiting = [(fields, body, 0)]
    while waiting and len(leaves) < MAX_PARTS:
        fields, body, depth = waiting.pop()
        content_type, parameters = split_parameters(_first(fields, "content-type", "text/plain"))
        boundary = parameters.get("boundary", "")
        if content_type.startswith("multipart/") and boundary:
            if depth < MAX_DEPTH:
                inner = _split(body, boundary.encode("utf-8", "replace"))
                waiting.extend(
                    (split_fields(header, Repairs()), rest, depth + 1) for header, rest in reversed(inner)
                )
        elif not _first(fields, "content-disposition").lower().startswith("attachment"):
            encoding = _first(fields, "content-transfer-encoding")
            leaves.append(TextPart(body, content_type, parameters.get("charset", ""), encoding))
    return leaves


def _first(fields: Fields, name: str, default: str = "") -> str:
    return fields.get(name, [default])[0].strip() or default


def _split(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Header and body of each part between delimiter lines (RFC 2046 section 5.1.1). The last may be missing."""
    delimiter = re.compile(rb"(?:\A|(?<=[\r\n]))--" + re.escape(boundary) + rb"(--)?[ \t]*+(?=[\r\n]|\Z)")
    parts: list[tuple[bytes, bytes]] = []
    start = -1
    for match in delimiter.finditer(body):
        if start >= 0:
            parts.append(_part(body[start : match.start()]))
        start = match.end()
        if match[1] or len(parts) >= MAX_PARTS:
            return parts
    if start >= 0:
        parts.append(_part(body[start:]))
    return parts


def _part(data: bytes) -> tuple[bytes, bytes]:
    """A part may begin with its empty line: then it has no header fields."""
    first = _LINE_END.match(data)
    data = data[first.end() :] if first else data
    if data[:1] in (b"\r", b"\n"):
        return b"", data
    return split_message(data)
