"""Bursts, mail loops, history and the commands about them, with the whole bridge."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.accept import Acceptance
from bridge.acd.simulator.server import Simulator
from bridge.cli.commands import app as commands
from bridge.config.flood import Flood
from bridge.config.model import Config
from bridge.flood.gate import FloodGate
from bridge.intake.handover import Incoming
from bridge.ledger import orders
from bridge.ledger.ledger import Ledger
from bridge.ledger.visit import look
from bridge.message import Kind, Message
from bridge.routing.compile import compile_routes
from bridge.testing.mail_server import MailServer
from tests.integration.imap.conftest import MailHost
from tests.unit.test_accept import WHEN
from tests.wait import until
from tests.whole import MAILS, bridge, config_of, items, mail, mailbox, totals

runner = CliRunner()


def config_file(config: Config, folder: Path) -> str:
    """The configuration as a file, for the commands."""
    box = config.mailbox[0]
    path = folder / "bridge.toml"
    path.write_text(
        f'[acd]\nurl = "{config.acd.url}"\nclients_id = 1\ntoken = "t"\n[state]\npath = "{config.state.path}"\n'
        f'[[mailbox]]\nname = "{box.name}"\nhost = "{box.host}"\nport = {box.port}\nsecurity = "none"\n'
        f'username = "{box.username}"\npassword = "secret"\n'
        '[[route]]\nname = "mails"\nevent = { type = "Email", group = "Support" }\n'
    )
    return str(path)


def run(*words: str) -> str:
    result = runner.invoke(commands, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


async def delivered(mails: MailServer, *raw: bytes) -> None:
    await MailHost("127.0.0.1", mails.port, "support").append(*raw)


async def test_history_is_posted_as_history(acd: Simulator, mails: MailServer, tmp_path: Path) -> None:
    """More old mails than any burst allows are all posted, marked as historical; live mail is not marked."""
    await delivered(mails, *(mail(number) for number in range(12)))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port, start="all")])
    config = config.model_copy(update={"flood": Flood(burst_least=2, burst_factor=1)})
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 12, within=10)
        await delivered(mails, mail("live"))
        await until(lambda: totals(config)["created"] == 13, within=10)
    assert [bool(item.message.get("historical")) for item in items(config)] == [True] * 12 + [False]


async def test_a_burst_waits_for_the_operator(acd: Simulator, mails: MailServer, tmp_path: Path) -> None:
    """It is held, nothing more of it is posted after a restart either, and `items release` lets it go."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    config = config.model_copy(update={"flood": Flood(burst_least=5, burst_factor=1)})
    async with bridge(config):
        await until(
            lambda: look(config.state.path, lambda conn: conn.execute("SELECT 1 FROM cursors").fetchone())
        )
        await delivered(mails, *(mail(number, sender=f"c{number}@example.org") for number in range(20)))
        await until(lambda: sum(totals(config).values()) == 20, within=10)
    held = totals(config)["held"]
    assert held >= 15
    async with bridge(config):
        await delivered(mails, mail("next", sender="late@example.org"))
        await until(lambda: totals(config)["held"] == held + 1, within=10)
        reasons = Counter(item.reason for item in items(config) if item.state == "held")
        assert reasons == {"burst": held + 1}
        file = config_file(config, tmp_path)
        answer = json.loads(run("items", "release", "--reason", "burst", "--yes", "--json", "-c", file))
        assert len(answer) == held + 1
        assert all(answer.values())
        await until(lambda: totals(config)["created"] == 21, within=10)


async def test_a_mail_loop_is_one_held_item(tmp_path: Path) -> None:
    """Of a loop of 100 mails a few pass, one is held and says how many it stands for; a restart goes on with it;
    release of the held one frees its sender, and the collapsed ones can be had, too.
    """
    router, problems = compile_routes(config_routes())
    assert problems == []
    ledger = await Ledger.open(tmp_path / "state.db")

    async def take(first: int, number: int, clock: float) -> None:
        gate = FloodGate(ledger, Flood(sender=20))
        await gate.remember(round(clock * 1000))
        acceptance = Acceptance(router, ledger, clock=lambda: clock, knock=lambda: None, flood=gate)
        await acceptance.accept([loop_mail(first + count) for count in range(number)])

    began = WHEN.timestamp()
    await take(0, 50, began)
    await take(50, 50, began + 60)
    await ledger.close()
    config_path = tmp_path / "bridge.toml"
    config_path.write_text(
        f'[acd]\nurl = "http://127.0.0.1:1"\nclients_id = 1\ntoken = "t"\n[state]\npath = "{tmp_path / "state.db"}"\n'
        '[[route]]\nname = "r"\nevent = { type = "Email", group = "Support" }\n'
    )
    listed = [
        json.loads(line)
        for line in run("items", "list", "--json", "--limit", "500", "-c", str(config_path)).splitlines()
    ]
    assert Counter(one["state"] for one in listed) == {"pending": 20, "held": 1, "duplicate": 79}
    [held] = [one for one in listed if one["state"] == "held"]
    assert held["detail"] == "stands for 80 mails of a suspected loop"
    assert {one["detail"] for one in listed if one["state"] == "duplicate"} == {f"of {held['key']}"}
    run("items", "release", held["key"], "--yes", "-c", str(config_path))
    ledger = await Ledger.open(tmp_path / "state.db")
    await take(200, 1, began + 120)
    newest = await ledger.totals()
    await ledger.close()
    assert (newest["pending"], newest["held"]) == (22, 0)
    run(
        "items",
        "release",
        "--state",
        "duplicate",
        "--reason",
        "suspected-loop",
        "--yes",
        "-c",
        str(config_path),
    )
    assert json.loads(run("status", "--json", "-c", str(config_path)))["items"]["pending"] == 101


