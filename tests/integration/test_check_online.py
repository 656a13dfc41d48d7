"""`acd-bridge check --online` against a simulated ACD and a mail server: what it finds, and that it finds all."""

from pathlib import Path

import pytest

from bridge.acd.simulator.server import Simulator
from bridge.check import online_problems
from bridge.testing.mail_server import MailServer
from tests.whole import MAILS, config_of, mailbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")


async def test_a_good_configuration_has_no_problems(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Every mailbox is signed in to, every folder opened, every name resolved; nothing is posted."""
    config = config_of(
        tmp_path, acd, mailboxes=[mailbox("support", mails.port), mailbox("sales", mails.port)]
    )
    assert await online_problems(config) == []
    assert acd.events == []


async def test_everything_that_is_wrong_is_found_at_once(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """A wrong password, a missing folder, an unknown group and an unknown type are four problems in one answer."""
    wrong = {"name": "wrong", "when": "spam", "event": {"type": "Tickett", "group": "Suport"}}
    config = config_of(
        tmp_path,
        acd,
        mailboxes=[
            mailbox("support", mails.port, password="wrong"),
            mailbox("sales", mails.port, folders=["INBOX", "Invoices"]),
        ],
        routes=[wrong, MAILS],
    )
    found = {problem.key: problem for problem in await online_problems(config)}
    assert len(found) == 4
    words = " ".join(str(problem) for problem in found.values())
    for hint in ("mailbox[support]", "Invoices", "'Support'", "'Ticket'"):
        assert hint in words


async def test_a_wrong_token_is_named_as_such(tmp_path: Path, acd: Simulator) -> None:
    """The ACD does not tell a bad token from a wrong ClientsID, so the hint names both."""
    config = config_of(tmp_path, acd, token="wrong")
    (problem,) = await online_problems(config)
    assert "acd.token" in str(problem)
    assert "clients_id" in str(problem)
