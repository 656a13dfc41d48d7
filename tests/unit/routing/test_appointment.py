from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.route import Route
from bridge.routing.appointment import appointment
from bridge.routing.compile import compile_routes
from bridge.routing.fields import FieldError
from tests.unit.routing.messages import EVENT, mail, one

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("2026-03-01", ("2026-03-01", "00:00")),
        ("20260301", ("2026-03-01", "00:00")),
        ("2026-03-01T09:30", ("2026-03-01", "09:30")),
        ("2026-03-01 09:30:59", ("2026-03-01", "09:30")),
        ("2026-03-01T09:30:00Z", ("2026-03-01", "10:30")),
        ("2026-07-01T23:30:00.5Z", ("2026-07-02", "01:30")),
        ("2026-03-01T09:30:00-05:00", ("2026-03-01", "15:30")),
        ("0999-01-01", ("0999-01-01", "00:00")),
        ("", None),
    ],
)
def test_moments_become_date_and_time(written: str, made: tuple[str, str] | None) -> None:
    """Both are always given, in the ACD's zone; a moment without zone is taken as it is."""
    assert appointment(written, BERLIN) == made


@pytest.mark.parametrize(
    "written",
    [
        "09:30", "tomorrow", "2026-13-01", "2026-02-30", "2026-W01-1", "1767225600", "2026", "T09:30",
        "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", "2026-03-01T25:00",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(written: str) -> None:
    """A time alone, words, days that do not exist and moments beyond the calendar are FieldError."""
    with pytest.raises(FieldError):
        appointment(written, BERLIN)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_moment_with_zone_is_the_same_moment(moment: datetime) -> None:
    """What is posted, read in the ACD's zone, is the moment that was written, to the minute."""
    zone = timezone(timedelta(hours=5, minutes=30))
    made = appointment(moment.isoformat(), zone)
    assert made is not None
    read = datetime.fromisoformat(f"{made[0]}T{made[1]}").replace(tzinfo=zone)
    assert read == moment.replace(second=0, microsecond=0)


def test_the_routers_zone_is_used() -> None:
    """Constants and templates are converted to the zone that the router was compiled with."""
    routes = [
        Route.model_validate(
            {"name": "a", "when": "spam", "event": EVENT | {"appointment": "2026-07-01T10:00Z"}}
        ),
        Route.model_validate(
            {"name": "b", "event": EVENT | {"appointment": "{{ received_at.isoformat() }}"}}
        ),
    ]
    made, problems = compile_routes(routes, zone=BERLIN)
    assert problems == []
    for message, expected in ((mail(spam=True), "12:00"), (mail(), "09:00")):
        event = made.route(message).event
        assert event is not None
        assert event.appointment_time == expected


def test_an_empty_appointment_is_none() -> None:
    """As soon as possible: neither field is posted."""
    event = one(appointment="{{ data.due }}").route(mail()).event
    assert event is not None
    assert (event.appointment_date, event.appointment_time) == (None, None)
