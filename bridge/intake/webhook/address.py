"""A sender as helpdesks write it, reduced to its name and its address."""

from bridge.intake.webhook.text import one_line

MAX_ADDRESS = 320
"""Local part 64, "@", domain 255 octets (RFC 5321 section 4.5.3.1)."""
_MAX_LOOKED_AT = 1000
_AROUND = " \t<>()[],;:\"'"


def split_address(text: str) -> tuple[str, str]:
    """The name and the address of `Name <local@domain>` or of a bare address; of several, the first.

    The text is decoded already, so this is no parser of RFC 5322: what is not plainly an address gives an
    empty one.
    """
    line = one_line(text, _MAX_LOOKED_AT)
    name, bracket, rest = line.partition("<")
    if bracket and (address := _address(rest.partition(">")[0])):
        return name.strip(_AROUND), address
    for word in line.replace(",", " ").replace(";", " ").split():
        if address := _address(word):
            return "", address
    return "", ""


def _address(text: str) -> str:
    text = text.strip(_AROUND).removeprefix("mailto:")
    local, _, domain = text.rpartition("@")
    plain = local and domain and "@" not in local and not any(sign in text for sign in ' <>,;"\\')
    return text if plain and len(text) <= MAX_ADDRESS else ""
