"""Bodies of helpdesks become messages."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.webhook import Webhook
from bridge.intake.handover import Unreadable
from bridge.intake.webhook import mapping
from bridge.intake.webhook.mapping import MAX_FIELD, MAX_PLACE, MAX_SUBJECT, MAX_TEXT, map_body
from bridge.intake.webhook.preset import compile_source
from bridge.intake.webhook.source import Source
from bridge.message import Kind, Message

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
BASE = "https://helpdesk.example.org"


def source(preset: str = "generic", **fields: Any) -> Source:
    given = {"name": "desk", "preset": preset, "unsigned": True, "base_url": BASE, **fields}
    return compile_source(Webhook.model_validate(given))


def mapped(
    one: Source, body: Any, headers: dict[str, str] | None = None, **query: str
) -> Message | Unreadable:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return map_body(one, body=raw, headers=headers or {}, query=query, received_at=AT)


def message(one: Source, body: Any, headers: dict[str, str] | None = None, **query: str) -> Message:
    result = mapped(one, body, headers, **query)
    assert isinstance(result, Message), result
    return result


def generic_body(**data: Any) -> dict[str, Any]:
    fields = {
        "id": "81",
        "number": "T-81",
        "subject": "Drucker streikt",
        "requestor_email": "erika@example.org",
        "requestor_name": "Erika Muster",
        "recipient": "Service Desk <desk@example.com>",
        "text": "Er druckt\nnicht.",
        "priority": "high",
        "group": "IT",
        "url": "https://helpdesk.example.org/t/81",
        "message_id": "<a@example.org>",
    }
    return {"type": "ticket.created", "timestamp": "2026-11-23T03:59:58Z", "data": {**fields, **data}}


ZAMMAD: dict[str, Any] = {
    "ticket": {
        "id": 81,
        "number": "10081",
        "title": "Drucker streikt",
        "article_count": 1,
        "customer": {"email": "erika@example.org", "firstname": "Erika", "lastname": "Muster"},
        "priority": {"id": 2, "name": "2 normal"},
        "group": {"id": 3, "name": "Service Desk"},
        "updated_at": "2026-11-23T04:00:01.333Z",
    },
    "article": {
        "from": "Erika Muster <erika@example.org>",
        "to": "Service Desk <desk@example.com>",
        "sender": "Customer",
        "internal": False,
        "body": "Er druckt nicht.",
        "message_id": "<a@example.org>",
        "created_at": "2026-11-23T04:00:00.318Z",
    },
}
ZAMMAD_HEADERS = {
    "X-Zammad-Delivery": "9b0c4f4e-5a0b",
    "X-Hub-Signature": "sha1=00",
    "X-Zammad-Trigger": "acd",
}


def zammad(trigger: str = "acd", *, count: int = 2, **article: Any) -> str:
    body = {
        "ticket": {**ZAMMAD["ticket"], "article_count": count},
        "article": {**ZAMMAD["article"], **article} if article != {"none": True} else {},
    }
    return message(source("zammad"), body, {**ZAMMAD_HEADERS, "X-Zammad-Trigger": trigger}).event


DJANGO: dict[str, Any] = {
    "ticket": {
        "id": 6,
        "queue": 1,
        "title": "Passwort vergessen",
        "description": "Bitte um Hilfe",
        "submitter_email": "anna@example.org",
        "priority": 3,
        "followup_set": [
            {"id": 10, "user": None, "comment": "Danke", "public": True, "date": "2026-11-23T03:42:50.513190Z",
             "message_id": "<a2@example.org>"},
            {"id": 11, "user": 1, "comment": "Gern", "public": True},
            {"id": 12, "user": 1, "comment": "Nur intern", "public": False},
        ],
    },
    "queue_slug": "DH",
}  # fmt: skip


def test_the_generic_contract_fills_every_field() -> None:
    """A body as documented gives a message with every field, and nothing to note."""
    headers = {"Webhook-Id": "msg_1", "Webhook-Signature": "v1,x", "Authorization": "Basic x", "X-Other": "y"}
    got = message(source(), generic_body(), headers)
    assert got == Message(
        source="desk",
        kind=Kind.TICKET,
        place="msg_1",
        digest=hashlib.sha256(b"msg_1").hexdigest(),
        received_at=AT,
        event="created",
        sender="erika@example.org",
        sender_name="Erika Muster",
        recipient="desk@example.com",
        recipients=("desk@example.com",),
        subject="Drucker streikt",
        text="Er druckt nicht.",
        ticket_number="T-81",
        ticket_url="https://helpdesk.example.org/t/81",
        priority="high",
        group="IT",
        size=len(json.dumps(generic_body()).encode()),
        sent_at=datetime(2026, 11, 23, 3, 59, 58, tzinfo=UTC),
        message_id="a@example.org",
        headers={"webhook-id": "msg_1", "x-other": "y"},
        data=generic_body(),
    )


@pytest.mark.parametrize(
    ("word", "event"),
    [
        ("ticket.created", "created"),
        ("Ticket.Created", "created"),
        ("ticket.customer_replied", "replied"),
        ("ticket.updated", "updated"),
        ("ticket.escalated", "ticket.escalated"),
        (None, "received"),
    ],
)
def test_events_become_our_words_or_stay_the_helpdesks(word: str | None, event: str) -> None:
    """Known events have one word for all helpdesks, another one stays as it is."""
    assert message(source(), {**generic_body(), "type": word}).event == event


def test_zammads_own_payload_is_mapped() -> None:
    """All fields come from the payload; the link is built from the helpdesk's address."""
    got = message(source("zammad"), ZAMMAD, ZAMMAD_HEADERS)
    assert (got.event, got.ticket_number, got.subject) == ("created", "10081", "Drucker streikt")
    assert (got.sender, got.sender_name) == ("erika@example.org", "Erika Muster")
    assert (got.priority, got.group) == ("2 normal", "Service Desk")
    assert got.ticket_url == f"{BASE}/#ticket/zoom/81"
    assert (got.place, got.recipient, got.message_id) == (
        "9b0c4f4e-5a0b",
        "desk@example.com",
        "a@example.org",
    )
    assert got.sent_at == datetime(2026, 11, 23, 4, 0, 0, 318000, tzinfo=UTC)
    assert "x-hub-signature" not in got.headers
    assert not got.degraded


