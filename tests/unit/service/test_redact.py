"""Whatever is logged, the line is harmless."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.service.redact import (
    MAX_CHARACTERS,
    MAX_ENTRIES,
    MAX_TRACE_CHARACTERS,
    REDACTED,
    clean_text,
    looks_secret,
    redact,
)


def cleaned(**fields: Any) -> dict[str, Any]:
    return dict(redact(None, "info", {"event": "x", **fields}))


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "imap_password",
        "passphrase",
        "token",
        "AcdToken",
        "secret",
        "client_secret",
        "Authorization",
        "authorisation",
        "cookie",
        "Set-Cookie",
        "api_key",
        "apikey",
        "private_key",
        "signature",
        "pwd",
        "credential",
    ],
)
def test_secret_fields_are_masked(key: str) -> None:
    """A field whose name looks like a secret never shows its value."""
    assert looks_secret(key)
    assert cleaned(**{key: "hunter2"})[key] == REDACTED


@pytest.mark.parametrize("key", ["passed", "source", "folder", "error", "hint", "reason", "key", "delivery"])
def test_plain_fields_are_kept(key: str) -> None:
    """Fields of the daily log are not masked by accident."""
    assert cleaned(**{key: "value"})[key] == "value"


def test_secrets_are_masked_inside_of_tables_and_lists() -> None:
    """A secret does not show itself one level deeper."""
    line = cleaned(account={"user": "u", "password": "hunter2"}, all=[{"token": "hunter2"}])
    assert line["account"] == {"user": "u", "password": REDACTED}
    assert line["all"] == [{"token": REDACTED}]


def test_counts_under_a_secret_name_are_kept() -> None:
    """A number is no secret: `tokens=3` says how many there are."""
    assert cleaned(tokens=3, token=None) == {"event": "x", "tokens": 3, "token": None}


def test_containers_under_a_secret_name_are_masked() -> None:
    """A list of secrets is masked as a whole."""
    assert cleaned(secrets=["a", "b"])["secrets"] == REDACTED
    assert cleaned(token=b"abc")["token"] == REDACTED


def test_long_text_is_cut_and_says_so() -> None:
    """A long value is cut, and its true length is told."""
    value = cleaned(detail="a" * 100_000)["detail"]
    assert len(value) < MAX_CHARACTERS + 40
    assert value.endswith("... (100000 characters)")


def test_bytes_are_counted_not_shown() -> None:
    """Raw bytes may be a mail; only their number is logged."""
    assert cleaned(raw=b"Subject: private")["raw"] == "<16 bytes>"


def test_collections_are_bounded_in_number_and_depth() -> None:
    """Neither many entries nor deep ones make a long line."""
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    line = cleaned(many=list(range(10_000)), deep=deep, table={str(n): n for n in range(10_000)})
    assert len(line["many"]) == MAX_ENTRIES
    assert len(line["table"]) == MAX_ENTRIES
    assert isinstance(line["deep"][0][0][0], str)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("Grüße 漢字 🙂", "Grüße 漢字 🙂"),
    ],
)
def test_control_characters_become_visible(hostile: str, shown: str) -> None:
    """No character steers a terminal or breaks the line; letters of all scripts stay."""
    assert clean_text(hostile) == shown


def test_a_value_that_cannot_be_shown_does_not_break_the_line() -> None:
    """An object whose str() fails is named by its type."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert cleaned(thing=Broken())["thing"] == "<Broken: RuntimeError>"


def test_a_trace_keeps_its_lines_and_has_an_end() -> None:
    """Only the exception's text may have lines; these are cleaned one by one, and bounded."""
    line = cleaned(exception="one\n\x1btwo\n" + "x\n" * 100_000)
    assert line["exception"].startswith("one\n\\x1btwo\n")
    assert len(line["exception"]) <= 2 * MAX_TRACE_CHARACTERS


def test_huge_numbers_are_text() -> None:
    """A number that JSON readers do not know does not break the line."""
    assert cleaned(n=2**64)["n"] == str(2**64)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(ANYTHING)
def test_anything_becomes_plain_json_of_printable_characters(value: Any) -> None:
    """Whatever value is logged, it can be written as JSON, and no character in it is a control character."""
    text = orjson.dumps(cleaned(value=value)).decode()
    assert all(sign.isprintable() for sign in text)
