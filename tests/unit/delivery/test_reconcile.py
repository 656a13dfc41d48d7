from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.record import AcdEvent, read_moment
from bridge.acd.request import CreateRequest
from bridge.delivery.reconcile import SKEW, Suspect, acd_clock, find_events, says_the_same
from bridge.event import EventDraft
from bridge.ledger.doubt import Doubt

SENT = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
ACD_CLOCK = timedelta(hours=1)
DRAFT = EventDraft(type=7, group=12, sender="anna@example.org", subject="Printer", user_data="DH-1")


def suspect(number: int = 1, *, seconds: float = 0, after_event: int | None = None, **fields: Any) -> Suspect:
    request = CreateRequest(**(DRAFT.as_dict() | fields))
    sent_at = round((SENT + timedelta(seconds=seconds)).timestamp() * 1000)
    doubt = Doubt(
        id=number, key=f"k{number}", conversation="c", event=DRAFT, attempt=1, sent_at=sent_at, ended_at=sent_at,
        after_event=after_event,
    )  # fmt: skip
    return Suspect(doubt, request)


def event(number: int, *, seconds: float = 1, changed: float | None = None, **fields: Any) -> AcdEvent:
    """An event that the ACD created so many seconds after SENT, by its own clock."""
    created = SENT.replace(tzinfo=None) + ACD_CLOCK + timedelta(seconds=seconds)
    modified = created if changed is None else created + timedelta(seconds=changed - seconds)
    record = {
        "ID": number, "AcdEventTypesID": 7, "AcdGroupsID": 12, "Sender": "anna@example.org", "Subject": "Printer",
        "UserData": "DH-1", "dtCreated": created.isoformat(timespec="milliseconds"),
        "dtLastModified": modified.isoformat(timespec="milliseconds"),
    }  # fmt: skip
    return AcdEvent.model_validate(record | fields)


def found(suspects: list[Suspect], listed: list[AcdEvent], owned: set[int] | None = None) -> dict[int, int]:
    result = find_events(suspects, listed, owned or set(), ACD_CLOCK)
    return {one.doubt.id: one.acd_event_id for one in result.found}


def test_an_event_that_says_the_same_is_the_one() -> None:
    """Made after the request was sent, nobody else's, all fields alike: the request got through."""
    assert found([suspect()], [event(5)]) == {1: 5}


@pytest.mark.parametrize(
    "other",
    [
        {"AcdEventTypesID": 5},
        {"AcdGroupsID": 13},
        {"Sender": "bo@example.org"},
        {"Subject": "Printers"},
        {"UserData": "DH-2"},
    ],
)
def test_an_event_that_says_something_else_is_not(other: dict[str, Any]) -> None:
    """Each field that the ACD lists is compared."""
    assert found([suspect()], [event(5, **other)]) == {}


@pytest.mark.parametrize("missing", ["AcdEventTypesID", "AcdGroupsID", "Sender", "Subject", "UserData"])
def test_a_field_that_the_acd_does_not_list_is_not_compared(missing: str) -> None:
    """Which fields a list holds is not documented; what is not there cannot differ."""
    nothing: dict[str, Any] = {missing: None}
    assert says_the_same(suspect().request, event(5, **nothing))


