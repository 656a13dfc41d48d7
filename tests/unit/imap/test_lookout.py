"""What is said of a mailbox as a whole: outages, ends of secrets, bytes. The clocks are the test's."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.intake.imap.after_delivery import ALARM_AFTER
from bridge.intake.imap.after_delivery_keeper import level_of
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.incident import OVERDUE
from bridge.intake.imap.keeper import ConnectionKeeper
from bridge.intake.imap.lookout import Lookout
from bridge.intake.imap.report import FolderReport
from bridge.intake.imap.retry import RetryTimes
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.intake.imap.traffic import MUCH, DayEnded, Much, Traffic
from bridge.intake.oauth.expiry import days_left, stage_of
from bridge.metrics import REGISTRY
from bridge.testing.handover import FakeHandover

NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)
OAUTH = {"provider": "microsoft365", "tenant": "t", "client_id": "i", "client_secret": "s"}


def mailbox(**more: Any) -> Mailbox:
    return Mailbox.model_validate({"name": "looked-at", "host": "h", "username": "u", **more})


@dataclass
class Times:
    """Both clocks, which go on together."""

    passed: float = 0.0


@dataclass
class Stand:
    """A lookout over one folder."""

    box: Mailbox
    times: Times = field(default_factory=Times)
    report: FolderReport = field(default_factory=lambda: FolderReport("looked-at", "INBOX"))

    def __post_init__(self) -> None:
        self.lookout = Lookout(
            self.box,
            [self.report],
            clock=lambda: NOON.timestamp() + self.times.passed,
            monotonic=lambda: self.times.passed,
        )

    def turn_after(self, seconds: float) -> list[Any]:
        self.times.passed += seconds
        with capture_logs() as lines:
            self.lookout.turn()
        return lines


def value(name: str, registry: CollectorRegistry = REGISTRY) -> float | None:
    return registry.get_sample_value(name, {"mailbox": "looked-at"})


def test_an_outage_is_told_with_its_end() -> None:
    """One error that names folder and cause once the last good look is old, one line with how long it lasted."""
    stand = Stand(mailbox(password="p"))
    stand.report.looked(1.0)
    assert stand.turn_after(1) == []
    stand.report.away("waiting", "no connection")
    (began,) = stand.turn_after(OVERDUE + 1)
    assert (began["event"], began["log_level"], began["folders"]) == ("mailbox-unwatched", "error", ["INBOX"])
    assert began["error"] == "no connection"
    assert value("acd_bridge_imap_unwatched_folders") == 1
    assert stand.turn_after(OVERDUE * 10) == []
    stand.report.looked(2.0)
    (ended,) = stand.turn_after(5)
    assert (ended["event"], ended["seconds"]) == ("mailbox-watched-again", OVERDUE * 11 + 6)
    assert value("acd_bridge_imap_unwatched_folders") == 0


def test_a_long_backlog_is_no_outage() -> None:
    """While mail is taken in, window after window, the folder counts as watched although no look has ended."""
    stand = Stand(mailbox(password="p"))
    for uid in range(1, 20):
        stand.report.cursor = _cursor(uid)
        assert stand.turn_after(OVERDUE / 2) == []
    assert stand.turn_after(OVERDUE + 1) != []


def _cursor(uid: int) -> FolderCursor:
    return FolderCursor(source="looked-at", folder="INBOX", uidvalidity=1, baseline=1, last_uid=uid)


def test_a_failure_is_loud_once() -> None:
    """Until the next good look, each kind of failure is a warning or an error once, and information after that."""
    box = mailbox(password="p")
    keeper = ConnectionKeeper(
        box, [FolderWatch(box, "INBOX", FakeHandover())], SignInGate(), times=RetryTimes()
    )
    with capture_logs() as lines:
        for kind in (Kind.LOST, Kind.UNREACHABLE, Kind.UNREACHABLE, Kind.LOST, Kind.SECRET, Kind.SECRET):
            keeper._tell(MailServerError(kind, "x"), 1.0)
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info", "info", "error", "info"]


def test_actions_that_wait_are_told_twice() -> None:
    """A mail server that is down for actions is a warning when that begins, an alarm once where it lasts."""
    levels = [level_of(Kind.UNREACHABLE, failures) for failures in range(1, 100)]
    assert [failures for failures, level in enumerate(levels, 1) if level > 20] == [1, ALARM_AFTER]
    assert levels[ALARM_AFTER - 1] > levels[0]
    assert level_of(Kind.UNEXPECTED, 1) == levels[ALARM_AFTER - 1]


def test_the_end_of_a_secret_is_foreseen() -> None:
    """Fourteen and seven days before it is a warning, on the last day and after it an alarm: once each."""
    ends = NOON.date() + timedelta(days=30)
    stand = Stand(mailbox(oauth={**OAUTH, "secret_expires": ends}))
    told = []
    for day in range(40):
        lines = stand.turn_after(43_200) + stand.turn_after(43_200)
        told += [
            (day + 1, line["days"], line["log_level"])
            for line in lines
            if line["event"] == "oauth-secret-expires"
        ]
    assert told == [(16, 14, "warning"), (23, 7, "warning"), (29, 1, "error"), (30, 0, "error")]


async def test_the_end_of_a_secret_is_a_metric() -> None:
    """Whoever watches by metrics sees the day as well."""
    stand = Stand(mailbox(oauth={**OAUTH, "secret_expires": date(2027, 3, 1)}))
    stand.lookout._show_end()
    assert (
        value("acd_bridge_oauth_secret_expiry_timestamp_seconds")
        == datetime(2027, 3, 1, tzinfo=UTC).timestamp()
    )


@pytest.mark.parametrize(
    ("days", "stage"), [(15, None), (14, 14), (8, 14), (7, 7), (2, 7), (1, 1), (0, 0), (-9, 0)]
)
def test_stages(days: int, stage: int | None) -> None:
    """A start between two stages tells the one that it is in."""
    assert stage_of(days) == stage
    assert days_left(NOON.date() + timedelta(days=days), NOON.date()) == days


def test_traffic_by_day() -> None:
    """The sum of each day is told when it ends, too much is told once, and the metric goes on."""
    before = value("acd_bridge_imap_received_bytes_total") or 0.0
    traffic, day = Traffic("looked-at", NOON.date()), NOON.date()
    traffic.received(MUCH)
    assert traffic.turn(day) is None
    traffic.received(1)
    assert traffic.turn(day) == Much(MUCH + 1)
    assert traffic.turn(day) is None
    assert traffic.turn(day + timedelta(days=1)) == DayEnded(day, MUCH + 1)
    assert traffic.turn(day + timedelta(days=1)) is None
    assert value("acd_bridge_imap_received_bytes_total") == before + MUCH + 1


def test_traffic_is_told() -> None:
    """The log has one line a day with the bytes, and a warning where it is much."""
    stand = Stand(mailbox(password="p"))
    stand.report.looked(1.0)
    stand.lookout.traffic.received(MUCH + 1)
    assert [line["event"] for line in stand.turn_after(1)] == ["mailbox-traffic-high"]
    stand.report.looked(2.0)
    (line,) = stand.turn_after(86_400)
    assert (line["event"], line["day"], line["bytes"]) == ("mailbox-traffic", "2027-02-01", MUCH + 1)
