"""Text that is safe to store, log and send: no control characters, no lone surrogates, bounded."""

import re

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_UNSAFE_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]+")
_LINE_END = re.compile(r"(?<!\r)\r++\n|\r|[\x0b\x0c\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n{3,}")


def one_line(value: str, limit: int | None = None) -> str:
    """The value on one line: every run of control characters or lone surrogates becomes one space."""
    if not value.isprintable():
        flat = value.replace("\n", " ")
        value = flat if flat.isprintable() else _UNSAFE.sub(" ", value)
    value = value.strip()
    return value if limit is None else value[:limit].rstrip()


def many_lines(text: str, limit: int) -> str:
    """The text with no control characters but line feeds and tabs, and at most one empty line at a time."""
    text = _LINE_END.sub("\n", text[: 2 * limit])
    text = _UNSAFE_IN_TEXT.sub(" ", text)
    text = _BLANK_LINES.sub("\n\n", _trim_lines(text))
    return text.strip()[:limit].rstrip()


def _trim_lines(text: str) -> str:
    """A pattern for spaces at a line's end is quadratic on a long run of spaces; `rstrip` is not."""
    return "\n".join(line.rstrip() for line in text.split("\n"))
