from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.accept import Acceptance
from bridge.config.route import Route
from bridge.cursor import FolderCursor
from bridge.errors import IntakePausedError
from bridge.history import HistoryOrder
from bridge.intake.handover import Incoming, Unreadable
from bridge.ledger.ledger import Ledger
from bridge.ledger.pressure import Pressure
from bridge.ledger.state import ItemState
from bridge.message import Kind, Message
from bridge.new_item import ItemRules, conversation_of, item_key, new_item
from bridge.reason import Reason
from bridge.routing.compile import compile_routes
from bridge.routing.router import Router

WHEN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def router(*routes: dict[str, Any]) -> Router:
    compiled, problems = compile_routes([Route.model_validate(route) for route in routes])
    assert problems == []
    return compiled


TICKETS = {"name": "tickets", "when": "kind == 'ticket'", "event": {"type": "Ticket", "group": "Support"}}
NO_AUTO = {"name": "no automatic mail", "when": "auto", "drop": True}
BROKEN = {"name": "broken", "when": "size > 10", "event": {"type": 7, "group": "{{ 1 // 0 }}"}}


def message(**fields: Any) -> Message:
    plain: dict[str, Any] = {
        "source": "support", "kind": Kind.MAIL, "place": "INBOX/1/5", "digest": "d", "received_at": WHEN,
        "sender": "anna@example.org", "subject": "Printer",
    }  # fmt: skip
    return Message(**(plain | fields))


def test_a_matching_route_makes_a_pending_item_with_its_event() -> None:
    """The draft of the route is what will be posted, and its name is kept."""
    item = new_item(message(kind=Kind.TICKET, ticket_number="DH-1"), router(TICKETS))
    assert (item.state, item.route, item.reason) == (ItemState.PENDING, "tickets", Reason.NONE)
    assert item.event is not None
    assert (item.event.type, item.event.user_data) == ("Ticket", "DH-1")


def test_a_dropping_route_makes_a_filtered_item() -> None:
    """What a route drops is still on record, with the route's name."""
    item = new_item(message(auto="bounce"), router(NO_AUTO))
    assert (item.state, item.reason, item.event) == (ItemState.FILTERED, Reason.ROUTE_DROP, None)
    assert item.route == "no automatic mail"


def test_a_message_that_no_route_wants_is_quarantined() -> None:
    """Nothing is lost for want of a route."""
    item = new_item(message(), router(TICKETS))
    assert (item.state, item.reason, item.raw) == (ItemState.QUARANTINED, Reason.NO_ROUTE, None)


def test_a_template_that_fails_quarantines_the_message_with_its_body() -> None:
    """The reason names the field; a ticket's body is kept, since it cannot be had again."""
    huge = {"number": 2**70}
    item = new_item(message(kind=Kind.TICKET, size=11, data=huge), router(BROKEN))
    assert (item.state, item.reason) == (ItemState.QUARANTINED, Reason.TEMPLATE_FAILED)
    assert "group" in item.detail
    assert item.raw == b'{"number": 1180591620717411303424}'


def test_an_unreadable_message_is_quarantined_with_its_raw_bytes() -> None:
    """What could not be read at all keeps its bytes and says why."""
    unreadable = Unreadable(
        source="desk", kind=Kind.TICKET, place="p", digest="d", received_at=WHEN, detail="no JSON", raw=b"{"
    )
    item = new_item(unreadable, router(TICKETS))
    assert (item.state, item.reason, item.detail, item.raw) == (
        ItemState.QUARANTINED, Reason.UNREADABLE, "no JSON", b"{",
    )  # fmt: skip


def test_a_crashing_route_does_not_reach_the_next_message() -> None:
    """Whatever a message does to routing, it is quarantined and nothing is raised."""

    class Crashing(Router):
        def route(self, message: Message, *, explain: bool = False) -> Any:  # noqa: ARG002 - the real one's
            raise RecursionError

    item = new_item(message(), Crashing([]))
    assert (item.state, item.reason) == (ItemState.QUARANTINED, Reason.TEMPLATE_FAILED)
    assert "RecursionError" in item.detail


