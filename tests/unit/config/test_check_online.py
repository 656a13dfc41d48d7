import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest

from bridge import check
from bridge.acd.answer import Answer, Meaning
from bridge.acd.failure import failure_of
from bridge.acd.record import AcdEventType, AcdGroup
from bridge.config.load import parse_config
from bridge.config.mailbox import Mailbox
from bridge.config.model import Config
from bridge.errors import AcdError, Problem
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.probe import NOT_THERE, problem_of
from bridge.intake.imap.retry import SOMEBODY_MUST_ACT
from bridge.reason import Reason

FILE = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = "t"
event_types = { Ticket = 7 }
[[mailbox]]
name = "a"
host = "h"
username = "u"
password = "p"
[[mailbox]]
name = "b"
host = "h2"
username = "u"
password = "p"
[[route]]
name = "one"
when = "spam"
event = { type = "Ticket", group = "Suport" }
[[route]]
name = "two"
when = "auto"
drop = true
[[route]]
name = "three"
when = "size > 5"
event = { type = "Emial", group = "Support" }
[[route]]
name = "four"
event = { type = 5, group = "{{ group }}" }
"""


class MadeUpAcd:
    """Stands in for the ACD's client: two lists, or an error."""

    def __init__(self, *_: object, token: Callable[[], str]) -> None:
        self.token = token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def event_types(self) -> list[AcdEventType]:
        return [AcdEventType.model_validate({"ShortText": "AcdEventTypes.Email", "ID": 5})]

    async def groups(self) -> list[AcdGroup]:
        return [AcdGroup.model_validate({"Name": "Support", "ID": 9})]


def failing(failure: AcdError) -> type[MadeUpAcd]:
    """An ACD whose every answer is this."""

    class Failing(MadeUpAcd):
        async def event_types(self) -> list[AcdEventType]:
            raise failure

    return Failing


class RefusingAcd(MadeUpAcd):
    async def event_types(self) -> list[AcdEventType]:
        raise AcdError("401", hint="check the token")


@pytest.fixture
def config() -> Config:
    return parse_config(FILE, "test.toml")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(acd: type[MadeUpAcd], probe: Any) -> None:
        monkeypatch.setattr("bridge.acd.client.AcdClient", acd)
        monkeypatch.setattr("bridge.intake.imap.probe.probe", probe)

    return put


async def no_problem(*_: object) -> list[Problem]:
    return []


async def test_names_that_the_acd_does_not_have(config: Config, servers: Callable[..., None]) -> None:
    """Every constant name is resolved; overrides, IDs and templates are not asked for."""
    servers(MadeUpAcd, no_problem)
    found = await check.online_problems(config)
    assert [(problem.key, problem.hint) for problem in found] == [
        ("route[one].event.group", "did you mean 'Support'?"),
        ("route[three].event.type", "did you mean 'Email'?"),
    ]


async def test_every_server_is_asked(config: Config, servers: Callable[..., None]) -> None:
    """A mailbox's problems do not hide another's, nor the ACD's."""

    async def probe(mailbox: Mailbox, _: object) -> list[Problem]:
        return [Problem(f"mailbox[{mailbox.name}].host", "is not there")]

    servers(RefusingAcd, probe)
    found = await check.online_problems(config)
    assert [problem.key for problem in found] == ["mailbox[a].host", "mailbox[b].host", "acd"]
    assert found[-1].hint == "check the token"


async def test_a_server_that_never_answers_is_given_up(
    config: Config, servers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check has its time, after which the others' results are shown nevertheless."""

    async def probe(mailbox: Mailbox, _: object) -> list[Problem]:
        if mailbox.name == "a":
            await asyncio.Event().wait()
        return []

    monkeypatch.setattr(check, "ONLINE_SECONDS", 0.01)
    servers(RefusingAcd, probe)
    found = await check.online_problems(config)
    assert [(problem.key, problem.unreachable) for problem in found] == [("mailbox[a]", True), ("acd", False)]


@pytest.mark.parametrize(
    ("meaning", "unreachable"),
    [
        (Meaning.NOT_SENT, True),
        (Meaning.UNCERTAIN, True),
        (Meaning.LATER, True),
        (Meaning.UNAUTHORISED, False),
        (Meaning.WRONG_ADDRESS, False),
    ],
)
async def test_an_outage_is_told_from_a_refusal(
    config: Config, servers: Callable[..., None], meaning: Meaning, *, unreachable: bool
) -> None:
    """An ACD that is down says nothing about the configuration; one that refuses does."""
    answer = Answer(meaning=meaning, reason=Reason.ACD_FAILED, words="no")
    servers(failing(failure_of(answer, call="GET /acd/eventtypes")), no_problem)
    found = await check.online_problems(config)
    assert [(problem.key, problem.unreachable) for problem in found] == [("acd", unreachable)]


@pytest.mark.parametrize("kind", list(Kind))
def test_mail_servers_that_are_not_there(config: Config, kind: Kind) -> None:
    """What somebody must correct is never taken for an outage."""
    problem = problem_of(config.mailbox[0], MailServerError(kind, "no"))
    assert not (problem.unreachable and kind in SOMEBODY_MUST_ACT)
    assert problem.unreachable == (kind in NOT_THERE)


async def test_servers_whose_secret_is_not_here_are_left_out(
    config: Config, servers: Callable[..., None]
) -> None:
    """Without its secret a server is named as not asked, and only the others' problems are problems."""
    given = {"acd.token", "mailbox[a].oauth.client_secret", "webhook[acd].secrets[0]"}

    async def probe(mailbox: Mailbox, _: object) -> list[Problem]:
        return [Problem(f"mailbox[{mailbox.name}].host", "is not there")]

    servers(RefusingAcd, probe)
    assert [problem.key for problem in await check.online_problems(config, given)] == ["mailbox[b].host"]
    assert [problem.key for problem in check.not_asked(config, given)] == ["mailbox[a]", "acd"]
