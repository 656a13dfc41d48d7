"""Encoded words."""

import base64

import pytest

from bridge.intake.mail.encoded_word import decode_words


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?M=C3=BCller?=", "Müller"),
        ("=?UTF-8?Q?a_b?= c", "a b c"),
        ("x =?utf-8?q?a?= =?utf-8?q?b?= y", "x ab y"),
        ("=?utf-8?q?a?=\n=?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?b=FC?=", "abü"),
        ("[x]=?utf-8?q?a?=b", "[x]ab"),
        ("=?iso-8859-1?q?with raw spaces?=", "with raw spaces"),
        ("=?utf-8?q?folded\n_inside?=", "folded inside"),
        ("=?utf-8*de?q?M=C3=BCller?=", "Müller"),
        ("=?utf-8?q??=x", "x"),
    ],
)
def test_words_and_the_text_between_them(value: str, expected: str) -> None:
    """RFC 2047 section 6.2: space between two words is no text; space between a word and text is."""
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    "value", ["=?", "=?utf-8", "=?utf-8?q", "=?utf-8?q?abc", "=?utf-8?x?abc?=", "a =? b ?= c"]
)
def test_what_is_no_encoded_word_stays(value: str) -> None:
    """Text that only looks like the beginning of a word is shown as it is."""
    assert decode_words(value) == value


def test_a_character_split_between_words() -> None:
    """Words of one character set are joined as bytes: a split character is whole again, in Q and in B."""
    assert decode_words("=?utf-8?q?M=C3?= =?UTF-8?q?=BCller?=") == "Müller"
    data = "日本語".encode()
    assert decode_words(f"=?utf-8?b?{b64(data[:4])}?= =?utf-8?b?{b64(data[4:])}?=") == "日本語"
    assert decode_words(f"=?utf-8?q?=E6=97?= =?utf-8?b?{b64(data[2:])}?=") == "日本語"


def test_base64_split_anywhere() -> None:
    """Base64 that was cut without regard to its groups of four is joined before it is decoded."""
    whole = b64("Grüße aus Köln".encode())
    assert decode_words(f"=?utf-8?b?{whole[:7]}?=\n=?utf-8?b?{whole[7:]}?=") == "Grüße aus Köln"


@pytest.mark.parametrize(
    "text", ["R3LDvMOfZQ==", "R3LDvMOfZQ", "R3LDvMOfZQ=", "R3LDvM\nOfZQ==", "R3LD vMOfZQ==", "R3LDvMOfZQ==="]
)
def test_base64_with_bad_padding(text: str) -> None:
    """Padding that is missing, short or doubled, and foreign signs, do not hurt."""
    assert decode_words(f"=?utf-8?b?{text}?=") == "Grüße"


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("gb2312", "gb18030", "朱镕基"),
        ("GBK", "gb18030", "請求"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("shift_jis", "cp932", "①髙"),
        ("iso-2022-jp", "iso2022_jp", "請求書"),
        ("euc-jp", "euc_jp", "請求書"),
        ("big5", "cp950", "請求"),
        ("windows-1255", "cp1255", "שלום"),
        ("iso-8859-8-i", "iso8859_8", "שלום"),
        ("koi8-r", "koi8_r", "Привет"),
        ("windows-1251", "cp1251", "Привет"),
        ("iso-8859-1", "cp1252", "„5 €“"),
        ("us-ascii", "utf-8", "Müller"),
        ("utf-7", "utf-7", "Frösche"),
        ("unicode-1-1-utf-7", "utf-7", "Frösche"),
        ("utf8", "utf-8", "Müller"),
        ("x-unknown", "utf-8", "Müller"),
        ("x-unknown", "cp1252", "Müller"),
        ("utf-8", "cp1252", "Müller"),
    ],
)
def test_charsets_as_they_are_meant(charset: str, codec: str, text: str) -> None:
    """Misnamed, narrow and unknown character sets are read as what mailers put into them."""
    assert decode_words(f"=?{charset}?b?{b64(text.encode(codec))}?=") == text


@pytest.mark.parametrize(
    "charset", ["rot13", "zlib", "base64", "unicode_escape", "idna", "punycode", "undefined", "os", "x" * 80]
)
def test_codecs_that_are_no_charsets_are_not_used(charset: str) -> None:
    """A mail cannot choose a codec of Python that is no character set."""
    assert decode_words(f"=?{charset}?q?=5Cx41?=") == "\\x41"


def test_a_word_that_lost_its_end_is_ended_by_the_next() -> None:
    """One truncated word does not swallow the word after it."""
    assert decode_words("=?utf-8?q?one_ =?utf-8?q?=C3=BC?=") == "one  ü"


def test_a_bare_question_mark_inside_a_q_word() -> None:
    """`?=20` (a question mark and a space) in the middle of a word is no end when the word goes on."""
    assert decode_words("=?utf-8?Q?Was?=20ist=20los=3F?=") == "Was? ist los?"
