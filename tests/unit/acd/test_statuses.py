"""The names of the states of events."""

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.acd.directory import REFRESH_AGE, REFRESH_PAUSE
from bridge.acd.failure import (
    AcdConnectionLost,
    AcdFailure,
    AcdLater,
    AcdNotFound,
    AcdRefused,
    AcdUnauthorised,
    AcdUnreachable,
    AcdUnreadable,
    AcdWrongAddress,
)
from bridge.acd.record import AcdEventStatus
from bridge.acd.simulator.settings import STATUSES
from bridge.acd.statuses import STATED, Statuses
from bridge.reason import Reason

ANSWER = Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED)
LISTED = {1: "New", 2: "Done", 3: "Error"}


class Acd:
    """A list that may fail, and a clock that only the test moves."""

    def __init__(self) -> None:
        self.listed = dict(LISTED)
        self.failure: AcdFailure | None = None
        self.asked = 0
        self.now = 1000.0

    async def event_statuses(self) -> list[AcdEventStatus]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return [
            AcdEventStatus.model_validate({"ID": number, "ShortText": f"AcdEventStatus.{name}"})
            for number, name in self.listed.items()
        ]

    def statuses(self) -> Statuses:
        return Statuses(self, clock=lambda: self.now)


async def test_the_acds_own_list_counts() -> None:
    """It is asked once, and anew after a while; the documented IDs are not mixed into it."""
    acd = Acd()
    statuses = acd.statuses()
    assert await statuses.names() == await statuses.names() == LISTED
    assert acd.asked == 1
    acd.now += REFRESH_AGE
    acd.listed[4] = "Seen"
    assert (await statuses.names())[4] == "Seen"


@pytest.mark.parametrize("kind", [AcdNotFound, AcdRefused, AcdUnreadable, AcdWrongAddress])
async def test_an_acd_without_the_list(kind: type[AcdFailure]) -> None:
    """Its path is assumed: where it leads nowhere the documented IDs are taken, and that is kept for a while."""
    acd = Acd()
    acd.failure = kind("no list", answer=ANSWER)
    statuses = acd.statuses()
    assert await statuses.names() == await statuses.names() == STATED
    assert acd.asked == 1


@pytest.mark.parametrize("kind", [AcdUnauthorised, AcdUnreachable, AcdLater, AcdConnectionLost])
async def test_an_acd_that_cannot_be_asked(kind: type[AcdFailure]) -> None:
    """Nothing is assumed of it; once its list is known, that serves on, and it is asked again soon."""
    acd = Acd()
    acd.failure = kind("down", answer=ANSWER)
    statuses = acd.statuses()
    with pytest.raises(kind):
        await statuses.names()
    acd.failure = None
    assert await statuses.names() == LISTED
    acd.failure = kind("down", answer=ANSWER)
    acd.now += REFRESH_AGE
    assert await statuses.names() == await statuses.names() == LISTED
    assert acd.asked == 3
    acd.now += REFRESH_PAUSE
    await statuses.names()
    assert acd.asked == 4


async def test_a_list_without_the_final_states_is_not_taken() -> None:
    """With it no event would ever end."""
    acd = Acd()
    acd.listed = {1: "Neu", 2: "Fertig"}
    assert await acd.statuses().names() == STATED


def test_the_documented_ids_are_those_of_the_simulator() -> None:
    """Both were written from the same page, apart from each other."""
    assert {name: number for number, name in STATED.items()} == STATUSES
