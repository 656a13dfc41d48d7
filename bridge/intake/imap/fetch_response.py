"""One FETCH response: what it says of which message (RFC 9051 section 7.5.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bridge.intake.imap.grammar import GrammarError, Value, number, parse_values

MAX_SIZE = 2**63 - 1
"""RFC 9051 makes RFC822.SIZE a 63-bit number."""
MAX_PROVIDER_ID = 2**64 - 1
"""Gmail's IDs are unsigned numbers of 64 bits ("IMAP Extensions", X-GM-MSGID)."""

_FETCH = re.compile(rb"\* \d{1,10} FETCH ", re.IGNORECASE)
_UID = re.compile(rb"[( ]UID (\d{1,10})[ )]", re.IGNORECASE)
_MONTHS = {
    name: number
    for number, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1)
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one response told of one message; None and nothing where it told nothing."""

    uid: int = 0
    size: int | None = None
    internaldate: datetime | None = None
    structure: Value = None
    sections: dict[bytes, bytes] = field(default_factory=dict)
    """Bytes by section in capitals, such as `HEADER` or `1.2`; the partial's origin is not part of it."""
    provider_id: int | None = None
    """X-GM-MSGID: what Gmail calls the message in every folder (X-GM-EXT-1)."""


def is_fetch(parts: Sequence[bytes]) -> bool:
    """Whether an untagged response is a FETCH response."""
    return _FETCH.match(parts[0]) is not None


def parse_fetch(parts: Sequence[bytes]) -> Fetched:
    """Read one response. Raises GrammarError. Items that nobody asked for are passed over."""
    begin = _FETCH.match(parts[0])
    values = parse_values(parts, begin.end()) if begin else []
    if len(values) != 1 or not isinstance(values[0], list) or len(values[0]) % 2:
        raise GrammarError("a FETCH response is not one list of pairs")
    items = values[0]
    uid, size, date, structure, provider_id = 0, None, None, None, None
    sections: dict[bytes, bytes] = {}
    for index in range(0, len(items), 2):
        name, value = items[index], items[index + 1]
        if not isinstance(name, bytes):
            raise GrammarError("a FETCH item has no name")
        name = name.upper()
        if name == b"UID":
            uid = number(value)
        elif name == b"RFC822.SIZE":
            size = number(value, MAX_SIZE)
        elif name == b"INTERNALDATE":
            date = internal_date(value)
        elif name == b"BODYSTRUCTURE":
            structure = value
        elif name == b"X-GM-MSGID":
            provider_id = number(value, MAX_PROVIDER_ID)
        elif name.startswith(b"BODY[") and isinstance(value, bytes):
            sections[name[5 : name.rindex(b"]")]] = value
    return Fetched(uid, size, date, structure, sections, provider_id)


def merge(one: Fetched, other: Fetched) -> Fetched:
    """Two responses of one message as one; a server may tell a message's items in several, or twice."""
    return replace(
        one,
        size=one.size if other.size is None else other.size,
        internaldate=other.internaldate or one.internaldate,
        structure=other.structure if other.structure is not None else one.structure,
        provider_id=one.provider_id if other.provider_id is None else other.provider_id,
        sections={**one.sections, **other.sections},
    )


def uid_of_broken(parts: Sequence[bytes]) -> int | None:
    """The UID of a response that cannot be parsed, where its lines (not its literals) still tell one."""
    uids = {int(match) for line in parts[::2] for match in _UID.findall(line)}
    return uids.pop() if len(uids) == 1 else None


def internal_date(value: Value) -> datetime | None:
    """INTERNALDATE, `17-Jul-1996 02:44:25 -0700`, in UTC; None where it is none (the mail is not at
    fault).
    """
    if not isinstance(value, bytes) or len(value) != 26:
        return None
    try:
        local = datetime(  # noqa: DTZ001 - the zone is taken off in the next line
            int(value[7:11]),
            _MONTHS[value[3:6].upper()],
            int(value[0:2]),
            int(value[12:14]),
            int(value[15:17]),
            int(value[18:20]),
        )
        offset = timedelta(hours=int(value[22:24]), minutes=int(value[24:26]))
        return (local + offset if value[21:22] == b"-" else local - offset).replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
