"""What a first start or an order to read old mail is about."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.intake.handover import Unreadable, Vanished
from bridge.intake.imap.first_start import (
    LOST_SNAPSHOT,
    first_order,
    is_wanted,
    midnight,
    moved_to,
    only_listed,
    placed,
    search_criteria,
)
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import Window
from bridge.intake.imap.take_in import NO_DATE
from bridge.message import Kind

BASELINE = FolderCursor(source="m", folder="INBOX", uidvalidity=7, baseline=21, last_uid=20)
ALL = HistoryOrder(source="m", folder="INBOX", uidvalidity=7, next_uid=1, last_uid=20)


def test_now_reads_nothing_old() -> None:
    """And neither does `unseen` where everything was read by people."""
    assert first_order("now", BASELINE, ()) is None
    assert first_order("unseen", BASELINE, ()) is None


def test_all_a_date_and_unseen() -> None:
    """Everything below the baseline; what came since a day began; the UIDs that were unseen, and no others."""
    assert first_order("all", BASELINE, ()) == ALL
    assert first_order(date(2026, 11, 1), BASELINE, ()) == replace(ALL, since=midnight(date(2026, 11, 1)))
    assert first_order("unseen", BASELINE, (3, 4, 9)) == replace(ALL, uids="3:4,9")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 1), "31-Oct-2026"),
        (date(2026, 1, 1), "31-Dec-2025"),
        (date(2026, 3, 10), "9-Mar-2026"),
        (date(1, 1, 1), "1-Jan-0001"),
    ],
)
def test_search_asks_for_one_day_more(day: date, expected: str) -> None:
    """In SEARCH's own form of a date, with English months, whatever the locale."""
    assert search_criteria(midnight(day)) == ("SINCE", expected)


def test_without_a_date_search_asks_for_everything() -> None:
    """No key at all."""
    assert search_criteria(None) == ()


def mail(at: datetime) -> Unreadable:
    return Unreadable(source="m", kind=Kind.MAIL, place="INBOX/7/1", digest="d", received_at=at, detail="")


def test_the_date_decides_to_the_second() -> None:
    """INTERNALDATE, not the day; a mail without a date counts as late, and so does one that vanished."""
    since = midnight(date(2026, 11, 1))
    assert not is_wanted(mail(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)), since)
    assert is_wanted(mail(datetime(2026, 11, 1, tzinfo=UTC)), since)
    assert is_wanted(mail(NO_DATE), since)
    assert is_wanted(mail(datetime(1990, 1, 1, tzinfo=UTC)), None)
    assert is_wanted(Vanished(source="m", place="INBOX/7/1", digest="d", folder="INBOX"), since)


@given(st.dates(min_value=date(1971, 1, 1)), st.integers(-12 * 3600, 14 * 3600))
def test_search_never_misses_what_is_wanted(day: date, offset: int) -> None:
    """Wherever the server is: a mail at the day's first second is in its answer."""
    asked = datetime.strptime(search_criteria(midnight(day))[1], "%d-%b-%Y").replace(tzinfo=UTC)
    there = midnight(day) / 1000 + offset
    assert asked.timestamp() <= there // 86400 * 86400


def test_only_the_snapshots_uids_are_fetched() -> None:
    """Of a range too; the place moves over the others."""
    window = only_listed(Window(range(1, 8), 7), {2, 5, 90})
    assert (list(window.uids), window.through) == ([2, 5], 7)
    assert only_listed(Window(range(1, 8), 7), None) == Window(range(1, 8), 7)


def test_an_order_goes_on_where_it_was() -> None:
    """In the same numbering as it is; not before the cursor knows the folder's new one."""
    order = replace(ALL, next_uid=11)
    assert placed(order, BASELINE, Selected(7, 25, 24)) == order
    assert placed(order, BASELINE, Selected(8, 25, 24)) is None


def test_an_order_of_the_operator_begins_below_the_baseline() -> None:
    """It knows no UIDs of its own."""
    order = HistoryOrder(source="m", folder="INBOX", since=5)
    assert placed(order, BASELINE, Selected(7, 25, 24)) == replace(order, uidvalidity=7, last_uid=20)


def test_a_renumbered_folder_is_begun_anew() -> None:
    """Up to its new baseline; only a snapshot of UIDs cannot be gone on with, and says so."""
    anchored = replace(BASELINE, uidvalidity=8, baseline=15)
    order = replace(ALL, next_uid=11)
    assert placed(order, anchored, Selected(8, 25, 24)) == replace(
        order, uidvalidity=8, next_uid=1, last_uid=14
    )
    lost = placed(replace(order, uids="3"), anchored, Selected(8, 25, 24))
    assert lost is not None
    assert (lost.ended, lost.words) == (True, LOST_SNAPSHOT)


def test_an_order_ends_with_its_last_uid() -> None:
    """And not before."""
    assert moved_to(ALL, 19) == replace(ALL, next_uid=20)
    assert moved_to(ALL, 20) == replace(ALL, next_uid=21, ended=True)
