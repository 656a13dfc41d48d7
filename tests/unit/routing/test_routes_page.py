from pathlib import Path

from bridge.acd.request import ACD_NAMES
from bridge.config.route import RouteEvent
from bridge.routing import fields
from bridge.routing.language import (
    COUNTED,
    FILTERS,
    LOOP_BOUND,
    REFUSED_METHODS,
    TESTS,
    VALUE,
    RouteEnvironment,
)
from bridge.routing.making import MAX_MADE
from bridge.routing.variables import TYPES

PAGE = (Path(__file__).parents[3] / "docs" / "routes.md").read_text()


def test_every_word_of_the_language_is_documented() -> None:
    """Variables, filters, tests, event fields and the ACD's names for them all stand on the page."""
    own = {"domain", "search", "match"}
    words = {*TYPES, *FILTERS, *TESTS, *REFUSED_METHODS, *RouteEvent.model_fields, *ACD_NAMES.values(), *own}
    assert [word for word in sorted(words) if f"`{word}`" not in PAGE and f"### {word}\n" not in PAGE] == []


def test_nothing_else_is_offered() -> None:
    """Filters and tests beyond those on the page do not exist, and there are no functions."""
    environment = RouteEnvironment()
    assert set(environment.filters) == FILTERS | {"domain", LOOP_BOUND, COUNTED, VALUE}
    assert set(environment.tests) == TESTS | {"none", "search", "match"}
    assert environment.globals == {}


def test_the_bounds_are_documented() -> None:
    """The page names the lengths at which texts are cut."""
    for bound in (
        fields.MAX_ADDRESS,
        fields.MAX_SUBJECT,
        fields.MAX_BODY,
        fields.MAX_URL,
        fields.MAX_USER_DATA,
        MAX_MADE,
    ):
        assert f" {bound:,} characters" in PAGE
