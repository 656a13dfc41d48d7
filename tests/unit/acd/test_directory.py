import asyncio
from typing import Any

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.acd.directory import REFRESH_AGE, REFRESH_PAUSE, Directory
from bridge.acd.failure import AcdLater, AmbiguousName, UnknownName
from bridge.acd.record import AcdEventType, AcdGroup
from bridge.reason import Reason

DOWN = AcdLater("down", answer=Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED, status=503))


class Lists:
    """A fake of the client's two lists: counts the requests, waits and fails where it is told to."""

    def __init__(self) -> None:
        self.types = {"VoiceMail": 1, "Email": 5, "Ticket": 17}
        self.named = [("Support", 101), ("Support 2nd level", 104), ("Billing", 102)]
        self.asked = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def event_types(self) -> list[AcdEventType]:
        await self._ask()
        return [
            AcdEventType.model_validate({"ID": number, "ShortText": f"AcdEventTypes.{name}"})
            for name, number in self.types.items()
        ]

    async def groups(self) -> list[AcdGroup]:
        await self._ask()
        return [AcdGroup.model_validate({"ID": number, "Name": name}) for name, number in self.named]

    async def _ask(self) -> None:
        self.asked += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(lists: Lists, clock: Clock) -> Directory:
    return Directory(lists, {"Fax": 42}, clock=clock)


async def test_type_is_found_with_and_without_prefix(directory: Directory, lists: Lists) -> None:
    """`Ticket` and `AcdEventTypes.Ticket` are the same, and one list answers both."""
    assert await directory.type_id("Ticket") == 17
    assert await directory.type_id("AcdEventTypes.Ticket") == 17
    assert lists.asked == 1


async def test_override_goes_before_the_list(directory: Directory, lists: Lists) -> None:
    """A configured ID is taken without asking the ACD."""
    assert await directory.type_id("Fax") == 42
    assert await directory.type_id("AcdEventTypes.Fax") == 42
    assert lists.asked == 0


async def test_id_is_itself(directory: Directory, lists: Lists) -> None:
    """An integer asks nobody; digits that are no name are an ID too."""
    assert await directory.type_id(9) == 9
    assert await directory.group_id(9) == 9
    assert lists.asked == 0
    assert await directory.group_id("300") == 300
    lists.named.append(("400", 104))
    fresh = Directory(lists, {})
    assert await fresh.group_id("400") == 104


async def test_names_are_compared_exactly(directory: Directory) -> None:
    """Neither part of a name nor another case finds it; the error names what is near."""
    assert await directory.group_id("Support") == 101
    with pytest.raises(UnknownName) as found:
        await directory.group_id("Suport")
    assert found.value.near[0] == "Support"
    assert (found.value.kind, found.value.name, found.value.reason) == (
        "group",
        "Suport",
        Reason.UNKNOWN_NAME,
    )
    with pytest.raises(UnknownName):
        await directory.group_id("support")


async def test_unknown_name_is_asked_for_once_a_minute(
    directory: Directory, lists: Lists, clock: Clock
) -> None:
    """A wrong name does not make a request for each message, and a new one is found within the minute."""
    for _ in range(3):
        with pytest.raises(UnknownName):
            await directory.group_id("New")
    assert lists.asked == 1
    lists.named.append(("New", 105))
    clock.now += REFRESH_PAUSE
    assert await directory.group_id("New") == 105
    assert lists.asked == 2


async def test_old_list_is_asked_for_anew(directory: Directory, lists: Lists, clock: Clock) -> None:
    """A group that was made anew under its name is found by its new ID."""
    assert await directory.group_id("Billing") == 102
    lists.named[-1] = ("Billing", 202)
    clock.now += REFRESH_AGE
    assert await directory.group_id("Billing") == 202


async def test_old_list_serves_while_the_acd_is_down(
    directory: Directory, lists: Lists, clock: Clock
) -> None:
    """What was known stays known; the ACD is asked again a minute later, not at once."""
    assert await directory.group_id("Billing") == 102
    lists.error = DOWN
    clock.now += REFRESH_AGE
    assert await directory.group_id("Billing") == 102
    assert await directory.group_id("Billing") == 102
    assert lists.asked == 2
    clock.now += REFRESH_AGE
    assert await directory.group_id("Billing") == 102
    assert lists.asked == 3


async def test_failure_is_passed_on_and_not_taken_for_an_unknown_name(
    directory: Directory, lists: Lists, clock: Clock
) -> None:
    """While the list cannot be read no name is called unknown, and the next look-up tries again."""
    lists.error = DOWN
    with pytest.raises(AcdLater):
        await directory.type_id("Ticket")
    lists.error = None
    assert await directory.type_id("Ticket") == 17
    lists.error = DOWN
    clock.now += REFRESH_PAUSE
    with pytest.raises(AcdLater):
        await directory.type_id("Nothing")


async def test_concurrent_look_ups_share_one_request_and_its_failure(
    directory: Directory, lists: Lists
) -> None:
    """Many messages at once ask the ACD once, whether it answers or fails."""
    lists.gate.clear()
    lists.error = DOWN
    asking = [asyncio.create_task(directory.group_id("Support")) for _ in range(20)]
    await _until_waiting(asking)
    lists.gate.set()
    found: list[Any] = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [AcdLater] * 20
    assert lists.asked == 1
    lists.error = None
    assert await asyncio.gather(*(directory.group_id("Support") for _ in range(20))) == [101] * 20
    assert lists.asked == 2


async def test_cancelled_look_up_does_not_spoil_the_others(directory: Directory, lists: Lists) -> None:
    """The one that asks may be cancelled; the next one asks in its place."""
    lists.gate.clear()
    first, second = (asyncio.create_task(directory.group_id("Support")) for _ in range(2))
    await _until_waiting([first, second])
    first.cancel()
    lists.gate.set()
    assert await second == 101
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_name_of_two_groups_is_refused(directory: Directory, lists: Lists) -> None:
    """Where two groups have the same name, only an ID can tell them apart."""
    lists.named.append(("Support", 999))
    with pytest.raises(AmbiguousName, match="101, 999"):
        await directory.group_id("Support")


async def test_type_name_knows_override_list_and_vendor_ids(directory: Directory) -> None:
    """Checking knows telephone types even before the ACD could be asked."""
    assert directory.type_name(42) == "Fax"
    assert directory.type_name(3) == "Callback"
    assert directory.type_name(17) is None
    await directory.type_id("Email")
    assert directory.type_name(17) == "Ticket"


async def test_vendor_ids_are_never_posted(directory: Directory, lists: Lists) -> None:
    """A type that this ACD does not list is unknown, though the vendor documents an ID."""
    del lists.types["Email"]
    with pytest.raises(UnknownName):
        await directory.type_id("Email")


async def _until_waiting(tasks: list[asyncio.Task[int]]) -> None:
    """Let every task run until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
