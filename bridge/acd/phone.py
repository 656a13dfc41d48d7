"""Telephone numbers in E.164, as the ACD wants them for telephone events."""

import re
from typing import Final

MAX_LENGTH: Final = 60
_FORM = re.compile(r"\+?[0-9][0-9 ()/.\-\u00a0]*", re.ASCII)


def e164(text: str, *, plus: bool = False) -> str | None:
    """The number in E.164, with or without its plus; None where it is none, or of no certain country.

    With an international prefix (`+49` or `0049`) everything that its country's numbering allows is taken,
    and `(0)` dropped. Digits without a prefix are taken where they are a valid number that begins with its
    country code, as the ACD itself writes them; a national number (`030 ...`) is not: its country is unknown.
    """
    # The numbering plans are large; most bridges never post a telephone event.
    import phonenumbers  # noqa: PLC0415

    text = text.strip()
    if len(text) > MAX_LENGTH or _FORM.fullmatch(text) is None:
        return None
    prefixed = text.startswith(("+", "00"))
    if not prefixed and text.startswith("0"):
        return None
    try:
        number = phonenumbers.parse("+" + text.lstrip("+") if not text.startswith("00") else "+" + text[2:])
    except phonenumbers.NumberParseException:
        return None
    known = phonenumbers.is_possible_number(number) if prefixed else phonenumbers.is_valid_number(number)
    if not known:
        return None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return written if plus else written[1:]
