from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.acd.request import CreateRequest, problems_of
from bridge.acd.simulator.api import Api, Asked
from bridge.acd.simulator.campaigns import Campaigns
from bridge.acd.simulator.checks import refusal_of
from bridge.acd.simulator.events import Events
from bridge.acd.simulator.faults import Fault, FaultOrder, Faults, Kind
from bridge.acd.simulator.refusal import Refusal
from bridge.acd.simulator.settings import GROUPS, TYPES, Settings

GOOD: dict[str, Any] = {"AcdEventTypesID": 7, "AcdGroupsID": 101, "Sender": "a@example.org", "Subject": "s"}
CALL: dict[str, Any] = GOOD | {"AcdEventTypesID": 3, "Sender": "4930123456"}
SETTINGS = Settings()


class Clock:
    def __init__(self) -> None:
        self.now = 1_600_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "event",
    [
        GOOD,
        CALL | {"Body": "please call"},
        GOOD | {"nPriority": 0, "dtAppointmentDate": "20300102", "dtAppointmentTime": "0304", "UsersID": 31},
        {key: value for key, value in GOOD.items() if key != "AcdGroupsID"}
        | {"AcdConfigurationGroupsID": 11, "AcdAgentGroupsID": 21},
    ],
)
def test_documented_requests_are_accepted(event: dict[str, Any]) -> None:
    """What the documentation allows passes."""
    assert refusal_of(event, SETTINGS) is None


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ([], 400),
        ("x", 400),
        ({}, 400),
        (GOOD | {"AcdEventTypesID": None}, 400),
        (GOOD | {"AcdEventTypesID": "7"}, 400),
        (GOOD | {"AcdEventTypesID": True}, 400),
        (GOOD | {"AcdEventTypesID": 8}, 400),
        (GOOD | {"Sender": ""}, 400),
        (GOOD | {"Sender": 5}, 400),
        (GOOD | {"Subject": None}, 400),
        (GOOD | {"Body": "b"}, 400),
        (GOOD | {"AcdAgentGroupsID": 21}, 400),
        (GOOD | {"AcdAgentGroupsID": 21, "AcdConfigurationGroupsID": 11}, 400),
        (GOOD | {"nPriority": 201}, 400),
        (GOOD | {"nPriority": "50"}, 400),
        (GOOD | {"CrmURL": "crm/1"}, 400),
        (GOOD | {"dtAppointmentDate": "2030-02-30"}, 400),
        (GOOD | {"dtAppointmentDate": "2030-2-3"}, 400),
        (GOOD | {"dtAppointmentTime": "25:00"}, 400),
        (GOOD | {"Priority": 5}, 400),
        (CALL | {"Sender": "a@example.org"}, 400),
        (CALL | {"Receiver": "030 123"}, 400),
        (GOOD | {"AcdGroupsID": 999}, 404),
        (GOOD | {"UsersID": 999}, 404),
    ],
)
def test_everything_else_is_refused_with_words(event: object, status: int) -> None:
    """A wrong request is a 400, an unknown object a 404, each with words."""
    refusal = refusal_of(event, SETTINGS)
    assert refusal is not None
    assert refusal.status == status
    assert refusal.error


TEXTS = st.sampled_from(
    ["", "a", "4930123456", "+4930123456", "https://a/b", "2030-02-28", "20300230", "12:30", "2500"]
)
IDS = st.sampled_from([11, 21, 31, 101, 102, 999, 0])


@given(
    type_name=st.sampled_from(sorted(TYPES)),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "group": IDS,
            "config_group": IDS,
            "agent_group": IDS,
            "user": IDS,
            "receiver": TEXTS,
            "body": TEXTS,
            "crm_url": TEXTS,
            "user_data": TEXTS,
            "priority": st.integers(-2, 203),
            "appointment_date": TEXTS,
            "appointment_time": TEXTS,
        },
    ),
    sender=TEXTS,
    subject=TEXTS,
)
def test_client_and_simulator_agree(
    type_name: str, fields: dict[str, Any], sender: str, subject: str
) -> None:
    """What the client's rules let pass the simulator takes, but for objects that only it can know."""
    request = CreateRequest(type=TYPES[type_name], sender=sender, subject=subject, **fields)
    refusal = refusal_of(request.to_fields(), SETTINGS)
    if not problems_of(request, type_name=type_name):
        assert refusal is None or refusal.status == 404
    elif refusal is None:
        # The documentation calls neither an empty CrmURL nor a blank text wrong; the client is stricter.
        assert "" in {fields.get("crm_url"), fields.get("receiver")}


