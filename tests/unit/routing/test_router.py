import time
import tracemalloc
from typing import Any

import pytest

from bridge.config.route import Route
from bridge.message import Message
from bridge.reason import Reason
from bridge.routing.compile import compile_routes
from bridge.routing.decision import Verdict
from bridge.routing.variables import TYPES, values_of
from tests.unit.routing.messages import EVENT, mail, one, router, ticket

ROUTES: list[dict[str, Any]] = [
    {"name": "automatic", "when": "auto", "drop": True},
    {
        "name": "billing",
        "when": "kind == 'ticket' and group == 'Billing'",
        "event": EVENT | {"group": "Billing"},
    },
    {"name": "broken", "when": "size > 9000", "event": EVENT | {"user": "{{ 1 // (size - size) }}"}},
    {"name": "vip", "when": "sender|domain == 'vip.example'", "event": EVENT | {"priority": 100}},
    {"name": "tickets", "when": "kind == 'ticket'", "event": EVENT},
]


@pytest.mark.parametrize(
    ("message", "verdict", "reason", "route"),
    [
        (mail(auto="bounce", size=9999), Verdict.DROP, Reason.ROUTE_DROP, "automatic"),
        (ticket(group="Billing", size=9999), Verdict.EVENT, Reason.NONE, "billing"),
        (mail(size=9001), Verdict.FAILED, Reason.TEMPLATE_FAILED, "broken"),
        (mail(sender="a@VIP.example"), Verdict.EVENT, Reason.NONE, "vip"),
        (ticket(), Verdict.EVENT, Reason.NONE, "tickets"),
        (mail(), Verdict.NO_ROUTE, Reason.NO_ROUTE, None),
    ],
)
def test_the_first_route_that_matches_decides(
    message: Message, verdict: Verdict, reason: Reason, route: str | None
) -> None:
    """Routes are asked in order; a failure or a drop ends the asking as an event does."""
    decision = router(*ROUTES).route(message)
    assert (decision.verdict, decision.reason, decision.route) == (verdict, reason, route)
    assert (decision.event is not None) == (verdict is Verdict.EVENT)
    assert (decision.detail != "") == (verdict is not Verdict.EVENT)
    assert decision.tried == ()


def test_a_failure_names_its_place_and_no_text() -> None:
    """The detail says which route and field failed, and quotes nothing of the message."""
    decision = router(*ROUTES).route(mail(size=9001))
    assert decision.field == "event.user"
    assert decision.detail == "route[broken].event.user: ZeroDivisionError in the template"


def test_the_result_is_the_same_each_time() -> None:
    """A decision depends on the message alone: an event made before leaves nothing behind."""
    one_router = router({"name": "all", "event": EVENT | {"subject": "{% set x = subject %}{{ x }}!"}})
    first = one_router.route(mail())
    one_router.route(mail(subject="other"))
    assert one_router.route(mail()) == first


def test_every_variable_is_seen() -> None:
    """Each variable of the table has a value of its type, and each can be used in a template."""
    values = values_of(mail(sent_at=mail().received_at))
    assert values.keys() == TYPES.keys()
    for name, kind in TYPES.items():
        assert kind is None or isinstance(values[name], kind)
        assert one(user_data=f"<{{{{ {name} }}}}>").route(mail()).verdict is Verdict.EVENT


def test_loops_are_bounded() -> None:
    """A hostile list is seen only at its beginning, in loops within loops too."""
    numbers = list(range(10_000))
    decision = one(user_data="{% for n in data %}{% if loop.last %}{{ n }}{% endif %}{% endfor %}").route(
        ticket(numbers)
    )
    assert decision.event is not None
    assert decision.event.user_data == "99"
    began = time.perf_counter()
    one(user_data="{% for a in data %}{% for b in data %}{% endfor %}{% endfor %}").route(ticket(numbers))
    assert time.perf_counter() - began < 0.5


def test_what_is_rendered_is_bounded() -> None:
    """A template that makes more than 64 KiB fails the message, and stops there."""
    decision = one(user_data="{% for n in data %}{{ n }}{% endfor %}").route(ticket(["x" * 1000] * 100))
    assert decision.detail == "route[one].event.user_data: makes more than 65536 characters"
    assert decision.reason is Reason.TEMPLATE_FAILED


MULTIPLYING = [
    "data.text|replace('e', data.text)", "data.text|replace('', data.text)", "data.text.replace('e', data.text)",
    "data.list|join(data.text)", "data.text.join(data.list)", "data.list|map('replace', '', data.text)|list",
    "data.list|map('replace', '', data.text)|join", "data.lists|sum(start=[])",
    "data.text.encode().replace(''.encode(), data.text.encode())",
]  # fmt: skip