def test_a_long_list_is_gone_through_once_and_not_for_each_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop stands still meanwhile: many suspects before a list of years would have the watchdog end the bridge."""
    read, compared = Mock(wraps=read_moment), Mock(wraps=says_the_same)
    monkeypatch.setattr("bridge.acd.record.read_moment", read)
    monkeypatch.setattr("bridge.delivery.reconcile.says_the_same", compared)
    before = [event(number, seconds=-86_400 + number) for number in range(10, 210)]
    others = [event(number, seconds=2, Subject=f"Other {number}") for number in range(210, 410)]
    suspects = [suspect(number, user_data=f"DH-{number}") for number in range(1, 31)]
    listed = [*before, *others, event(500, UserData="DH-7")]
    assert found(suspects, listed) == {7: 500}
    assert read.call_count == len(listed)
    assert compared.call_count <= len(suspects)


def test_an_event_without_a_subject_is_found_in_its_turn() -> None:
    """Where the ACD lists the subject of some events only, the oldest that may be the one is taken all the same."""
    unnamed = event(5, seconds=1, Subject=None)
    assert found([suspect()], [event(6, seconds=2), unnamed]) == {1: 5}
    assert found([suspect()], [event(4, seconds=0.5), unnamed]) == {1: 4}


def test_an_event_that_is_listed_twice_is_one() -> None:
    """A list that was read while it changed hinders nothing."""
    assert found([suspect(1), suspect(2)], [event(5), event(5), event(5, Subject=None)]) == {1: 5}


def test_an_event_of_another_item_is_not_taken() -> None:
    """Two mails with the same words are two events; the first one's is not the second one's."""
    assert found([suspect()], [event(5)], owned={5}) == {}


def test_an_event_that_a_request_under_way_may_have_made_is_nobodys_yet() -> None:
    """Its answer will tell. Until then the one in doubt is neither settled with it nor posted again."""
    result = find_events([suspect(1)], [event(5, seconds=30)], (), ACD_CLOCK, [suspect(2, seconds=20)])
    assert result == ([], [suspect(1).doubt])


@pytest.mark.parametrize(
    ("rival", "why"),
    [
        (suspect(2, seconds=95), "began later"),
        (suspect(2, seconds=20, subject="Scanner"), "says something else"),
    ],
)
def test_a_request_under_way_that_cannot_have_made_it_contests_nothing(rival: Suspect, why: str) -> None:
    """Requests that say the same come all the time; no doubt waits for ever for the sake of them."""
    result = find_events([suspect(1)], [event(5, seconds=30)], (), ACD_CLOCK, [rival])
    assert [one.acd_event_id for one in result.found] == [5], why
    assert result.contested == []


def test_an_event_from_before_is_not_taken() -> None:
    """What was there before the request was sent cannot have come of it; a little skew is allowed."""
    skew = SKEW.total_seconds()
    assert found([suspect()], [event(5, seconds=-skew - 0.1)]) == {}
    assert found([suspect()], [event(5, seconds=-skew)]) == {1: 5}


@pytest.mark.parametrize("wrong", [-7200, -90, 90, 7200])
def test_a_clock_that_was_set_hides_no_event(wrong: float) -> None:
    """An event of ours that was there before the request tells when that was, whatever our own clock showed."""
    sent = suspect(seconds=wrong, after_event=4)
    assert found([sent], [event(4, seconds=-600, Subject="Before"), event(5)], owned={4}) == {1: 5}


def test_an_event_older_than_one_that_was_there_before_is_not_taken() -> None:
    """What was made before that event cannot have come of the request, whatever our own clock showed."""
    skew = SKEW.total_seconds()
    sent, before = suspect(seconds=-7200, after_event=4), event(4, seconds=-600, Subject="Before")
    assert found([sent], [event(3, seconds=-600 - skew - 0.1), before], owned={4}) == {}
    assert found([sent], [event(3, seconds=-600 - skew), before], owned={4}) == {1: 3}


def test_where_that_event_is_gone_our_clock_must_do() -> None:
    """An ACD may have removed it since."""
    assert found([suspect(after_event=4)], [event(5)]) == {1: 5}
    assert found([suspect(after_event=4)], [event(5, seconds=-3600)]) == {}


def test_the_pair_of_groups_is_compared_where_it_was_sent() -> None:
    """A request for configuration and agent group is found by them; the ACD's own group does not count then."""
    sent = suspect(group=None, config_group=1, agent_group=2)
    same = event(5, AcdGroupsID=99, AcdConfigurationGroupsID=1, AcdAgentGroupsID=2)
    assert found([sent], [same]) == {1: 5}
    assert found([sent], [event(5, AcdConfigurationGroupsID=1, AcdAgentGroupsID=3)]) == {}


def test_identical_items_are_interchangeable_and_the_oldest_are_settled() -> None:
    """Three in doubt and two such events: the two oldest have theirs, the third is posted again."""
    suspects = [suspect(3, seconds=2), suspect(1), suspect(2, seconds=1)]
    assert found(suspects, [event(6, seconds=3), event(5, seconds=2)]) == {1: 5, 2: 6}


@given(
    st.lists(st.integers(0, 20), max_size=6),
    st.lists(st.integers(-80, 30), max_size=6),
    st.sets(st.integers(0, 5)),
)
def test_no_event_is_given_away_twice_and_as_many_as_possible_are_found(
    sent: list[int], created: list[int], taken: set[int]
) -> None:
    """Whatever the times: one event for one item, never an owned one, and no free one that would fit is left."""
    suspects = [suspect(number + 1, seconds=at) for number, at in enumerate(sent)]
    listed = [event(number + 1, seconds=at) for number, at in enumerate(created)]
    owned = {number + 1 for number in taken}
    result = found(suspects, listed, owned)
    assert len(set(result.values())) == len(result)
    assert not owned & set(result.values())
    free = {one.id: at for one, at in zip(listed, created, strict=True) if one.id not in owned}
    left = [at for number, at in free.items() if number not in result.values()]
    unsettled = [at for number, at in enumerate(sent) if number + 1 not in result]
    assert not any(at >= due - SKEW.total_seconds() for at in left for due in unsettled)


def test_an_older_event_that_changed_proves_nothing() -> None:
    """Events change when agents look at them; an item is never settled by that."""
    assert found([suspect()], [event(5, seconds=-3600, changed=1)]) == {}


def test_the_acds_clock_is_read_off_our_own_events() -> None:
    """The middle of what known events show, whatever zone is configured."""
    owned = {number: round((SENT + timedelta(seconds=1)).timestamp() * 1000) for number in (1, 2, 3)}
    listed = [event(1), event(2), event(3, seconds=500), event(4, seconds=9999)]
    assert acd_clock(listed, owned, ZoneInfo("Asia/Tokyo")) == ACD_CLOCK


def test_without_events_of_our_own_the_zone_decides() -> None:
    """A fresh start has nothing else to go by."""
    assert acd_clock([event(4)], {}, ZoneInfo("Asia/Tokyo")) == timedelta(hours=9)
