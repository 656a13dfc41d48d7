"""The header block of a mail, and its fields (RFC 5322 section 2.2), however they were damaged on the way."""

import re

from bridge.intake.mail.charset import decode, guess
from bridge.intake.mail.content_type import split_parameters
from bridge.intake.mail.repairs import Repairs

MAX_HEADER_BYTES = 512 * 1024
"""Five times what Postfix lets pass by default (header_size_limit); what is longer is cut there."""
MAX_LINES = 50_000
MAX_FIELDS = 1000
MAX_VALUE = 64 * 1024
"""Characters of one field's value; more than a thousand addresses fit."""

_MAX_CUT_BACK = 1000

Fields = dict[str, list[str]]
"""Values by lower-case name, in their order: encoded words not yet decoded, folds as line feeds."""

ESSENTIAL = frozenset({"from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id"})
"""Fields whose first value is kept even after MAX_FIELDS others."""

_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_RETURNS = re.compile(r"(?<!\r)\r++\n")
_LINE = re.compile(rb"[^\n]*\n?")
_MAC_LINE = re.compile(rb"[^\r]*\r?")
_FIELD_BYTES = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def split_message(raw: bytes) -> tuple[bytes, bytes]:
    """The header block and the body of a whole mail.

    The header ends at the first empty line after a field. Where the empty line is missing, it ends at the first
    line after which no field follows.
    """
    line_form = _LINE if b"\n" in raw[:MAX_HEADER_BYTES] else _MAC_LINE
    seen_field, body = False, -1
    for match in line_form.finditer(raw, 0, MAX_HEADER_BYTES):
        line = match[0].rstrip(b"\r\n")
        if not line:
            if seen_field:
                return (raw[: match.start()], raw[match.end() :]) if body < 0 else (raw[:body], raw[body:])
        elif _FIELD_BYTES.match(line):
            seen_field, body = True, -1
        elif body < 0 and seen_field and line[:1] not in b" \t":
            body = match.start()
    return (raw, b"") if body < 0 else (raw[:body], raw[body:])


def split_fields(header: bytes, repairs: Repairs) -> Fields:
    """The fields of a header block, unfolded. Never raises; what is left out is noted."""
    fields: Fields = {}
    for number, (name, parts) in enumerate(_named_lines(_lines(header, repairs), repairs)):
        if number >= MAX_FIELDS and (name in fields or name not in ESSENTIAL):
            repairs.left_out(f"there were more than {MAX_FIELDS} header fields")
            continue
        value = parts[0] if len(parts) == 1 else "\n".join(parts)
        if len(value) > MAX_VALUE:
            repairs.left_out(f"a header field was longer than {MAX_VALUE} characters")
            value = _cut(value)
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if not header.isascii() or b"\x1b" in header:
        _decode_raw_bytes(fields)
    return fields


def _cut(value: str) -> str:
    """At the last comma or fold, so that no half address is left."""
    cut = value[:MAX_VALUE]
    end = max(cut.rfind(","), cut.rfind("\n"))
    return cut[:end] if end > MAX_VALUE - _MAX_CUT_BACK else cut


def _lines(header: bytes, repairs: Repairs) -> list[str]:
    """Lines as Latin-1, one character a byte. A bare CR ends a line only where no LF does.

    Otherwise a CR inside a value, which a mail server hands on as it is, would begin a field of its own.
    """
    too_long = len(header) > MAX_HEADER_BYTES
    if too_long:
        repairs.left_out(f"the header was longer than {MAX_HEADER_BYTES} bytes")
    text = header[:MAX_HEADER_BYTES].removeprefix(_BYTE_ORDER_MARK).decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
        if "\r" in text:
            text = _RETURNS.sub("\n", text)
    lines = text.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        repairs.left_out(f"the header had more than {MAX_LINES} lines")
        return lines[:MAX_LINES]
    return lines[:-1] if too_long and len(lines) > 1 else lines


def _named_lines(lines: list[str], repairs: Repairs) -> list[tuple[str, list[str]]]:
    """Each field's name in lower case and the lines of its value, up to the empty line.

    A line that is neither field nor fold lost its indent and belongs to the field before it, but only when
    another field follows: else the empty line is missing and the body has begun. Before the first field it is
    junk, such as the `From ` line of an mbox file.
    """
    found: list[tuple[str, list[str]]] = []
    astray: list[str] = []
    for line in lines:
        if not line:
            if found:
                break
        elif line[0] in " \t":
            if found:
                (astray or found[-1][1]).append(line.strip(" \t"))
        elif match := _FIELD.match(line):
            if astray:
                found[-1][1].extend(astray)
                repairs.repaired("a folded header line had lost its indent")
                astray = []
            found.append((match[1].lower(), [match[2].strip(" \t")]))
        elif found:
            astray.append(line.strip(" \t"))
        else:
            repairs.repaired("the header did not begin with a field")
    if astray:
        repairs.repaired("the empty line after the header was missing")
    return found


def _decode_raw_bytes(fields: Fields) -> None:
    """Bytes above 127 and the shifts of ISO-2022 were never allowed in a header, and are common there."""
    declared: str | None = None
    for values in fields.values():
        for number, value in enumerate(values):
            if value.isascii() and "\x1b" not in value:
                continue
            if declared is None:
                declared = split_parameters(fields.get("content-type", [""])[0])[1].get("charset", "")
            values[number] = _decoded(value, declared)


def _decoded(value: str, declared: str) -> str:
    data = value.encode("latin-1")
    if "\x1b$" in value:
        return decode(data, declared if declared.lower().startswith("iso-2022-") else "iso-2022-jp")
    return guess(data, declared)