def test_the_key_comes_from_place_and_content() -> None:
    """Same source, folder and content: same key. Each of them makes it another one."""
    assert item_key("a", "d", "INBOX") == item_key("a", "d", "INBOX")
    others = {item_key("b", "d", "INBOX"), item_key("a", "e", "INBOX"), item_key("a", "d", "Other")}
    assert len(others | {item_key("a", "d", "INBOX")}) == 4


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"ticket_number": "7", "message_id": "<x@y>"}, {"ticket_number": "7", "message_id": "<z@y>"}),
        ({"message_id": "<x@y>"}, {"message_id": "<z@y>", "references": ("<x@y>", "<w@y>")}),
        ({"digest": "1"}, {"digest": "2", "sender": "Anna@Example.org"}),
    ],
)
def test_messages_of_one_conversation_share_its_key(fields: dict[str, Any], same: dict[str, Any]) -> None:
    """Ticket number first, then the thread, then the sender."""
    assert conversation_of(message(**fields), "support") == conversation_of(message(**same), "support")


def test_messages_without_anything_in_common_do_not_wait_for_each_other() -> None:
    """No ticket, no thread, no sender: each is a conversation of its own."""
    one, other = (conversation_of(message(sender="", digest=digest), "support") for digest in "12")
    assert one != other


async def test_items_cursor_and_receipts_go_together(tmp_path: Path) -> None:
    """After `accept` returned, items and cursor are on disk, and the delivery has been told once."""
    ledger = await Ledger.open(tmp_path / "state.db")
    knocks: list[None] = []
    acceptance = Acceptance(
        router(NO_AUTO, TICKETS), ledger, clock=lambda: 5.0, knock=lambda: knocks.append(None)
    )
    cursor = FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=6)
    incoming: Sequence[Incoming] = [message(auto="list"), message(digest="e", kind=Kind.TICKET)]
    receipts = await acceptance.accept(incoming, cursor)
    assert [(one.state, one.new) for one in receipts] == [("filtered", True), ("pending", True)]
    assert await acceptance.cursor("support", "INBOX") == cursor
    assert len(knocks) == 1
    again = await acceptance.accept(incoming, cursor)
    assert [one.new for one in again] == [False, False]
    assert len(knocks) == 1
    assert acceptance.wants_text(message()) is False
    await ledger.close()


def test_free_user_data_gets_the_key_where_that_is_wanted() -> None:
    """A ticket's number stays; what is empty names the item, so that its event can be told from all others."""
    mails = router({"name": "mails", "event": {"type": 5, "group": 1}})
    marked = new_item(message(), mails, ItemRules(mark=True))
    assert marked.event is not None
    assert marked.event.user_data == marked.key
    numbered = new_item(message(ticket_number="DH-1"), mails, ItemRules(mark=True))
    assert numbered.event is not None
    assert numbered.event.user_data == "DH-1"
    plain = new_item(message(), mails)
    assert plain.event is not None
    assert not plain.event.user_data
    assert plain.key == marked.key


async def test_nothing_is_stored_while_intake_is_paused(tmp_path: Path) -> None:
    """Neither items nor cursor: the mail stays where it is. Old mail stops earlier than live mail."""
    ledger = await Ledger.open(tmp_path / "state.db")
    pressure = Pressure(history="too much waits")
    acceptance = Acceptance(
        router(TICKETS), ledger, clock=lambda: 1.0, knock=lambda: None, pressure=lambda: pressure
    )
    order = HistoryOrder(source="support", folder="INBOX", uidvalidity=1, next_uid=1, last_uid=9)
    with pytest.raises(IntakePausedError, match="too much waits"):
        await acceptance.accept([message()], order)
    assert (await acceptance.accept([message()]))[0].new
    pressure = Pressure(live="the disk is full")
    with pytest.raises(IntakePausedError, match="the disk is full"):
        await acceptance.accept([message(digest="e")])
    assert (await ledger.totals())["quarantined"] == 1
    await ledger.close()
