"""Which commands an action takes, and where a mail is looked for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.mailbox import AfterDelivery
from bridge.intake.imap.after_delivery import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Found,
    Step,
    Verb,
    by_folder,
    place,
    plan,
    uid_in,
    wait_after,
)
from bridge.intake.imap.writable import Writable, writable_from
from bridge.ledger.mail_actions import ActionOutcome, MailAction

MOVE = AfterDelivery(action="move", folder="Done")
DELETE = AfterDelivery(action="delete")
KEYWORD = AfterDelivery(action="keyword", keyword="ACD")
STORE_DELETED = Step(Verb.STORE, "\\Deleted")


def action(*places: str) -> MailAction:
    return MailAction(item_id=1, places=places, message_id="", received_at=1, tries=0, begun=False)


@pytest.mark.parametrize(
    ("wanted", "capabilities", "steps"),
    [
        (AfterDelivery(), {"MOVE"}, []),
        (KEYWORD, set(), [Step(Verb.STORE, "ACD")]),
        (AfterDelivery(action="seen"), set(), [Step(Verb.STORE, "\\Seen")]),
        (MOVE, {"MOVE", "UIDPLUS"}, [Step(Verb.MOVE, "Done")]),
        (MOVE, {"MOVE"}, [Step(Verb.MOVE, "Done")]),
        (MOVE, {"UIDPLUS"}, [Step(Verb.COPY, "Done"), STORE_DELETED, Step(Verb.EXPUNGE)]),
        (MOVE, set(), [Step(Verb.COPY, "Done"), STORE_DELETED]),
        (DELETE, {"MOVE", "UIDPLUS"}, [STORE_DELETED, Step(Verb.EXPUNGE)]),
        (DELETE, {"MOVE"}, [STORE_DELETED]),
    ],
)
def test_the_commands(wanted: AfterDelivery, capabilities: set[str], steps: list[Step]) -> None:
    """Each action takes the fewest commands that the server knows."""
    assert list(plan(wanted, capabilities).steps) == steps


@pytest.mark.parametrize("wanted", [AfterDelivery(), KEYWORD, AfterDelivery(action="seen"), MOVE, DELETE])
def test_no_mail_is_taken_away_unasked(wanted: AfterDelivery) -> None:
    """Whatever the server can do: only moving and deleting mark as deleted, and a copy is made before that.

    EXPUNGE is only ever sent by UID, to servers that know it so.
    """
    for able in itertools.product([True, False], repeat=2):
        capabilities = {name for name, has in zip(("MOVE", "UIDPLUS"), able, strict=True) if has}
        made = plan(wanted, capabilities)
        verbs = [step.verb for step in made.steps]
        if STORE_DELETED in made.steps:
            assert wanted.action in {"move", "delete"}
            assert wanted.action == "delete" or verbs[0] is Verb.COPY
        assert Verb.EXPUNGE not in verbs or "UIDPLUS" in capabilities
        stays = STORE_DELETED in made.steps and Verb.EXPUNGE not in verbs
        assert (made.outcome is ActionOutcome.DELETED_FLAG) == stays
        assert bool(made.detail) == stays


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INBOX/17/4", Found("INBOX", 17, 4)),
        ("Support/Büro/17/4", Found("Support/Büro", 17, 4)),
        ("INBOX/17/0", None),
        ("INBOX/x/4", None),
        ("17/4", None),
        ("", None),
        ("INBOX/1٣/4", None),
    ],
)
def test_places(text: str, expected: Found | None) -> None:
    """A place names folder, UIDVALIDITY and UID; the folder's name may hold slashes."""
    assert place(text) == expected


@given(st.text(max_size=40))
def test_no_place_raises(text: str) -> None:
    """Whatever stands in the state file, it names a mail or none."""
    assert place(text) is None or place(text).uid > 0  # type: ignore[union-attr] # None is handled before


def test_the_uid_belongs_to_its_numbering() -> None:
    """A UID counts only together with its folder's UIDVALIDITY; the newest place comes first."""
    moved = action("INBOX/2/9", "INBOX/1/5")
    assert uid_in(moved, "INBOX", 2) == 9
    assert uid_in(moved, "INBOX", 1) == 5
    assert uid_in(moved, "INBOX", 3) is None
    assert uid_in(moved, "Other", 2) is None


def test_actions_are_grouped_by_folder() -> None:
    """One folder is opened for all its mails; an item without place has none."""
    one, two, lost = action("A/1/1"), action("B/1/2"), action("nowhere")
    assert by_folder([one, two, lost, one]) == {"A": [one, one], "B": [two], "": [lost]}


def test_waits_grow_to_their_bound() -> None:
    """A refused action is tried again ever more rarely, and never less often than every six hours."""
    waits = [wait_after(tries) for tries in range(1, 200)]
    assert waits[0] == FIRST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_what_select_tells() -> None:
    """Read-only folders and flags that do not last are seen before anything is changed."""
    told = [b"* OK [UIDVALIDITY 7] ok", b"* OK [PERMANENTFLAGS (\\Seen \\*)] Limited"]
    opened = writable_from(told, "[READ-WRITE] done")
    assert opened == Writable(7, read_only=False, kept=frozenset({"\\seen", "\\*"}))
    assert [opened.keeps(flag) for flag in ("\\Seen", "ACD", "\\Deleted")] == [True, True, False]
    assert writable_from([], "[READ-ONLY] done").read_only
    assert Writable(7).keeps("anything")
    assert not Writable(7, kept=frozenset()).keeps("ACD")
