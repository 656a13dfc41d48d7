"""All folders of one mailbox, watched until it is stopped."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bridge.config.mailbox import Mailbox
from bridge.intake.handover import Handover
from bridge.intake.imap.after_delivery_keeper import AfterDeliveryKeeper
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.host_gates import HostGates
from bridge.intake.imap.keeper import ConnectionKeeper
from bridge.intake.imap.lookout import Lookout
from bridge.intake.imap.retry import RetryTimes
from bridge.intake.imap.secret_digest import secret_digest
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.intake.imap.token import token_source
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.intake.oauth.store import RefreshTokens
from bridge.ledger.mail_actions import MailActions
from bridge.ledger.readings import Readings

MAX_CONNECTIONS = 8
"""Connections of one mailbox; servers allow about ten to fifteen, which people's own mail programs use
too.
"""


class MailboxIntake:
    """Watches the folders of one mailbox and hands in what comes.

    The first folders have a connection of their own and are told of new mail at once; from the eighth on they
    share one, and are looked at every `poll` seconds. `hosts` knows the other mailboxes of the same server,
    `refresh_tokens` keeps rotated ones. With `readings` mails are written down before they are read, until each folder
    was looked at once.
    """

    def __init__(  # noqa: PLR0913 - what the parts of a mailbox need; all but two by keyword
        self,
        mailbox: Mailbox,
        handover: Handover,
        *,
        actions: MailActions | None = None,
        hosts: HostGates | None = None,
        refresh_tokens: RefreshTokens | None = None,
        readings: Readings | None = None,
        rules: ReadingRules = PLAIN,
        clock: Callable[[], float] = time.time,
        times: RetryTimes | None = None,
    ) -> None:
        self._mailbox = mailbox
        self._watches = [
            FolderWatch(mailbox, folder, handover, readings=readings, rules=rules, clock=clock)
            for folder in mailbox.folders
        ]
        self._lookout = Lookout(mailbox, [watch.report for watch in self._watches], clock=clock)
        hosts = hosts or HostGates([mailbox])
        gate = SignInGate(
            partial(secret_digest, mailbox),
            host=hosts.gate(mailbox),
            tokens=token_source(mailbox, refresh_tokens),
            received=self._lookout.traffic.received,
        )
        self._keepers: list[ConnectionKeeper | AfterDeliveryKeeper] = [
            ConnectionKeeper(mailbox, group, gate, times=times or RetryTimes())
            for group in shared_out(self._watches, min(MAX_CONNECTIONS, hosts.share(mailbox)))
        ]
        if actions is not None and mailbox.after_delivery.action != "none":
            self._keepers.append(
                AfterDeliveryKeeper(mailbox, actions, gate, times=times or RetryTimes(), clock=clock)
            )

    async def run(self) -> None:
        """Until cancelled; every connection is closed then. A failure of one folder never ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lookout.run())
                for keeper in self._keepers:
                    tasks.create_task(keeper.run())
        finally:
            for watch in self._watches:
                watch.report.away("stopped")

    @property
    def tick(self) -> float:
        """The monotonic time up to which every folder's loop is known to go on.

        It is now while all is well, waiting for an outage to end included. Where it stays behind, a loop
        hangs.
        """
        return min(keeper.tick for keeper in self._keepers)

    def status(self) -> dict[str, Any]:
        """What the status page shows: the mailbox and each of its folders."""
        return {
            "name": self._mailbox.name,
            "host": self._mailbox.host,
            "folders": [watch.report.as_dict() for watch in self._watches],
        }


def shared_out(watches: list[FolderWatch], connections: int = MAX_CONNECTIONS) -> list[list[FolderWatch]]:
    """Which folders share a connection, where there may be so many."""
    alone = [[watch] for watch in watches[: connections - 1]]
    rest = watches[connections - 1 :]
    return [*alone, rest] if rest else alone
