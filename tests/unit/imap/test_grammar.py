"""Values of IMAP responses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.grammar import MAX_DEPTH, GrammarError, Value, number, parse_values, quoted

ATOMS = st.from_regex(rb"[A-Za-z0-9$\\+./_-]{1,12}(\[[A-Z0-9. ()]{0,12}\])?(<0>)?", fullmatch=True).filter(
    lambda atom: atom.upper() != b"NIL"
)
PLAIN = st.binary(max_size=20).map(lambda data: data.translate(None, b"\0\r\n"))


def write(value: Value, style: st.DataObject) -> list[bytes]:
    """A value as a server may write it: parts of lines and literals."""
    if value is None:
        return [style.draw(st.sampled_from([b"NIL", b"nil"]))]
    if isinstance(value, list):
        parts = [b"("]
        for index, item in enumerate(value):
            first, *rest = write(item, style)
            parts[-1] += (b" " if index else b"") + first
            parts += rest
        parts[-1] += b")"
        return parts
    if not any(sign in value for sign in b"\0\r\n") and style.draw(st.booleans()):
        return [b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"']
    return [b"{%d}" % len(value), value, b""]


VALUES = st.recursive(
    st.none() | st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=15
)


@given(st.lists(VALUES, max_size=4), st.data())
def test_round_trip(values: list[Value], style: st.DataObject) -> None:
    """Whatever form a server writes values in, they are read back as they were."""
    parts = write(values, style)
    assert parse_values(parts) == [values]


@given(st.lists(ATOMS, min_size=1, max_size=5))
def test_atoms_stay_as_they_are(atoms: list[bytes]) -> None:
    """Atoms, flags and sections with brackets are one value each."""
    assert parse_values([b" ".join(atoms)]) == atoms


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5), st.integers(0, 10))
def test_raises_nothing_but_its_own_error(parts: list[bytes], start: int) -> None:
    """Any bytes whatsoever give values or GrammarError."""
    with suppress(GrammarError):
        assert isinstance(parse_values(parts, start), list)


@pytest.mark.parametrize(
    "line",
    [
        b"(",
        b")",
        b"(()",
        b'"open',
        b'"a\\b"',
        b"{3}",
        b"a{3}b",
        b"[open",
        b"a\x00b",
        b'"a\x00"',
        b"{99999999999999999999}",
    ],
)
def test_broken(line: bytes) -> None:
    """What the grammar does not allow is refused, not guessed at."""
    with pytest.raises(GrammarError):
        parse_values([line])


def test_parentheses_in_strings_are_text() -> None:
    """A lone parenthesis in a subject or file name is no structure."""
    assert parse_values([b'("a (b" {2}', b"((", b" c)"]) == [[b"a (b", b"((", b"c"]]


def test_nil_and_its_text() -> None:
    """NIL is nothing; the string "NIL" is a string."""
    assert parse_values([b'NIL nil "NIL"']) == [None, None, b"NIL"]


def test_depth_is_bounded() -> None:
    """Lists within lists end at the bound, without recursion."""
    deep = b"(" * MAX_DEPTH + b")" * MAX_DEPTH
    assert parse_values([deep])
    with pytest.raises(GrammarError):
        parse_values([b"(" + deep + b")"])


@pytest.mark.parametrize("value", [None, [], b"", b"-1", b"1a", b"4294967296", b"9" * 30, "²".encode()])
def test_number_refuses(value: Value) -> None:
    """What is no number of 32 bits is refused."""
    with pytest.raises(GrammarError):
        number(value)


def test_number_takes() -> None:
    """Numbers up to their bound are taken."""
    assert number(b"4294967295") == 2**32 - 1
    assert number(b"9223372036854775807", 2**63 - 1) == 2**63 - 1


@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"])))
def test_quoted_is_read_back(text: str) -> None:
    """What is quoted is one string, the same."""
    assert parse_values([quoted(text).encode()]) == [text.encode()]


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "a\0b"])
def test_quoted_refuses_what_ends_a_line(text: str) -> None:
    """A name cannot smuggle in a second command."""
    with pytest.raises(ValueError, match="quoted"):
        quoted(text)