def test_zammad_without_customer_and_article() -> None:
    """A trigger without an article, and a ticket without its customer, still make a message."""
    ticket = {name: value for name, value in ZAMMAD["ticket"].items() if name != "customer"}
    got = message(source("zammad"), {"ticket": ticket, "article": {}}, ZAMMAD_HEADERS)
    assert (got.sender, got.ticket_number, got.event) == ("", "10081", "created")
    got = message(source("zammad"), {"ticket": ticket, "article": ZAMMAD["article"]}, ZAMMAD_HEADERS)
    assert (got.sender, got.sender_name) == ("erika@example.org", "Erika Muster")


def test_zammads_custom_payload_is_mapped() -> None:
    """The short payload that an administrator may paste gives the same fields."""
    body = {
        "event": "ticket.customer_replied", "id": "81", "number": "10081", "title": "Drucker", "group": "IT",
        "email": "erika@example.org", "priority": "2 normal", "updated_at": "2026-11-23 04:00:00 UTC",
    }  # fmt: skip
    got = message(source("zammad"), body, ZAMMAD_HEADERS)
    assert (got.event, got.ticket_number, got.group) == ("replied", "10081", "IT")
    assert got.ticket_url == f"{BASE}/#ticket/zoom/81"


def test_zammads_event_is_found() -> None:
    """The trigger's name decides where it holds a known word; else the content does."""
    assert zammad("ticket created") == "created"
    assert zammad("ACD: Created", internal=True) == "created"
    assert zammad("customer replied", sender="Agent") == "replied"
    assert zammad("ticket updated") == "updated"
    assert zammad(count=1) == "created"
    assert zammad(count=1, internal=True) == "created"
    assert zammad() == "replied"
    assert zammad(sender="Agent") == "updated"
    assert zammad(none=True) == "updated"
    assert zammad(internal=True) == "internal-note"
    assert zammad("ticket updated", internal=True) == "internal-note"
    assert message(source("zammad"), ZAMMAD).event == "created"


