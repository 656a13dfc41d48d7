"""Address lists."""

import time

import pytest

from bridge.intake.mail.address import MAX_ADDRESSES, Address, first_address, read_addresses, usable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.c", [("a@b.c", "")]),
        ("Anna <a@b.c>", [("a@b.c", "Anna")]),
        ('"Müller, Anna" <a@b.c>', [("a@b.c", "Müller, Anna")]),
        ('"a \\"b\\" c" <a@b.c>', [("a@b.c", 'a "b" c')]),
        ("a@b.c, d@e.f", [("a@b.c", ""), ("d@e.f", "")]),
        ("a@b.c; d@e.f", [("a@b.c", ""), ("d@e.f", "")]),
        ("a@b.c,\n d@e.f,,", [("a@b.c", ""), ("d@e.f", "")]),
        ("a@b.c (Anna)", [("a@b.c", "Anna")]),
        ("Anna (the (very) boss) <a@b.c>", [("a@b.c", "Anna")]),
        ("a(x)@b.c(y)", [("a@b.c", "x y")]),
        ("other@x.y <a@b.c>", [("a@b.c", "other@x.y")]),
        ("<> a@b.c", [("a@b.c", "")]),
        ('"Anna" a@b.c', [("a@b.c", "Anna")]),
        ("Anna <@x.y,@z.w:a@b.c>", [("a@b.c", "Anna")]),
        ("<a@b.c.>", [("a@b.c", "")]),
        ("<mailto:a@b.c?subject=x>", [("a@b.c", "")]),
        ("mailto:a@b.c", [("a@b.c", "")]),
        ("Anna <a@b.c", [("a@b.c", "Anna")]),
        ("Anna <a@b.c, d@e.f", [("a@b.c", "Anna"), ("d@e.f", "")]),
        ("Anna a@b.c>", [("a@b.c", "Anna")]),
        ("'a@b.c'", [("a@b.c", "")]),
        ("Friends: a@b.c, Dora <d@e.f>; g@h.i", [("a@b.c", ""), ("d@e.f", "Dora"), ("g@h.i", "")]),
        ("undisclosed-recipients:;", []),
        ("a @ b . c", [("a@b.c", "")]),
        ("a@b.c. d@e.f", [("a@b.c", "d@e.f")]),
        ('"a b"@c.d', [('"a b"@c.d', "")]),
        ("Jörg <jörg@bücher.example>", [("jörg@bücher.example", "Jörg")]),
        ("=?utf-8?q?M=C3=BCller=2C_Anna?= <a@b.c>", [("a@b.c", "Müller, Anna")]),
        ("=?utf-8?q?Müller, Anna (x)?= <a@b.c>", [("a@b.c", "Müller, Anna (x)")]),
        ('"=?utf-8?q?M=C3=BCller?=" <a@b.c>', [("a@b.c", "Müller")]),
        ('"x" =?utf-8?q?y?= z <a@b.c>', [("a@b.c", "x y z")]),
        ("Anna <=?utf-8?q?a=40b=2Ec?=>", [("a@b.c", "Anna")]),
        ('"unclosed <a@b.c>', [("a@b.c", "unclosed")]),
        ("(unclosed <a@b.c>", [("a@b.c", "unclosed")]),
        ("Anna\x00\x1b <a@b.c>", [("a@b.c", "Anna")]),
        ("a\x01@b.c", [("a@b.c", "")]),
        ("x" * 400 + "@b.c, d@e.f", [("d@e.f", "")]),
        ("nobody", []),
        ("<nobody>", []),
        ("@", []),
        ("", []),
        (" , ;", []),
    ],
)
def test_lists(value: str, expected: list[tuple[str, str]]) -> None:
    """Every form found in the wild gives its addresses and names, and nothing gives an exception."""
    assert read_addresses(value) == ([Address(*one) for one in expected], False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?q?Anna_=3Ca=40b=2Ec=3E?=", Address("a@b.c", "Anna")),
        ("Anna [a@b.c]", Address("a@b.c", "Anna")),
        ("Anna|a@b.c@d", Address("Anna|a@b.c", "")),
        ("MAILER-DAEMON", None),
        ("", None),
    ],
)
def test_a_single_address_is_looked_for_harder(value: str, expected: Address | None) -> None:
    """A sender's field that is no list of addresses is searched for one anywhere in it."""
    assert first_address(value) == expected


@pytest.mark.parametrize("text", ["a b@c", "a@b@c", "a@", "@b", "a@b c>", "x" * 400 + "@b.c", "a@b,c", "a@."])
def test_what_is_no_address_is_not_usable(text: str) -> None:
    """White space is taken out; a second @, an empty side and too long ones are refused."""
    assert usable(text) in {"", "ab@c"}


def test_at_most_a_thousand_are_kept() -> None:
    """A list of 20,000 is read in bounded time, and says that some were left out."""
    value = ", ".join(f'"User {number}" <user{number}@example.org>' for number in range(20_000))
    begin = time.process_time()
    found, more = read_addresses(value)
    assert time.process_time() - begin < 0.15
    assert len(found) == MAX_ADDRESSES
    assert more


def test_exactly_the_limit_leaves_nothing_out() -> None:
    """The limit itself is no loss."""
    assert read_addresses("a@b.c, d@e.f", 2)[1] is False
    assert read_addresses("a@b.c, d@e.f", 1) == ([Address("a@b.c")], True)


@pytest.mark.parametrize(
    "piece",
    [
        '"',
        '\\"',
        '"\\',
        "<",
        "(",
        "()",
        "(\\",
        ",",
        ",,x(",
        " ",
        " (",
        "<a",
        "a@",
        "@",
        "a@b ",
        ":",
        '"a(',
        '<">',
        "'",
    ],
)
def test_hostile_lists_take_linear_time(piece: str) -> None:
    """64 Ki characters of any one oddity, repeated, are read within two seconds."""
    value = "x " + piece * (64 * 1024 // len(piece))
    begin = time.process_time()
    first_address(value)
    assert time.process_time() - begin < 2
