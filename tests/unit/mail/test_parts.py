"""The text part of a whole mail."""

import time

import pytest

from bridge.intake.mail.parts import text_part
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import split_fields, split_message


def part_of(raw: bytes) -> tuple[bytes, str] | None:
    header, body = split_message(raw)
    found = text_part(split_fields(header, Repairs()), body)
    return (found.data.strip(), found.content_type) if found else None


ALTERNATIVE = b"""Content-Type: multipart/alternative; boundary="x"

preamble
--x
Content-Type: text/html

<p>html
--x
Content-Type: text/plain; charset=utf-8

plain
--x--
epilogue
"""


def test_plain_before_html() -> None:
    """Where both are there the plain text is taken, whichever comes first."""
    assert part_of(ALTERNATIVE) == (b"plain", "text/plain")
    assert part_of(ALTERNATIVE.replace(b"plain\n", b"\n")) == (b"<p>html", "text/html")


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends(end: bytes) -> None:
    """Delimiters are found with every line end."""
    assert part_of(ALTERNATIVE.replace(b"\n", end)) == (b"plain", "text/plain")


def test_nested_and_attached() -> None:
    """A text in an inner multipart is found; an attached text is none of the mail's own."""
    inner = ALTERNATIVE.replace(b'"x"', b'"y"').replace(b"--x", b"--y")
    outer = (
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n"
        b"Content-Disposition: attachment; filename=a.txt\n\nattached\n--x\n" + inner + b"\n--x--"
    )
    assert part_of(outer) == (b"plain", "text/plain")


def test_a_mail_of_one_part() -> None:
    """Without a Content-Type the body is plain text (RFC 2045 section 5.2)."""
    assert part_of(b"Subject: x\n\nbody") == (b"body", "text/plain")
    assert part_of(b"Content-Type: image/png\n\nbody") is None
    assert part_of(b"Content-Type: multipart/mixed\n\nbody") is None


def test_a_part_without_header_and_a_missing_end() -> None:
    """A part that begins with its empty line is plain text; a last delimiter may be missing."""
    assert part_of(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nText: is this\n") == (
        b"Text: is this",
        "text/plain",
    )


def test_depth_and_number_are_bounded() -> None:
    """A thousand nested multiparts, and a million delimiters, end soon and without a text."""
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1000))
    begin = time.process_time()
    assert part_of(nested + b"\ntext") is None
    part_of(b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * 1_000_000)
    assert time.process_time() - begin < 2
