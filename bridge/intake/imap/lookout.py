"""Looks at a mailbox as a whole, now and then: is it watched, does its secret end soon, does it receive too much."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock_time

import structlog

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.intake.imap.incident import Began, Ended, Incident
from bridge.intake.imap.report import FolderReport
from bridge.intake.imap.traffic import DayEnded, Much, Traffic
from bridge.intake.oauth.expiry import ALARM, days_left, stage_of

EVERY_SECONDS = 5.0
UNWATCHED_HINT = "the failures above say why; mail waits on the server, and is taken in once it answers"
SECRET_HINT = "make a new one, put it in the place of the old one, and correct oauth.secret_expires"  # noqa: S105 - no secret
MUCH_HINT = (
    "providers limit it (Gmail: 2,500 MB a day): does a route ask for texts, is a folder numbered anew?"
)

log = structlog.get_logger("bridge.intake")


class Lookout:
    """Says once what somebody should know about a mailbox, and once that it is over."""

    def __init__(
        self,
        mailbox: Mailbox,
        reports: Sequence[FolderReport],
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reports = reports
        self._clock = clock
        self._monotonic = monotonic
        self._signs: dict[str, tuple[float | None, FolderCursor | None]] = {}
        self._incident = Incident(mailbox.folders, monotonic(), mailbox.poll)
        self._ends = mailbox.oauth.secret_expires if mailbox.oauth else None
        self._stage: int | None = None
        self._name = mailbox.name
        self._log = log.bind(mailbox=mailbox.name)
        self.traffic = Traffic(mailbox.name, self._today())
        """Counts what the mailbox's connections receive."""

    async def run(self) -> None:
        """Until cancelled."""
        self._show_end()
        while True:
            self.turn()
            await asyncio.sleep(EVERY_SECONDS)

    def turn(self) -> None:
        """Look once."""
        for report in self._reports:
            self._note(report)
        self._tell_incident(self._incident.turn(self._monotonic()))
        self._tell_traffic(self.traffic.turn(self._today()))
        self._tell_end()

    def _note(self, report: FolderReport) -> None:
        """A good look, or a step within a long backlog, is a sign of life."""
        sign = (report.last_look, report.cursor)
        if sign != self._signs.get(report.folder, (None, None)):
            self._signs[report.folder] = sign
            self._incident.looked(report.folder, self._monotonic())

    def _tell_incident(self, news: Began | Ended | None) -> None:
        metrics.IMAP_UNWATCHED.labels(mailbox=self._name).set(self._incident.unwatched)
        match news:
            case Began(folders, seconds):
                errors = {report.folder: report.last_error for report in self._reports}
                self._log.error(
                    "mailbox-unwatched",
                    folders=list(folders),
                    seconds=round(seconds),
                    error=next((errors[one] for one in folders if errors[one]), ""),
                    hint=UNWATCHED_HINT,
                )
            case Ended(seconds):
                self._log.info("mailbox-watched-again", seconds=round(seconds))

    def _tell_traffic(self, news: DayEnded | Much | None) -> None:
        match news:
            case DayEnded(day, size):
                self._log.info("mailbox-traffic", day=day.isoformat(), bytes=size)
            case Much(size):
                self._log.warning("mailbox-traffic-high", bytes=size, hint=MUCH_HINT)

    def _show_end(self) -> None:
        if self._ends is not None:
            ends = datetime.combine(self._ends, clock_time.min, UTC).timestamp()
            metrics.SECRET_EXPIRES.labels(mailbox=self._name).set(ends)

    def _tell_end(self) -> None:
        """Once for each stage, and once more after each start."""
        days = None if self._ends is None else days_left(self._ends, self._today())
        stage = None if days is None else stage_of(days)
        if days is None or stage is None or stage == self._stage:
            return
        self._stage = stage
        tell = self._log.error if stage <= ALARM else self._log.warning
        tell("oauth-secret-expires", ends=str(self._ends), days=days, hint=SECRET_HINT)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()
