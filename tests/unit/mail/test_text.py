"""Body parts to text."""

import base64
import quopri

import pytest

from bridge.intake.mail.text import MAX_TEXT, extract_text


def text_of(
    part: bytes, content_type: str = "text/plain", charset: str = "utf-8", encoding: str = "8bit"
) -> str:
    return extract_text(part, content_type=content_type, charset=charset, encoding=encoding)


def test_encodings_and_charsets() -> None:
    """The transfer encoding is taken off, and the character set is the one that is named."""
    assert text_of("Grüße".encode()) == "Grüße"
    assert (
        text_of(base64.encodebytes("Grüße".encode("latin-1")), charset="iso-8859-1", encoding="BASE64")
        == "Grüße"
    )
    assert text_of(quopri.encodestring("Grüße".encode()), encoding=" Quoted-Printable") == "Grüße"
    assert text_of("Grüße".encode("cp1252"), charset="") == "Grüße"
    assert text_of(b"x", encoding="x-nonsense") == "x"


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_part_that_is_cut_at_its_end(cut: int) -> None:
    """A partial fetch ends anywhere: what is whole before the end is kept."""
    whole = base64.b64encode("0123456789 Grüße".encode())
    assert text_of(whole[:-cut], encoding="base64").startswith("012345678")
    assert text_of(b"0123456789=C3=BC=C3=BC"[:-cut], encoding="quoted-printable").startswith("0123456789")
    assert text_of(b"<p>0123456789</p><div class='"[:-cut], content_type="text/html").startswith("0123456789")


def test_clean_lines() -> None:
    """Line ends become LF, control characters go, tabs stay, many empty lines become one."""
    assert text_of(b"a\r\nb\rc\r\r\nd\x00e\x1bf\tg  \n\n\n\nh\n") == "a\nb\nc\nd e f\tg\n\nh"


def test_lone_surrogates_do_not_come_through() -> None:
    """UTF-7 can spell a lone surrogate; the text must be storable as UTF-8."""
    text_of(b"+2AA-x", charset="utf-7").encode()


def test_the_text_is_bounded() -> None:
    """A text of any size is at most MAX_TEXT characters."""
    assert len(text_of(b"ab " * 1_000_000)) <= MAX_TEXT
    assert len(text_of(b"<p>ab</p> " * 1_000_000, content_type="text/html")) <= MAX_TEXT


def test_html_names_its_own_charset() -> None:
    """Without a charset parameter the page's meta element counts."""
    page = '<html><meta http-equiv=x content="text/html; charset=koi8-r"><p>Привет'.encode("koi8-r")
    assert text_of(page, content_type="text/html; x=y", charset="") == "Привет"
