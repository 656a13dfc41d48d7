"""What to read of a folder, on a model of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cursor import FolderCursor
from bridge.intake.imap import uid_set
from bridge.intake.imap.grammar import GrammarError
from bridge.intake.imap.selected import Selected, selected_from, uidnext_from_status
from bridge.intake.imap.sync import (
    FIRST_LISTING,
    FIRST_WINDOW,
    MAX_LISTED,
    MAX_WINDOW,
    WINDOW_BYTES,
    Backlog,
    Baseline,
    Known,
    ListUids,
    Renumbered,
    compare,
    moved,
    next_listing,
    next_window,
)


def cursor(uidvalidity: int = 7, baseline: int = 10, last_uid: int = 20) -> FolderCursor:
    return FolderCursor(
        source="m", folder="INBOX", uidvalidity=uidvalidity, baseline=baseline, last_uid=last_uid
    )


def decide(known: FolderCursor | None, selected: Selected) -> Baseline | Renumbered | Known:
    return compare(known, selected, source="m", folder="INBOX")


def test_first_look() -> None:
    """The baseline is UIDNEXT: all that comes is read; what is there is another matter."""
    assert decide(None, Selected(7, 21, 12)) == Baseline(cursor(baseline=21, last_uid=20), 12)


@pytest.mark.parametrize(("uidnext", "last"), [(21, 20), (22, 21), (2**32, 2**32 - 1)])
def test_known_folder(uidnext: int, last: int) -> None:
    """From behind the cursor up to below UIDNEXT; nothing where both meet."""
    assert decide(cursor(), Selected(7, uidnext, 5)) == Known(21, last)


@pytest.mark.parametrize("selected", [Selected(8, 21, 5), Selected(6, 30, 5), Selected(7, 20, 5)])
def test_numbered_anew(selected: Selected) -> None:
    """Another UIDVALIDITY, or a UIDNEXT that went back, means that UIDs are other messages."""
    assert decide(cursor(), selected) == Renumbered(cursor())


def test_cursor_never_moves_back() -> None:
    """A window that was cut short cannot undo what was accounted for."""
    assert moved(cursor(), 15) == cursor()
    assert moved(cursor(), 25) == cursor(last_uid=25)


@st.composite
def folders(draw: st.DrawFn) -> tuple[int, int, set[int]]:
    """A first and last UID and those between that exist: dense, sparse and both."""
    first = draw(st.integers(1, 50))
    span = draw(st.sampled_from([0, 3, 15, 16, 17, 600, 30_000, 4_000_000_000]))
    last = first + span
    near = st.integers(first, min(last, first + 1500))
    uids = draw(st.sets(near, max_size=60)) | draw(st.sets(st.integers(first, last), max_size=30))
    if draw(st.booleans()) and span > 5000:
        start = draw(st.integers(first, last - 3000))
        uids |= set(range(start, start + 2500))
    return first, last, uids


@given(folders(), st.data())
def test_every_uid_is_read_exactly_once(folder: tuple[int, int, set[int]], data: st.DataObject) -> None:
    """Whatever the gaps, sizes and cut windows: each UID once, in order, the cursor ends at the last one."""
    first, last, uids = folder
    backlog = Backlog(first, last, exists=len(uids), window=data.draw(st.sampled_from([1, FIRST_WINDOW])))
    read: list[int] = []
    place, steps = first - 1, 0
    while step := backlog.step():
        steps += 1
        if isinstance(step, ListUids):
            assert place < step.first <= step.last <= last
            backlog.listed([*(uid for uid in uids if step.first <= uid <= step.last), last + 5], step.last)
            continue
        assert len(step.uids) <= MAX_WINDOW
        asked = [uid for uid in sorted(step.uids) if uid in uids]
        through = step.through
        if len(asked) > 1 and data.draw(st.integers(0, 9)) == 0:
            through = asked[-1] - 1
        read += [uid for uid in asked if uid <= through]
        assert through >= place
        place = through
        backlog.read(through, data.draw(st.sampled_from([0, WINDOW_BYTES + 1])))
    assert read == sorted(uids)
    assert place == max(last, first - 1)
    assert steps < 200 + len(uids) * 3


def test_nothing_to_read() -> None:
    """Where the cursor is up to date there is no step."""
    assert Backlog(21, 20, exists=5).step() is None


def test_windows_grow_and_shrink() -> None:
    """Small first, then growing to the largest; a heavy one is followed by a smaller one, never by none."""
    sizes = [FIRST_WINDOW]
    for _ in range(4):
        sizes.append(next_window(sizes[-1], 1000))
    assert sizes == [16, 64, 256, 500, 500]
    assert next_window(500, WINDOW_BYTES + 1) == 125
    assert next_window(1, WINDOW_BYTES + 1) == 1


def test_listings_grow_where_little_is_found() -> None:
    """Longer where sparse, short again where dense, bounded in folders of very many messages."""
    assert next_listing(FIRST_LISTING, 3, 100) == FIRST_LISTING * 16
    assert next_listing(FIRST_LISTING * 16, 1000, 5000) == FIRST_LISTING
    assert next_listing(MAX_LISTED, 0, MAX_LISTED + 1) == MAX_LISTED


def test_selected() -> None:
    """UIDVALIDITY, UIDNEXT and EXISTS are read in any case; what is out of bounds counts as not told."""
    lines = [
        b"* FLAGS (\\Seen)",
        b"* 12 exists",
        b"* OK [UIDVALIDITY 7] x",
        b"* OK [uidnext 21]",
        b"* 0 RECENT",
    ]
    assert selected_from(lines) == Selected(7, 21, 12)
    assert selected_from([b"* OK [UIDNEXT 9999999999]", b"* NO [UIDVALIDITY 5]"]) == Selected()


def test_status() -> None:
    """UIDNEXT is taken from the list of numbers, not from a folder's name."""
    assert uidnext_from_status(b'* STATUS "(UIDNEXT 5)" (MESSAGES 3 UIDNEXT 9)') == 9
    assert uidnext_from_status(b"* STATUS INBOX (MESSAGES 3)") == 0


@given(st.sets(st.integers(1, 300), min_size=1))
def test_uid_sets_round_trip(uids: set[int]) -> None:
    """A set is written as short as it can be, and read back the same."""
    text = uid_set.as_text(sorted(uids)).encode()
    assert uid_set.from_text(text, 300) == sorted(uids)


def test_uid_set_of_a_range() -> None:
    """Ranges are written as ranges, and one UID as itself."""
    assert uid_set.as_text(range(5, 4_000_000_000)) == "5:3999999999"
    assert uid_set.as_text(range(5, 6)) == "5"
    assert uid_set.as_text([1, 2, 3, 7]) == "1:3,7"


@pytest.mark.parametrize("text", [b"", b"0", b"a", b"1:", b"1,,2", b"1:*", b"4294967296", b"1:4294967295"])
def test_uid_sets_that_are_refused(text: bytes) -> None:
    """What is no set, or one that would fill the memory, is refused."""
    with pytest.raises(GrammarError):
        uid_set.from_text(text, 1000)