def test_django_helpdesks_new_ticket() -> None:
    """A new ticket: number from the queue, link to the staff's page, the ticket itself as delivery."""
    got = message(source("django-helpdesk"), DJANGO)
    assert (got.event, got.ticket_number, got.group, got.priority) == ("created", "DH-6", "DH", "3")
    assert (got.sender, got.subject, got.text) == ("anna@example.org", "Passwort vergessen", "Bitte um Hilfe")
    assert (got.ticket_url, got.place) == (f"{BASE}/tickets/6/", "ticket-6")


@pytest.mark.parametrize(
    ("followup", "event", "text"),
    [
        (10, "replied", "Danke"),
        (11, "updated", "Gern"),
        (12, "internal-note", "Nur intern"),
        (13, "updated", "Bitte um Hilfe"),
    ],
)
def test_django_helpdesks_follow_ups(followup: int, event: str, text: str) -> None:
    """A customer's reply, an agent's answer and a private note are told apart; each is a delivery of its own."""
    got = message(source("django-helpdesk"), {**DJANGO, "followup_id": followup})
    assert (got.event, got.text, got.place) == (event, text, f"followup-{followup}")


def test_without_the_helpdesks_address_there_is_no_link() -> None:
    """A missing `base_url` costs the link and nothing else."""
    for preset, body in (("zammad", ZAMMAD), ("django-helpdesk", DJANGO)):
        got = message(source(preset, base_url=None), body)
        assert got.ticket_url == ""
        assert not got.degraded


def test_the_configuration_overrides_single_fields() -> None:
    """One field's expression is replaced, the others stay the preset's; headers and query can be used."""
    own = {"group": "query.team", "priority": 'headers."x-priority"'}
    got = message(source(fields=own), generic_body(), {"X-Priority": "7"}, team="Blue")
    assert (got.group, got.priority, got.subject) == ("Blue", "7", "Drucker streikt")


def test_the_same_delivery_has_the_same_digest() -> None:
    """A retry with a new time is the same message; without a delivery's ID the body decides."""
    first = message(source(), generic_body(), {"webhook-id": "a", "webhook-timestamp": "1"})
    again = message(source(), generic_body(subject="other"), {"webhook-id": "a", "webhook-timestamp": "2"})
    other = message(source(), generic_body(), {"webhook-id": "b"})
    assert first.digest == again.digest != other.digest
    without = message(source(), generic_body())
    assert without.place == without.digest == hashlib.sha256(json.dumps(generic_body()).encode()).hexdigest()
    assert message(source(), generic_body(subject="other")).digest != without.digest


def test_a_long_delivery_id_is_cut_only_where_it_is_shown() -> None:
    """Two IDs that differ behind the cut are two messages."""
    long = "x" * 900
    one = message(source(), generic_body(), {"webhook-id": long + "1"})
    two = message(source(), generic_body(), {"webhook-id": long + "2"})
    assert len(one.place) == MAX_PLACE or one.digest != two.digest
    assert one.digest != two.digest


@pytest.mark.parametrize(
    "body",
    [b"", b"ticket=1", b'{"title": "a "b""}', b"null", b"42", b'"text"', b"[]", b"{}", b'{"other": 1}'],
)
def test_what_cannot_be_a_ticket_is_unreadable_with_its_bytes(body: bytes) -> None:
    """A body that is no JSON or holds nothing of a ticket is handed over whole, to be quarantined."""
    got = mapped(source(), body)
    assert isinstance(got, Unreadable)
    assert (got.raw, got.size, got.source, got.kind) == (body, len(body), "desk", Kind.TICKET)
    assert got.digest == got.place == hashlib.sha256(body).hexdigest()
    assert got.detail


