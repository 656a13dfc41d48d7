"""Mails of other projects' tests, with what their authors expect of them.

The mails are no part of this project. They are read where ACD_BRIDGE_CORPORA, or `../shared/corpora` beside the
repository, has them: `index.jsonl` with one line a mail, its `path` and what to `expect`.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.intake.mail.read import _read, read_eml
from bridge.intake.mail.split import split_message
from bridge.message import Message

Results = list[tuple[str, Message, dict[str, Any]]]

BESIDE = Path(__file__).resolve().parents[3] / ".." / "shared" / "corpora"
CORPORA = Path(os.environ.get("ACD_BRIDGE_CORPORA", BESIDE))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

OTHER_HABITS = {
    # Raw or undefined bytes are windows-1252 for us where that gives a word, U+FFFD for them.
    ("legacy/010.eml", "subject"), ("legacy/020.eml", "subject"), ("legacy/022.eml", "subject"),
    ("legacy/027.eml", "subject"), ("legacy/052.eml", "subject"),
    # They leave an encoded word of broken UTF-8 as it is; we show what can be read of it.
    ("imap_mime_header_decode_returns_false.eml", "subject"),
    # They keep a tab in the subject; ours is one line without control characters.
    ("rfc2822/example14.eml", "subject"),
    # They keep the mail that is answered; we leave it out.
    ("ticket_reply_from_mail.eml", "text_contains"),
    # They call a word without a domain an address; the ACD cannot use one.
    ("thirdparty/007.eml", "from_addr"), ("thirdparty/007.eml", "from_name"), ("references.eml", "from_addr"),
}  # fmt: skip
MISSED = {
    # Its subject alone says so, which people's replies to such mails do as well.
    ("testAutoReplyEmailsAreIgnored_3873.eml", "auto"),
    # A notice of a mailing list manager to its owner, which looks like a person's mail.
    ("lhost-fml-03.eml", "auto"), ("lhost-fml-03.eml", "bounce"), ("lhost-fml-02.eml", "bounce"),
    # A person forwards a bounce: the mail is a person's.
    ("lhost-sendmail-14.eml", "auto"), ("lhost-sendmail-14.eml", "bounce"),
    # Notices of Amazon SNS are reports for us; that they tell of a bounce stands in their body.
    ("lhost-amazonses-09.eml", "bounce"), ("lhost-amazonses-10.eml", "bounce"),
    # Reports for us by their null return path; their subject is "Mail".
    ("lhost-kddi-02.eml", "bounce"), ("lhost-kddi-03.eml", "bounce"),
}  # fmt: skip
"""Automatic mail that is not told by its header, which is all that is fetched."""

pytestmark = pytest.mark.skipif(not (CORPORA / "index.jsonl").is_file(), reason="the corpora are not there")


def mails() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    with (CORPORA / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            entry = json.loads(line)
            yield entry["path"], (CORPORA / entry["path"]).read_bytes(), entry.get("expect", {})


@pytest.fixture(scope="module")
def results() -> Results:
    return [
        (path, read_eml(raw, source="s", received_at=NOON, want_text=True), expect)
        for path, raw, expect in mails()
    ]


def counted(results: Results, key: str, got: Any) -> list[tuple[str, Any, Any]]:
    """Path, expectation and result of every mail that states the key, without the exceptions named above."""
    return [
        (path, expect[key], got(message))
        for path, message, expect in results
        if key in expect
        and not any(path.endswith(end) and key == name for end, name in OTHER_HABITS | MISSED)
    ]


def assert_all(cases: list[tuple[str, Any, Any]]) -> None:
    assert cases
    assert [case for case in cases if case[1] != case[2]] == []


def test_every_mail_is_read_without_the_last_net() -> None:
    """No mail makes the reader raise, and none reaches a bound."""
    for path, raw, _ in mails():
        message = _read(split_message(raw)[0], "s", "INBOX", "INBOX/1/1", len(raw), NOON)
        assert not message.degraded, path


@pytest.mark.parametrize(
    ("key", "field"),
    [("from_addr", "sender"), ("subject", "subject"), ("message_id", "message_id")],
)
def test_fields(results: Results, key: str, field: str) -> None:
    """Sender, subject and Message-ID are as expected."""
    assert_all(counted(results, key, lambda message: getattr(message, field)))


def test_names(results: Results) -> None:
    """The shown name is as expected; some projects give the address where there is none."""
    cases = counted(results, "from_name", lambda message: message)
    assert_all([(path, name, m.sender_name or (name and m.sender)) for path, name, m in cases])


def test_recipients(results: Results) -> None:
    """The addresses of To come first and in their order."""
    cases = counted(results, "to", lambda message: message.recipients)
    assert_all([(path, to, list(found[: len(to)])) for path, to, found in cases])


def test_texts(results: Results) -> None:
    """The first text is as expected, but for white space."""
    cases = counted(results, "text", lambda message: message.text.split())
    assert_all([(path, text.split(), found) for path, text, found in cases])
    cases = counted(results, "text_contains", lambda message: message.text)
    assert_all([(path, True, all(one in text for one in ones)) for path, ones, text in cases])


@pytest.mark.parametrize("stated", ["yes", "no"])
def test_automatic_mail(results: Results, stated: str) -> None:
    """Automatic mail is told from mail that people wrote."""
    both = [
        *counted(results, "auto", lambda m: bool(m.auto)),
        *counted(results, "auto_inferred", lambda m: bool(m.auto)),
    ]
    assert_all([case for case in both if case[1] is (stated == "yes")])


@pytest.mark.parametrize("stated", ["yes", "no"])
def test_bounces(results: Results, stated: str) -> None:
    """Bounces are told from other mail."""
    cases = counted(results, "bounce", lambda message: message.auto == "bounce")
    assert_all([case for case in cases if case[1] is (stated == "yes")])


def test_the_exceptions_are_still_ones() -> None:
    """What is listed as missed is missed: a better reader takes its line away."""
    by_path = dict(_told())
    for end, key in MISSED:
        (told,) = [told for path, told in by_path.items() if path.endswith(end)]
        assert not (told == "bounce" if key == "bounce" else told), (end, key)


def _told() -> Iterator[tuple[str, str]]:
    for path, raw, _ in mails():
        yield path, read_eml(raw, source="s", received_at=NOON, want_text=False).auto
