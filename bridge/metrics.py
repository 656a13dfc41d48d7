"""Every metric of the bridge, in one place (Prometheus naming: base units, `_total` for counters).

Labels are given by keyword, since positional ones get swapped. No address, key or ID is ever a label.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

REGISTRY = CollectorRegistry()

BUILD = Info("acd_bridge_build", "Version of the bridge.", registry=REGISTRY)
ITEMS_ACCEPTED = Counter(
    "acd_bridge_items_accepted",
    "Items stored, by the state they began in.",
    ["source", "state"],
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "acd_bridge_deliveries",
    "Attempts to post an event, by what came of them.",
    ["outcome", "reason"],
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "acd_bridge_delivery_duration_seconds", "Time of one request to the ACD.", registry=REGISTRY
)
ACCEPT_TO_SETTLED_SECONDS = Histogram(
    "acd_bridge_accept_to_settled_seconds",
    "Time from storing an item until the ACD had its event.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
    registry=REGISTRY,
)
OUTBOX_ITEMS = Gauge(
    "acd_bridge_outbox_items", "Items in the state file, by state.", ["state"], registry=REGISTRY
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "acd_bridge_outbox_oldest_age_seconds", "Age of the oldest item that is not settled.", registry=REGISTRY
)
DELIVERY_PAUSED = Gauge(
    "acd_bridge_delivery_paused",
    "1 while nothing is posted: the ACD refuses everybody or is down.",
    registry=REGISTRY,
)
REFUSALS_IN_A_ROW = Gauge(
    "acd_bridge_refusals_in_a_row",
    "Events that the ACD refused since the last one that it took.",
    registry=REGISTRY,
)
LIST_UNREADABLE = Gauge(
    "acd_bridge_list_unreadable",
    "1 while events whose outcome is unknown wait because the ACD's list cannot be read.",
    registry=REGISTRY,
)
INTAKE_PAUSED = Gauge(
    "acd_bridge_intake_paused",
    "1 while nothing is taken in: too much waits, or the state file's disk is nearly full.",
    registry=REGISTRY,
)
FOLLOW_UPS = Counter(
    "acd_bridge_follow_ups",
    "Events of settled items whose following in the ACD has ended, by how.",
    ["outcome"],
    registry=REGISTRY,
)
FOLLOW_UPS_WAITING = Gauge(
    "acd_bridge_follow_ups_waiting", "Events that are followed and have not ended.", registry=REGISTRY
)
FOLLOW_UP_LATE_SECONDS = Gauge(
    "acd_bridge_follow_up_late_seconds",
    "For how long the oldest look at a followed event is overdue.",
    registry=REGISTRY,
)
FOLLOW_UP_LOOKS = Counter(
    "acd_bridge_follow_up_looks",
    "Requests to the ACD for followed events: `single` for one event, `list` for all.",
    ["way"],
    registry=REGISTRY,
)
EVENT_REACHED_SECONDS = Histogram(
    "acd_bridge_event_reached_seconds",
    "Time from an item's settlement until its event was seen by an agent, and until it was done.",
    ["status"],
    buckets=(10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200, 604800),
    registry=REGISTRY,
)
NOTICES = Counter(
    "acd_bridge_notices",
    "Notices of how events ended, by what came of sending them; `failed` ones are tried again.",
    ["notify", "outcome"],
    registry=REGISTRY,
)
NOTICES_WAITING = Gauge(
    "acd_bridge_notices_waiting", "Notices that were not taken yet.", ["notify"], registry=REGISTRY
)
IMAP_CONNECTED = Gauge(
    "acd_bridge_imap_connected",
    "1 while the folder is connected and watched.",
    ["mailbox", "folder"],
    registry=REGISTRY,
)
IMAP_LAST_LOOK = Gauge(
    "acd_bridge_imap_last_look_timestamp_seconds",
    "When the folder was last compared with the cursor.",
    ["mailbox", "folder"],
    registry=REGISTRY,
)
IMAP_UNACCOUNTED = Gauge(
    "acd_bridge_imap_unaccounted",
    "Mails on the server that the last audit of the folder did not find in the state file; must be 0.",
    ["mailbox", "folder"],
    registry=REGISTRY,
)
IMAP_IDLE_MISSED = Counter(
    "acd_bridge_imap_idle_missed",
    "Messages that the poll found and IDLE had not told.",
    ["mailbox"],
    registry=REGISTRY,
)
IMAP_UNWATCHED = Gauge(
    "acd_bridge_imap_unwatched_folders",
    "Folders of the mailbox whose last good look is so old that the log alarmed (`mailbox-unwatched`).",
    ["mailbox"],
    registry=REGISTRY,
)
IMAP_RECEIVED = Counter(
    "acd_bridge_imap_received_bytes",
    "Bytes that the mail server sent for the mailbox, without those of TLS.",
    ["mailbox"],
    registry=REGISTRY,
)
IMAP_FAILURES = Counter(
    "acd_bridge_imap_failures",
    "Connections that ended in a failure, by kind.",
    ["mailbox", "kind"],
    registry=REGISTRY,
)
MAIL_ACTIONS = Counter(
    "acd_bridge_mail_actions",
    "Actions on mails after delivery, by what came of them; `refused` ones are tried again.",
    ["mailbox", "outcome"],
    registry=REGISTRY,
)
MAIL_ACTIONS_WAITING = Gauge(
    "acd_bridge_mail_actions_waiting",
    "Mails whose event is settled and whose action is still to be done.",
    ["mailbox"],
    registry=REGISTRY,
)
WEBHOOK_REQUESTS = Counter(
    "acd_bridge_webhook_requests", "Webhook requests, by answer.", ["webhook", "status"], registry=REGISTRY
)
TOKEN_EXPIRES = Gauge(
    "acd_bridge_oauth_token_expiry_timestamp_seconds",
    "When the access token of a mailbox that signs in with OAuth ends; it is renewed before.",
    ["mailbox"],
    registry=REGISTRY,
)
SECRET_EXPIRES = Gauge(
    "acd_bridge_oauth_secret_expiry_timestamp_seconds",
    "When the mailbox's client secret, key or refresh token ends, as `oauth.secret_expires` has it.",
    ["mailbox"],
    registry=REGISTRY,
)
FLOOD_HELD = Counter(
    "acd_bridge_flood_held",
    "Items that were held or collapsed since they looked like a flood, by reason (`burst`, `suspected-loop`).",
    ["source", "reason", "state"],
    registry=REGISTRY,
)
