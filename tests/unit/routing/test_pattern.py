import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.routing.pattern import LOOKED_AT, PatternError, compiled, found, matches

SAFE = [
    "invoice", r"\[#\d+\]", "(?i)re: .*urgent", "^(re|aw|fwd): ", r"(?:(?:re|aw): *+)*+x", "(?>a|ab)c", "a{3}b{2,5}",
    r"(?i)^(?:re|aw|fwd?|wg): ?\[?(?:invoice|order|bill|case) ?(?:no|nr)?\.? ?#?\d+", r"\d{1,4}[-./]\d{1,2}[-./]\d{4}",
    "(?:jan|feb|mar|apr|dec) " * 9, "a?+" * 40, r"\+?\d{1,3} ?\(?\d{2,5}\)? ?\d{3,8}", ".*a?b?c?.*",
    r"\bcat\b", "[a-z]+@[a-z]+", "(?!spam).*", "(a+)b", "(?:abc)+", "(a?b)", r"(?P<n>x)(?P=n)",
]  # fmt: skip
UNSAFE = [
    "(a+)+", "(a*)*b", "(a|aa)+$", "(?:ab|a.)*x", "(a?)+b", "((a+)b)+", "(?=(a+)+)x", "(a{1,3})+", "(a+){2,}",
    r"\d{0,9}" * 5 + "x", "a?" * 25 + "a" * 25, "(a|ab)" * 20 + "x", r"(?:\w|.)" * 14 + "x", "(?i)(?:ab|A)" * 20,
    r"\w+" + r"\d?" * 10, r"\w+.*" + "a?" * 7, "(?>" + "a?" * 20 + ")x", "(?=" + "a?" * 20 + "x)",
    "a.*b.*c.*d", "[a]*[b]*[c]*", "(", "a" * 501, "*",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SAFE)
def test_patterns_that_end_in_time_are_taken(pattern: str) -> None:
    """What a route needs can be written."""
    assert compiled(pattern)[0].pattern == pattern


@pytest.mark.parametrize("pattern", UNSAFE)
def test_patterns_that_may_not_end_are_refused(pattern: str) -> None:
    """A pattern whose time can explode, or that is none, is an error when it is compiled."""
    with pytest.raises(PatternError):
        compiled(pattern)


@pytest.mark.parametrize("pattern", [".*.*", "a.*b.*", r"\s+$", ".*a", r"\w+\W+$", "[ab]*[ba]*c"])
@pytest.mark.parametrize("text", ["ab" * 50_000, "a" * 100_000, " " * 100_000 + "x", "a " * 50_000])
def test_a_hostile_text_does_not_stop_the_bridge(pattern: str, text: str) -> None:
    """The worst that a taken pattern does to a long text stays far below a second."""
    began = time.perf_counter()
    found(text, pattern + "never")
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    "pattern", [r"\d{0,9}" * 4, r"\d+" + r"\d?" * 6, r"\d+" + r"\d{0,9}" * 3, r"\d+\d+" + r"\d?" * 6]
)
def test_small_repeats_do_not_stop_the_bridge(pattern: str) -> None:
    """A pattern at the edge of what is taken is done with a text that fits it almost, within seconds at the worst."""
    began = time.process_time()
    assert not found("1" * 10_000, pattern + "never")
    assert time.process_time() - began < 5


def test_only_the_beginning_is_seen() -> None:
    """What lies behind the bound is not searched."""
    assert found("x" * (LOOKED_AT - 1) + "y", "y")
    assert not found("x" * LOOKED_AT + "y", "y")
    assert matches("xy", "x")
    assert not matches("yx", "x")


@given(st.text(alphabet="ab(){}|*+?.[]^\\d1,", max_size=20), st.text(alphabet="ab1", max_size=60))
@settings(max_examples=300, deadline=400)
def test_any_pattern_is_taken_or_refused(pattern: str, text: str) -> None:
    """Whatever is written as a pattern ends in time: as a match, as none, or as PatternError."""
    try:
        result = found(text, pattern)
    except (PatternError, FutureWarning):
        return
    assert result in {True, False}
