"""What any ACD must do according to its documentation, by reading alone: a real one can be put in."""

import pytest

from bridge.acd.client import AcdClient
from bridge.acd.failure import AcdNotFound

STATUSES = {
    0: "EnterSystem",
    1: "Distribute",
    2: "TransportSMTP",
    4: "TransportToGroup",
    10: "TransportAgent",
    20: "New",
    30: "Seen",
    40: "Remind",
    98: "ChatClosed",
    99: "Done",
    100: "Error",
}
NOBODY = 2_000_000_000


async def test_types_hold_the_vendors(any_acd: AcdClient) -> None:
    """The five types with documented IDs are there, and Ticket under some ID."""
    types = {one.name: one.id for one in await any_acd.event_types()}
    documented = {"VoiceMail": 1, "Fax": 2, "Callback": 3, "SMS": 4, "Email": 5}
    assert {name: types.get(name) for name in documented} == documented
    assert "Ticket" in types


async def test_statuses_are_the_documented_ones(any_acd: AcdClient) -> None:
    """The eleven states with their IDs."""
    assert {one.id: one.name for one in await any_acd.event_statuses()} == STATUSES


async def test_groups_are_ordered_and_found_by_id_and_part_of_name(any_acd: AcdClient) -> None:
    """The list is ordered by Name; each group is found by its ID, and by name among those that match partly."""
    groups = await any_acd.groups()
    assert groups
    assert [group.name for group in groups] == sorted((group.name for group in groups), key=str.casefold)
    first = groups[0]
    assert (await any_acd.group(first.id)).name == first.name
    assert first.id in {group.id for group in await any_acd.groups_named(first.name)}
    part = first.name[: max(1, len(first.name) // 2)]
    assert first.id in {group.id for group in await any_acd.groups_named(part)}


async def test_events_are_ordered_by_creation(any_acd: AcdClient) -> None:
    """The list of all events is ordered by dtCreated, and each is found by its ID."""
    events = await any_acd.events()
    created = [event.created_at for event in events if event.created_at is not None]
    assert created == sorted(created)
    for event in events[:1]:
        assert (await any_acd.event(event.id)).id == event.id


async def test_unknown_objects_are_not_found(any_acd: AcdClient) -> None:
    """An unknown ID is a 404 with JSON, which is told from a wrong address; an unknown name finds nothing."""
    with pytest.raises(AcdNotFound):
        await any_acd.event(NOBODY)
    with pytest.raises(AcdNotFound):
        await any_acd.group(NOBODY)
    with pytest.raises(AcdNotFound):
        await any_acd.campaign(NOBODY)
    assert await any_acd.groups_named("no group has this name") == []
    assert await any_acd.campaigns_named("no campaign has this name") == []


async def test_campaigns_are_found_by_id_and_name(any_acd: AcdClient) -> None:
    """Each campaign of the list is found by its ID and name, and has result codes in two languages."""
    for campaign in (await any_acd.campaigns())[:1]:
        assert campaign.name in {one.name for one in await any_acd.campaigns_named(campaign.name)}
        if campaign.id is not None:
            assert (await any_acd.campaign(campaign.id)).name == campaign.name
            for language in (1, 2):
                assert isinstance(await any_acd.result_codes(campaign.id, language), list)
