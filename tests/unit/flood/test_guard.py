"""The guard: batches of items in, held and collapsed ones out, in bounded memory."""

from collections.abc import Sequence

import pytest

from bridge.config.flood import Flood
from bridge.flood import guard as guard_module
from bridge.flood.burst import SLOT_MS, SLOTS_REMEMBERED
from bridge.flood.guard import FloodGuard, Judged
from bridge.ledger.holding import LoopNote, Memory
from bridge.ledger.item import NewItem
from bridge.ledger.state import ItemState
from bridge.reason import Reason

NOW = 3_000_000 * SLOT_MS
NOTHING: frozenset[str] = frozenset()


def mail(
    key: str, *, sender: str = "", conversation: str = "", auto: str = "", received_at: int = NOW,
    state: ItemState = ItemState.PENDING, kind: str = "mail",
) -> NewItem:  # fmt: skip
    message = {"sender": sender or f"{key}@example.org"} | ({"auto": auto} if auto else {})
    return NewItem(
        key=key, source="support", kind=kind, place=f"INBOX/1/{key}", conversation=conversation or f"thread {key}",
        state=state, received_at=received_at, message=message,
    )  # fmt: skip


def states(judged: Judged) -> list[str]:
    return [str(item.state) for item in judged.items]


def mails(number: int, at: int = NOW, first: int = 0) -> list[NewItem]:
    return [mail(f"m{first + count}", received_at=at) for count in range(number)]


def test_an_ordinary_day_holds_nothing() -> None:
    """Different senders, a few hundred an hour: all pass, and the state file is not asked."""
    guard = FloodGuard(Flood())
    for hour in range(24):
        for slot in range(6):
            now = NOW + (hour * 6 + slot) * SLOT_MS
            batch = mails(100, now, hour * 600 + slot * 100)
            weighed = guard.weigh(batch, now)
            assert not guard.suspects(weighed, now)
            judged = guard.let_through(batch, weighed, now)
            assert set(states(judged)) == {"pending"}
            assert (list(judged.loops), list(judged.bursts)) == ([], [])


def test_a_burst_is_held_from_the_batch_on_that_crosses_the_line() -> None:
    """The whole batch is held, not only what is too much of it; the burst is told of once while it goes on."""
    guard = FloodGuard(Flood(burst_least=200, burst_factor=1))
    assert set(states(guard.judge(mails(150), NOTHING, NOW))) == {"pending"}
    more = mails(100, first=150)
    assert guard.suspects(guard.weigh(more, NOW), NOW)
    judged = guard.judge(more, NOTHING, NOW)
    assert set(states(judged)) == {"held"}
    assert {item.reason for item in judged.items} == {Reason.BURST}
    assert judged.bursts == ["support"]
    assert guard.judge(mails(100, first=250), NOTHING, NOW).bursts == []
    later = NOW + SLOT_MS
    again = guard.judge(mails(300, later, 350), NOTHING, later)
    assert (set(states(again)), again.bursts) == ({"held"}, [])
    much_later = NOW + 5 * SLOT_MS
    assert set(states(guard.judge(mails(10, much_later, 900), NOTHING, much_later))) == {"pending"}
    assert guard.judge(mails(300, much_later, 950), NOTHING, much_later).bursts == ["support"]


