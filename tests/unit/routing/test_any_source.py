from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.routing.decision import Decision
from bridge.routing.explain import clauses
from bridge.routing.faults import Fault
from bridge.routing.template import Compiled, SourceError, compile_expression, compile_template
from tests.unit.routing.messages import mail, one, router

WORDS = st.sampled_from([
    "subject", "data", "recipients", "kind", "self", "loop", "true", "none", "1", "'a'", "and", "or", "not", "in", "is",
    "if", "else", "for", "endfor", "endif", "set", "+", "-", "*", "//", "~", "|", "lower", "first", "search", ".", "[",
    "]", "(", ")", "{", "}", "{{", "}}", "{%", "%}", "{#", "#}", ",", ":", "=", "==", "<", "%", "\\", "\n", '"', "x",
])  # fmt: skip
SOURCES = st.lists(WORDS, max_size=12).map(" ".join)


def faults_of(compile_source: Callable[[str], Compiled], source: str) -> list[Fault]:
    try:
        compile_source(source)
    except SourceError as error:
        return error.faults or [("", "")]
    return []


@given(SOURCES)
@settings(max_examples=400, deadline=None)
def test_any_source_compiles_or_is_explained(source: str) -> None:
    """Whatever is written in a route, compiling gives a function or SourceError with words."""
    for compile_source in (compile_expression, compile_template):
        assert all(what for what, _ in faults_of(compile_source, source))


@given(SOURCES)
@settings(max_examples=400, deadline=None)
def test_any_expression_that_compiles_decides(source: str) -> None:
    """A compiled route never raises, with or without explanation, and splitting it changes nothing of its text."""
    try:
        compile_expression(source)
    except SourceError:
        return
    made = router({"name": "a", "when": source or "true", "drop": True})
    assert isinstance(made.route(mail(), explain=True), Decision)
    assert isinstance(made.wants_text(mail()), bool)
    assert "".join(" and ".join(clauses(source)).split()) == "".join(source.split())


@pytest.mark.parametrize(
    "source",
    [
        "9" * 5000,
        "(" * 5000,
        "not " * 5000 + "x",
        "[" * 300 + "]" * 300,
        "subject" + "|lower" * 3000,
        "1" + "+1" * 5000,
    ],
    ids=["number", "brackets", "not", "lists", "filters", "sum"],
)
def test_sources_that_are_too_much_for_the_compiler(source: str) -> None:
    """Endless numbers and nesting are problems of the file, not tracebacks."""
    assert faults_of(compile_expression, source)
    assert faults_of(compile_template, f"{{{{ {source} }}}}")


def test_a_plain_route_is_no_source_error() -> None:
    """The helper of these tests compiles what is well."""
    assert one("subject").route(mail()).event is not None
