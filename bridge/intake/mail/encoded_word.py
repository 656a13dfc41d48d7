"""Encoded words in header fields (RFC 2047), as they are found in the wild."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.intake.mail.charset import codec_of, decode

_START = re.compile(r"=\?([^?=\s]{1,80})\?([bBqQ])\?")
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}[^?\s]*\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


@dataclass(slots=True)
class _Word:
    """One encoded word and where it stands in the value."""

    start: int
    end: int
    charset: str
    base64: bool
    text: str


def decode_words(value: str) -> str:
    """The value with its encoded words decoded; what is no encoded word stays as it is. Never raises.

    Words that follow each other without text between them are joined as bytes before they are decoded, since
    many mailers split a character in two (RFC 2047 section 5 forbids it). Folds are line feeds in the value.
    """
    if "=?" not in value:
        return value
    parts: list[str] = []
    joined: list[_Word] = []
    done = 0
    for word in _words(value):
        between = value[done : word.start]
        if joined and (between.strip() or word.charset != joined[0].charset):
            parts.append(_decode_joined(joined))
            joined = []
        if not done or between.strip():
            parts.append(between)
        joined.append(word)
        done = word.end
    return "".join((*parts, _decode_joined(joined), value[done:]))


def _words(value: str) -> Iterator[_Word]:
    start = _START.search(value)
    while start:
        following = _START.search(value, start.end())
        limit = following.start() if following else len(value)
        end = _end(value, start, limit)
        if end >= 0:
            yield _word(value, start, end, end + 2)
        elif following:
            yield _word(value, start, limit, limit)
        start = following


def _word(value: str, start: re.Match[str], text_end: int, end: int) -> _Word:
    """A language after the character set's name (RFC 2231 section 5) is of no use here."""
    charset = start[1].partition("*")[0].lower()
    return _Word(start.start(), end, charset, start[2] in "bB", value[start.end() : text_end])


def _end(value: str, start: re.Match[str], limit: int) -> int:
    """Where the word's closing `?=` stands before the limit, or -1.

    A bare question mark in a Q word (forbidden, and found) is told from the end by what follows its equals sign:
    two hex digits, and a later end.
    """
    end = value.find("?=", start.end(), limit)
    if start[2] in "qQ":
        while end >= 0 and _HEX_PAIR.match(value, end + 2, limit):
            end = value.find("?=", end + 2, limit)
    return end


def _decode_joined(words: list[_Word]) -> str:
    """Words of one character set as one text."""
    if not words:
        return ""
    charset = words[0].charset
    return decode(b"".join(_bytes_of(words, charset)), charset)


def _bytes_of(words: list[_Word], charset: str) -> Iterator[bytes]:
    """Each word's bytes. Base64 that was cut between words, not after four signs each, is joined first."""
    carried = b""
    for word in words:
        raw = _raw(word.text.replace("\n", ""), charset)
        if not word.base64:
            yield _from_base64(carried)
            carried = b""
            yield binascii.a2b_qp(raw, header=True)
        elif raw.endswith(b"=") or len(carried + raw) % 4 == 0:
            yield _from_base64(carried + raw)
            carried = b""
        else:
            carried += raw
    yield _from_base64(carried)


def _raw(text: str, charset: str) -> bytes:
    """Signs above ASCII are forbidden in a word; where they are, they mean what the rest of the word does."""
    return text.encode() if text.isascii() else text.encode(codec_of(charset) or "utf-8", "replace")


def _from_base64(data: bytes) -> bytes:
    """The bytes of base64 with wrong, missing or early padding, foreign signs, or the URL-safe alphabet."""
    if not data:
        return b""
    clean = _NOT_BASE64.sub(b"", data.translate(_URL_SAFE))
    return b"".join(_unpadded(piece) for piece in clean.split(b"=") if piece)


def _unpadded(piece: bytes) -> bytes:
    usable = piece[: len(piece) - (len(piece) % 4 == 1)]
    return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))
