"""Mail flows while its server is restarted and frozen, and while its folders are renamed, renumbered and cleared.

`make rough` runs the same for ten minutes; ROUGH_SECONDS says how long.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from bridge.app import Application
from bridge.cli.commands import app as commands
from bridge.config.flood import Flood
from bridge.config.model import Config
from bridge.ledger.state import OPEN, ItemState
from tests.dovecot import Dovecot
from tests.integration.imap.conftest import QUICK
from tests.wait import until
from tests.whole import bridge, config_of, items, mail, mailbox, mails_watched, simulator, totals

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("quick_waits")]

SECONDS = float(os.environ.get("ROUGH_SECONDS", "15"))
SEED = int(os.environ.get("ROUGH_SEED", "1"))
USER = "support"
WITHIN = 60.0


@pytest.fixture
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is over when the test says so, folders are audited and may be numbered anew again and again."""
    monkeypatch.setattr("bridge.intake.imap.renumbered.WITHIN_SECONDS", 0.0)
    monkeypatch.setattr("bridge.intake.imap.mailbox.RetryTimes", lambda: QUICK)
    monkeypatch.setattr("bridge.intake.imap.folder_watch.FIRST_AUDIT", 0.5)
    monkeypatch.setattr("bridge.intake.imap.folder_watch.AUDIT_EVERY", 0.5)


@dataclass
class Hands:
    """Everybody who works on the mail server while the bridge watches: agents, administrators, senders."""

    server: Dovecot
    random: Random = field(default_factory=lambda: Random(SEED))
    delivered: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def deliver(self) -> None:
        """A mail comes into one of the folders, which is there at this moment."""
        name = f"{len(self.delivered)}"
        folder = self.random.choice(["INBOX", "Team"])
        self.server.drop(USER, mail(name, sender=f"{name}@example.org"), folder)
        self.delivered.append(name)

    async def step(self) -> None:
        """One of all the things that happen."""
        for _ in range(self.random.randint(1, 5)):
            self.deliver()
        actions: list[Callable[[], Any]] = [
            self.restart, self.freeze, self.rename, self.renumber, self.move_about, self.delete_read,
        ]  # fmt: skip
        action = actions[sum(self.done.values()) % len(actions)]
        self.done[action.__name__] += 1
        await asyncio.to_thread(action)
        await asyncio.to_thread(self.deliver)

    def restart(self) -> None:
        self.server.stop()
        self.deliver()
        self.server.start()

    def freeze(self) -> None:
        """Longer than the bridge waits for an answer."""
        self.server.freeze()
        begun = time.monotonic()
        while time.monotonic() - begun < 1.5:
            self.deliver()
            time.sleep(self.random.uniform(0.1, 0.4))
        self.server.thaw()

    def rename(self) -> None:
        with self.server.client(USER) as client:
            _ok(client.rename("Team", "Away"))
            time.sleep(self.random.uniform(0.1, 0.4))
            _ok(client.rename("Away", "Team"))

    def renumber(self) -> None:
        """The files that hold the UIDs are lost; the next UIDVALIDITY is another one a second later."""
        self.server.stop()
        folder = self.random.choice(["INBOX", "Team"])
        begun = int(time.time())
        while int(time.time()) <= begun + 1:
            time.sleep(0.05 + self.random.random() / 100)
        self.server.forget_uids(USER, folder)
        self.server.start()

    def move_about(self) -> None:
        """Mails that the bridge has seen go elsewhere, and come back."""
        with self.server.client(USER) as client:
            _ok(client.select("INBOX"))
            _ok(client.uid("MOVE", "1:*", "Elsewhere"))
            _ok(client.select("Elsewhere"))
            _ok(client.uid("MOVE", "1:*", "INBOX"))

    def delete_read(self) -> None:
        """An agent deletes the oldest mails of a folder, which were posted long ago."""
        with self.server.client(USER) as client:
            _ok(client.select("Team"))
            _ok(client.store("1:2", "+FLAGS", r"(\Deleted)"))
            _ok(client.expunge())


def _ok(answer: tuple[str, Any]) -> None:
    assert answer[0] == "OK", answer


