"""ISO-2022-JP as Windows writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.mail.charset import decode
from bridge.intake.mail.iso2022_jp import decode_windows


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b$B'('%\x1b(B \x1b$B-b\x1b(B41", "ЖД №41"),
        (b"\x1b$B-!\x1b(B", "①"),
        (b"\x1b$BF|K\\8l\x1b(B", "日本語"),
        (b"\x1b(I6E\x1b(B \x1b$B-b\x1b(B", "ｶﾅ №"),
        (b"plain", "plain"),
        (b"\x1b$B-", "\ufffd"),
    ],
)
def test_signs(data: bytes, expected: str) -> None:
    """The vendor's signs are read beside the standard's; half a sign is U+FFFD."""
    assert decode(data, "iso-2022-jp") == expected


@given(st.text("日本語あいうカナ漢字ＡＢ、。", max_size=40))
def test_it_reads_what_the_standard_has(text: str) -> None:
    """For signs of the standard it says what Python's own codec says."""
    data = text.encode("iso2022_jp")
    assert decode_windows(data) == data.decode("iso2022_jp_ext") == text


@given(st.binary(max_size=60))
def test_it_never_raises(data: bytes) -> None:
    """Whatever the bytes are, there is a text."""
    assert isinstance(decode(b"\x1b$B" + data, "iso-2022-jp"), str)
