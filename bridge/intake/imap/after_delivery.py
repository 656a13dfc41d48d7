"""What to do with a mail once its event is settled: which commands, for which server. Pure.

A mail is moved with UID MOVE (RFC 6851), else copied, marked as deleted and expunged by UID (UIDPLUS, RFC 4315).
A server without UIDPLUS only knows EXPUNGE, which also removes what people marked as deleted: there the mail stays,
marked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.config.mailbox import AfterDelivery
from bridge.ledger.mail_actions import ActionOutcome, MailAction

FIRST_WAIT = 30.0
"""Seconds before an action that the mail server refused is tried again; doubles."""
LONGEST_WAIT = 6 * 3600.0
ALARM_AFTER = 5
"""Refusals of one mail's action after which the log alarms: after about eight minutes."""
GIVEN_UP_RENUMBERED = 5
"""So often a mail whose UIDVALIDITY is another one by now is looked for, since the folder is being read again."""

DELETED = "\\Deleted"
SEEN = "\\Seen"
ONLY_MARKED = "the server has no UIDPLUS: the mail is marked as deleted and still in its folder"

NOT_REMOVED = "the server said that it removed the mail, but it is still in its folder, marked as deleted"
"""Dovecot says so where the account has not the right to expunge (RFC 4314)."""


class Verb(StrEnum):
    """The commands that change a mail, each of them by UID."""

    STORE = "STORE"
    COPY = "COPY"
    MOVE = "MOVE"
    EXPUNGE = "EXPUNGE"


@dataclass(frozen=True, slots=True)
class Step:
    """One command about some mails. `argument` is the flag of a STORE, or the target folder."""

    verb: Verb
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The commands of an action, in their order, and what has been reached after the last."""

    steps: tuple[Step, ...]
    outcome: ActionOutcome = ActionOutcome.DONE
    detail: str = ""

    @property
    def copies(self) -> bool:
        """Whether a crash in between may leave a copy, which a second try must not make again."""
        return any(step.verb is Verb.COPY for step in self.steps)

    @property
    def removes(self) -> bool:
        """Whether the mail may be gone afterwards."""
        return any(step.verb in {Verb.COPY, Verb.MOVE, Verb.EXPUNGE} for step in self.steps)

    @property
    def expunges(self) -> bool:
        """Whether the mail must be gone afterwards by a command that says OK even where it did nothing."""
        return any(step.verb is Verb.EXPUNGE for step in self.steps)

    @property
    def flags(self) -> list[str]:
        """The flags that the folder must keep."""
        return [step.argument for step in self.steps if step.verb is Verb.STORE]


def plan(action: AfterDelivery, capabilities: Iterable[str]) -> Plan:
    """What to send for an action to a server of these capabilities (in capitals)."""
    able = frozenset(capabilities)
    match action.action:
        case "none":
            return Plan(())
        case "keyword":
            return Plan((Step(Verb.STORE, action.keyword or ""),))
        case "seen":
            return Plan((Step(Verb.STORE, SEEN),))
        case "move" if "MOVE" in able:
            return Plan((Step(Verb.MOVE, action.folder or ""),))
        case "move":
            return _deleting((Step(Verb.COPY, action.folder or ""),), able)
        case "delete":
            return _deleting((), able)


def _deleting(before: tuple[Step, ...], able: frozenset[str]) -> Plan:
    steps = (*before, Step(Verb.STORE, DELETED))
    if "UIDPLUS" in able:
        return Plan((*steps, Step(Verb.EXPUNGE)))
    return Plan(steps, ActionOutcome.DELETED_FLAG, ONLY_MARKED)


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a folder: `folder/uidvalidity/uid` in parts."""

    folder: str
    uidvalidity: int
    uid: int


def place(text: str) -> Found | None:
    """The parts of an item's place; None for what names no mail."""
    folder, *numbers = text.rsplit("/", 2)
    if len(numbers) != 2 or not folder or not all(one.isascii() and one.isdigit() for one in numbers):
        return None
    found = Found(folder, int(numbers[0]), int(numbers[1]))
    return found if found.uid and found.uidvalidity else None


def by_folder(actions: Sequence[MailAction]) -> Mapping[str, list[MailAction]]:
    """Actions by the folder of their first place. Those without any place are under an empty name."""
    folders: dict[str, list[MailAction]] = {}
    for action in actions:
        found = next(filter(None, map(place, action.places)), None)
        folders.setdefault(found.folder if found else "", []).append(action)
    return folders


def uid_in(action: MailAction, folder: str, uidvalidity: int) -> int | None:
    """The UID at which the mail was last found in this numbering of the folder (RFC 9051 section 2.3.1.1)."""
    for text in action.places:
        found = place(text)
        if found is not None and (found.folder, found.uidvalidity) == (folder, uidvalidity):
            return found.uid
    return None


def wait_after(tries: int) -> float:
    """Seconds until an action is tried again that was refused so many times (1 or more)."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, 32))
