"""What kind of mail it is: sent by a person or by a machine, and as what. Pure, on the headers alone."""

import re
from collections.abc import Mapping

from bridge.intake.mail.content_type import split_parameters

Headers = Mapping[str, str]

_DAEMONS = (
    "mailer-daemon",
    "mailerdaemon",
    "mail-daemon",
    "mdaemon@",
    "mail delivery system",
    "mail delivery subsystem",
    "post_master@vtext.",
)
_POSTMASTERS = ("postmaster@", "post_master@")
_PERHAPS_DAEMONS = (
    *_POSTMASTERS,
    "noreply@",
    "no-reply@",
    "no_reply@",
    "donotreply@",
    "do-not-reply@",
    "administrator",
)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|non-?deliver|not be delivered|returned mail|returned to sender|returning to sender"
    r"|failure notice|failure delivery|delivery (?:status|fail|has failed|report|problem|delay|error|incomplete)"
    r"|(?:mail|message) (?:delivery|system error|failed|delayed|rejected)|delayed mail|unzustellbar"
    r"|non remis|no entregado|mancata consegna|配信できません|配信不能|エラー通知",
    re.IGNORECASE,
)
_DELIVERED_SUBJECT = re.compile(
    r"successful mail delivery|mail delivery status report|\(success\)|\(relay\)|^delivered:", re.IGNORECASE
)
"""A delivery status that somebody asked for, and no failure."""
_VACATION_SUBJECT = re.compile(
    r"\s*(?:automatic(?:ally generated)? reply|auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office"
    r"|vacation|abwesenheit|automatische antwort|r[eé]ponse automatique|respuesta autom[aá]tica|risposta automatica"
    r"|automatisch antwoord|resposta autom[aá]tica|autosvar|odpowied[zź] automatyczna|автоответ)\b",
    re.IGNORECASE,
)
_AUTOMATIC_REPLY_FIELDS = frozenset(
    {
        "x-autoreply",
        "x-autorespond",
        "x-autoresponder",
        "x-auto-reply",
        "x-mail-autoreply",
    }
)
_APPLE_RULE = "x-apple-action"
"""Apple Mail marks answers that a rule gave with it; a rule may also forward."""
_NOTICE_FIELDS = frozenset({"x-amz-sns-message-id"})
"""Written by services that only send what machines made (Amazon SNS, which tells of bounces and complaints)."""
_COMPLAINT_SUBJECT = re.compile(r"[Cc]omplaint about message from [0-9]")
"""Reports of older complaint loops (Hotmail) that are no multipart/report."""
_LIST_FIELDS = frozenset(
    {"list-id", "list-post", "list-unsubscribe", "list-help", "mailing-list", "x-mailing-list"}
)
_BY_A_PERSON = frozenset({"", "no", "auto-forwarded"})
"""What a mailbox forwards by a rule was written by a person."""
_TO_MANY = frozenset({"bulk", "list", "junk"})
_MAX_SUBJECT = 200
_SCL_OF_SPAM = 5


def automatic(headers: Headers) -> str:
    """`bounce`, `report`, `auto-reply` or `list`; empty for mail that a person seems to have written.

    A bounce says that a mail was not delivered, now or at all. A report is any other mail that a machine made:
    a receipt, a complaint (RFC 5965), a notice. A list is mail that went to many.
    """
    if _is_bounce(headers):
        return "bounce"
    submitted = _word(headers, "auto-submitted")
    if _is_auto_reply(headers, submitted):
        return "auto-reply"
    if _is_report(headers, submitted):
        return "report"
    if _word(headers, "precedence") in _TO_MANY or not _LIST_FIELDS.isdisjoint(headers):
        return "list"
    return ""


def spam(headers: Headers) -> bool:
    """Whether a filter before us marked the mail as spam (SpamAssassin, rspamd, Exchange)."""
    if _word(headers, "x-spam-flag") == "yes" or headers.get("x-spam-status", "")[:3].lower() == "yes":
        return True
    level = headers.get("x-ms-exchange-organization-scl", "").strip()
    return level.isascii() and level.isdigit() and len(level) < 3 and int(level) >= _SCL_OF_SPAM


