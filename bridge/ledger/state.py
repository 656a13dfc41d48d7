"""The states of an item, and which of them are open."""

from enum import StrEnum


class ItemState(StrEnum):
    """Where an item stands. The comments are its meaning; docs/states.md is made from the same text."""

    PENDING = "pending"  #: waits for its turn, or for the time of its next try
    SENDING = "sending"  #: a request to the ACD is under way
    UNCERTAIN = "uncertain"  #: a request was sent and its outcome is unknown; the event may exist
    HELD = "held"  #: waits for an operator's word
    CREATED = "created"  #: final: the ACD made a new event
    UPDATED = "updated"  #: final: the ACD had such an event already and added to it (`Result_` = `UPDATED`)
    FILTERED = "filtered"  #: final: a route or an operator dropped it
    DUPLICATE = "duplicate"  #: final: another item stands for it
    QUARANTINED = "quarantined"  #: final: no event could be made of it; it cannot be posted, only dropped
    DEAD = "dead"  #: final: the ACD refused it, or its time ran out
    VANISHED = "vanished"  #: final: gone from its folder before it was read


OPEN = frozenset({ItemState.PENDING, ItemState.SENDING, ItemState.UNCERTAIN, ItemState.HELD})
"""Not settled yet. An open item keeps later ones of its conversation waiting."""
OPEN_LIST = "('pending', 'sending', 'uncertain', 'held')"
"""OPEN as the partial indexes write it; SQLite uses such an index only for the very same words."""

RETRYABLE = frozenset(
    {
        ItemState.PENDING,
        ItemState.UNCERTAIN,
        ItemState.HELD,
        ItemState.FILTERED,
        ItemState.DEAD,
    }
)
"""An operator may ask for another try of these, where they have an event."""

RELEASABLE = frozenset({ItemState.HELD, ItemState.DUPLICATE})
"""An operator may let these go, where they have an event."""

DROPPABLE = frozenset(
    {ItemState.PENDING, ItemState.UNCERTAIN, ItemState.HELD, ItemState.QUARANTINED, ItemState.DEAD}
)
"""An operator may drop these."""
