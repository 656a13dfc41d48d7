"""What EXAMINE told of a folder (RFC 9051 section 6.3.3)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bridge.intake.imap.uid_set import MAX_UID

_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS\b", re.IGNORECASE)
_CODE = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)
_STATUS = re.compile(rb"\b(UIDVALIDITY|UIDNEXT|MESSAGES) (\d{1,10})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder as it was when it was opened. 0 stands for what the server did not tell."""

    uidvalidity: int = 0
    uidnext: int = 0
    """Every message of the folder has a smaller UID, and every later one this UID or a larger one."""
    exists: int = 0
    """How many messages are in it."""


def is_exists(parts: Sequence[bytes]) -> bool:
    """Whether an untagged response tells how many messages there are."""
    return _EXISTS.match(parts[0]) is not None


def selected_from(lines: Iterable[bytes]) -> Selected:
    """Read the untagged responses to EXAMINE; of several numbers for one thing the last counts."""
    told: dict[bytes, int] = {}
    for line in lines:
        if exists := _EXISTS.match(line):
            told[b"EXISTS"] = int(exists[1])
        elif code := _CODE.match(line):
            told[code[1].upper()] = int(code[2])
    return Selected(_uid(told, b"UIDVALIDITY"), _uid(told, b"UIDNEXT"), told.get(b"EXISTS", 0))


def uidnext_from_status(line: bytes) -> int:
    """UIDNEXT of an untagged STATUS response, or 0. The numbers are the last list of the line."""
    numbers = line[line.rfind(b"(") + 1 :]
    told = {name.upper(): int(number) for name, number in _STATUS.findall(numbers)}
    return _uid(told, b"UIDNEXT")


def _uid(told: dict[bytes, int], name: bytes) -> int:
    """UIDNEXT may be one above the largest UID only in a folder that is full for ever."""
    value = told.get(name, 0)
    return value if value <= MAX_UID + 1 else 0
