"""The Content-Type field and others of its form: a value and parameters (RFC 2045 section 5.1, RFC 2231)."""

import re
from urllib.parse import unquote_to_bytes

from bridge.intake.mail.charset import decode

_MAX_PARAMETERS = 50
_PARAMETER = re.compile(
    r';\s*(?P<name>[^\s=;*"]{1,100})(?:\*(?P<part>\d{1,3}))?(?P<extended>\*)?\s*=\s*'
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^;]*))',
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def split_parameters(value: str) -> tuple[str, dict[str, str]]:
    """The field's value in lower case, and its parameters by lower-case name; the first of a name wins.

    Never raises. Of a value in several parts (`name*0=`, `name*1=`) the parts are joined in the order they stand in.
    """
    main, _, _ = value.partition(";")
    found: dict[str, str] = {}
    for number, match in enumerate(_PARAMETER.finditer(value)):
        if number >= _MAX_PARAMETERS:
            break
        name = match["name"].lower()
        if match["part"]:
            found[name] = found.get(name, "") + _text(match)
        else:
            found.setdefault(name, _text(match))
    return main.strip().lower(), found


def _text(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    text = _QUOTED_PAIR.sub(r"\1", quoted) if quoted is not None else match["plain"].strip()
    return _percent_decoded(text) if match["extended"] else text


def _percent_decoded(text: str) -> str:
    """charset'language'percent-encoded (RFC 2231 section 4); later parts have no charset."""
    charset, mark, rest = text.partition("'")
    if not mark or "'" not in rest:
        return decode(unquote_to_bytes(text), "utf-8")
    return decode(unquote_to_bytes(rest.partition("'")[2]), charset)
