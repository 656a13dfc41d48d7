from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.acd.request import ACD_NAMES, CreateRequest, normalised, problems_of
from bridge.acd.rules import LONGEST
from bridge.event import EventDraft

TICKET = CreateRequest(type=7, group=101, sender="customer@example.org", subject="Broken")


def problems(type_name: str | None = "Ticket", **changes: Any) -> list[str]:
    return problems_of(replace(TICKET, **changes), type_name=type_name)


def test_json_has_the_acds_names_and_leaves_absent_fields_out() -> None:
    """What is posted is exactly what is given, under the documented names."""
    full = CreateRequest(
        type=3,
        config_group=11,
        agent_group=21,
        user=31,
        sender="4930123456",
        receiver="49301",
        subject="s",
        body="b",
        crm_url="https://crm.example.org/1",
        user_data="77",
        priority=0,
        appointment_date="2030-01-02",
        appointment_time="03:04",
    )
    assert orjson.loads(TICKET.to_json()) == {
        "AcdEventTypesID": 7,
        "AcdGroupsID": 101,
        "Sender": "customer@example.org",
        "Subject": "Broken",
    }
    assert orjson.loads(full.to_json()) == {
        "AcdEventTypesID": 3,
        "AcdConfigurationGroupsID": 11,
        "AcdAgentGroupsID": 21,
        "UsersID": 31,
        "Sender": "4930123456",
        "Receiver": "49301",
        "Subject": "s",
        "Body": "b",
        "CrmURL": "https://crm.example.org/1",
        "UserData": "77",
        "nPriority": 0,
        "dtAppointmentDate": "2030-01-02",
        "dtAppointmentTime": "03:04",
    }


def test_fields_are_those_of_the_draft() -> None:
    """A draft with resolved names is a request, field by field."""
    assert set(ACD_NAMES) == set(EventDraft.__dataclass_fields__)
    assert set(ACD_NAMES) == set(CreateRequest.__dataclass_fields__)


def test_a_plain_ticket_has_no_problem() -> None:
    """The common case passes."""
    assert problems() == []


@pytest.mark.parametrize(
    ("group", "config_group", "agent_group", "count"),
    [
        (101, None, None, 0),
        (None, 11, 21, 0),
        (None, None, None, 1),
        (101, 11, 21, 1),
        (101, 11, None, 1),
        (101, None, 21, 1),
        (None, 11, None, 1),
        (None, None, 21, 1),
    ],
)
def test_group_or_pair_never_both_never_half(
    group: int | None, config_group: int | None, agent_group: int | None, count: int
) -> None:
    """The group is given one way, whole."""
    assert len(problems(group=group, config_group=config_group, agent_group=agent_group)) == count


@pytest.mark.parametrize("value", [0, -1, True, "7", 1.0, 2**31])
@pytest.mark.parametrize("field", ["type", "group", "user"])
def test_ids_are_positive_integers(field: str, value: object) -> None:
    """True is no ID, nor is a text or a float."""
    changes: dict[str, Any] = {field: value}
    assert problems(**changes) == [f"{ACD_NAMES[field]} must be a positive integer"]


@pytest.mark.parametrize(
    ("value", "good"), [(0, True), (200, True), (-1, False), (201, False), (True, False), ("5", False)]
)
def test_priority_is_from_0_to_200(value: object, *, good: bool) -> None:
    """The bounds belong to it."""
    assert (problems(priority=value) == []) is good


@pytest.mark.parametrize("field", ["sender", "subject"])
@pytest.mark.parametrize("value", ["", "  ", None, 5])
def test_sender_and_subject_are_needed(field: str, value: object) -> None:
    """An event without them is refused before it is posted."""
    changes: dict[str, Any] = {field: value}
    assert len(problems(**changes)) == 1


@pytest.mark.parametrize(
    "field", [name for name in LONGEST if not name.startswith(("appointment", "crm", "body"))]
)
def test_texts_are_bounded_and_storable(field: str) -> None:
    """At its bound a text passes; beyond it, or with NUL or a lone surrogate, it does not."""
    assert problems(**{field: "x" * LONGEST[field]}) == []
    for bad in ("x" * (LONGEST[field] + 1), "a\0b", "a\ud800b"):
        assert len(problems(**{field: bad})) == 1


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("https://crm.example.org/t/1?a=b#c", True),
        ("http://10.0.0.1:8080/", True),
        ("https://[::1]/x", True),
        ("", False),
        ("crm.example.org/1", False),
        ("ftp://crm.example.org", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://:443/", False),
        ("https://a b/", False),
        ("https://a/\n", False),
        ("https://a:99999/", False),
        ("https://[::1/", False),
    ],
)
def test_crm_url_is_a_well_formed_web_address(value: str, *, good: bool) -> None:
    """Only absolute http and https addresses pass."""
    assert (problems(crm_url=value) == []) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("2030-02-28", True),
        ("20300228", True),
        ("2032-02-29", True),
        ("", True),
        ("2030-02-29", False),
        ("2030-13-01", False),
        ("0000-01-01", False),
        ("2030-0228", False),
        ("28.02.2030", False),
        ("2030-2-8", False),
        ("٢030-02-28", False),
    ],
)
def test_appointment_date_is_a_real_day(value: str, *, good: bool) -> None:
    """Both documented forms pass, and no day that is not there."""
    assert (problems(appointment_date=value) == []) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("00:00", True),
        ("2359", True),
        ("", True),
        ("24:00", False),
        ("12:60", False),
        ("9:00", False),
        ("1200x", False),
    ],
)
def test_appointment_time_is_a_real_time(value: str, *, good: bool) -> None:
    """Both documented forms pass, and no time that is not there."""
    assert (problems(appointment_time=value) == []) is good


def test_body_is_for_callbacks_only() -> None:
    """Other types refuse it; where the type's name is not known the ACD decides."""
    assert problems(body="b") == ["Body is only for the type Callback, not for Ticket"]
    assert problems("Callback", body="b", sender="+4930123456") == []
    assert problems(None, body="b") == []


@pytest.mark.parametrize("type_name", ["VoiceMail", "Callback"])
def test_phone_types_need_numbers(type_name: str) -> None:
    """Sender and Receiver of telephone events are E.164; the number itself is not quoted."""
    found = problems(type_name, sender="customer@example.org", receiver="030 123")
    assert [problem.partition(" ")[0] for problem in found] == ["Sender", "Receiver"]
    assert "customer" not in "".join(found)
    assert problems(type_name, sender="4930123456") == []


def test_problems_quote_nothing_that_was_mailed() -> None:
    """A problem can be logged: it holds no text of the message."""
    found = problems(sender="secret" * 500, crm_url="secret", appointment_date="secret")
    assert len(found) == 3
    assert "secret" not in "".join(found)


def test_normalised_writes_numbers_as_set() -> None:
    """Telephone events get E.164 with or without plus; what is no number stays, as do other types."""
    call = replace(TICKET, type=3, sender="+49 (0)30 123456", receiver="nobody")
    assert normalised(call, type_name="Callback").sender == "4930123456"
    assert normalised(call, type_name="Callback", plus=True).sender == "+4930123456"
    assert normalised(call, type_name="Callback").receiver == "nobody"
    assert normalised(call, type_name="Ticket") is call
    assert normalised(replace(call, receiver=None), type_name="VoiceMail").receiver is None