def make(settings: Settings | None = None) -> tuple[Events, Clock]:
    clock = Clock()
    return Events(settings or Settings(duplicates={"Billing": (), "Sales": ("Subject",)}), clock), clock


def test_event_ages_through_its_states() -> None:
    """The state follows from the age alone; the last change is when the state began."""
    events, clock = make()
    event, _ = events.create(GOOD, b"")
    seen = []
    for age in (0, 0.5, 1, 2, 60, 600, 9999):
        clock.now = event.created + age
        seen.append(events.view(event)["AcdEventStatusID"])
    assert seen == [0, 1, 4, 20, 30, 99, 99]
    view = events.view(event)
    assert view["dtCreated"] < view["dtLastModified"]


def test_view_is_written_like_the_acds() -> None:
    """Nulls are written out, dates have milliseconds and no zone, the priority is 50 where none was given."""
    events, _ = make()
    view = events.view(events.create(GOOD, b"")[0])
    assert view["Receiver"] is None
    assert view["nPriority"] == 50
    assert len(view["dtCreated"]) == len("2020-08-09T02:33:50.347")
    assert "Result_" not in view


@pytest.mark.parametrize(
    ("group", "first", "second", "same"),
    [
        ("Billing", {"UserData": "7"}, {"UserData": "7", "Sender": "b@example.org"}, True),
        ("Billing", {"UserData": "7"}, {"UserData": "8"}, False),
        ("Billing", {"UserData": "7"}, {"UserData": "7", "AcdEventTypesID": 5}, False),
        ("Billing", {}, {}, True),
        ("Billing", {}, {"Sender": "b@example.org"}, False),
        ("Billing", {"UserData": ""}, {}, True),
        ("Sales", {"Subject": "x"}, {"Subject": "x", "UserData": "9"}, True),
        ("Sales", {"Subject": "x"}, {"Subject": "y"}, False),
        ("Support", {"UserData": "7"}, {"UserData": "7"}, False),
    ],
)
def test_duplicates_follow_the_groups_rule(
    group: str, first: dict[str, Any], second: dict[str, Any], *, same: bool
) -> None:
    """Only groups without duplicates merge, by type and UserData, else Sender, or by the set fields."""
    events, _ = make()
    base = GOOD | {"AcdGroupsID": GROUPS[group]}
    one, _ = events.create(base | first, b"")
    other, updated = events.create(base | second, b"")
    assert updated is same
    assert (other is one) is same
    assert len(events) == (1 if same else 2)


def test_update_comments_and_modifies_and_says_so() -> None:
    """The existing event gets a comment and a later dtLastModified; the answer carries Result_."""
    events, clock = make()
    base = GOOD | {"AcdGroupsID": 102}
    event, _ = events.create(base, b"")
    clock.now += 5
    events.create(base | {"Subject": "again"}, b"")
    view = events.view(event, updated=True)
    assert view["Result_"] == "UPDATED"
    assert view["Comment"].endswith("a@example.org: again")
    assert view["Subject"] == "s"
    assert view["dtLastModified"] > view["dtCreated"]


def test_closed_event_is_no_duplicate() -> None:
    """Once an event is Done, the next one of the same kind is new."""
    events, clock = make()
    base = GOOD | {"AcdGroupsID": 102}
    events.create(base, b"")
    clock.now += 601
    assert events.create(base, b"")[1] is False
    assert events.create(base, b"")[1] is True
    assert len(events) == 2