def priority(headers: Headers) -> str:
    """`high`, `normal` or `low` as the sender marked it (Importance of RFC 2156, X-Priority), or empty."""
    for name in ("importance", "x-priority", "x-msmail-priority", "priority"):
        word = _PRIORITIES.get(headers.get(name, "").strip()[:10].split(" ")[0].lower())
        if word:
            return word
    return ""


_PRIORITIES = {
    "1": "high", "2": "high", "3": "normal", "4": "low", "5": "low",
    "high": "high", "highest": "high", "urgent": "high", "normal": "normal", "low": "low", "lowest": "low",
    "non-urgent": "low",
}  # fmt: skip


def _word(headers: Headers, name: str) -> str:
    """A field's keyword without comment and parameters, in lower case."""
    value = headers.get(name)
    return value.split(";")[0].split("(")[0].strip().lower() if value else ""


def _report_type(headers: Headers) -> str:
    """The report type of a multipart/report (RFC 6522), `unknown` where it is not named, or empty."""
    value = headers.get("content-type", "")
    if not value[:20].lower().startswith("multipart/report"):
        return ""
    return split_parameters(value)[1].get("report-type", "unknown").lower()


def _is_bounce(headers: Headers) -> bool:
    """A null return path alone is none: it stands on every automatic answer (RFC 3834 section 3.3)."""
    report = _report_type(headers)
    if report or "x-failed-recipients" in headers:
        return report in {"", "delivery-status", "unknown"} and not _DELIVERED_SUBJECT.search(
            _subject(headers)
        )
    if _from_one_of(_DAEMONS, headers):
        return True
    null = _null_return_path(headers)
    if null and _from_one_of(_POSTMASTERS, headers):
        return not _DELIVERED_SUBJECT.search(_subject(headers))
    weak = null or _from_one_of(_PERHAPS_DAEMONS, headers)
    return weak and _BOUNCE_SUBJECT.search(_subject(headers)) is not None


def _is_auto_reply(headers: Headers, submitted: str) -> bool:
    """A subject that looks like a holiday notice is weak evidence: people answer to those, too."""
    if submitted == "auto-replied" or _word(headers, "precedence") == "auto_reply":
        return True
    if not _AUTOMATIC_REPLY_FIELDS.isdisjoint(headers):
        return True
    weak = (
        _says_automatic(headers, submitted)
        or _word(headers, "precedence") in _TO_MANY
        or _APPLE_RULE in headers
    )
    return weak and _VACATION_SUBJECT.match(_subject(headers)) is not None


def _is_report(headers: Headers, submitted: str) -> bool:
    return (
        bool(_report_type(headers))
        or _says_automatic(headers, submitted)
        or _from_one_of(_POSTMASTERS, headers)
        or not _NOTICE_FIELDS.isdisjoint(headers)
        or _COMPLAINT_SUBJECT.match(headers.get("subject", "")) is not None
    )


def _says_automatic(headers: Headers, submitted: str) -> bool:
    return submitted not in _BY_A_PERSON or _suppresses_answers(headers) or _null_return_path(headers)


def _suppresses_answers(headers: Headers) -> bool:
    """[MS-OXCMAIL] 2.2.3.2.14: the sender wants no automatic answers, as automatic senders do."""
    return _word(headers, "x-auto-response-suppress") not in {"", "none"}


def _null_return_path(headers: Headers) -> bool:
    return "<>" in (headers.get("return-path"), headers.get("from"))


def _from_one_of(words: tuple[str, ...], headers: Headers) -> bool:
    sender = headers.get("from", "")[:_MAX_SUBJECT].lower()
    return any(word in sender for word in words)


def _subject(headers: Headers) -> str:
    return headers.get("subject", "")[:_MAX_SUBJECT]
