from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.reason import Reason
from bridge.routing import fields
from bridge.routing.decision import Verdict
from bridge.routing.fields import FieldError
from tests.unit.routing.messages import mail, one, router, ticket


def draft(message: Any = None, **event: Any) -> dict[str, Any]:
    decision = one(**event).route(message or mail())
    assert decision.event is not None, decision.detail
    return decision.event.as_dict()


def refused(message: Any = None, **event: Any) -> str:
    decision = one(**event).route(message or mail())
    assert (decision.verdict, decision.reason) == (Verdict.FAILED, Reason.INVALID_EVENT)
    return decision.detail


def test_the_defaults_make_a_whole_event() -> None:
    """With type and group alone, the other fields come from the message, and empty ones are left out."""
    assert draft() == {
        "type": "Ticket", "group": "Support", "sender": "anna@Example.org", "receiver": "support@example.com",
        "subject": "Printer on fire",
    }  # fmt: skip
    link = "https://helpdesk.example.org/5"
    made = draft(ticket(ticket_number="5", ticket_url=link))
    assert (made["user_data"], made["crm_url"]) == ("5", link)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("7", 7),
        (7, 7),
        ("{{ size }}", 1234),
        ("Support", "Support"),
        (" 12 ", 12),
        ("12a", "12a"),
        ("٣", "٣"),
    ],
)
def test_digits_are_an_id(written: str | int, made: int | str) -> None:
    """A type or group of ASCII digits is an ID, all else is a name."""
    assert draft(group=written)["group"] == made
    assert draft(type=written)["type"] == made


@pytest.mark.parametrize(
    "written", ["{{ 0 }}", "{{ 99999999999 }}", "{{ group }}", "{{ subject|join('xxxxxxxxxxxxxxxxxxxx') }}"]
)
def test_groups_that_can_be_none(written: str) -> None:
    """An empty name, an ID out of range and an endless name make no event."""
    assert "event.group" in refused(group=written)


@pytest.mark.parametrize("field", ["user", "config_group", "agent_group"])
@pytest.mark.parametrize("value", ["{{ subject }}", "{{ -1 }}", "{{ 1.5 }}", "{{ 2147483648 }}"])
def test_ids_must_be_ids(field: str, value: str) -> None:
    """What is no positive 32-bit number is no user and no group."""
    event = {"type": "Ticket", "config_group": 1, "agent_group": 2} | {field: value}
    decision = router({"name": "one", "event": event}).route(mail())
    assert decision.detail == f"route[one].event.{field}: is no ID (a whole number from 1)"


def test_the_pair_of_groups() -> None:
    """Configuration group and agent group come together, as numbers, without a group."""
    event = {"type": 1, "config_group": "{{ 3 }}", "agent_group": 4}
    made = router({"name": "one", "event": event}).route(mail()).event
    assert made is not None
    assert (made.config_group, made.agent_group, made.group) == (3, 4, None)
    half = router({"name": "one", "event": event | {"config_group": "{{ group }}"}}).route(mail())
    assert half.detail == "route[one].event.config_group: is empty"


@pytest.mark.parametrize(
    ("written", "made"), [("{{ 0 }}", 0), (200, 200), ("{{ 80 if spam else 50 }}", 50), ("{{ group }}", None)]
)
def test_priorities(written: str | int, made: int | None) -> None:
    """From 0 to 200; nothing is the ACD's default."""
    assert draft(priority=written).get("priority") == made


@pytest.mark.parametrize("written", ["{{ 201 }}", "{{ -1 }}", "{{ 80.0 }}", "{{ sender }}"])
def test_priorities_that_are_none(written: str) -> None:
    """Everything else is invalid."""
    assert refused(priority=written) == "route[one].event.priority: is no whole number from 0 to 200"


def test_a_mail_without_sender_and_subject_is_a_customer_still() -> None:
    """The ACD requires both, so words stand in for them; the sender's is noted."""
    decision = one().route(mail(sender="", subject=" "))
    assert decision.event is not None
    assert (decision.event.sender, decision.event.subject) == ("unknown", "(no subject)")
    assert decision.notes == ("sender is empty, so 'unknown' is posted",)


@pytest.mark.parametrize(
    ("field", "longest"), [("sender", 320), ("receiver", 320), ("subject", 500), ("user_data", 255)]
)
def test_long_texts_are_cut(field: str, longest: int) -> None:
    """Each text has its bound, and cutting is noted."""
    decision = one(**{field: "{{ text }}"}).route(mail(text="x" * (longest + 1)))
    assert decision.event is not None
    assert getattr(decision.event, field) == "x" * longest
    assert decision.notes == (f"{field} is longer than {longest} characters, so it is cut",)


def test_control_characters_do_not_get_through() -> None:
    """Line ends, NUL, C1 controls and lone surrogates are taken out of one-line texts; a body keeps its lines."""
    hostile = {"a": "one\r\nBcc: two\x00\x9b\u2028three\ud800"}
    assert draft(ticket(hostile), subject="{{ data.a }}")["subject"] == "one Bcc: two three\ufffd"
    body = draft(ticket({"a": "one\ntwo\x00\ttail\ud800"}), type="Callback", body="{{ data.a }}")["body"]
    assert body == "one\ntwo \ttail\ufffd"


def test_a_body_is_for_callbacks() -> None:
    """A type that only the message knows leaves the body out, with a note, where it takes none."""
    event = {"type": "{{ 'Callback' if spam else 'Email' }}", "body": "{{ subject }}"}
    assert draft(mail(spam=True), **event)["body"] == "Printer on fire"
    decision = one(**event).route(mail())
    assert decision.event is not None
    assert (decision.event.body, decision.notes) == (
        None,
        ("body is left out: only the type Callback takes one",),
    )
    assert draft(type=3, body="x")["body"] == "x"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "ftp://x/", "https://", "https:// a/", "https://a b/", "https://[::1/", "//a/b",
        "https://a/\u200b", "https://a:99999/", "https://a/" + "x" * 2000, "x",
    ],
)  # fmt: skip
def test_a_link_that_is_none_is_left_out(url: str) -> None:
    """An agent can work without the link; the note says why there is none, without quoting it."""
    decision = one().route(ticket(ticket_url=url))
    assert decision.event is not None
    assert decision.event.crm_url is None
    assert decision.notes == ("crm_url is no http(s) address, so it is left out",)


@pytest.mark.parametrize("url", ["http://a", "https://a:8443/x?y=1#z", "HTTPS://[::1]/"])
def test_links(url: str) -> None:
    """Absolute http and https addresses are posted as they are."""
    assert draft(ticket(ticket_url=url))["crm_url"] == url


@given(st.text(), st.sampled_from(["sender", "receiver", "subject", "user_data", "crm_url", "body"]))
def test_any_text_becomes_a_postable_value(text: str, field: str) -> None:
    """Whatever comes in, what goes out is None or a bounded text that UTF-8 can hold."""
    notes: list[str] = []
    value = getattr(fields, field)(text.strip(), notes)
    assert value is None or (0 < len(value) <= fields.MAX_BODY and value.encode())
    assert all(len(text) < 3 or text not in note for note in notes)


@given(st.text(), st.sampled_from(["name_or_id", "number", "priority"]))
def test_any_text_becomes_a_number_or_a_field_error(text: str, field: str) -> None:
    """Numbers are in range; nothing but FieldError is raised."""
    try:
        value = getattr(fields, field)(text.strip(), [])
    except FieldError:
        return
    assert value is None or isinstance(value, str) or 0 <= value <= fields.MAX_ID