def test_a_backlog_after_an_outage_is_no_burst() -> None:
    """Two days of mail at once, as they came, pass; as many old mails that somebody moved in do not."""
    memory = Memory(rates=[("support", NOW // SLOT_MS - 6 * 48 - slot, 20) for slot in range(60)])
    backlog = [mail(f"b{count}", received_at=NOW - (5000 - count) * 30_000) for count in range(5000)]
    assert set(states(FloodGuard(Flood(), memory).judge(backlog, NOTHING, NOW))) == {"pending"}
    moved = [mail(f"b{count}", received_at=NOW - (90_000 + count) * 30_000) for count in range(5000)]
    assert set(states(FloodGuard(Flood(), memory).judge(moved, NOTHING, NOW))) == {"held"}


def test_a_busy_source_may_send_more() -> None:
    """Ten times the usual hour is the line, where that is more than the least."""
    rates = [("support", NOW // SLOT_MS - 7 - slot, 100) for slot in range(600)]
    guard = FloodGuard(Flood(), Memory(rates=rates))
    assert set(states(guard.judge(mails(6000), NOTHING, NOW))) == {"pending"}
    assert set(states(guard.judge(mails(1, first=6000), NOTHING, NOW))) == {"held"}


def test_a_loop_of_one_sender_becomes_one_held_item() -> None:
    """The mail that crosses the line is held, all later ones are its duplicates, and the note says how many."""
    guard = FloodGuard(Flood(sender=20))
    batch = [
        mail(f"m{count}", sender="Robot@Example.org" if count % 2 else "robot@example.org")
        for count in range(50)
    ]
    assert guard.suspects(guard.weigh(batch, NOW), NOW)
    judged = guard.judge(batch, NOTHING, NOW)
    assert states(judged) == ["pending"] * 20 + ["held"] + ["duplicate"] * 29
    assert {item.reason for item in judged.items[20:]} == {Reason.SUSPECTED_LOOP}
    assert {item.detail for item in judged.items[21:]} == {"of m20"}
    assert [(note.key, note.mails) for note in judged.loops] == [("m20", 30)]
    assert guard.held_keys(guard.weigh([mail("x", sender="robot@example.org")], NOW)) == {"m20"}
    other = guard.judge([mail("y")], NOTHING, NOW)
    assert states(other) == ["pending"]


def test_a_loop_of_one_conversation_is_found_whoever_writes() -> None:
    """Automatic mails count double, so that half as many of them are a loop."""
    guard = FloodGuard(Flood(conversation=8))
    batch = [mail(f"m{count}", conversation="thread t", auto="auto-reply") for count in range(6)]
    assert states(guard.judge(batch, NOTHING, NOW)) == ["pending"] * 4 + ["held", "duplicate"]


def test_tickets_and_what_is_not_posted_make_no_loop() -> None:
    """A helpdesk may say much about one ticket; dropped and quarantined items count for nothing."""
    guard = FloodGuard(Flood(burst_least=1000))
    tickets = [
        mail(f"t{count}", sender="a@b", conversation="ticket 1", kind="ticket") for count in range(100)
    ]
    dropped = [
        mail(f"d{count}", sender="a@b", conversation="t", state=ItemState.FILTERED) for count in range(100)
    ]
    assert not guard.suspects(guard.weigh([*tickets, *dropped], NOW), NOW)
    assert set(states(guard.judge(tickets, NOTHING, NOW))) == {"pending"}
    assert set(states(guard.judge(dropped, NOTHING, NOW))) == {"filtered"}


def test_known_mails_count_for_nothing() -> None:
    """A folder that is read anew makes neither burst nor loop."""
    guard = FloodGuard(Flood())
    batch = [mail(f"m{count}", sender="a@b") for count in range(500)]
    judged = guard.judge([*batch, mail("new", sender="a@b")], frozenset(item.key for item in batch), NOW)
    assert set(states(judged)) == {"pending"}
    assert judged.slots[-1] is not None
    assert judged.slots[0] is None


def test_letting_through_counts_as_judging_does() -> None:
    """The quick way and the careful way remember the same."""
    quick, careful = FloodGuard(Flood()), FloodGuard(Flood())
    batch = [
        mail(f"m{count}", sender=f"s{count % 7}@b", auto="list" if count % 3 else "") for count in range(30)
    ]
    quick.let_through(batch, quick.weigh(batch, NOW), NOW)
    careful.judge(batch, NOTHING, NOW)
    assert quick._buckets == careful._buckets
    assert quick._sources == careful._sources


def test_what_could_not_be_stored_is_taken_back() -> None:
    """Tries against a full disk do not add up to a flood, nor leave a loop whose held item is nowhere."""
    guard = FloodGuard(Flood(sender=20, burst_least=50))
    batch: Sequence[NewItem] = [mail(f"m{count}", sender="a@b") for count in range(21)]
    for _ in range(100):
        judged = guard.judge(batch, NOTHING, NOW)
        assert states(judged) == ["pending"] * 20 + ["held"]
        guard.undo(zip(judged.items, judged.slots, strict=True))


def test_a_loop_ends_by_the_operators_word_or_by_quiet() -> None:
    """After either the next mails pass again."""
    for end in ("word", "quiet"):
        guard = FloodGuard(Flood(sender=5))
        guard.judge([mail(f"m{count}", sender="a@b") for count in range(7)], NOTHING, NOW)
        now = NOW + 600_000 if end == "quiet" else NOW
        if end == "word":
            guard.free(["m5"])
        assert states(guard.judge([mail("next", sender="a@b", received_at=now)], NOTHING, now)) == ["pending"]


def test_a_restart_remembers() -> None:
    """Rates, the mails of the last minutes and loops that go on are made up from the state file."""
    recent = [(mail(f"m{count}", sender="a@b"), NOW - 1000) for count in range(20)]
    guard = FloodGuard(Flood(sender=20), Memory(recent=recent))
    assert states(guard.judge([mail("x", sender="a@b")], NOTHING, NOW)) == ["held"]
    note = LoopNote("sender support\0a@b", "first", 7, NOW - 1000)
    judged = FloodGuard(Flood(), Memory(loops=[note])).judge([mail("x", sender="a@b")], NOTHING, NOW)
    assert states(judged) == ["duplicate"]
    assert [(one.key, one.mails) for one in judged.loops] == [("first", 8)]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many senders there are, and however long it runs, no more than the newest are remembered."""
    monkeypatch.setattr(guard_module, "MOST_BUCKETS", 50)
    guard = FloodGuard(Flood(burst_least=1_000_000))
    for round_ in range(3):
        batch = mails(60, NOW, round_ * 60)
        guard.let_through(batch, guard.weigh(batch, NOW), NOW)
    assert len(guard._buckets) == 50
    assert "sender support\0m179@example.org" in guard._buckets
    for slot in range(1200):
        now = NOW + slot * SLOT_MS
        guard.judge(mails(1, now, slot), NOTHING, now)
    assert len(guard._buckets) == 50
    assert len(guard._sources["support"].counts) == SLOTS_REMEMBERED
