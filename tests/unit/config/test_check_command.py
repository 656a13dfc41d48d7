import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bridge.check import given_by_the_service_manager, problems
from bridge.cli import check
from bridge.config.load import load_config
from bridge.config.model import State
from bridge.errors import Problem

EXAMPLE = Path(__file__).parents[3] / "config" / "bridge.toml"
CREDENTIALS = {"acd-token": "t", "support-imap": "p", "helpdesk-hmac": "a-secret-of-the-helpdesk"}


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, value in CREDENTIALS.items():
        (folder / name).write_text(value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def in_folder(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The example with a state file below `tmp_path`, and changed."""
    text = EXAMPLE.read_text().replace("/var/lib/acd-bridge", str(tmp_path))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    return path


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    check.register(app)
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_example_passes_as_a_service(tmp_path: Path, credentials: Path) -> None:
    """The example has no problem where its credentials and the state's folder are there."""
    assert credentials.is_dir()
    assert problems(load_config(in_folder(tmp_path))) == []


def test_the_example_passes_from_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without systemd, credentials are named as not checked, and the rest is checked and counted."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    result = run("--config", in_folder(tmp_path))
    assert result.exit_code == 0
    assert "good: 1 mailbox, 1 webhook, 4 routes" in result.stderr
    assert "not checked: acd.token" in result.stderr


def test_what_only_the_service_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder that systemd makes is not missed from a shell, and is missed by the service itself."""
    config = load_config(EXAMPLE)
    moved = config.model_copy(update={"state": State(path=Path("/var/lib/acd-bridge-nowhere/state.db"))})
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert given_by_the_service_manager(moved) == {
        "state.path", "acd.token", "mailbox[support].password", "webhook[helpdesk].secrets[0]",
    }  # fmt: skip
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nowhere")
    assert given_by_the_service_manager(moved) == set()
    assert "state.path" in {problem.key for problem in problems(moved)}


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    """A path that is a folder is named."""
    config = load_config(in_folder(tmp_path, (f'path = "{tmp_path}/state.db"', f'path = "{tmp_path}"')))
    assert "state.path" in {problem.key for problem in problems(config)}


def test_problems_end_with_78(tmp_path: Path, credentials: Path) -> None:
    """Problems of routes, webhooks, secrets, certificates and state show together, with exit code 78."""
    (credentials / "acd-token").unlink()
    path = in_folder(
        tmp_path,
        ('when = "auto"', 'when = "atuo"'),
        ('preset = "zammad"', 'preset = "zamad"'),
        ('start = "now"', 'ca_file = "/nowhere/ca.pem"\nstart = "now"'),
        (f'path = "{tmp_path}/state.db"', f'path = "{tmp_path}/none/state.db"'),
    )
    result = run("--config", path, "--json")
    assert result.exit_code == 78
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert [problem["key"] for problem in answer["problems"]] == [
        "route[out-of-office replies and bounces].when", "webhook[helpdesk].preset", "acd.token",
        "mailbox[support].ca_file", "state.path",
    ]  # fmt: skip
    assert "did you mean 'auto'?" in result.stderr


@pytest.mark.parametrize(
    ("secret", "wrong"), [("whsec_" + "A" * 32, False), ("whsec_short", True), ("a-password", True)]
)
def test_a_secret_that_nothing_can_be_signed_with_is_a_problem(
    tmp_path: Path,
    credentials: Path,
    secret: str,
    wrong: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """What is commented out in the example works once its secret is one of Standard Webhooks, and is refused else."""
    (credentials / "helpdesk-notify").write_text(secret)
    lines = (
        "[[notify]]",
        'name = "helpdesk"\n',
        'url = "https://helpdesk.example.org/hooks/acd"',
        'secrets = [{ credential = "helpdesk-notify" }]',
        "follow_up = true",
        'notify = "helpdesk"',
    )
    found = problems(load_config(in_folder(tmp_path, *((f"# {line}", line) for line in lines))))
    assert [problem.key for problem in found] == (["notify[helpdesk].secrets[0]"] if wrong else [])


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([Problem("acd", "no connection", unreachable=True)], 69),
        ([Problem("acd", "no connection", unreachable=True), Problem("mailbox[a].password", "refused")], 78),
    ],
)
def test_unreachable_servers_alone_end_with_69(
    tmp_path: Path, credentials: Path, monkeypatch: pytest.MonkeyPatch, found: list[Problem], code: int
) -> None:
    """69 says that nothing wrong was found, but not everything could be asked; one real problem makes it 78."""
    assert credentials.is_dir()

    async def online(*_: object) -> list[Problem]:
        return found

    monkeypatch.setattr(check, "online_problems", online)
    result = run("--config", in_folder(tmp_path), "--online", "--json")
    assert result.exit_code == code
    answer = json.loads(result.stdout)
    assert [one["unreachable"] for one in answer["problems"]] == [one.unreachable for one in found]
    assert all(one.what in result.stderr for one in found)


def test_online_from_a_shell_counts_no_missing_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers whose secrets only systemd gives are named as not checked; nothing is asked, nothing is wrong."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    result = run("--config", in_folder(tmp_path), "--online")
    assert result.exit_code == 0
    assert "not checked: mailbox[support]: the server is not asked" in result.stderr
    assert "not checked: acd: the server is not asked" in result.stderr


def test_a_file_that_cannot_be_read_ends_with_78(tmp_path: Path) -> None:
    """A file with faults of form is explained, in words and as JSON."""
    path = in_folder(tmp_path, ("clients_id = 1", 'clients_id = "one"'))
    result = run("--config", path, "--json")
    assert result.exit_code == 78
    assert [problem["key"] for problem in json.loads(result.stdout)["problems"]] == ["acd.clients_id"]
    assert "must be a whole number" in result.stderr


def test_nothing_is_on_stdout_for_people(tmp_path: Path, credentials: Path) -> None:
    """Words go to stderr; stdout is for JSON."""
    assert credentials.is_dir()
    result = run("--config", in_folder(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "")
