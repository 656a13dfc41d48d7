from datetime import UTC, datetime

import pytest

from bridge.intake.mail.quotes import own_words
from bridge.intake.mail.read import read_eml

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "announcement",
    [
        "On Mon, 23 Nov 2026 at 08:15, Anna <a@b.c> wrote:",
        "On Mon, 23 Nov 2026 at 08:15,\nAnna Anderson <a@b.c> wrote:",
        "Am 23.11.2026 um 08:15 schrieb Anna:",
        "Le lun. 23 nov. 2026 à 08:15, Anna <a@b.c> a écrit :",
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "From: Anna <a@b.c>\nSent: Monday",
        "Von: Anna\nGesendet: Montag",
        "> quoted",
    ],
)
def test_what_is_answered_is_left_out(announcement: str) -> None:
    """In its usual forms."""
    assert own_words(f"My answer\n\n{announcement}\n> old", "Re: Question") == "My answer"


@pytest.mark.parametrize(
    "text", ["On Monday I wrote a letter.\nBye", "From: here to there\nit is far", "> only quotes", ""]
)
def test_what_is_no_quote_stays(text: str) -> None:
    """Text that only begins like an announcement stays, and so does a mail of nothing but quotes."""
    assert own_words(text, "Question") == text


def test_answers_below_quotes_are_kept() -> None:
    """Lines between quoted ones are the sender's."""
    assert own_words("> question?\nyes\n> more?\nno", "Re: Question") == "yes\nno"


@pytest.mark.parametrize(
    "announcement",
    [
        "Begin forwarded message:\n\n> From: Anna\n> Date: Monday",
        "---------- Forwarded message ---------\nFrom: Anna <a@b.c>\nDate: Monday",
        "-------- Weitergeleitete Nachricht --------\nVon: Anna\nDatum: Montag",
    ],
)
def test_what_is_passed_on_stays(announcement: str) -> None:
    """It is what the sender wants to be read, whatever it looks like."""
    text = f"Please see to it.\n{announcement}\n\n> My printer is broken."
    assert own_words(text, "Printer") == text


@pytest.mark.parametrize(
    "subject", ["WG: Printer", "Fwd: Printer", "FW: Printer", "TR : Printer", "[EXTERN] WG: Printer"]
)
def test_a_subject_that_says_so_keeps_all(subject: str) -> None:
    """Outlook announces a mail that is passed on as it announces one that is answered."""
    text = "For you\n\nVon: Anna\nGesendet: Montag\n\nMy printer is broken."
    assert own_words(text, subject) == text
    assert own_words(text, f"AW: {subject}") == "For you"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", "My answer\r\n\r\nOn Mon, 23 Nov 2026 at 08:15, Anna <a@b.c> wrote:\r\n> old"),
        ("text/html", "<p>My answer<p>On Mon, 23 Nov 2026 at 08:15, Anna wrote:<blockquote>old</blockquote>"),
    ],
)
def test_a_mail_s_text_is_what_its_sender_wrote(content_type: str, body: str) -> None:
    """Routes see no words of the mail that is answered, and no ticket number in them."""
    raw = f"Subject: Re: x\r\nContent-Type: {content_type}\r\n\r\n{body}".encode()
    assert read_eml(raw, source="s", received_at=NOON, want_text=True).text == "My answer"
