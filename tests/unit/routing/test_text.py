from typing import Any

import pytest

from bridge.routing.variables import UNFETCHED, TextNeededError
from tests.unit.routing.messages import EVENT, mail, one, router, ticket

NO_TEXT = {"name": "no text", "when": "auto", "drop": True}


@pytest.mark.parametrize(
    ("when", "wants"),
    [
        ("'x' in text", True),
        ("text is search('x')", True),
        ("text|lower == 'x'", True),
        ("text.lower() == 'x'", True),
        ("text", True),
        ("not text", True),
        ("text == subject", True),
        ("subject == text", True),
        ("text in subject", True),
        ("text|length > 5", True),
        ("text[:5] == 'x'", True),
        ("(text ~ subject) == 'x'", True),
        ("(subject ~ text) == 'x'", True),
        ("kind == 'ticket' and 'x' in text", False),
        ("kind == 'mail' or 'x' in text", False),
        ("kind == 'mail' and 'x' in text", True),
        ("subject == 'text'", False),
    ],
)
def test_an_expression_asks_for_the_text_only_where_it_looks(when: str, wants: object) -> None:
    """An `and` or `or` that is decided before it comes to the text needs none."""
    assert one(when).wants_text(mail()) is wants


@pytest.mark.parametrize(
    ("routes", "wants"),
    [
        ([NO_TEXT], False),
        ([{"name": "a", "when": "spam", "event": EVENT | {"subject": "{{ text }}"}}], False),
        ([{"name": "a", "event": EVENT | {"subject": "{{ text }}"}}], True),
        ([{"name": "a", "event": EVENT | {"subject": "{{ text if spam else subject }}"}}], False),
        ([{"name": "a", "event": EVENT | {"subject": "{{ subject or text }}"}}], False),
        ([{"name": "a", "event": EVENT | {"subject": "{% for a in text %}{{ a }}{% endfor %}"}}], True),
        (
            [{"name": "a", "when": "subject", "drop": True}, {"name": "b", "when": "text", "drop": True}],
            False,
        ),
        ([NO_TEXT, {"name": "b", "when": "text", "drop": True}], True),
        (
            [
                {"name": "a", "when": "size > subject", "drop": True},
                {"name": "b", "when": "text", "drop": True},
            ],
            False,
        ),
    ],
)
def test_only_the_route_that_decides_counts(routes: list[dict[str, Any]], wants: object) -> None:
    """Routes behind the deciding one, and fields of routes that do not match, need no text."""
    assert router(*routes).wants_text(mail()) is wants


def test_without_the_text_the_decision_is_the_same_where_none_is_wanted() -> None:
    """Where no text is wanted, fetching it changes nothing; where it is, it may."""
    made = router(
        {"name": "a", "when": "kind == 'ticket' and 'urgent' in text", "event": EVENT | {"priority": 90}},
        {"name": "b", "when": "sender|domain == 'example.org'", "event": EVENT},
        {"name": "c", "when": "'unsubscribe' in text", "drop": True},
    )
    for message in (mail(), mail(sender="x@y.z"), ticket(), ticket(sender="")):
        decisions = {
            repr(made.route(type(message)(**(fields(message) | {"text": text}))))
            for text in ("", "urgent unsubscribe")
        }
        assert (len(decisions) == 2) is made.wants_text(message)


def fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__dataclass_fields__}


def test_the_stand_in_for_the_text_cannot_be_used_unseen() -> None:
    """Looking into the text that is not fetched raises, in every way that Jinja looks."""
    looks = (str, len, bool, iter, lambda t: t == "", lambda t: "x" in t, lambda t: t[0], lambda t: t.lower())
    for look in looks:
        with pytest.raises(TextNeededError):
            look(UNFETCHED)
