"""Who sent a mail, and to whom (RFC 5322 section 3.6.2 and 3.6.3)."""

from collections.abc import Sequence

from bridge.intake.mail.address import MAX_ADDRESSES, Address, first_address, read_addresses
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import Fields

SENDER_FIELDS = ("from", "sender", "reply-to", "return-path")
"""In the order of trust; a later one is used only where no earlier one has a usable address."""
ENVELOPE_FIELDS = ("delivered-to", "envelope-to", "x-envelope-to", "x-original-to")
"""Where mail servers write the address that the mail really came for."""
BEFORE_ALIASES = ("x-original-to", "envelope-to", "x-envelope-to", "delivered-to")
"""The same, where the last server wrote also the address before it followed aliases."""
MAX_HOPS = 20
"""Fields of one name, and addresses in each, that are looked at."""
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


def recipient_of(fields: Fields, recipients: Sequence[str], ours: frozenset[str] = frozenset()) -> str:
    """The address of ours that the mail came for, as it was written.

    Where our addresses are known (in small letters), the first of them that the mail servers name, else the first in
    To and Cc. Otherwise, and where none is there: what the last mail server wrote, else the first recipient.
    """
    names = _by_trust(fields)
    if ours:
        known = (*_delivered_to(fields, names), *recipients)
        chosen = next((one for one in known if _is_ours(one, ours)), known[0] if known else "")
    else:
        chosen = _last_hop(fields, names) or (recipients[0] if recipients else "")
    for one in recipients:
        if "+" in one and _is_tagged(one, chosen):
            return one
    return chosen


def _by_trust(fields: Fields) -> tuple[str, ...]:
    """The envelope fields, the most telling first.

    Each server writes above what is there, so that the first field of a name is the last hop's. X-Original-To and
    Envelope-To name the address before aliases are followed, Delivered-To the one after. A forwarding server before
    ours may have left an X-Original-To; with more Delivered-To than those, the last hop wrote none.
    """
    if "x-original-to" in fields and len(fields["x-original-to"]) >= len(fields.get("delivered-to", ())):
        return BEFORE_ALIASES
    return ENVELOPE_FIELDS


def _last_hop(fields: Fields, names: Sequence[str]) -> str:
    """The first address that mail servers wrote, or empty."""
    for name in names:
        if name in fields:
            for value in fields[name][:MAX_HOPS]:
                found, _ = read_addresses(value, 1)
                if found:
                    return found[0].address
    return ""


def _delivered_to(fields: Fields, names: Sequence[str]) -> list[str]:
    """All addresses that mail servers wrote, within bounds."""
    values = [value for name in names for value in fields.get(name, ())[:MAX_HOPS]]
    return [one.address for value in values for one in read_addresses(value, MAX_HOPS)[0]]


def _is_ours(address: str, ours: frozenset[str]) -> bool:
    """With a plus-address's tag or without (RFC 5233)."""
    small = address.lower()
    return small in ours or ("+" in small and _without_tag(small) in ours)


def _is_tagged(address: str, plain: str) -> bool:
    """Whether it is the plus-address that the sender wrote, whose tag delivery cut off."""
    return "+" not in plain and _without_tag(address).lower() == plain.lower()


def _without_tag(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
