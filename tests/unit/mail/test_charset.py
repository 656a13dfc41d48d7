"""Character sets."""

import pytest

from bridge.intake.mail.charset import _CODECS, codec_of, decode, guess


@pytest.mark.parametrize("codec", sorted(set(_CODECS.values())))
def test_every_codec_of_the_table_decodes_anything(codec: str) -> None:
    """Whatever the bytes, a codec of the table gives text."""
    data = bytes(range(256)) * 3
    assert isinstance(decode(data, codec), str)
    assert isinstance(data.decode(codec, "replace"), str)


@pytest.mark.parametrize(
    "name", ["", "x-unknown", "rot13", "idna", "punycode", "unicode_escape", "undefined", "u" * 1000, "\0"]
)
def test_unknown_names_have_no_codec(name: str) -> None:
    """Names that nobody knows, and codecs that are no character sets, are not looked up."""
    assert codec_of(name) is None


@pytest.mark.parametrize("name", ["UTF-8", "utf8", "UTF_8", " utf-8 ", "unicode-1-1-utf-8"])
def test_spellings_do_not_matter(name: str) -> None:
    """Case, hyphens and spaces are no part of a name."""
    assert codec_of(name) == "utf_8"


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        (b"abc", "koi8-r", "abc"),
        ("ü".encode(), "koi8-r", "ü"),
        ("Привет".encode("koi8-r"), "koi8-r", "Привет"),
        (b"M\xfcller", "", "Müller"),
        (b"M\xfcller", "utf-8", "Müller"),
        ("Grüße aus Köl".encode() + b"\xc3", "utf-8", "Grüße aus Köl\ufffd"),
        (b"abc\xc3", "utf-8", "abc\ufffd"),
        (b"\x81", "", "\ufffd"),
    ],
)
def test_guessing(data: bytes, declared: str, expected: str) -> None:
    """UTF-8 where it is that, else what is declared, else windows-1252; damaged UTF-8 keeps its sound characters."""
    assert guess(data, declared) == expected
