"""Dates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bridge.intake.mail.date import in_utc, read_date


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 23 Nov 2026 08:15:00 +0100",
        "23 Nov 2026 08:15:00 +0100 (CET)",
        "Mon,23 Nov 2026 08:15:00 +0100",
        "Mon, 23 Nov 26 08:15 +0100",
        "Mon, 23 November 2026 03:15:00 EDT -0400",
        "Mon, 23 Nov 2026 07:15:00 GMT",
        "Mon, 23 Nov 2026 07:15:00",
        "Mon Nov 23 07:15:00 2026",
        "2026-11-23T08:15:00+01:00",
    ],
)
def test_the_same_moment_in_many_forms(value: str) -> None:
    """Standard, obsolete and foreign forms of one moment are one moment in UTC."""
    found = read_date(value)
    assert found is not None
    if "EDT" not in value:
        assert found == datetime(2026, 11, 23, 7, 15, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    ["", "x", "Mon, 32 Nov 2026 08:15:00 +0100", "Mon, 23 Nov 0000 08:15:00 +0100", "Sat, 01 Jan 0001 00:00:00 +1400",
     "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 23 Xyz 2026 08:15:00 +0100", "9" * 5000, "1 2 3 4 5 6 7", ":" * 200],
)  # fmt: skip
def test_what_is_no_date_is_none(value: str) -> None:
    """Days, months and years that do not exist never raise."""
    assert read_date(value) is None


def test_a_leap_second_is_the_second_before() -> None:
    """RFC 5322 allows 60 seconds, Python does not."""
    assert read_date("Sat, 31 Dec 2016 23:59:60 +0000") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_moments_in_utc() -> None:
    """A moment without a zone is in UTC; one that UTC cannot express does not raise."""
    assert in_utc(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001 -- the case itself
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    assert in_utc(first) == datetime.min.replace(tzinfo=UTC)
