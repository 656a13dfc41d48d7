import asyncio

import pytest

from bridge.acd.failure import AcdUnreadable
from bridge.acd.reading import _SLICE, _models
from bridge.acd.record import AcdEvent


async def test_other_work_goes_on_while_a_long_list_is_made() -> None:
    """Between two slices of a long list everything else gets its turn: posting never waits for all of it."""
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    working = asyncio.create_task(other_work())
    made = await _models(AcdEvent, [{"ID": number + 1} for number in range(5 * _SLICE)], str)
    working.cancel()
    assert [event.id for event in made] == list(range(1, 5 * _SLICE + 1))
    assert turns == 5


async def test_unreadable_record_names_its_field_and_quotes_nothing() -> None:
    """The error says which field of which call, without the record's text."""
    with pytest.raises(AcdUnreadable, match="GET /x: a record's field Sender") as found:
        await _models(AcdEvent, [{"ID": 1}, {"ID": 2, "Sender": ["private"]}], lambda: "GET /x")
    assert "private" not in str(found.value)
