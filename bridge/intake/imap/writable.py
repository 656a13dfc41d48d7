"""What SELECT told of a folder: may it be changed, and which flags are kept (RFC 9051 sections 6.3.2 and 7.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.intake.imap.failure import response_code
from bridge.intake.imap.selected import selected_from

_PERMANENT = re.compile(rb"\* OK \[PERMANENTFLAGS \(([^()]*)\)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Writable:
    """A folder that was opened with SELECT."""

    uidvalidity: int
    """0 where the server did not tell it."""
    read_only: bool = False
    kept: frozenset[str] | None = None
    """The flags that can be changed for good, in small letters; None, as RFC 9051 has it, for all."""

    def keeps(self, flag: str) -> bool:
        """Whether a flag stays after the connection ends. New keywords do where the server says that they may."""
        if self.kept is None or flag.lower() in self.kept:
            return True
        return not flag.startswith("\\") and "\\*" in self.kept


def writable_from(lines: Sequence[bytes], words: str) -> Writable:
    """Read the untagged responses to SELECT, and the words of its tagged one."""
    kept: frozenset[str] | None = None
    for line in lines:
        if told := _PERMANENT.match(line):
            kept = frozenset(told[1].decode("ascii", "replace").lower().split())
    return Writable(selected_from(lines).uidvalidity, response_code(words) == "READ-ONLY", kept)
