"""Sets of UIDs, as they are written in commands and read from ESEARCH (RFC 9051 section 9, sequence-set)."""

from collections.abc import Iterable, Sequence

from bridge.intake.imap.grammar import GrammarError

MAX_UID = 2**32 - 1


def as_text(uids: Sequence[int]) -> str:
    """Ascending UIDs as the shortest set: `1:3,7`. A range is written without looking at its members."""
    if isinstance(uids, range):
        return _span(uids[0], uids[-1])
    spans: list[str] = []
    first = last = uids[0]
    for uid in uids[1:]:
        if uid != last + 1:
            spans.append(_span(first, last))
            first = uid
        last = uid
    spans.append(_span(first, last))
    return ",".join(spans)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}:{last}"


def from_text(text: bytes, limit: int) -> list[int]:
    """The UIDs of a set, at most `limit` of them. Raises GrammarError."""
    uids: list[int] = []
    for span in text.split(b","):
        first, colon, last = span.partition(b":")
        low = _uid(first)
        high = _uid(last) if colon else low
        low, high = min(low, high), max(low, high)
        if len(uids) + high - low + 1 > limit:
            raise GrammarError(f"a set of more than {limit} UIDs")
        uids.extend(range(low, high + 1))
    return uids


def _uid(text: bytes) -> int:
    if not text.isdigit() or len(text) > 10 or not 0 < int(text) <= MAX_UID:
        raise GrammarError("not a UID")
    return int(text)


def uids_of(values: Iterable[object]) -> list[int]:
    """The UIDs of an untagged SEARCH response's values. Raises GrammarError."""
    return [_uid(value) if isinstance(value, bytes) else _uid(b"") for value in values]
