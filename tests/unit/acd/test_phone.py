import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.phone import e164


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+4930123456", "4930123456"),
        ("+49 (0)30 123456", "4930123456"),
        ("+49 (0) 30 / 12 34-56", "4930123456"),
        ("0049 30 123456", "4930123456"),
        (" +49\u00a030\u00a0123456 ", "4930123456"),
        ("4930123456", "4930123456"),
        ("+1 (212) 555-0123", "12125550123"),
        ("+39 06 1234 5678", "390612345678"),
        ("030 123456", None),
        ("2125550123", None),
        ("+49", None),
        ("+999 123456", None),
        ("", None),
        ("+", None),
        ("anonymous", None),
        ("+1 800 FLOWERS", None),
        ("customer@example.org", None),
        ("tel:+4930123456", None),
        ("+4930123456;ext=5", None),
        ("+4930123456 ext. 5", None),
        ("+49\u0663\u0660123456", None),
        ("+" + "1" * 200, None),
        ("++4930123456", None),
    ],
)
def test_numbers_become_e164_only_where_their_country_is_certain(text: str, number: str | None) -> None:
    """International forms are normalised; national, made-up and hostile ones are none."""
    assert e164(text) == number
    assert e164(text, plus=True) == (None if number is None else f"+{number}")


@given(st.text(alphabet="+0123456789 ()/.-x;", max_size=70))
def test_any_text_is_a_number_or_none(text: str) -> None:
    """Nothing raises, and what comes out is E.164 (at most 15 digits) and stays as it is."""
    number = e164(text, plus=True)
    if number is not None:
        assert number[0] == "+"
        assert number[1:].isdigit()
        assert len(number) <= 18
        assert e164(number, plus=True) == number
