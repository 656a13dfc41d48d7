from datetime import datetime

import pytest

from bridge.acd.address import Addresses
from bridge.acd.bearer import KEPT_SECONDS, Bearer, TokenUnusable
from bridge.acd.envelope import problem_of_envelope, problem_of_receipt
from bridge.acd.record import AcdEvent, AcdEventType, DiallerCampaign, read_moment
from bridge.config.acd import Acd
from bridge.config.secret import SecretError


def test_record_keeps_every_field_and_null() -> None:
    """What the ACD sent comes back whole, under its own names, and nothing is added."""
    sent = {"ID": 1, "Sender": None, "nPriority": 50, "SkillsValue1": None, "Future": {"a": [None]}}
    event = AcdEvent.model_validate(sent)
    assert event.as_json() == sent
    assert (event.id, event.sender, event.user_data) == (1, None, None)


def test_event_id_has_two_names() -> None:
    """`AcdEventsID` is taken where there is no `ID`."""
    assert AcdEvent.model_validate({"AcdEventsID": 5}).id == 5


def test_number_in_a_text_field_is_text() -> None:
    """A telephone number or ticket number that comes as a number is taken as its digits."""
    event = AcdEvent.model_validate({"ID": 1, "UserData": 77, "Sender": 4930123456})
    assert (event.user_data, event.sender) == ("77", "4930123456")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-08-09T02:33:50.347", datetime(2020, 8, 9, 2, 33, 50, 347000)),  # noqa: DTZ001 - the API has no zone
        ("2020-08-09T02:33:50", datetime(2020, 8, 9, 2, 33, 50)),  # noqa: DTZ001 - the API has no zone
        (None, None),
        ("", None),
        ("yesterday", None),
        ("2020-08-09T02:33:50" + " " * 50, None),
    ],
)
def test_dates_are_read_in_both_forms(text: str | None, moment: datetime | None) -> None:
    """With and without milliseconds, without a zone; what cannot be read is None."""
    assert read_moment(text) == moment
    event = AcdEvent.model_validate({"ID": 1, "dtCreated": text, "dtLastModified": text})
    assert event.created_at == event.modified_at == moment


def test_names_lose_their_prefix() -> None:
    """`AcdEventTypes.Ticket` is called Ticket; a name without prefix is itself."""
    assert AcdEventType.model_validate({"ID": 7, "ShortText": "AcdEventTypes.Ticket"}).name == "Ticket"
    assert AcdEventType.model_validate({"ID": 7, "ShortText": "Ticket"}).name == "Ticket"


def test_campaign_may_lack_its_id() -> None:
    """The documentation's examples show campaigns without an ID."""
    assert DiallerCampaign.model_validate({"Name": "Campaign 1000"}).id is None


@pytest.mark.parametrize(
    ("document", "good"),
    [
        ({"records": [{}], "count": 1, "status": 200}, True),
        ({"records": [], "count": 0, "status": 200, "filter": "", "orderBy": "ID"}, True),
        ({"records": []}, True),
        ({"records": [{}], "count": 2}, False),
        ({"records": [{}, 5]}, False),
        ({"records": None}, False),
        ({"status": 200}, False),
        ({"records": [], "status": 500}, False),
        ([], False),
        (None, False),
    ],
)
def test_envelope_is_believed_only_whole(document: object, *, good: bool) -> None:
    """A list that was cut, or is none, is an error and never an empty list."""
    assert (problem_of_envelope(document, status=200) == "") is good


def test_receipt_of_a_deletion_is_its_status() -> None:
    """A deletion answers with `status` alone."""
    assert problem_of_receipt({"status": 200}, status=200) == ""
    assert problem_of_receipt({"status": 500}, status=200)
    assert problem_of_receipt(None, status=200)


def test_addresses_are_the_documented_ones() -> None:
    """Every path stands below base URL and ClientsID; names are one encoded query value."""
    at = Addresses.of(
        Acd.model_validate({"url": "https://acd.example.org:8443", "clients_id": 3, "token": "t"})
    )
    base = "https://acd.example.org:8443/rest/v1.0/3"
    assert [str(url).removeprefix(base) for url in (at.events(), at.event(5), at.create_event())] == [
        "/acd/events",
        "/acd/events/event/5",
        "/acd/events/create",
    ]
    assert (
        str(at.groups_named("a b&c=d/ü?#+%"))
        == f"{base}/acd/groups/group?name=a%20b%26c%3Dd%2F%C3%BC%3F%23%2B%25"
    )
    assert str(at.campaign(5)) == f"{base}/dialler/campaigns/5"
    assert str(at.result_codes(5, 2)) == f"{base}/dialler/campaigns/campaign/5/resultCodes?languagesID=2"
    assert str(at.delete_campaign(5)) == f"{base}/dialler/campaigns/campaign/5"


def test_assumed_paths_are_settings() -> None:
    """The two paths that the documentation lost can be set."""
    paths = {"statuses": "/acd/statuses", "delete_campaign": "/dialler/{id}/delete"}
    at = Addresses.of(
        Acd.model_validate({"url": "http://a/b", "clients_id": 1, "token": "t", "paths": paths})
    )
    assert str(at.event_statuses()) == "http://a/b/rest/v1.0/1/acd/statuses"
    assert str(at.delete_campaign(9)) == "http://a/b/rest/v1.0/1/dialler/9/delete"


def test_token_is_kept_a_while_and_read_anew_after_a_refusal() -> None:
    """A rotated token is seen after a refusal or a while, and its file is not read for each request."""
    tokens = iter(["one", "two", "three"])
    now = [0.0]
    bearer = Bearer(lambda: next(tokens), clock=lambda: now[0])
    assert [bearer.value(), bearer.value()] == ["Bearer one", "Bearer one"]
    bearer.forget()
    assert bearer.value() == "Bearer two"
    now[0] += KEPT_SECONDS
    assert bearer.value() == "Bearer three"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ü", "a\0"])
def test_token_that_no_header_can_carry_is_unusable(token: str) -> None:
    """It is not sent, and not shown."""
    with pytest.raises(TokenUnusable) as found:
        Bearer(lambda: token).value()
    assert token == "" or token not in str(found.value)


def test_token_that_cannot_be_read_is_unusable() -> None:
    """A missing file of the token is said as it is."""

    def missing() -> str:
        raise SecretError("cannot read '/run/token'")

    with pytest.raises(TokenUnusable, match="/run/token"):
        Bearer(missing).value()