def config_routes() -> Any:
    return Config.model_validate(
        {"acd": {"url": "http://h", "clients_id": 1, "token": "t"}, "route": [MAILS]}
    ).route


def loop_mail(number: int) -> Incoming:
    return Message(
        source="support", kind=Kind.MAIL, place=f"INBOX/1/{number + 1}", digest=f"d{number}", folder="INBOX",
        received_at=WHEN, sender="robot@example.org", message_id=f"<{number}@example.org>",
    )  # fmt: skip


async def test_backfill_counts_asks_and_is_carried_out(
    acd: Simulator, mails: MailServer, tmp_path: Path
) -> None:
    """The count is right and the order refused twice; the service carries it out, each mail once, as history;
    afterwards there is nothing to post.
    """
    await delivered(mails, *(mail(number) for number in range(5)))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    file = config_file(config, tmp_path)
    order = ("mailbox", "backfill", "support", "--since", "2020-01-01", "--json", "-c", file)
    async with bridge(config):
        await until(
            lambda: look(config.state.path, lambda conn: conn.execute("SELECT 1 FROM cursors").fetchone())
        )
        await delivered(mails, mail("live"))
        await until(lambda: totals(config)["created"] == 1, within=10)
    assert (await in_thread(*order)).exit_code == 64  # it asks, and there is nobody
    given = json.loads((await in_thread(*order, "--yes")).stdout)
    assert given["folders"] == [{"folder": "INBOX", "found": 6, "known": 1, "to_post": 5}]
    assert given["ordered"] == ["INBOX"]
    again = await in_thread(*order, "--yes")
    assert again.exit_code == 74
    assert "already" in again.stderr
    assert "waiting" in (await in_thread("status", "-c", file)).stderr
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 6, within=10)
        await until(lambda: look(config.state.path, orders.orders)[0].ended, within=10)
    [done] = look(config.state.path, orders.orders)
    assert (done.taken, done.known) == (5, 0)
    assert sum(bool(item.message.get("historical")) for item in items(config)) == 5
    after = json.loads((await in_thread(*order)).stdout)
    assert (after["folders"][0]["to_post"], after["ordered"]) == (0, [])


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["nobody", "--since", "2026-01-01"], 64, "there is no mailbox"),
        (["support", "--since", "2026-01-01", "--folder", "Other"], 64, "not watched"),
        (["support", "--since", "yesterday"], 2, "yesterday"),
        (["support", "--since", "2026-01-01"], 74, "state file"),
    ],
)
async def test_backfill_says_what_is_wrong(
    acd: Simulator, mails: MailServer, tmp_path: Path, more: list[str], code: int, words: str
) -> None:
    """Names that are not in the configuration, a date that is none, and a service that never ran."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    result = await in_thread("mailbox", "backfill", *more, "-c", config_file(config, tmp_path))
    assert result.exit_code == code
    assert words in result.stderr


async def test_backfill_without_a_mail_server_ends_with_69(
    acd: Simulator, mails: MailServer, tmp_path: Path
) -> None:
    """As every command that asks a server which is not there."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    async with bridge(config):
        await until(
            lambda: look(config.state.path, lambda conn: conn.execute("SELECT 1 FROM cursors").fetchone())
        )
    gone = config_of(tmp_path, acd, mailboxes=[mailbox("support", 1)])
    result = await in_thread(
        "mailbox", "backfill", "support", "--since", "2026-01-01", "-c", config_file(gone, tmp_path)
    )
    assert result.exit_code == 69
    assert "no connection" in result.stderr


async def in_thread(*words: str) -> Any:
    """Run a command beside the servers of this process; it has an event loop of its own."""
    return await asyncio.to_thread(runner.invoke, commands, list(words))
