"""Which part of a mail holds its text (BODYSTRUCTURE, RFC 9051 section 7.5.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.intake.imap.grammar import Value

MAX_PARTS = 200
"""Parts looked at before the search for a text is given up."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Where a mail's text is and how it is encoded."""

    section: str
    """The part's number for BODY.PEEK, such as `1.2`."""
    content_type: str
    charset: str
    encoding: str


def first_text(structure: Value) -> TextPart | None:
    """The first text/plain that is no attachment, else the first text/html, else None. Never raises."""
    html: TextPart | None = None
    for count, (section, part) in enumerate(_leaves(structure, "")):
        if count >= MAX_PARTS:
            break
        found = _text(section, part)
        if found is not None and found.content_type == "text/plain":
            return found
        html = html or found
    return html


def _leaves(part: Value, section: str) -> Iterator[tuple[str, list[Value]]]:
    """Each part that has no parts of its own. Mails within the mail are leaves: their text is not this
    mail's.
    """
    if not isinstance(part, list) or not part:
        return
    if not isinstance(part[0], list):
        yield section or "1", part
        return
    for index, child in enumerate(part, start=1):
        if not isinstance(child, list):
            break  # the multipart's subtype and what follows it
        yield from _leaves(child, f"{section}.{index}" if section else str(index))


def _text(section: str, part: list[Value]) -> TextPart | None:
    if len(part) < 7 or _word(part[0]) != "text" or _is_attachment(part):
        return None
    content_type = f"text/{_word(part[1])}"
    if content_type not in {"text/plain", "text/html"}:
        return None
    return TextPart(section, content_type, _parameter(part[2], "charset"), _word(part[5]))


def _is_attachment(part: list[Value]) -> bool:
    """The disposition is the ninth and later item of a text part that is a list of a word and parameters.

    The place differs by one among servers that leave out the MD5, so each list after the lines is looked at.
    """
    return any(isinstance(item, list) and item and _word(item[0]) == "attachment" for item in part[8:])


def _parameter(parameters: Value, name: str) -> str:
    if not isinstance(parameters, list):
        return ""
    pairs = zip(parameters[::2], parameters[1::2], strict=False)
    return next((_word(value) for key, value in pairs if _word(key) == name), "")


def _word(value: Value) -> str:
    return value.decode("ascii", "replace").lower() if isinstance(value, bytes) else ""
