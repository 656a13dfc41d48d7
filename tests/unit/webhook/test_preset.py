"""Presets and expressions: what is wrong with them is found before the first request."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.webhook import Webhook, WebhookFields
from bridge.errors import ConfigError
from bridge.intake.webhook.expression import EvaluationError, Expression, ExpressionError
from bridge.intake.webhook.preset import compile_source, problems_of
from bridge.intake.webhook.preset_file import preset_names, read_preset

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def webhook(**fields: Any) -> Webhook:
    return Webhook.model_validate({"name": "desk", **fields})


def found(**fields: Any) -> list[tuple[str, str, str]]:
    return [(one.key, one.what, one.hint) for one in problems_of(webhook(**fields))]


def test_the_bundled_presets_are_the_documented_ones() -> None:
    """Exactly these three ship, and the configuration's description names each."""
    assert preset_names() == ("django-helpdesk", "generic", "zammad")
    described = Webhook.model_fields["preset"].description or ""
    assert all(f"`{name}`" in described for name in preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_expression_of_every_preset_compiles(name: str) -> None:
    """A preset has a title and the fields without which no event can be made, and all of them compile."""
    preset = read_preset(name)
    assert preset.title
    texts = {field: getattr(preset.fields, field) for field in WebhookFields.model_fields}
    for text in texts.values():
        assert text is None or Expression(text).text == text
    for needed in (
        "delivery",
        "event",
        "sender",
        "subject",
        "ticket_number",
        "ticket_url",
        "priority",
        "group",
    ):
        assert texts[needed], needed


@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": [SECRET]},
        {"secrets": [{"env": "NOT_READ_NOW"}]},
        {"basic": {"username": "u", "password": "p"}},
        {"unsigned": True},
        {"preset": "zammad", "secrets": ["any text"], "basic": {"username": "u", "password": "p"}},
        {"preset": "zammad", "basic": {"username": "u", "password": "p"}},
        {"preset": "django-helpdesk", "basic": {"username": "u", "password": "p"}},
        {"preset": "django-helpdesk", "unsigned": True, "fields": {"subject": "body.ticket.title || 'none'"}},
    ],
)
def test_good_webhooks_have_no_problems(fields: dict[str, Any]) -> None:
    """What can work is not complained about, and compiles."""
    assert found(**fields) == []
    assert compile_source(webhook(**fields)).name == "desk"


@pytest.mark.parametrize(
    ("fields", "key", "word"),
    [
        ({"preset": "zamad", "unsigned": True}, "webhook[desk].preset", "did you mean 'zammad'?"),
        ({"preset": "otrs", "unsigned": True}, "webhook[desk].preset", "django-helpdesk, generic, zammad"),
        ({}, "webhook[desk].secrets", "anybody"),
        ({"preset": "django-helpdesk"}, "webhook[desk].basic", "give basic"),
        ({"preset": "django-helpdesk", "secrets": ["x"]}, "webhook[desk].secrets", "signs nothing"),
        ({"secrets": [SECRET], "unsigned": True}, "webhook[desk].unsigned", "remove one"),
        ({"secrets": [SECRET, "plain text"]}, "webhook[desk].secrets[1]", "whsec_ or whpk_"),
        ({"unsigned": True, "fields": {"subject": "body.a["}}, "webhook[desk].fields.subject", "character 8"),
        ({"unsigned": True, "fields": {"subject": ""}}, "webhook[desk].fields.subject", "empty"),
        (
            {"unsigned": True, "fields": {"event": "upper(body.a)"}},
            "webhook[desk].fields.event",
            "no function upper",
        ),
        ({"unsigned": True, "fields": {"event": "join(body.a)"}}, "webhook[desk].fields.event", "takes 2"),
        (
            {"unsigned": True, "fields": {"sender": "ticket.email"}},
            "webhook[desk].fields.sender",
            "body.ticket",
        ),
        ({"unsigned": True, "fields": {"sender": "!body.a && 'x'"}}, "webhook[desk].fields.sender", "!(a.b)"),
    ],
)
def test_each_problem_names_its_key_and_what_to_do(fields: dict[str, Any], key: str, word: str) -> None:
    """A wrong webhook gives one problem, at its key, with the word that helps; and it never compiles."""
    problems = found(**fields)
    assert [one[0] for one in problems] == [key]
    assert word in " ".join(problems[0])
    with pytest.raises(ConfigError):
        compile_source(webhook(**fields))


def test_all_problems_are_told_at_once() -> None:
    """The operator does not have to mend one to see the next, and a plain secret is never quoted."""
    problems = found(secrets=["hunter2"], fields={"subject": "(", "text": "nope()"})
    assert [key for key, _, _ in problems] == [
        "webhook[desk].secrets[0]",
        "webhook[desk].fields.subject",
        "webhook[desk].fields.text",
    ]
    assert "hunter2" not in str(problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("body.a.b[1]", 3),
        ("lower(body.word)", "mixed"),
        ("lower(body.nothing)", ""),
        ("find(body.items, 'id', body.wanted).name", "second"),
        ("find(body.items, 'id', `9`).name", None),
        ("find(body.nothing, 'id', `1`)", None),
        ("body.items[?id == `1`].name | [0]", "first"),
        ("join('-', [body.word, to_string(body.wanted)])", "MiXed-2"),
        ("{a: body.word, b: query.x}.a", "MiXed"),
        ("headers.\"x-a\" || 'none'", "none"),
        ("base_url", "https://h.example.org"),
        ("sort_by(body.items, &id)[0].name", "first"),
    ],
)
def test_expressions_see_body_headers_query_and_base_url(text: str, value: Any) -> None:
    """The functions of JMESPath work, and `lower` and `find` beside them, also on what is missing."""
    items = [{"id": 1, "name": "first"}, {"id": 2, "name": "second"}, "no object"]
    body = {"a": {"b": [2, 3]}, "word": "MiXed", "items": items, "wanted": 2}
    scope = {"body": body, "headers": {}, "query": {}, "base_url": "https://h.example.org"}
    if text.startswith("sort_by"):
        body["items"] = items[:2]
    assert Expression(text).of(scope) == value


def test_a_failure_tells_nothing_of_the_values() -> None:
    """An expression that fails on one message says how, and quotes nothing of the message."""
    with pytest.raises(EvaluationError) as caught:
        Expression("join(',', body.private)").of({"body": {"private": "customer text"}})
    assert "customer" not in str(caught.value)


@settings(deadline=None)
@given(text=st.text(alphabet="abody.[]()|&!?@*'\"`{}:, ", max_size=30))
def test_any_text_is_an_expression_or_a_problem(text: str) -> None:
    """A wrong expression is always an ExpressionError, whatever it looks like."""
    with contextlib.suppress(ExpressionError):
        assert Expression(text).text == text
