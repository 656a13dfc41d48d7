"""Content-Type and its parameters."""

import time

import pytest

from bridge.intake.mail.content_type import split_parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Text/Plain", ("text/plain", {})),
        ("text/plain; charset=UTF-8", ("text/plain", {"charset": "UTF-8"})),
        ('text/plain ; CharSet = "utf-8"; x=y', ("text/plain", {"charset": "utf-8", "x": "y"})),
        ('multipart/mixed; boundary="a;\\"b"', ("multipart/mixed", {"boundary": 'a;"b'})),
        ("a/b; n*=utf-8'de'M%C3%BCller", ("a/b", {"n": "Müller"})),
        ("a/b; n*0=one; n*1=two", ("a/b", {"n": "onetwo"})),
        ("a/b; n*0*=utf-8''M%C3; n*1*=x", ("a/b", {"n": "M\ufffdx"})),
        ("text/plain; n*=\x00''a", ("text/plain", {"n": "a"})),
        ("text/plain; name*", ("text/plain", {})),
        ("a/b; c=1; c=2", ("a/b", {"c": "1"})),
        ("", ("", {})),
        (";;;=;", ("", {})),
    ],
)
def test_values_and_parameters(value: str, expected: tuple[str, dict[str, str]]) -> None:
    """RFC 2045 and RFC 2231, and what cannot be read as either, never raise."""
    assert split_parameters(value) == expected


@pytest.mark.parametrize("piece", [';a="', ';a="\\"', ";a*0=", ";", " ", "=", ";a=b", '"', "%", "'"])
def test_hostile_values_take_linear_time(piece: str) -> None:
    """64 Ki characters of parameters are read within two seconds."""
    begin = time.process_time()
    split_parameters("a/b" + piece * (64 * 1024 // len(piece)))
    assert time.process_time() - begin < 2
