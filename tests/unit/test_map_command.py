import json
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bridge.cli import map as command
from bridge.routing.variables import TYPES

CONFIG = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = { file = "/nowhere/acd-token" }
event_types = { Ticket = 7 }
MAILBOX
[[webhook]]
name = "helpdesk"
unsigned = true
fields = { subject = "body.title", ticket_number = "body.number", sender = "body.from", event = "headers.x_event" }
[listen]
webhooks = "127.0.0.1:0"
[[route]]
name = "automatic"
when = "auto"
drop = true
[[route]]
name = "tickets"
when = "kind == 'ticket' and ticket_number"
event = { type = "Ticket", group = 12, user_data = "{{ ticket_number }}", priority = "{{ data.priority }}" }
[[route]]
name = "calls"
when = "subject == 'Call me'"
event = { type = "Callback", group = "Support", sender = "+49 (0)30 1234567", body = "{{ subject }}", receiver = "" }
[[route]]
name = "urgent"
when = "folder == 'Support' and 'urgent' in text"
event = { type = "Email", group = "Support", priority = 90 }
[[route]]
name = "broken"
when = "subject == 'Broken'"
event = { type = "Email", group = "{{ group }}" }
[[route]]
name = "mails"
when = "kind == 'mail'"
event = { type = "Email", group = "Support", crm_url = "{{ headers['x-link'] }}" }
"""
MAILBOX = """
[[mailbox]]
name = "support"
host = "imap.example.org"
username = "u"
password = { credential = "none" }
folders = ["Support", "INBOX"]
"""
MAIL = (
    "From: Anna <anna@example.org>\r\nTo: support@example.com\r\nSubject: {subject}\r\nMessage-ID: <1@example.org>\r\n"
    "Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n\r\n{text}\r\n"
)


class Workplace:
    """A folder with a configuration, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = self.write("bridge.toml", CONFIG.replace("MAILBOX", MAILBOX))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def mail(self, subject: str = "Printer", text: str = "hello") -> Path:
        return self.write("mail.eml", MAIL.format(subject=subject, text=text))

    def run(self, *arguments: str | Path) -> Result:
        app = typer.Typer()
        command.register(app)
        return CliRunner().invoke(app, [*map(str, arguments), "--config", str(self.config)])

    def objects(self, *arguments: str | Path, exit_code: int = 0) -> list[dict[str, Any]]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_a_mail_becomes_the_acds_own_fields(place: Workplace) -> None:
    """The request is shown as it would be posted; a name that only the ACD can resolve stays, with a note."""
    [made] = place.objects(place.mail())
    assert made["file"] == str(place.folder / "mail.eml")
    assert made["route"] == "mails"
    assert made["event"] == {
        "AcdEventTypesID": "Email", "AcdGroupsID": "Support", "Sender": "anna@example.org",
        "Receiver": "support@example.com", "Subject": "Printer",
    }  # fmt: skip
    assert "group 'Support' is resolved to its ID when it is posted" in made["notes"]
    assert "event type 'Email' is resolved to its ID when it is posted" in made["notes"]


def test_the_mark_is_told(place: Workplace) -> None:
    """With `acd.mark` UserData that a route leaves empty is not posted empty. A file has no item's key yet."""
    mail = place.mail()
    body = place.write("body.json", '{"title": "Hi", "number": 55, "from": "b@example.org", "priority": 80}')
    note = "UserData gets the item's key when it is posted (acd.mark)"
    assert note not in place.objects(mail)[0]["notes"]
    place.write(
        "bridge.toml", place.config.read_text().replace("clients_id = 1", "clients_id = 1\nmark = true")
    )
    assert note in place.objects(mail)[0]["notes"]
    assert note not in place.objects(body)[0]["notes"]


def test_every_variable_is_shown(place: Workplace) -> None:
    """`message` has all that routes see, with moments in ISO 8601."""
    message = place.objects(place.mail())[0]["message"]
    assert message.keys() == TYPES.keys()
    assert (message["source"], message["folder"], message["kind"]) == ("support", "Support", "mail")
    assert message["sent_at"] == "2026-11-23T08:00:00+00:00"
    assert message["headers"]["message-id"] == "<1@example.org>"
    assert message["data"] is None


