"""Were UIDs given a second time? The newest known mails of a folder are compared with what has their UIDs now.

A mail server that was restored from a backup goes on with an earlier UIDNEXT under the same UIDVALIDITY. While UIDNEXT
is behind the cursor, that tells it (`bridge.intake.imap.sync.compare`). Once so many mails came that it is not, only
the mails do: those that have the UIDs up to the cursor now were never read. Only another Message-ID proves anything: a
server that was copied may tell other times of the same mails.
"""

from collections.abc import Mapping

from bridge.cursor import FolderCursor
from bridge.intake.handover import Handover
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.fetch_response import parse_fetch
from bridge.intake.imap.grammar import GrammarError
from bridge.intake.imap.same_mail import MESSAGE_ID, told_by
from bridge.intake.imap.splitter import Parts

Others = frozenset[tuple[int, str]]
"""UIDs that mean another mail than before, each with the Message-ID that it has now."""


def others(known: Mapping[int, str], told: Mapping[int, str]) -> Others:
    """Those UIDs of which another Message-ID is told than the known one. Mails without one prove nothing."""
    return frozenset(
        (uid, now)
        for uid, now in told.items()
        if now and known.get(uid, now) != now and known[uid].isascii() and now.isascii()
    )


async def given_again(connection: Connection, handover: Handover, cursor: FolderCursor) -> Others:
    """The newest UIDs up to the cursor of the open folder that mean other mails now; none where all is well.

    Raises MailServerError.
    """
    known = await handover.newest(cursor.source, cursor.folder, cursor.uidvalidity, cursor.last_uid)
    told: dict[int, str] = {}

    def take(parts: Parts) -> None:
        try:
            fetched = parse_fetch(parts)
        except GrammarError:
            return  # what cannot be read proves nothing
        if fetched.uid in known:
            told[fetched.uid] = told_by(fetched).message_id or told.get(fetched.uid, "")

    if known:
        await connection.fetch(sorted(known), f"(UID {MESSAGE_ID})", take)
    return others(known, told)