def test_memory_is_bounded() -> None:
    """Beyond the bound the oldest event goes, from the index too."""
    events, _ = make(Settings(max_events=3))
    for number in range(10):
        events.create(GOOD | {"AcdGroupsID": 102, "UserData": str(number)}, b"")
    assert [event.fields["UserData"] for event in events.all()] == ["7", "8", "9"]
    assert len(events._by_key) == 3


def test_order_survives_a_clock_that_goes_back() -> None:
    """Events are ordered by dtCreated whatever the machine's clock does."""
    events, clock = make()
    first, _ = events.create(GOOD, b"")
    clock.now -= 100
    second, _ = events.create(GOOD, b"")
    assert second.created >= first.created


def test_fault_is_counted_and_matched() -> None:
    """A fault meets its method and path only, as often as it is told, then it is gone."""
    faults = Faults(seed=1)
    faults.add(Fault(kind=Kind.DROP, method="POST", path="/acd/events/create", count=2))
    assert not faults.take("GET", "/acd/events/create")
    assert not faults.take("POST", "/acd/events")
    assert [len(faults.take("POST", "/acd/events/create")) for _ in range(3)] == [1, 1, 0]
    assert not faults


def test_fault_with_a_probability_is_repeatable() -> None:
    """The same seed makes the same requests fail."""

    def run() -> list[bool]:
        faults = Faults(seed=7)
        faults.add(Fault(kind=Kind.DROP, probability=0.5))
        return [bool(faults.take("GET", "/")) for _ in range(200)]

    assert run() == run()
    assert 50 < sum(run()) < 150


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"faults": [{}]}',
        b'{"faults": [{"kind": "nothing"}]}',
        b'{"faults": [{"kind": "drop", "surprise": 1}]}',
        b'{"faults": [{"kind": "status", "status": 999}]}',
        b'{"faults": [{"kind": "status", "retry_after": "a\\r\\nb"}]}',
        b'{"faults": [{"kind": "latency", "seconds": -1}]}',
        b'{"faults": [{"kind": "drop", "probability": 2}]}',
        b'{"faults": [{"kind": "drop", "count": 0}]}',
    ],
)
def test_wrong_faults_are_refused(body: bytes) -> None:
    """A mistyped fault is an error and not a fault that never happens."""
    with pytest.raises(ValidationError):
        FaultOrder.model_validate_json(body)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/acd"),
        ("GET", "/acd/events/create"),
        ("PUT", "/acd/events"),
        ("GET", "/acd/events/event/x"),
        ("GET", "/acd/events/event/" + "9" * 5000),
        ("GET", "/acd/events/event/٣"),
        ("POST", "/dialler/campaigns/campaign/501/resultCodes"),
        ("DELETE", "/acd/events/event/1"),
    ],
)
def test_unknown_endpoints_are_told_from_unknown_objects(method: str, path: str) -> None:
    """An endpoint that does not exist has an empty 404; nobody can update or delete an event."""
    events, _ = make()
    api = Api(SETTINGS, events, Campaigns((), 1))
    assert api.answer(Asked(method, path, {}, "application/json", b"")) == Refusal(404, None)


def test_old_events_are_purged() -> None:
    """Neither the list nor its ID leads to a purged event, and a new one like it is no duplicate of it."""
    store, clock = make(Settings(purge_after=100, duplicates={"Support": ()}, schedule=((0.0, 20),)))
    first, _ = store.create(GOOD, b"{}")
    clock.now += 60
    store.create(GOOD | {"Sender": "b@example.org"}, b"{}")
    assert len(store.all()) == 2
    clock.now += 40
    assert store.get(first.number) is None
    assert [event.fields["Sender"] for event in store.all()] == ["b@example.org"]
    again, updated = store.create(GOOD, b"{}")
    assert (again.number > first.number, updated) == (True, False)


def test_without_a_time_nothing_is_purged() -> None:
    """Events stay for ever."""
    store, clock = make()
    event, _ = store.create(GOOD, b"{}")
    clock.now += 10**9
    assert store.get(event.number) is event
