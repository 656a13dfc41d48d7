"""Carrying out an action on mails of one folder, on a connection that may change it."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from bridge.config.mailbox import AfterDelivery
from bridge.intake.imap import folder_name, uid_set
from bridge.intake.imap.after_delivery import GIVEN_UP_RENUMBERED, NOT_REMOVED, Plan, Step, Verb, plan, uid_in
from bridge.intake.imap.connection import Answer, Connection, refused
from bridge.intake.imap.failure import Kind, MailServerError, response_code
from bridge.intake.imap.fetch_response import Fetched, parse_fetch
from bridge.intake.imap.grammar import GrammarError, parse_values, quoted
from bridge.intake.imap.same_mail import ITEMS, Told, is_same, told_by
from bridge.intake.imap.splitter import Parts
from bridge.ledger.mail_actions import ActionOutcome, Ended, MailAction

RENUMBERED = "the folder was numbered anew, and the mail was not found again yet"
ANOTHER = (
    "at its UID is another mail now, which was left alone: the mail server has given the UID a second time"
)
NOT_TOLD = (
    "the server does not tell time and Message-ID of the mail, so that nobody knows whether it is this one"
)
FOR_THE_FOLDER = frozenset({Kind.REFUSED, Kind.FOLDER_MISSING})
"""Failures that say nothing about the connection."""

Begin = Callable[[Sequence[int]], Awaitable[None]]


@dataclass(slots=True)
class Results:
    """What came of the actions of one batch: ended, or refused with the server's words, by item."""

    ended: list[Ended] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


async def carry_out(
    connection: Connection, wanted: AfterDelivery, folder: str, actions: Sequence[MailAction], begin: Begin
) -> Results:
    """Do what is wanted with these mails of a folder.

    `begin` is awaited before anything is done that a second try must know of; it gets the items' IDs. Raises
    MailServerError for what is wrong with the connection, not with the folder or a mail.
    """
    results = Results()
    try:
        await _Folder(connection, wanted, folder, results).work(actions, begin)
    except MailServerError as failure:
        if failure.kind not in FOR_THE_FOLDER:
            raise
        over = {one.item_id for one in results.ended} | results.refused.keys()
        results.refused.update({one.item_id: str(failure) for one in actions if one.item_id not in over})
    return results