def test_the_routes_before_are_explained(place: Workplace) -> None:
    """Each route before the matching one says which part of it was false."""
    notes = place.objects(place.mail())[0]["notes"]
    assert notes[:2] == [
        "route 'automatic' does not match: auto is false (auto is '')",
        "route 'tickets' does not match: kind == 'ticket' is false (kind is 'mail')",
    ]
    assert "route 'mails' matches" in notes


def test_the_text_is_read_where_a_route_looks_at_it(place: Workplace) -> None:
    """A route on the text sees it; the decision is that of the daemon."""
    assert place.objects(place.mail(text="this is urgent"))[0]["route"] == "urgent"
    assert place.objects(place.mail(text="this is not"))[0]["route"] == "mails"


def test_a_webhooks_body_becomes_an_event(place: Workplace) -> None:
    """JSON goes through the only webhook; overrides of event types and headers count."""
    body = place.write(
        "body.json", '\n {"title": "Hi", "number": 55, "from": "b@example.org", "priority": 80}'
    )
    [made] = place.objects(body, "--header", "X_Event: created")
    assert made["route"] == "tickets"
    assert made["event"] == {
        "AcdEventTypesID": 7, "AcdGroupsID": 12, "Sender": "b@example.org", "Subject": "Hi", "UserData": "55",
        "nPriority": 80,
    }  # fmt: skip
    assert made["message"]["data"]["priority"] == 80
    assert made["message"]["event"] == "created"


def test_what_matches_no_route_or_fails_is_said(place: Workplace) -> None:
    """No event is shown, and the reason is that of the state file; it is an answer, so the exit code is 0."""
    body = place.write("body.json", '{"title": "No number"}')
    [nothing] = place.objects(body)
    assert (nothing["route"], nothing["event"]) == (None, None)
    assert nothing["notes"][-1] == "no-route: no route matches"
    [broken] = place.objects(place.mail("Broken"))
    assert (broken["route"], broken["event"]) == ("broken", None)
    assert broken["notes"][-1] == "invalid-event: route[broken].event.group: is empty"


def test_a_dropped_mail(place: Workplace) -> None:
    """A route that drops is named."""
    mail = place.write("auto.eml", "Auto-Submitted: auto-replied\r\nFrom: a@b.org\r\n\r\n")
    [dropped] = place.objects(mail)
    assert (dropped["route"], dropped["event"]) == ("automatic", None)
    assert dropped["notes"] == ["route-drop: route 'automatic' drops it"]


def test_telephone_numbers_are_as_posted(place: Workplace) -> None:
    """The type Callback has its number in E.164; what the ACD would refuse is a note."""
    [made] = place.objects(place.mail("Call me"))
    assert made["event"]["Sender"] == "49301234567"
    place.config.write_text(place.config.read_text().replace("+49 (0)30 1234567", "nobody"))
    [refused] = place.objects(place.mail("Call me"))
    assert any(note.startswith("it would be refused: Sender of a Callback") for note in refused["notes"])


def test_a_file_that_cannot_be_read_stops_no_other(place: Workplace) -> None:
    """Each such file is an object with a note and a line on stderr; the exit code is 1 at the end."""
    result = place.run(place.folder / "none.eml", place.folder, place.mail(), "--json")
    assert result.exit_code == 1
    none, folder, mail = [json.loads(line) for line in result.stdout.splitlines()]
    for one, words in ((none, "No such file or directory"), (folder, "Is a directory")):
        assert (one["route"], one["event"], one["message"]) == (None, None, None)
        assert one["notes"] == [f"cannot be read: {words}"]
        assert f"{one['file']}: cannot be read: {words}" in result.stderr
    assert mail["event"] is not None


