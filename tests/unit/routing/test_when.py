from datetime import timedelta
from typing import Any

import pytest

from bridge.reason import Reason
from bridge.routing.decision import Verdict
from tests.unit.routing.messages import WHEN, mail, one, ticket

DATA = {
    "ticket": {
        "id": 5,
        "title": "A",
        "owner": None,
        "tags": ["vip", "new"],
        "items": "of the ticket",
        "_id": 9,
    },
    "articles": [{"body": "hello"}, {"body": "there"}],
    "count": 3,
}


def matches(when: str, message: Any) -> bool:
    decision = one(when).route(message)
    assert decision.verdict in {Verdict.EVENT, Verdict.NO_ROUTE}, decision.detail
    return decision.verdict is Verdict.EVENT


@pytest.mark.parametrize(
    "when",
    [
        "true", "kind == 'mail'", "not auto", "sender|domain == 'example.org'", "'b@example.com' in recipients",
        "subject is search('(?i)FIRE$')", "subject is match('Printer')", "subject.lower().startswith('printer')",
        "headers['X-Priority'] == '1'", "headers.subject == subject", "'X-PRIORITY' in headers", "size > 1000",
        "headers.get('x-none', 'no') == 'no'", "recipients|length == 2", "sent_at is none", "not sent_at",
        "recipients|select('search', '^b@')|list|count == 1", "'mail' == kind and (auto or size > 5)",
        "folder ~ source == 'INBOXsupport'", "{'support': true}[source]", "received_at.year == 2026",
        "sent_at < received_at or true", "size % 2 == 0 and size * 2 == 2468", "not spam",
    ],
)  # fmt: skip
def test_expressions_that_are_true_for_the_mail(when: str) -> None:
    """What the documentation offers works on a plain mail."""
    assert matches(when, mail())


@pytest.mark.parametrize(
    "when",
    [
        "data.ticket.id == 5", "data['ticket']['id'] == 5", "data.ticket.items == 'of the ticket'",
        "'vip' in data.ticket.tags", "data.articles[1].body == 'there'", "data.articles[-1].body == 'there'",
        "data.ticket.owner is none", "data.ticket.owner == none", "data.ticket._id == 9", "data.count > 2",
        "data.articles|map(attribute='body')|join(' ') == 'hello there'", "data.ticket.get('id') == 5",
        "data.articles|selectattr('body', 'search', '^the')|list|length == 1", "kind == 'ticket'",
    ],
)  # fmt: skip
def test_expressions_that_are_true_for_the_ticket(when: str) -> None:
    """The webhook's body is seen as it is; its keys come before methods."""
    assert matches(when, ticket(DATA))


