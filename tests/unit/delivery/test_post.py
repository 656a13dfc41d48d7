from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.acd.directory import REFRESH_PAUSE, Directory
from bridge.acd.failure import AcdLater, AcdUnauthorised, AcdUnreachable
from bridge.acd.record import AcdEventType, AcdGroup
from bridge.acd.request import CreateRequest
from bridge.delivery.post import Poster
from bridge.errors import AcdError
from bridge.event import EventDraft
from bridge.reason import Reason


class Acd:
    """An ACD in memory: its lists, and what was posted to it."""

    def __init__(self, failure: AcdError | None = None) -> None:
        self.failure = failure
        self.posted: list[CreateRequest] = []
        self.answer = Answer(meaning=Meaning.CREATED, event_id=1)

    async def event_types(self) -> list[AcdEventType]:
        if self.failure:
            raise self.failure
        names = {3: "AcdEventTypes.Callback", 5: "AcdEventTypes.Email", 7: "AcdEventTypes.Ticket"}
        return [AcdEventType.model_validate({"ID": key, "ShortText": name}) for key, name in names.items()]

    async def groups(self) -> list[AcdGroup]:
        return [AcdGroup.model_validate({"ID": 12, "Name": "Support"})]

    async def create_event(self, request: CreateRequest) -> Answer:
        self.posted.append(request)
        return self.answer


def draft(**fields: object) -> EventDraft:
    plain: Mapping[str, object] = {
        "type": "Ticket", "group": "Support", "sender": "anna@example.org", "subject": "Printer",
    }  # fmt: skip
    return EventDraft.from_dict({**plain, **fields})


def poster(acd: Acd) -> Poster:
    return Poster(acd, Directory(acd, {}), phone_plus=False)


async def test_names_become_ids() -> None:
    """The request carries the IDs that this ACD gave its type and group."""
    acd = Acd()
    assert (await poster(acd).post(draft())).meaning is Meaning.CREATED
    (request,) = acd.posted
    assert (request.type, request.group, request.subject) == (7, 12, "Printer")


async def test_ids_are_taken_as_they_are_and_nothing_is_asked() -> None:
    """A draft of IDs needs no list."""
    acd = Acd(failure=AssertionError("asked"))  # type: ignore[arg-type] # it must never be raised
    await poster(acd).post(draft(type=9, group=4))
    assert [(request.type, request.group) for request in acd.posted] == [(9, 4)]


