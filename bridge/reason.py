"""Why something is as it is: one closed list, used alike in the state file, logs, metrics, pages and documentation."""

from enum import StrEnum


class Reason(StrEnum):
    """One word for why. Each member's comment is its meaning; docs/reasons.md is made from the same text."""

    NONE = ""  #: nothing to explain

    ROUTE_DROP = "route-drop"  #: a route with `drop = true` matched
    OPERATOR_DROP = "operator-drop"  #: an operator dropped the item
    OPERATOR_RELEASE = "operator-release"  #: an operator let the held item go
    OPERATOR_RETRY = "operator-retry"  #: an operator asked for another try

    NO_ROUTE = "no-route"  #: no route matched the message
    TEMPLATE_FAILED = "template-failed"  #: a route's expression or template failed on this message
    INVALID_EVENT = "invalid-event"  #: the route made an event that the ACD's documentation does not allow
    MESSAGE_VANISHED = (
        "message-vanished"  #: the mail was in its folder's list and gone when it was to be read
    )
    LEFT_ALONE = "left-alone"  #: the mail was in its folder before the first start
    RENUMBERED = "renumbered"  #: held: its folder was numbered anew, and too many mails in it were not known
    SAME_LETTER = "same-letter"  #: another copy of this mail has its event, as `one_event_for` asks for
    UNREADABLE = "unreadable"  #: the message could not be read at all

    BURST = "burst"  #: held: its source sent far more within ten minutes than it usually does
    SUSPECTED_LOOP = (
        "suspected-loop"  #: its sender or conversation sends so fast that it looks like a mail loop
    )

    SAME_CASE = (
        "same-case"  #: the case came by another source too: that item stands for it, or did until it failed
    )

    LIST_UNREADABLE = "list-unreadable"  #: held: its event may exist, and the ACD's list could not be read
    FORBIDDEN_ALONE = (
        "forbidden-alone"  #: the ACD, or a filter before it, forbids this one (403) while others pass
    )

    ACD_REFUSED = "acd-refused"  #: the ACD refused this one event (400, 404 with JSON, 409, 422)
    UNKNOWN_NAME = "unknown-name"  #: the ACD knows no type or group of this name
    GAVE_UP = "gave-up"  #: the time of `acd.give_up_after` ran out

    ACD_UNAUTHORISED = (
        "acd-unauthorised"  #: the ACD refuses token or client (401, 403); nobody's event can pass
    )
    ACD_WRONG_ADDRESS = "acd-wrong-address"  #: the ACD's address is wrong (404 with an empty body)
    ACD_BUSY = "acd-busy"  #: the ACD asks to come later (408, 425, 429)
    ACD_FAILED = "acd-failed"  #: the ACD failed (5xx)
    ACD_UNREACHABLE = "acd-unreachable"  #: no connection to the ACD: refused, DNS or TLS; surely not sent

    TIMED_OUT = "timed-out"  #: no answer in time; the event may exist
    CONNECTION_LOST = "connection-lost"  #: the connection broke after sending; the event may exist
    ANSWER_UNREADABLE = "answer-unreadable"  #: a 200 that cannot be read; the event may exist
    CRASHED_WHILE_SENDING = "crashed-while-sending"  #: the bridge stopped between sending and the answer
