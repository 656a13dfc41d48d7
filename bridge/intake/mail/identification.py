"""Message-IDs (RFC 5322 section 3.6.4), without their angle brackets."""

import re

from bridge.intake.mail.clean import one_line
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import Fields

MAX_REFERENCES = 50
MAX_ID = 998
_BRACKETED = re.compile(r"<([^<>]+)>")


def message_id_of(fields: Fields) -> str:
    """The mail's own identifier, or empty."""
    for value in fields.get("message-id", ()):
        ids = read_ids(value)
        if ids:
            return ids[0]
    return ""


def references_of(fields: Fields, repairs: Repairs) -> tuple[str, ...]:
    """References, then In-Reply-To: oldest first, without doubles.

    Of too many the first one, which names the conversation, and the newest stay.
    """
    values = (*fields.get("references", ()), *fields.get("in-reply-to", ()))
    found = list(dict.fromkeys(one for value in values for one in read_ids(value)))
    if len(found) > MAX_REFERENCES:
        repairs.repaired(f"there were more than {MAX_REFERENCES} references")
        found = [found[0], *found[1 - MAX_REFERENCES :]]
    return tuple(found)


def read_ids(value: str) -> list[str]:
    """The identifiers of a field. Without brackets a word with an `@` is one (obsolete phrases are not)."""
    found = _BRACKETED.findall(value)
    if not found:
        words = value.replace("<", " ").replace(">", " ").replace(",", " ").split()
        found = [word for word in words if "@" in word] or words[:1]
    return [one for text in found if (one := one_line("".join(text.split()), MAX_ID))]
