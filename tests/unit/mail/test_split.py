"""The header block and its fields."""

import pytest

from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import (
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    MAX_LINES,
    MAX_VALUE,
    split_fields,
    split_message,
)


def fields_of(header: bytes) -> dict[str, list[str]]:
    return split_fields(header, Repairs())


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_every_line_end_ends_a_line(end: bytes) -> None:
    """Fields and folds are the same with CRLF, LF, CR, and with the CR doubled by a careless copy."""
    header = end.join([b"From: a@b.c", b"Subject: one", b" two", b"", b"Body: x"])
    assert fields_of(header) == {"from": ["a@b.c"], "subject": ["one\ntwo"]}


def test_a_bare_return_inside_a_value_begins_no_field() -> None:
    """Where lines end with LF, a lone CR is part of the value: it must not smuggle in a second From."""
    found = fields_of(b"Subject: hello\rFrom: evil@example.org\r\nFrom: good@example.org\r\n")
    assert found["from"] == ["good@example.org"]


@pytest.mark.parametrize(
    "junk", [b"From anna@b.c Mon Nov 23 08:00:00 2026", b">From x", b"HTTP/1.1 200 OK", b"\xff\xfe"]
)
def test_junk_before_the_first_field_is_skipped(junk: bytes) -> None:
    """An mbox line, a status line or noise before the first field costs nothing but a note."""
    repairs = Repairs()
    assert split_fields(junk + b"\r\nSubject: x\r\n\r\n", repairs) == {"subject": ["x"]}
    assert repairs.notes == ["the header did not begin with a field"]
    assert not repairs.degraded


def test_empty_lines_and_a_byte_order_mark_before_the_header() -> None:
    """What stands before the first field does not end the header."""
    assert fields_of(b"\xef\xbb\xbfSubject: x\r\n") == {"subject": ["x"]}
    assert fields_of(b"\r\n\r\nSubject: x\r\n") == {"subject": ["x"]}


def test_a_fold_without_its_indent_is_joined() -> None:
    """A line that is no field belongs to the field before it when another field follows."""
    repairs = Repairs()
    found = split_fields(b"Subject: one\ntwo three\n four\nTo: a@b.c\n\n", repairs)
    assert found == {"subject": ["one\ntwo three\nfour"], "to": ["a@b.c"]}
    assert repairs.notes == ["a folded header line had lost its indent"]


def test_a_missing_empty_line_does_not_pull_the_body_into_the_subject() -> None:
    """Lines that are no fields, with no field after them, are the body."""
    repairs = Repairs()
    assert split_fields(b"Subject: one\nDear all,\n\nText: x\n", repairs) == {"subject": ["one"]}
    assert repairs.notes == ["the empty line after the header was missing"]


def test_space_before_the_colon() -> None:
    """`Subject : x` is the subject (RFC 5322 section 4.5, obsolete syntax)."""
    assert fields_of(b"Subject \t: x\n") == {"subject": ["x"]}


def test_all_values_of_a_name_are_kept_in_their_order() -> None:
    """Names do not differ by case; each value of a name stays."""
    assert fields_of(b"FROM: one\nfrom: two\n") == {"from": ["one", "two"]}


@pytest.mark.parametrize(
    ("raw", "declared", "expected"),
    [
        ("Müller".encode(), b"iso-8859-1", "Müller"),
        ("Müller".encode("latin-1"), b"", "Müller"),
        ("Привет".encode("koi8-r"), b"koi8-r", "Привет"),
        ("請求".encode("gb18030"), b'"GB2312"', "請求"),
        ("請求書".encode("iso-2022-jp"), b"", "請求書"),
        (b"caf\xc3", b"", "cafÃ"),
    ],
)
def test_raw_bytes(raw: bytes, declared: bytes, expected: str) -> None:
    """Raw bytes are UTF-8 where they can be, else what the mail declares, else windows-1252."""
    found = fields_of(b"Subject: " + raw + b"\nContent-Type: text/plain; charset=" + declared + b"\n")
    assert found["subject"] == [expected]


def test_essential_fields_are_found_after_too_many_others() -> None:
    """A flood of fields is bounded, noted, and cannot hide From and Subject."""
    repairs = Repairs()
    header = (
        b"".join(b"X-%d: y\n" % number for number in range(MAX_FIELDS + 50)) + b"From: a@b.c\nX-Last: z\n"
    )
    found = split_fields(header, repairs)
    assert len(found) == MAX_FIELDS + 1
    assert found["from"] == ["a@b.c"]
    assert repairs.degraded
    assert len(repairs.notes) == 1


def test_a_long_value_is_cut_between_addresses() -> None:
    """No half address is left where a field is too long."""
    repairs = Repairs()
    [value] = split_fields(b"To: " + b",".join([b"someone@example.org"] * 20_000), repairs)["to"]
    assert len(value) <= MAX_VALUE
    assert value.endswith("someone@example.org")
    assert repairs.degraded


def test_a_long_header_is_cut_at_a_line() -> None:
    """No half line is left where the whole header is too long."""
    repairs = Repairs()
    found = split_fields(b"X: " + b"y" * MAX_HEADER_BYTES + b"\nFrom: a@b.c\n", repairs)
    assert list(found) == ["x"]
    found = split_fields(b"From: a@b.c\nX: " + b"y" * MAX_HEADER_BYTES, repairs)
    assert found == {"from": ["a@b.c"]}
    assert repairs.degraded


def test_too_many_lines_are_noted() -> None:
    """A header of nothing but folds is bounded."""
    repairs = Repairs()
    split_fields(b"X: y" + b"\n z" * (MAX_LINES + 1), repairs)
    assert repairs.degraded


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A: b\r\n\r\nbody", (b"A: b\r\n", b"body")),
        (b"A: b\n\nbody", (b"A: b\n", b"body")),
        (b"A: b\r\rbody", (b"A: b\r", b"body")),
        (b"A: b\n", (b"A: b\n", b"")),
        (b"\r\n\r\nA: b\r\n\r\nbody", (b"\r\n\r\nA: b\r\n", b"body")),
        (b"A: b\nDear all\n\nbody", (b"A: b\n", b"Dear all\n\nbody")),
        (b"A: b\nDear all", (b"A: b\n", b"Dear all")),
        (b"A: b\nlost\nB: c\n\nbody", (b"A: b\nlost\nB: c\n", b"body")),
        (b"", (b"", b"")),
    ],
)
def test_split_message(raw: bytes, expected: tuple[bytes, bytes]) -> None:
    """The body begins after the first empty line that follows a field, or where fields end without one."""
    assert split_message(raw) == expected
