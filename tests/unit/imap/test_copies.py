"""Identical mails without a Message-ID, and how many messages they are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.handover import Incoming
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.copies import MAX_COPIES, number_of, numbered, told_apart
from bridge.intake.imap.take_in import NO_DATE
from bridge.message import Kind, Message
from bridge.testing.handover import FakeHandover


@dataclass
class Folder:
    """The UIDs of a folder full of identical mails; stands for a connection."""

    uids: set[int] = field(default_factory=set)

    async def existing(self, uids: Sequence[int]) -> list[int]:
        return [uid for uid in uids if uid in self.uids]


def report(uid: int, message_id: str = "", uidvalidity: int = 7) -> Message:
    return Message(
        source="m", kind=Kind.MAIL, folder="INBOX", place=f"INBOX/{uidvalidity}/{uid}", digest="same",
        received_at=NO_DATE, message_id=message_id,
    )  # fmt: skip


async def take(
    folder: Folder, handover: FakeHandover, uids: Collection[int], uidvalidity: int = 7
) -> list[str]:
    """Hand over the mails at these UIDs, which are in the folder; their digests."""
    folder.uids |= set(uids)
    mails: dict[int, Incoming] = {uid: report(uid, uidvalidity=uidvalidity) for uid in uids}
    told = await told_apart(cast("Connection", folder), handover, mails, uidvalidity)
    await handover.accept(list(told.values()))
    return [told[uid].digest for uid in sorted(told)]


def test_numbers() -> None:
    """A UID keeps its number; a new one gets the first whose mails are all gone, else the next."""
    assert number_of(5, [[5], [6]], {5, 6}) == 0
    assert number_of(6, [[5], [6]], {5, 6}) == 1
    assert number_of(7, [[5], [6]], {5, 6}) == 2
    assert number_of(7, [[5], [6]], {6}) == 0
    assert number_of(7, [[5], [6]], {5}) == 1
    assert number_of(7, [], ()) == 0


async def test_two_at_once_are_two() -> None:
    """Identical reports of one second are two messages, whether they are read at once or one by one."""
    for parts in ([[1, 2]], [[1], [2]]):
        folder, handover = Folder(), FakeHandover()
        for uids in parts:
            await take(folder, handover, uids)
        assert len(handover.messages) == 2


async def test_moved_out_and_back_is_one() -> None:
    """A mail that is gone at its old UID and found at a new one is the same mail."""
    folder, handover = Folder(), FakeHandover()
    await take(folder, handover, [1])
    folder.uids.clear()
    await take(folder, handover, [2])
    assert len(handover.messages) == 1


async def test_known_after_renumbering() -> None:
    """Three copies are the same three after the folder was numbered anew, in any order of their UIDs."""
    folder, handover = Folder(), FakeHandover()
    before = await take(folder, handover, [4, 5, 9])
    folder.uids.clear()
    assert await take(folder, handover, [1, 2, 3], uidvalidity=8) == before
    assert len(handover.messages) == 3


async def test_reading_again_changes_nothing() -> None:
    """A window that is read twice, as after a crash, gives the same mails the same digests."""
    folder, handover = Folder(), FakeHandover()
    first = await take(folder, handover, [1, 2, 3])
    assert await take(folder, handover, [1, 2, 3]) == first


async def test_a_message_id_is_believed() -> None:
    """With a Message-ID, the same bytes are the same message, and nobody is asked."""
    mails: dict[int, Incoming] = {uid: report(uid, "<a@b>") for uid in (1, 2)}
    told = await told_apart(cast("Connection", None), FakeHandover(), mails, 7)
    assert told == mails


async def test_copies_are_bounded() -> None:
    """A flood of identical mails costs bounded work; beyond the bound they are taken for one."""
    folder, handover = Folder(), FakeHandover()
    await take(folder, handover, range(1, MAX_COPIES + 50))
    assert len(handover.messages) == MAX_COPIES
    await take(folder, handover, [9000])
    assert len(handover.messages) == MAX_COPIES


def test_numbered() -> None:
    """The first copy has the mail's own digest, each other one of its own."""
    assert numbered("d", 0) == "d"
    assert len({numbered("d", number) for number in range(10)}) == 10


@given(st.lists(st.sets(st.integers(1, 12), min_size=1, max_size=3), max_size=8))
async def test_as_many_messages_as_ever_stood_side_by_side(arrivals: list[set[int]]) -> None:
    """However copies come and go, there are as many messages as were in the folder at one time at the most."""
    folder, handover = Folder(), FakeHandover()
    most = 0
    for uid, gone in enumerate(arrivals, start=1):
        await take(folder, handover, [uid])
        most = max(most, len(folder.uids))
        folder.uids -= gone
    assert len(handover.messages) == most
