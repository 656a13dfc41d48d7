"""The depth of JSON that comes in parts."""

import time
from collections.abc import Iterator

import pytest

from bridge.acd.nesting import MAX_DEPTH, Nesting


def deep(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"[]" + b"}" * (levels - 1)


def parts_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10**6])
@pytest.mark.parametrize("before", [b"", rb'{"a":"[[[{ \" [[ \\"},' * 90, b"[{}]," * 90, b'"]]]]]]",' * 90])
def test_depth_is_told_wherever_the_parts_are_cut(before: bytes, size: int) -> None:
    """Brackets within texts count for nothing, whatever is escaped in them; what was closed counts no more."""
    for levels, too_deep in ((MAX_DEPTH, False), (MAX_DEPTH + 1, True)):
        nesting = Nesting()
        assert any(nesting.goes_too_deep(part) for part in parts_of(before + deep(levels), size)) is too_deep


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"[]", b"{", b"\\", b'"a",'])
def test_hostile_parts_take_linear_time(piece: bytes) -> None:
    """A megabyte of any one oddity is looked through within two seconds."""
    begin = time.process_time()
    Nesting().goes_too_deep(b'"' + piece * (2**20 // len(piece)))
    assert time.process_time() - begin < 2
