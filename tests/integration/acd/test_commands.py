"""The commands `acd` and `simulator`, against a simulator in a thread or as processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bridge.acd.simulator import Settings, Simulator
from bridge.cli import acd as acd_commands
from bridge.cli import simulator as simulator_command
from tests.integration.acd.conftest import TOKEN

CONFIG = """
[acd]
url = "{url}"
clients_id = 1
token = "{token}"
timeout = 5
[[route]]
name = "all"
event = {{ type = "Email", group = "Support" }}
"""


class Running:
    """A simulator with an event loop of its own, in a thread: the commands bring their own loops."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.simulator = asyncio.run_coroutine_threadsafe(
            Simulator.start(Settings(token=TOKEN)), self._loop
        ).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.simulator.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def running() -> Iterator[Running]:
    started = Running()
    yield started
    started.close()


@pytest.fixture
def config(running: Running, tmp_path: Path) -> Path:
    return written(tmp_path, running.simulator.url, TOKEN)


def written(folder: Path, url: str, token: str) -> Path:
    path = folder / "bridge.toml"
    path.write_text(CONFIG.format(url=url, token=token))
    return path


def run(*arguments: str, config: Path) -> Result:
    app = typer.Typer()
    acd_commands.register(app)
    simulator_command.register(app)
    return CliRunner().invoke(app, ["acd", *arguments, "--config", str(config)])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("types",), "7\tAcdEventTypes.Ticket"),
        (("statuses",), "99\tAcdEventStatus.Done"),
        (("groups",), "102\tBilling"),
        (("groups", "--name", "2nd"), "104\tSupport 2nd level"),
        (("groups", "--id", "101"), "101\tSupport"),
        (("events",), "ID\tdtCreated"),
        (("campaigns", "list"), "501\tCampaign 1000"),
        (("campaigns", "show", "501"), "ContactPreviewTime\t5"),
        (("campaigns", "named", "Win"), "502\tWinback"),
        (("campaigns", "result-codes", "501", "--language", "2"), "Erreicht"),
        (("campaigns", "clone", "Winback", "Winback 2"), "503\tWinback 2"),
    ],
)
def test_every_call_has_its_command(config: Path, arguments: tuple[str, ...], expected: str) -> None:
    """The whole API is reached, and printed as tab-separated lines off a terminal."""
    result = run(*arguments, config=config)
    assert result.exit_code == 0, result.stderr
    assert expected in result.stdout


def test_json_holds_every_field(config: Path) -> None:
    """`--json` prints the records as the ACD sent them, nulls too."""
    groups = json.loads(run("groups", "--json", config=config).stdout)
    assert groups[0]["Name"] == "Billing"
    assert groups[0]["TarifAnnouncementWavesID"] is None


def test_what_is_not_there_is_exit_code_1(config: Path) -> None:
    """The ACD answered; there is just no such object."""
    result = run("events", "--id", "5", config=config)
    assert result.exit_code == 1
    assert "AcdEvent not found" in result.stderr


def test_acd_that_refuses_or_is_not_there_is_exit_code_69(running: Running, tmp_path: Path) -> None:
    """A script can tell that the ACD is the problem; a person gets a hint, and no traceback."""
    refused = run("types", config=written(tmp_path, running.simulator.url, "wrong"))
    nobody = run("types", config=written(tmp_path, "http://127.0.0.1:1", TOKEN))
    for result, hint in ((refused, "acd.token"), (nobody, "acd.url")):
        assert result.exit_code == 69
        assert hint in result.stderr
        assert "Traceback" not in result.output
    assert "wrong" not in refused.output


def test_deleting_needs_yes_without_a_terminal(running: Running, config: Path) -> None:
    """Nothing is deleted by a script that did not say so."""
    asked = run("campaigns", "delete", "--id", "501", config=config)
    assert asked.exit_code == 1
    assert "--yes" in asked.stderr
    assert not [one for one in running.simulator.requests if one["method"] == "DELETE"]
    assert run("campaigns", "delete", "--id", "501", "--yes", config=config).exit_code == 0
    assert "501" not in run("campaigns", "list", config=config).stdout


def test_name_that_others_hold_is_not_deleted_by_name(running: Running, config: Path) -> None:
    """Where the ACD might match partly, only an ID deletes; an unambiguous name does."""
    run("campaigns", "clone", "Winback", "Winback 2", config=config)
    unclear = run("campaigns", "delete", "--name", "Winback", "--yes", config=config)
    assert unclear.exit_code == 1
    assert "--id 502" in unclear.stderr
    assert not [one for one in running.simulator.requests if one["method"] == "DELETE"]
    assert run("campaigns", "delete", "--name", "Winback 2", "--yes", config=config).exit_code == 0
    assert run("campaigns", "delete", "--name", "Winback", "--yes", config=config).exit_code == 0
    assert run("campaigns", "delete", "--yes", config=config).exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_simulator_serves_until_it_is_stopped(number: signal.Signals) -> None:
    """It prints its address, serves there with the settings of the command line, and ends cleanly on a signal."""
    command = (
        "import typer; from bridge.cli.simulator import register; app = typer.Typer(); register(app); app()"
    )
    options = [
        "--listen",
        "127.0.0.1:0",
        "--token",
        "t",
        "--clients-id",
        "3",
        "--duplicates",
        "Sales=Subject",
    ]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        url = words[words.index("url") + 1]
        results = [_created(url), _created(url)]
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""
    assert [record.get("Result_") for record in results] == [None, "UPDATED"]


def _created(url: str) -> dict[str, object]:
    event = {"AcdEventTypesID": 5, "AcdGroupsID": 103, "Sender": "a", "Subject": "same"}
    request = urllib.request.Request(
        f"{url}/rest/v1.0/3/acd/events/create",
        data=json.dumps(event).encode(),
        headers={"Authorization": "Bearer t", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        record: dict[str, object] = json.load(answer)["records"][0]
    return record


@pytest.mark.parametrize("rule", ["Nobody", "Sales=Colour", "=Subject"])
def test_wrong_rule_for_duplicates_is_said(rule: str) -> None:
    """A group or field that is not there is an error of the command line."""
    with pytest.raises(typer.BadParameter):
        simulator_command.read_rule(rule)


def test_simulator_says_when_its_port_is_taken(running: Running) -> None:
    """A taken port is one line and exit code 69."""
    app = typer.Typer()
    simulator_command.register(app)
    taken = running.simulator.url.removeprefix("http://")
    result = CliRunner().invoke(app, ["--listen", taken])
    assert result.exit_code == 69
    assert "cannot listen" in result.stderr
