import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest

from bridge import check
from bridge.acd.record import AcdEventType, AcdGroup
from bridge.config.load import parse_config
from bridge.config.model import Config, Mailbox
from bridge.errors import AcdError, Problem

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


async def no_problem(_: Mailbox) -> list[Problem]:
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

    async def probe(mailbox: Mailbox) -> list[Problem]:
        return [Problem(f"mailbox[{mailbox.name}].host", "is not there")]

    servers(RefusingAcd, probe)
    found = await check.online_problems(config)
    assert [problem.key for problem in found] == ["mailbox[a].host", "mailbox[b].host", "acd"]
    assert found[-1].hint == "check the token"


async def test_a_server_that_never_answers_is_given_up(
    config: Config, servers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check has its time, after which the others' results are shown nevertheless."""

    async def probe(mailbox: Mailbox) -> list[Problem]:
        if mailbox.name == "a":
            await asyncio.Event().wait()
        return []

    monkeypatch.setattr(check, "ONLINE_SECONDS", 0.01)
    servers(RefusingAcd, probe)
    found = await check.online_problems(config)
    assert [problem.key for problem in found] == ["mailbox[a]", "acd"]
