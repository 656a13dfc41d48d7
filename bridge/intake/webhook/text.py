"""Cleaning of text that strangers wrote."""

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_SHOWN_FOR_THE_UNREADABLE = "\ufffd"


def one_line(text: str, limit: int) -> str:
    """The text as one line of at most `limit` characters: no NUL, CR, LF, other controls or lone surrogates.

    Each run of controls and line ends becomes one space, so that words do not run together.
    """
    text = text[: limit * 2]
    if not text.isprintable():
        text = _NOT_IN_A_LINE.sub(" ", without_surrogates(text))
    return text.strip()[:limit]


def json_text(text: str) -> str:
    """A text as it may be stored: of the controls only LF and TAB are left, and no lone surrogates."""
    if text.isprintable():
        return text
    return _NOT_IN_TEXT.sub(" ", without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n"))


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate: these cannot be encoded (RFC 8259 section 8.2)."""
    return _LONE_SURROGATE.sub(_SHOWN_FOR_THE_UNREADABLE, text)
