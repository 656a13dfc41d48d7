import pytest

from bridge.routing.explain import clauses, why_not
from bridge.routing.variables import values_of
from tests.unit.routing.messages import EVENT, mail, router

WHY = [
    ("kind == 'ticket' and group == 'Billing'", "kind == 'ticket' is false (kind is 'mail')"),
    ("kind == 'mail' and group == 'Billing'", "group == 'Billing' is false (group is '')"),
    (
        "kind == 'ticket' or size > 9999",
        "kind == 'ticket' or size > 9999 is false (kind is 'mail', size is 1234)",
    ),
    ("auto", "auto is false (auto is '')"),
    ("false", "false is false"),
    ("data.ticket.id == 5", "data.ticket.id == 5 is false"),
    (
        "'x' in recipients",
        "'x' in recipients is false (recipients is ['support@example.com', 'b@example.com'])",
    ),
    ("subject == 'x'", "subject == 'x' is false (subject is 'Printer on fire')"),
]


@pytest.mark.parametrize(("when", "why"), WHY)
def test_the_part_that_is_false_is_named(when: str, why: str) -> None:
    """The reason is the first false part, with what it looked at; texts and bodies are not shown."""
    assert why_not(when, values_of(mail())) == why


@pytest.mark.parametrize(
    ("when", "parts"),
    [
        ("a and b", ["a", "b"]),
        ("a and (b and c)", ["a", "(b and c)"]),
        ("a == 'x and y' and not b", ["a == 'x and y'", "not b"]),
        ("a and b or c", ["a and b or c"]),
        ("a and b if c else d", ["a and b if c else d"]),
        ("a and (b or c)", ["a", "(b or c)"]),
        ("{'and': {'b': 1}}[a] and b", ["{'and': {'b': 1}}[a]", "b"]),
        ("a\n  and b", ["a", "b"]),
        ("brand == 1 and x.land", ["brand == 1", "x.land"]),
    ],
)
def test_parts_are_split_where_and_binds_least(when: str, parts: list[str]) -> None:
    """An `and` within brackets, texts or a wider `or` splits nothing."""
    assert clauses(when) == parts


def test_a_decision_tells_what_was_tried() -> None:
    """With `explain`, every route before the deciding one is listed with why it did not match."""
    made = router(
        {"name": "a", "when": "auto", "drop": True},
        {"name": "b", "when": "size > 5000", "event": EVENT},
        {"name": "c", "event": EVENT},
    )
    decision = made.route(mail(), explain=True)
    assert decision.route == "c"
    assert decision.tried == (
        ("a", "auto is false (auto is '')"),
        ("b", "size > 5000 is false (size is 1234)"),
    )
    assert made.route(mail()).tried == ()


def test_long_values_are_cut() -> None:
    """An explanation stays a line."""
    assert len(why_not("subject == 'x'", values_of(mail(subject="y" * 5000)))) < 150
