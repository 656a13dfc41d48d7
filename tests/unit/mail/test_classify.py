"""Automatic mail, spam and priority."""

import pytest

from bridge.intake.mail.classify import automatic, priority, spam

DSN = "multipart/report; report-type=delivery-status; boundary=x"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ""),
        ({"from": "anna@b.c", "subject": "Re: Out of office"}, ""),
        ({"auto-submitted": "no"}, ""),
        ({"auto-submitted": "auto-forwarded"}, ""),
        ({"auto-submitted": "auto-replied (vacation)"}, "auto-reply"),
        ({"auto-submitted": "Auto-Replied; owner-email=x"}, "auto-reply"),
        ({"auto-submitted": "auto-generated"}, "report"),
        ({"auto-submitted": "auto-generated", "subject": "Automatic reply: x"}, "auto-reply"),
        ({"precedence": "auto_reply"}, "auto-reply"),
        ({"x-autoreply": "yes"}, "auto-reply"),
        ({"x-autorespond": "x"}, "auto-reply"),
        ({"x-auto-response-suppress": "All"}, "report"),
        ({"x-auto-response-suppress": "None"}, ""),
        ({"x-auto-response-suppress": "All", "subject": "Abwesenheit: ich"}, "auto-reply"),
        ({"subject": "Out of office: back on Monday"}, ""),
        ({"subject": "Out of office", "precedence": "bulk"}, "auto-reply"),
        ({"precedence": "bulk"}, "list"),
        ({"precedence": "list"}, "list"),
        ({"precedence": "junk"}, "list"),
        ({"precedence": "first-class"}, ""),
        ({"list-id": "<x.y>"}, "list"),
        ({"list-unsubscribe": "<mailto:x@y>"}, "list"),
        ({"content-type": DSN}, "bounce"),
        ({"content-type": DSN, "auto-submitted": "auto-replied"}, "bounce"),
        ({"content-type": DSN, "subject": "Successful Mail Delivery Report"}, "report"),
        ({"content-type": "multipart/report; report-type=disposition-notification"}, "report"),
        ({"content-type": "multipart/report; report-type=feedback-report"}, "report"),
        ({"content-type": "Multipart/Report; boundary=x"}, "bounce"),
        ({"from": "MAILER-DAEMON@b.c (Mail Delivery System)"}, "bounce"),
        ({"from": "Mail Delivery Subsystem <x@b.c>"}, "bounce"),
        ({"x-failed-recipients": "a@b.c"}, "bounce"),
        ({"from": "postmaster@b.c", "subject": "Undeliverable: x"}, "bounce"),
        ({"from": "postmaster@b.c", "subject": "Disk full"}, "report"),
        ({"return-path": "<>", "subject": "Undelivered Mail Returned to Sender"}, "bounce"),
        ({"return-path": "<>", "subject": "Hello"}, "report"),
        ({"return-path": "<>", "subject": "Automatische Antwort: x"}, "auto-reply"),
        ({"return-path": "<a@b.c>", "subject": "Undeliverable goods"}, ""),
        ({"from": "no-reply@shop.example", "subject": "Contact form"}, ""),
    ],
)
def test_automatic(headers: dict[str, str], expected: str) -> None:
    """RFC 3834 and its neighbours; what a person wrote, and a contact form sent for one, is not automatic."""
    assert automatic(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"x-spam-flag": "YES"}, True),
        ({"x-spam-flag": "NO"}, False),
        ({"x-spam-status": "Yes, score=12.1"}, True),
        ({"x-spam-status": "No, score=0.1"}, False),
        ({"x-ms-exchange-organization-scl": "5"}, True),
        ({"x-ms-exchange-organization-scl": "4"}, False),
        ({"x-ms-exchange-organization-scl": "-1"}, False),
        ({"x-ms-exchange-organization-scl": "9" * 5000}, False),
        ({"x-ms-exchange-organization-scl": "²"}, False),
    ],
)
def test_spam(headers: dict[str, str], expected: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """Only what a filter said clearly is spam."""
    assert spam(headers) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ""),
        ({"x-priority": "1 (Highest)"}, "high"),
        ({"x-priority": "2"}, "high"),
        ({"x-priority": "3"}, "normal"),
        ({"x-priority": "5"}, "low"),
        ({"importance": "High"}, "high"),
        ({"importance": "Low", "x-priority": "1"}, "low"),
        ({"importance": "nonsense", "x-msmail-priority": "High"}, "high"),
        ({"priority": "non-urgent"}, "low"),
        ({"priority": "urgent"}, "high"),
    ],
)
def test_priority(headers: dict[str, str], expected: str) -> None:
    """Importance first, then the older fields; what is not known says nothing."""
    assert priority(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"from": "post_master@vtext.com", "subject": "Re:x"}, "bounce"),
        ({"from": "post_master@example.com", "subject": "Re:x"}, "report"),
        ({"from": "postmaster@example.com", "return-path": "<>", "subject": "E"}, "bounce"),
        ({"from": "postmaster@example.com", "return-path": "<>", "subject": "Delivered: x"}, "report"),
        ({"from": "postmaster@example.com", "subject": "Planned work"}, "report"),
        ({"from": "no-reply@sns.amazonaws.com", "x-amz-sns-message-id": "1"}, "report"),
        ({"from": "staff@hotmail.com", "subject": "complaint about message from 192.0.2.2"}, "report"),
        ({"from": "a@b.c", "subject": "Re: complaint about message from 192.0.2.2"}, ""),
        ({"from": "a@b.c", "subject": "Auto reply: x", "x-apple-action": "VACATION"}, "auto-reply"),
        ({"from": "a@b.c", "subject": "Fwd: x", "x-apple-action": "FORWARD"}, ""),
        ({"from": "a@b.c", "subject": "Auto reply: x"}, ""),
    ],
)
def test_mail_of_services_that_mark_it_in_their_own_way(headers: dict[str, str], expected: str) -> None:
    """Gateways and services that follow no standard are known by signs that people's mail does not have."""
    assert automatic(headers) == expected