def test_any_bytes_are_a_mail(place: Workplace) -> None:
    """Bytes that are neither mail nor JSON still become an event, since a customer may be behind them."""
    for content in (b"", b"\x00\xff" * 100, b"no header at all", b"\r\n\r\n"):
        [made] = place.objects(place.write("odd", content))
        assert made["event"]["Sender"] == "unknown"


def test_a_body_that_is_no_json(place: Workplace) -> None:
    """A body that begins as JSON and is none is unreadable: no event, and exit code 1."""
    [made] = place.objects(place.write("body.json", "{not json"), exit_code=1)
    assert (made["event"], made["message"]) == (None, None)
    assert made["notes"][0].startswith("unreadable: ")


def test_a_body_that_orjson_cannot_write(place: Workplace) -> None:
    """Lone surrogates and huge numbers in a body are shown in another form in place of a traceback."""
    body = '{"title": "a\\ud800", "number": 1, "priority": 5, "big": 123456789012345678901234567890}'
    [made] = place.objects(place.write("body.json", body))
    assert made["event"]["Subject"].startswith("a")
    assert float(made["message"]["data"]["big"]) == pytest.approx(1.2345678901234568e29)


def test_the_source_can_be_named(place: Workplace) -> None:
    """A mail may begin with a brace where --source names a mailbox, and a body as a mail where it names a webhook."""
    assert place.objects(place.write("x", "{}"), "--source", "support")[0]["message"]["kind"] == "mail"
    assert place.objects(place.mail(), "--source", "helpdesk", exit_code=1)[0]["event"] is None


def test_a_source_that_is_not_there(place: Workplace) -> None:
    """The names that there are, are listed; exit code 64."""
    result = place.run(place.mail(), "--source", "suport")
    assert result.exit_code == 64
    assert "there are support, helpdesk" in result.stderr


def test_several_webhooks_need_a_name(place: Workplace) -> None:
    """Which webhook a body came through is not guessed."""
    second = '[[webhook]]\nname = "second"\nunsigned = true\n'
    place.config.write_text(place.config.read_text().replace("[listen]", f"{second}[listen]"))
    body = place.write("b.json", '{"title": "x", "number": 5}')
    [made] = place.objects(body, exit_code=1)
    assert "there are helpdesk, second" in made["notes"][0]
    assert place.objects(body, "--source", "helpdesk")[0]["route"] == "tickets"


def test_a_configuration_without_a_mailbox_maps_mails(place: Workplace) -> None:
    """The source is then called `mail`."""
    place.config.write_text(CONFIG.replace("MAILBOX", ""))
    message = place.objects(place.mail())[0]["message"]
    assert (message["source"], message["folder"]) == ("mail", "INBOX")


def test_routes_that_do_not_compile(place: Workplace) -> None:
    """Exit code 78 with the problem, as for every command."""
    place.config.write_text(place.config.read_text().replace('when = "auto"', 'when = "atuo"'))
    result = place.run(place.mail())
    assert result.exit_code == 78
    assert "did you mean 'auto'?" in result.stderr


def test_words_for_people(place: Workplace) -> None:
    """Without --json the route, the reasons and the event stand in lines that cannot steer the terminal."""
    result = place.run(place.mail(subject="=?utf-8?q?a=C2=9B31m=E2=80=AE?="))
    assert result.exit_code == 0
    assert "  route 'mails' matches\n" in result.stdout
    assert '"AcdGroupsID": "Support"' in result.stdout
    assert all(sign.isprintable() or sign == "\n" for sign in result.stdout)


@pytest.mark.parametrize("header", ["no colon", ": value"])
def test_a_header_that_is_none(place: Workplace, header: str) -> None:
    """A header without name or colon is an error of usage."""
    assert place.run(place.mail(), "--header", header).exit_code == 64


def test_many_files_are_quick(place: Workplace) -> None:
    """A thousand mails in one call take about a millisecond each at the most: the routes are compiled once."""
    mail = place.mail()
    began = time.perf_counter()
    assert len(place.objects(*[mail] * 1000)) == 1000
    assert time.perf_counter() - began < 3