def test_one_bad_field_does_not_cost_the_message() -> None:
    """A field that cannot be made is left out and noted, without its content; the others are kept."""
    body = generic_body(
        subject={"de": "geheim"}, requestor_email="geheim", url="javascript:geheim", group=["geheim"]
    )
    body["timestamp"] = "geheim"
    got = message(source(fields={"priority": "join(',', body.data.id)"}), body)
    assert (got.subject, got.sender, got.ticket_url, got.group, got.priority) == ("", "", "", "", "")
    assert got.ticket_number == "T-81"
    assert got.sent_at is None
    assert got.degraded
    assert sorted(note.split()[0] for note in got.notes) == [
        "group", "priority", "sender", "sent_at", "subject", "ticket_url",
    ]  # fmt: skip
    assert "geheim" not in str(got.notes)


def test_a_leniently_read_body_is_marked() -> None:
    """A line break inside of a templated string does not cost the ticket, but is noted."""
    got = message(source(), json.dumps(generic_body()).replace("\\n", "\n").encode())
    assert got.ticket_number == "T-81"
    assert got.degraded
    assert "leniently" in got.notes[0]


def test_texts_are_bounded_and_clean() -> None:
    """Endless and dirty texts are cut and cleaned in every field."""
    dirty = "x\r\n\x00\x1b[31m" + "y" * 100_000
    got = message(source(), generic_body(subject=dirty, text=dirty, group=dirty, number=dirty))
    assert (len(got.subject), len(got.text), len(got.group)) == (MAX_SUBJECT, MAX_TEXT, MAX_FIELD)
    assert got.subject.split()[:1] == ["x"]
    for value in (got.subject, got.text, got.group, got.ticket_number):
        assert not any(sign in value for sign in "\r\n\x00\x1b")


def test_an_unforeseen_failure_costs_one_message_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a defect of the mapping gives an unreadable message with its bytes, and no word of the failure's own."""

    def fails(_raw: bytes) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr(mapping, "read_json", fails)
    got = mapped(source(), b"{}")
    assert isinstance(got, Unreadable)
    assert (got.raw, got.detail) == (b"{}", "RuntimeError while mapping")


def test_no_secret_of_the_request_gets_into_the_message() -> None:
    """Passwords, cookies and signatures are neither in the headers nor within reach of an expression."""
    headers = {
        "Authorization": "s3cret",
        "Cookie": "s3cret",
        "X-Api-Key": "s3cret",
        "Webhook-Signature": "s3cret",
    }
    one = source(fields={"group": "to_string(headers)"})
    assert "s3cret" not in str(message(one, generic_body(), headers))


@settings(deadline=None)
@given(body=st.binary())
def test_any_bytes_give_a_message_or_an_unreadable(body: bytes) -> None:
    """Whatever the body, mapping never raises."""
    for preset in ("generic", "zammad", "django-helpdesk"):
        assert isinstance(mapped(SOURCES[preset], body), Message | Unreadable)


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["ticket", "article", "data", "id", "number", "title", "subject", "customer", "email", "followup_set",
         "followup_id", "internal", "url", "priority", "name"]), inner, max_size=5), max_leaves=15,
)  # fmt: skip
SOURCES = {preset: source(preset) for preset in ("generic", "zammad", "django-helpdesk")}


@settings(deadline=None)
@given(body=JSON, headers=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=2))
def test_any_json_gives_a_clean_message_or_an_unreadable(body: Any, headers: dict[str, str]) -> None:
    """Whatever stands where a field is expected: no exception, and no text with a control or a lone surrogate."""
    for one in SOURCES.values():
        got = mapped(one, body, headers)
        if isinstance(got, Message):
            for text in (
                got.event,
                got.sender,
                got.subject,
                got.text,
                got.ticket_number,
                got.place,
                got.group,
            ):
                text.encode()
                assert not any(ord(sign) < 32 for sign in text)
        else:
            assert got.raw == json.dumps(body).encode()
