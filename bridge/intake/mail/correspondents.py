"""Who sent a mail, and to whom (RFC 5322 section 3.6.2 and 3.6.3)."""

from collections.abc import Iterable

from bridge.intake.mail.address import MAX_ADDRESSES, Address, first_address, read_addresses
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import Fields

SENDER_FIELDS = ("from", "sender", "reply-to", "return-path")
"""In the order of trust; a later one is used only where no earlier one has a usable address."""
ENVELOPE_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to")
"""Where mail servers write the address that the mail really came for."""
_NOBODY = Address("")


def sender_of(fields: Fields, repairs: Repairs) -> Address:
    """The first usable address of the sender fields; an empty one where none has any."""
    if len(fields.get("from", ())) > 1:
        repairs.repaired("there was more than one From field")
    for name in SENDER_FIELDS:
        for value in fields.get(name, ()):
            found = first_address(value)
            if found:
                if name != "from":
                    repairs.repaired(f"the sender was taken from {name.title()}")
                return found
    repairs.repaired("no sender could be found")
    return _NOBODY


def recipients_of(fields: Fields, repairs: Repairs) -> tuple[str, ...]:
    """The addresses of To and Cc, without doubles."""
    found: dict[str, str] = {}
    for value in (*fields.get("to", ()), *fields.get("cc", ())):
        addresses, more = read_addresses(value, MAX_ADDRESSES - len(found))
        for one in addresses:
            found.setdefault(one.address.lower(), one.address)
        if more:
            repairs.left_out(f"there were more than {MAX_ADDRESSES} recipients")
            break
    return tuple(found.values())


def recipient_of(fields: Fields, recipients: Iterable[str]) -> str:
    """The address of ours that the mail came for: as the mail server wrote it, else the first recipient."""
    for name in ENVELOPE_FIELDS:
        for value in fields.get(name, ()):
            found, _ = read_addresses(value, 1)
            if found:
                return found[0].address
    return next(iter(recipients), "")
