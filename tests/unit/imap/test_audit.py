"""The audit's comparison, on a model of a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from bridge.cursor import FolderCursor
from bridge.intake.imap.audit import MAX_KEPT, Audit, audit_folder
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.selected import Selected

UIDS = st.sets(st.integers(1, 200_000), max_size=60)


@dataclass
class Folder:
    """Stands for a connection with an open folder."""

    uids: set[int]
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def search(self, first: int, last: int) -> list[int]:
        self.asked.append((first, last))
        # A server may tell more than it was asked for, and tell it twice.
        return (
            [*self.uids, *self.uids] if len(self.asked) % 2 else [u for u in self.uids if first <= u <= last]
        )


def cursor(baseline: int, last_uid: int) -> FolderCursor:
    return FolderCursor(source="m", folder="INBOX", uidvalidity=7, baseline=baseline, last_uid=last_uid)


@given(UIDS, UIDS, st.integers(1, 100_000), st.integers(0, 100_000))
async def test_unaccounted_is_what_the_server_has_and_the_ledger_has_not(
    server: set[int], ledger: set[int], baseline: int, length: int
) -> None:
    """Between baseline and last UID, exactly that; and every mail there is counted once."""
    last = baseline + length - 1
    folder = Folder(server)

    async def states_of(source: str, folder: str, uidvalidity: int, uids: Sequence[int]) -> Mapping[int, str]:
        assert (source, folder, uidvalidity) == ("m", "INBOX", 7)
        return {uid: "created" for uid in uids if uid in ledger}

    selected = Selected(7, last + 1, len(server))
    audit = await audit_folder(cast("Connection", folder), selected, cursor(baseline, last), states_of)
    inside = {uid for uid in server if baseline <= uid <= last}
    assert audit.on_server == len(inside)
    assert audit.uids == sorted(inside - ledger)
    assert audit.unaccounted == len(audit.uids)
    assert audit.states["created"] == len(inside & ledger)


def test_a_mail_that_is_there_has_not_vanished() -> None:
    """What the server has cannot have vanished: it must be read."""
    audit = Audit(7, 1, 9)
    audit.compared([1, 2], {1: "created", 2: "vanished"})
    assert (audit.unaccounted, audit.uids, dict(audit.states)) == (1, [2], {"created": 1})


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    """However many are missing, so many UIDs are kept, the smallest first."""
    audit = Audit(7, 1, 100_000)
    audit.compared(range(1, MAX_KEPT), {})
    audit.compared(range(MAX_KEPT, MAX_KEPT + 500), {MAX_KEPT: "created"})
    assert audit.unaccounted == MAX_KEPT + 498
    assert audit.uids == [*range(1, MAX_KEPT), MAX_KEPT + 1]


async def test_sparse_uids_take_few_steps() -> None:
    """A folder whose UIDs go up to the largest one is not asked in ranges of a dense one."""
    folder = Folder({1, 4_000_000_000})

    async def states_of(*_: object) -> Mapping[int, str]:
        return {1: "created", 4_000_000_000: "duplicate"}

    everything = cursor(1, 4_294_967_294)
    audit = await audit_folder(
        cast("Connection", folder), Selected(7, 4_294_967_295, 2), everything, states_of
    )
    assert (audit.on_server, audit.unaccounted, len(folder.asked) < 12) == (2, 0, True)