@pytest.mark.parametrize(
    ("listed", "same"),
    [
        ({"AcdEventTypesID": 7, "AcdGroupsID": 12, "Sender": "anna@example.org", "Subject": "Printer"}, True),
        ({"AcdEventTypesID": 7, "AcdGroupsID": 12, "Sender": "anna@example.org", "Subject": "Toner"}, False),
        ({"Sender": ["anna@example.org"]}, False),
    ],
)
async def test_an_updated_event_says_whether_the_request_may_have_made_it(
    listed: Mapping[str, object],
    same: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Where an earlier attempt was lost, the same words tell that it was not."""
    acd = Acd()
    acd.answer = Answer(meaning=Meaning.UPDATED, event_id=1, event={"ID": 1, **listed})
    assert (await poster(acd).post(draft())).says_the_same is same
    acd.answer = replace(acd.answer, meaning=Meaning.CREATED)
    assert not (await poster(acd).post(draft())).says_the_same


class Anew(Acd):
    """An ACD in which the group is deleted and made again under its name."""

    def __init__(self) -> None:
        super().__init__()
        self.group = 12
        self.asked = 0

    async def groups(self) -> list[AcdGroup]:
        self.asked += 1
        if self.failure:
            raise self.failure
        return [AcdGroup.model_validate({"ID": self.group, "Name": "Support"})]

    async def create_event(self, request: CreateRequest) -> Answer:
        self.posted.append(request)
        if request.group == self.group:
            return Answer(meaning=Meaning.CREATED, event_id=1, status=200)
        return Answer(
            meaning=Meaning.REFUSED, reason=Reason.ACD_REFUSED, status=404, words="AcdGroup not found"
        )


async def test_a_group_that_is_made_anew_under_its_name_gets_its_events() -> None:
    """An ID out of a list that was read before is no reason to give the event up."""
    acd, now = Anew(), [1000.0]
    posting = Poster(acd, Directory(acd, {}, clock=lambda: now[0]), phone_plus=False)
    assert (await posting.post(draft())).meaning is Meaning.CREATED
    acd.group, now[0] = 13, now[0] + REFRESH_PAUSE
    assert (await posting.post(draft())).meaning is Meaning.CREATED
    assert [request.group for request in acd.posted] == [12, 12, 13]


async def test_a_refusal_stays_one_where_the_names_mean_the_same() -> None:
    """It is posted once, the lists are read once a minute at most, and a list that cannot be read changes nothing."""
    acd, now = Anew(), [1000.0]
    posting = Poster(acd, Directory(acd, {}, clock=lambda: now[0]), phone_plus=False)
    await posting.post(draft())
    acd.posted.clear()
    acd.create_event = lambda request: refused(acd, request)  # type: ignore[method-assign] # it refuses everything
    now[0] += REFRESH_PAUSE
    for _ in range(3):
        assert (await posting.post(draft())).words == "no"
    assert (len(acd.posted), acd.asked) == (3, 2)
    acd.failure, now[0] = AcdLater("down", answer=Answer(meaning=Meaning.LATER)), now[0] + REFRESH_PAUSE
    for event in (draft(), draft(), draft(type=7, group=99)):
        assert (await posting.post(event)).words == "no"
    assert (len(acd.posted), acd.asked) == (6, 3)


async def refused(acd: Acd, request: CreateRequest) -> Answer:
    acd.posted.append(request)
    return Answer(meaning=Meaning.REFUSED, reason=Reason.ACD_REFUSED, status=400, words="no")


async def test_an_unknown_name_is_refused_without_a_post() -> None:
    """The dead letter names the wrong name and a near one."""
    acd = Acd()
    answer = await poster(acd).post(draft(group="Suport"))
    assert (answer.meaning, answer.reason, answer.status) == (Meaning.REFUSED, Reason.UNKNOWN_NAME, None)
    assert "'Suport'" in answer.words
    assert "'Support'" in answer.words
    assert acd.posted == []


async def test_an_event_that_the_documentation_forbids_is_not_posted() -> None:
    """A Body outside a Callback is our mistake and stays here, with its words."""
    acd = Acd()
    answer = await poster(acd).post(draft(body="text"))
    assert (answer.meaning, answer.reason) == (Meaning.REFUSED, Reason.INVALID_EVENT)
    assert "Body" in answer.words
    assert acd.posted == []


async def test_telephone_numbers_are_written_as_the_acd_wants_them() -> None:
    """A Callback's sender is posted in E.164, without plus unless the setting says so."""
    acd = Acd()
    await poster(acd).post(draft(type="Callback", sender="+49 (0)30 901820"))
    assert acd.posted[0].sender == "4930901820"


FAILED = Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED, status=503, retry_after=7)
REFUSED = Answer(meaning=Meaning.UNAUTHORISED, reason=Reason.ACD_UNAUTHORISED, status=401)
GONE = Answer(meaning=Meaning.NOT_SENT, reason=Reason.ACD_UNREACHABLE)


@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (AcdLater("m", answer=FAILED), Meaning.LATER),
        (AcdUnauthorised("m", answer=REFUSED), Meaning.UNAUTHORISED),
        (AcdUnreachable("m", answer=GONE), Meaning.NOT_SENT),
    ],
)
async def test_lists_that_cannot_be_read_are_no_fault_of_the_event(
    failure: AcdError, meaning: Meaning
) -> None:
    """While names cannot be resolved the event waits, as for any other outage; it was surely not sent."""
    acd = Acd(failure)
    answer = await poster(acd).post(draft())
    assert answer.meaning is meaning
    assert acd.posted == []