def posted(config: Config) -> Counter[str]:
    """How often each mail became an event. One that moved on before it was read is `vanished` at that place."""
    return Counter(
        item.message["message_id"] for item in items(config, states=frozenset({ItemState.CREATED}))
    )


def all_taken(config: Config, hands: Hands) -> Callable[[], bool]:
    def taken() -> bool:
        counts = totals(config)
        return counts["created"] >= len(hands.delivered) and not any(counts[state] for state in OPEN)

    return taken


async def audit(config_file: Path) -> Result:
    call = ["audit", "--json", "--config", str(config_file)]
    return await asyncio.to_thread(CliRunner().invoke, commands, call)


def audit_is_clean(config_file: Path) -> Callable[[], Awaitable[bool]]:
    async def clean() -> bool:
        return (await audit(config_file)).exit_code == 0

    return clean


async def audited(config_file: Path) -> list[dict[str, Any]]:
    """What `acd-bridge audit --json` prints; exit code 0."""
    result = await audit(config_file)
    assert result.exit_code == 0, (result.output, result.exception)
    found: list[dict[str, Any]] = orjson.loads(result.stdout)
    return found


async def seen_all(config: Config, hands: Hands) -> None:
    """Before somebody deletes or moves what is there, the bridge has had the time to read it."""
    await until(lambda: sum(posted(config).values()) >= len(hands.delivered), within=WITHIN)


async def rough_time(app: Application, config: Config, hands: Hands) -> None:
    """The flow, for so many seconds, and each thing once at least."""
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends or sum(hands.done.values()) < 6:
        await hands.step()
        await seen_all(config, hands)
        assert not app.failed.done()


async def test_every_mail_once_whatever_happens(tmp_path: Path, dovecot: Dovecot) -> None:
    """Restarted, frozen, renamed, renumbered, moved and deleted: each mail is posted once, and the audit says 0."""
    for folder in ("Team", "Elsewhere"):
        dovecot.make_folder(USER, folder)
    dovecot.drop(USER, mail("before"), "Team", received_at=time.time() - 86_400)
    hands = Hands(dovecot)
    async with simulator() as acd:
        more = {"folders": ["INBOX", "Team"], "timeout": 1, "username": USER}
        config = config_of(tmp_path, acd, mailboxes=[mailbox(USER, dovecot.port, **more)])
        # So much mail within minutes is a burst to the bridge, and would be held.
        config = config.model_copy(update={"flood": Flood(burst_least=1_000_000)})
        async with bridge(config) as app:
            await until(lambda: mails_watched(config), within=WITHIN)
            await rough_time(app, config, hands)
            await until(all_taken(config, hands), within=WITHIN)
            # A folder that was numbered anew last of all holds no new mail, and is to be followed all the same.
            file = tmp_path / "bridge.toml"
            file.write_text(_as_toml(config, more))
            await until(audit_is_clean(file), within=WITHIN)
            twice = sorted(name for name, count in posted(config).items() if count > 1)
            assert not twice, twice
            assert totals(config)["created"] == len(hands.delivered)
            assert len(acd.events) == len(hands.delivered)
            folders = app.parts.mailboxes[0].status()["folders"]
            assert [one["unaccounted"] for one in folders] == [0, 0]
        found = await audited(file)
    assert [(one["folder"], one["unaccounted"], one["problem"]) for one in found] == [
        ("INBOX", 0, ""),
        ("Team", 0, ""),
    ]
    assert set(found[0]["states"]) <= {ItemState.CREATED, ItemState.FILTERED, ItemState.VANISHED}


def _as_toml(config: Config, more: dict[str, Any]) -> str:
    (box,) = config.mailbox
    return f"""
[acd]
url = "{config.acd.url}"
clients_id = 1
token = "unused"
[state]
path = "{config.state.path}"
[[mailbox]]
name = "{box.name}"
host = "127.0.0.1"
port = {box.port}
security = "none"
username = "{more["username"]}"
password = "secret"
folders = ["INBOX", "Team"]
[[route]]
name = "all"
event = {{ type = "Email", group = "Support" }}
"""