class _Folder:
    """One batch in one folder."""

    def __init__(self, connection: Connection, wanted: AfterDelivery, folder: str, results: Results) -> None:
        self._connection = connection
        self._plan: Plan = plan(wanted, connection.capabilities)
        self._target = wanted.folder or ""
        self._folder = folder
        self._results = results

    async def work(self, actions: Sequence[MailAction], begin: Begin) -> None:
        uidvalidity = await self._select()
        there = await self._those_there(self._those_known(actions, uidvalidity))
        copied: set[int] = set()
        if self._plan.removes:
            copied = await self._copied_before(there)
            await begin([action.item_id for _, action in there.values()])
        await self._change({uid: action for uid, (_, action) in there.items()}, copied)

    async def _select(self) -> int:
        """Open the folder; its UIDVALIDITY. Raises MailServerError where it cannot be changed as wanted."""
        opened = await self._connection.select(self._folder)
        if opened.read_only:
            raise MailServerError(
                Kind.REFUSED,
                f"folder {self._folder!r} can only be read",
                hint='give the account the right to change it, or set after_delivery = { action = "none" }',
            )
        for flag in self._plan.flags:
            if not opened.keeps(flag):
                raise MailServerError(
                    Kind.REFUSED,
                    f"the server does not keep the flag {flag} in folder {self._folder!r}",
                    hint="choose another action for after_delivery, or give the account the right to set it",
                )
        return opened.uidvalidity

    def _those_known(self, actions: Sequence[MailAction], uidvalidity: int) -> dict[int, MailAction]:
        """The mails by UID. Of one that was not found in this numbering, nobody knows which it is."""
        known: dict[int, MailAction] = {}
        for action in actions:
            uid = uid_in(action, self._folder, uidvalidity)
            if uid is not None:
                known[uid] = action
            elif action.tries + 1 >= GIVEN_UP_RENUMBERED:
                self._end_gone(action, RENUMBERED)
            else:
                self._results.refused[action.item_id] = RENUMBERED
        return known

    async def _those_there(self, known: dict[int, MailAction]) -> dict[int, tuple[int, MailAction]]:
        """The mails that are still in the folder, each with its size, and no other one that has its UID by now."""
        told = await self._told_of(known.keys())
        there: dict[int, tuple[int, MailAction]] = {}
        for uid, action in known.items():
            if (one := told.get(uid)) is None:
                self._end_gone(action)
            elif not one.is_enough:
                self._results.refused[action.item_id] = NOT_TOLD
            elif is_same(action, one):
                there[uid] = (one.size or 0, action)
            else:
                self._end(action, ActionOutcome.VANISHED, ANOTHER)
        return there

    async def _told_of(self, uids: AbstractSet[int]) -> dict[int, Told]:
        """What the server tells of these UIDs. Commands pass over missing ones silently (RFC 9051 section 6.4.9), so
        they are asked for; twice, since servers that are changing a folder leave out one, or its header.
        """
        told: dict[int, Told] = {}

        def take(parts: Parts) -> None:
            fetched = _fetched(parts)
            if fetched.uid in uids:
                told[fetched.uid] = told.get(fetched.uid, Told()).and_(told_by(fetched))

        for _ in range(2):
            if missing := sorted(uid for uid in uids if not told.get(uid, Told()).is_enough):
                await self._connection.fetch(missing, ITEMS, take)
        return told

    async def _copied_before(self, there: dict[int, tuple[int, MailAction]]) -> set[int]:
        """The UIDs of which a copy was made before a crash: by Message-ID and size, in the target."""
        begun = {uid: one for uid, one in there.items() if one[1].begun and one[1].message_id}
        if not begun or not self._plan.copies:
            return set()
        await self._connection.select(self._target)
        copied = {uid for uid, (size, action) in begun.items() if await self._has(action.message_id, size)}
        await self._select()
        return copied

    async def _has(self, message_id: str, size: int) -> bool:
        """Whether the open folder has a mail of this Message-ID and size."""
        found = False

        def collect(parts: Parts) -> bool:
            nonlocal found
            if parts[0][2:8].upper() != b"SEARCH":
                return False
            found = found or bool(parse_values(parts, start=8))
            return True

        if not message_id.isascii():
            return False
        criteria = (
            "HEADER",
            "Message-ID",
            quoted(message_id),
            "LARGER",
            str(size - 1),
            "SMALLER",
            str(size + 1),
        )
        await self._connection.expect_ok("SEARCH", *criteria, collect=collect, prefix="UID")
        return found

    async def _change(self, there: dict[int, MailAction], copied: set[int]) -> None:
        """Step after step; a mail that one step is refused for takes no part in the next ones."""
        left = dict(there)
        for step in self._plan.steps:
            uids = sorted(left.keys() - copied) if step.verb is Verb.COPY else sorted(left)
            for uid, words in (await self._perform(step, uids)).items():
                self._results.refused[left.pop(uid).item_id] = words
        stayed = set(await self._connection.existing(sorted(left))) if self._plan.expunges and left else set()
        for uid, action in left.items():
            if uid in stayed:
                self._end(action, ActionOutcome.DELETED_FLAG, NOT_REMOVED)
            else:
                self._end(action, self._plan.outcome, self._plan.detail)

    async def _perform(self, step: Step, uids: Sequence[int]) -> dict[int, str]:
        """Send one command; the UIDs that it is refused for, with the server's words.

        Where it is refused for several, each is tried alone, so that one mail does not keep the others.
        """
        if not uids:
            return {}
        answer = await self._connection.command(step.verb, *_arguments(step, uids), prefix="UID")
        if answer.result == "OK" or response_code(answer.words) == "EXPUNGEISSUED":
            return {}
        failure = _refusal(step, answer)
        if len(uids) == 1 or response_code(answer.words) == "TRYCREATE":
            return dict.fromkeys(uids, str(failure))
        alone = [await self._perform(step, [uid]) for uid in uids]
        return {uid: words for one in alone for uid, words in one.items()}

    def _end_gone(self, action: MailAction, detail: str = "") -> None:
        # What was begun and is gone was most likely taken away by the bridge itself.
        self._end(action, ActionOutcome.DONE if action.begun else ActionOutcome.VANISHED, detail)

    def _end(self, action: MailAction, outcome: ActionOutcome, detail: str = "") -> None:
        self._results.ended.append(Ended(item_id=action.item_id, outcome=outcome, detail=detail))


def _arguments(step: Step, uids: Sequence[int]) -> tuple[str, ...]:
    uid_text = uid_set.as_text(uids)
    match step.verb:
        case Verb.STORE:
            # SILENT: the new flags are not told (RFC 9051 section 6.4.6).
            return uid_text, "+FLAGS.SILENT", f"({step.argument})"
        case Verb.EXPUNGE:
            return (uid_text,)
        case Verb.COPY | Verb.MOVE:
            return uid_text, quoted(folder_name.encode(step.argument))


def _refusal(step: Step, answer: Answer) -> MailServerError:
    """What a NO means. Raises it where the connection should pause."""
    failure = refused(f"UID {step.verb}", answer)
    if failure.kind is Kind.BUSY:
        raise failure
    if response_code(answer.words) in {"TRYCREATE", "NONEXISTENT"}:
        hint = f"make folder {step.argument!r}, or correct after_delivery.folder"
        return MailServerError(failure.kind, failure.message, hint=hint)
    return failure


def _fetched(parts: Parts) -> Fetched:
    try:
        return parse_fetch(parts)
    except GrammarError:
        return Fetched()
