"""Clean text."""

import pytest

from bridge.intake.mail.clean import many_lines, one_line
from bridge.intake.mail.repairs import Repairs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain  text", "plain  text"),
        (" a\nb\r\n\tc\x00d ", "a b c d"),
        ("a\x7f\x85\x9f\u2028\u2029b", "a b"),
        ("a\ud800b", "a b"),
        ("a\u202eb\u200d", "a\u202eb\u200d"),
        ("\x00", ""),
    ],
)
def test_one_line(value: str, expected: str) -> None:
    """No control character and no lone surrogate comes through; other characters stay."""
    assert one_line(value) == expected


def test_the_bound_leaves_no_space_at_the_end() -> None:
    """A cut at a space ends before it."""
    assert one_line("ab cd", 3) == "ab"
    assert many_lines("ab\n\ncd", 4) == "ab"


def test_a_note_stands_once() -> None:
    """The same repair, made a thousand times, is one note."""
    repairs = Repairs()
    for _ in range(3):
        repairs.left_out("a thing")
    assert repairs.notes == ["a thing"]
    assert repairs.degraded