@pytest.mark.parametrize("multiplying", MULTIPLYING)
@pytest.mark.parametrize("form", ["({})|length > 5", "{{{{ ({})|length }}}}"], ids=["expression", "template"])
def test_a_message_does_not_multiply(multiplying: str, form: str) -> None:
    """What would make gigabytes of a message of 300 KB fails before it is made."""
    written = form.format(multiplying)
    made = one(subject=written) if "{{" in written else one(written)
    message = ticket({"text": "e" * 100_000, "list": ["e"] * 50_000, "lists": [["e"]] * 50_000})
    tracemalloc.start()
    decision = made.route(message)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decision.verdict is Verdict.FAILED, decision
    assert peak < 200 * 1024 * 1024


@pytest.mark.parametrize(
    "doubling",
    ["{% set x = x ~ x %}", "{% set x = x + x %}", "{% set x %}{{ x }}{{ x }}{% endset %}"],
    ids=["tilde", "plus", "block"],
)
def test_doubling_ends(doubling: str) -> None:
    """What a route puts together again and again is counted too, also where nothing of it is shown."""
    decision = one(subject="{% set x = data.text %}" + doubling * 40).route(ticket({"text": "e" * 1000}))
    assert decision.detail.endswith("makes more than 16777216 characters on its way")


def test_what_replaces_and_joins_usual_texts_goes_on() -> None:
    """The bounds are far from what a message needs; methods and filters give what Jinja gives."""
    parts = {"texts": ["a", "b"], "rows": [{"n": 1}, {"n": 2}], "text": "aXbX" * 10_000}
    shown = (
        "{{ data.texts|join(', ') }} {{ '-'.join(data.texts) }} {{ data.rows|join('+', attribute='n') }} "
        "{{ data.rows|sum(attribute='n') }} {{ 'aXbX'|replace('X', 'yy', 1) }} {{ 'aXbX'.replace('X', '', 1) }} "
        "{{ [[1], [2]]|sum(start=[]) }} {{ data.text|replace('X', 'yz')|length }} {{ 'a' ~ (1 + 2) }}"
    )
    event = one(subject=shown).route(ticket(parts)).event
    assert event is not None
    assert event.subject == "a, b a-b 1+2 3 ayybX abX [1, 2] 60000 a3"


@pytest.mark.parametrize("digits", [2**62, -(2**62), 5_000_000, "2", 1.5, None])
def test_a_precision_of_the_message_is_bounded(digits: Any) -> None:
    """`round` with a hostile number of digits would calculate for ever; with a usual one it rounds."""
    template = "{{ data.value|round(data.digits, 'floor') }}"
    assert one(subject=template).route(ticket({"value": 1, "digits": digits})).verdict is Verdict.FAILED
    event = one(subject=template).route(ticket({"value": 1.57, "digits": 1})).event
    assert event is not None
    assert event.subject == "1.5"


def test_html_is_no_concern_of_a_route() -> None:
    """Signs of HTML are posted as they are."""
    event = one(subject="<{{ subject }}>").route(mail(subject="a & b <c>")).event
    assert event is not None
    assert event.subject == "<a & b <c>>"


def test_constants_are_not_rendered() -> None:
    """Single braces and percent signs are plain text."""
    event = one(subject="100 % {safe} }}").route(mail()).event
    assert event is not None
    assert event.subject == "100 % {safe} }}"


def test_only_routes_behind_one_that_matches_everything_are_never_reached() -> None:
    """By their places, also where two routes have one name by mistake."""
    whens = ("auto", "true", "spam")
    routes = [
        Route.model_validate({"name": "a", "when": when, "event": {"type": "Email", "group": "S"}})
        for when in whens
    ]
    assert [str(one) for one in compile_routes(routes)[1]] == [
        "route[a]: is never reached: 'a' before it matches everything -- move it up"
    ]
    assert compile_routes(routes[:2])[1] == []


def test_all_problems_of_all_routes() -> None:
    """Compiling names everything at once, with each key's path, and still gives a router."""
    routes = [
        Route.model_validate({"name": "a", "when": "sbject", "event": {"type": "", "group": "{{ grup }}"}}),
        Route.model_validate(
            {"name": "b", "event": {"type": 5, "priority": 300, "subject": "{{ x }}{{ y|z }}"}}
        ),
        Route.model_validate({"name": "c", "drop": True}),
    ]
    made, problems = compile_routes(routes)
    assert [problem.key for problem in problems] == [
        "route[a].when", "route[a].event.type", "route[a].event.group",
        "route[b].event.subject", "route[b].event.priority", "route[b].event.group", "route[c]",
    ]  # fmt: skip
    assert made.route(mail()).verdict is not Verdict.DROP


def test_deciding_is_fast() -> None:
    """A decision of five routes costs far less than the budget of a mail."""
    made, message = router(*ROUTES), ticket()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(200):
            made.route(message)
        took.append((time.perf_counter() - began) / 200)
    assert min(took) < 0.0003