@pytest.mark.parametrize(
    "when",
    [
        "data.ticket.id == 5", "data.ticket.id > 5", "data.ticket.id < 5", "5 < data.ticket.id",
        "5 >= data.ticket.id", "data.ticket.id == data.ticket.number and false", "'vip' in data.ticket.tags",
        "data.ticket.title.lower().startswith('a')", "data.articles[0].body", "data['a']['b']", "data.a is defined",
        "data.a|lower == 'a'", "data.a|int > 0", "data.a|length > 0", "data.ticket.owner.name == 'Anna'",
        "data.articles|selectattr('body', 'search', 'x')|list", "data.a is search('x')", "headers['x-none'] == 'a'",
        "headers['x-none'] is match('a')", "headers['x-none'].lower() == 'a'", "sent_at > received_at",
        "data.ticket.owner.name is search('Anna')", "data.ticket.keys().x",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "message", [mail(), ticket({"ticket": {"owner": None}})], ids=["mail", "other ticket"]
)
def test_what_is_missing_is_false(when: str, message: Any) -> None:
    """A key that the message does not have makes a comparison false, and fails nothing."""
    assert not matches(when, message)


def test_a_mail_has_no_data() -> None:
    """`data` itself is missing for a mail, and is there for a ticket, even an empty one of another shape."""
    assert not matches("data", mail())
    assert matches("data is defined and data is iterable", ticket([]))


def test_what_is_missing_is_unlike_everything() -> None:
    """`!=` is true for what is missing, `!= none` is not; a list is no key of anything."""
    assert matches("data.ticket.id != 5", mail())
    assert not matches("data.ticket.id != none", mail())
    assert matches("data[[1]] is undefined and headers.keys()|list == ['x-priority', 'subject']", mail())


def test_calculating_with_what_is_missing_fails() -> None:
    """There is no sane result, so it is said, with the route and the field; a default helps."""
    decision = one("data.count + 1 > 2").route(mail())
    assert (decision.verdict, decision.reason) == (Verdict.FAILED, Reason.TEMPLATE_FAILED)
    assert (decision.route, decision.field) == ("one", "when")
    assert decision.detail == "route[one].when: it calculates with something that the message does not have"
    assert matches("data.count|default(0) + 1 == 1", mail())


@pytest.mark.parametrize(
    "when", ["size > subject", "1 // (size - size)", "subject * 1000000000", "subject % 5"]
)
def test_an_expression_that_fails_is_a_failure_of_the_message(when: str) -> None:
    """It does not silently count as false."""
    decision = one(when).route(mail())
    assert (decision.verdict, decision.reason) == (Verdict.FAILED, Reason.TEMPLATE_FAILED)
    assert "Printer" not in decision.detail


@pytest.mark.parametrize(
    "when",
    [
        "subject['__class__']", "(subject|map('upper')|first)['__init__']", "data['__class__']",
        "subject['format']('x')", "data.ticket.tags.append", "data.ticket.update({'id': 6})",
        "headers['_fields']", "received_at['__reduce__']()",
    ],
)  # fmt: skip
def test_the_sandbox_gives_nothing_away(when: str) -> None:
    """Attributes that lead out of the sandbox, or change the message, are missing or fail."""
    message = ticket(DATA)
    decision = one(when).route(message)
    assert decision.verdict is not Verdict.EVENT
    assert message.data["ticket"]["id"] == 5


def test_moments_are_moments() -> None:
    """`sent_at` can be compared where it is there."""
    assert matches("sent_at < received_at", mail(sent_at=WHEN - timedelta(hours=1)))


def test_a_name_of_the_route_compiler_is_unknown() -> None:
    """The name under which an expression's result is kept is no variable."""
    assert not hasattr(mail(), "result")
    with pytest.raises(AssertionError, match="unknown variable 'result'"):
        one("result == 1")


@pytest.mark.parametrize(
    "data", [{"ticket": "5"}, {"ticket": ["5"]}, {"ticket": {}}], ids=["a text", "a list", "an empty object"]
)
@pytest.mark.parametrize("key", ["title", "count", "index", "copy", "items", "values"])
def test_a_method_is_no_value(data: Any, key: str) -> None:
    """Where a body has something else than expected, a name that is a method is missing like every other."""
    for shown in (
        "{{ data.ticket.KEY }}", "{{ data['ticket']['KEY'] }}", "{{ data.ticket.KEY ~ '' }}",
        "{{ data.ticket.KEY|lower }}", "{{ [data.ticket.KEY]|join }}", "{{ [data.ticket]|map(attribute='KEY')|join }}",
        "{% set it = data.ticket.KEY %}{{ it }}", "{{ data.ticket.KEY|default('') }}",
        "{{ 'x' if data.ticket.KEY }}", "{{ 'x' if data.ticket.KEY is defined }}",
    ):  # fmt: skip
        event = one(subject=shown.replace("KEY", key)).route(ticket(data)).event
        assert event is not None
        assert event.subject == "(no subject)", shown
    for when in ("data.ticket.KEY", "data.ticket.KEY == 'x'", "data.ticket.KEY is defined"):
        assert not matches(when.replace("KEY", key), ticket(data))


def test_methods_are_called() -> None:
    """What is called is a method, with others in its words too."""
    assert matches("subject.upper().replace(subject.upper(), folder.lower()) == 'inbox'", mail())
