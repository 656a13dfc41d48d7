"""What the sender of a mail wrote, without the mails that it answers to. A mail that is passed on stays whole."""

import re

MAX_LINE = 500
"""Characters of a line that are looked at."""

_FORWARDED_SUBJECT = re.compile(
    r"(?:\[[^\]]{0,40}\] ?)?(?:fwd?|wg|tr|rv|i|vs|vb|enc|pd|doorst(?:uren)?) ?: ?", re.IGNORECASE
)
_FORWARDED = re.compile(
    r"-{2,} ?(?:forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|messaggio inoltrato"
    r"|doorgestuurd bericht|mensagem encaminhada|wiadomość przekazana) ?-{2,}\Z"
    r"|(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message transféré"
    r"|inizio messaggio inoltrato|inicio del mensaje reenviado|begin doorgestuurd bericht) ?:\Z",
    re.IGNORECASE,
)
_ATTRIBUTION_BEGIN = re.compile(
    r"(?:on|am|le|el|il|op|em|den|dne|w dniu|в)\b|\d{1,4}[-./]\d{1,2}[-./]|[^\s<>]{1,60} ?<?[^\s<>]{1,100}@",
    re.IGNORECASE,
)
_ATTRIBUTION_END = re.compile(
    r"(?:wrote|writes|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napsal|napisał(?:\(a\))?|писал"
    r"|пишет)(?: [^:\n]{0,200})?:\s*\Z",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"-{2,} ?(?:original message|ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale"
    r"|oorspronkelijk bericht) ?-{2,}\Z",
    re.IGNORECASE,
)
_OUTLOOK_FROM = re.compile(r"\*?(?:from|von|de|da|van)\s?:\*? ", re.IGNORECASE)
_OUTLOOK_SENT = re.compile(
    r"\*?(?:sent|date|gesendet|datum|envoyé|enviado|inviato|verzonden)\s?:\*? ", re.IGNORECASE
)


def own_words(text: str, subject: str) -> str:
    """The text without the mails that it answers to. Where nothing else would be left, all of it stays.

    It is cut at a line that announces them in one of the usual forms; lines that begin with `>` are left out. What is
    passed on is what the sender wants to be read: from where that is announced everything stays, and all of it where
    the subject says so, since Outlook announces it like a mail that is answered.
    """
    if _FORWARDED_SUBJECT.match(subject):
        return text
    lines = text.split("\n")
    kept: list[str] = []
    for number, line in enumerate(lines):
        bare = line.strip()[:MAX_LINE]
        if _FORWARDED.match(bare):
            kept += lines[number:]
            break
        if _announces(bare, lines, number):
            break
        if not bare.startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip() or text


def _announces(line: str, lines: list[str], number: int) -> bool:
    """Whether the mails that are answered begin here. An attribution is often broken into two lines."""
    if _ORIGINAL.match(line):
        return True
    following = lines[number + 1].strip()[:MAX_LINE] if number + 1 < len(lines) else ""
    if _ATTRIBUTION_BEGIN.match(line):
        return bool(_ATTRIBUTION_END.search(line) or (following and _ATTRIBUTION_END.search(following)))
    return bool(
        _OUTLOOK_FROM.match(line)
        and any(_OUTLOOK_SENT.match(one.strip()[:100]) for one in lines[number + 1 : number + 4])
    )
