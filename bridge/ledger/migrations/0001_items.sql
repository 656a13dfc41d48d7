-- Times are milliseconds since 1970 in UTC.

CREATE TABLE items (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of acceptance
    key           TEXT    NOT NULL UNIQUE,
    source        TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    place         TEXT    NOT NULL,                  -- where in its source it was found
    conversation  TEXT    NOT NULL,                  -- within one, order holds
    state         TEXT    NOT NULL,
    reason        TEXT    NOT NULL DEFAULT '',
    detail        TEXT    NOT NULL DEFAULT '',
    route         TEXT,
    turn          INTEGER NOT NULL,                  -- 1: no earlier item of its conversation is open
    lane          INTEGER NOT NULL DEFAULT 0,        -- 0: live, 1: history, which goes behind live items
    attempts      INTEGER NOT NULL DEFAULT 0,        -- how many there were
    tries         INTEGER NOT NULL DEFAULT 0,        -- those that count for the next waiting time
    received_at   INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    settled_at    INTEGER,
    acd_event_id  INTEGER,
    event         TEXT,                              -- JSON of the event draft
    digest        TEXT,                              -- SHA-256 of that JSON
    message       TEXT    NOT NULL,                  -- JSON: what an operator needs to recognise it
    raw           BLOB                               -- a quarantined webhook's body
) STRICT;

CREATE INDEX items_due ON items (lane, due_at, id) WHERE state = 'pending' AND turn = 1;
CREATE INDEX items_history ON items (conversation) WHERE state = 'pending' AND lane = 1;
CREATE INDEX items_open ON items (conversation, id) WHERE state IN ('pending', 'sending', 'uncertain', 'held');
CREATE INDEX items_state ON items (state, id);
CREATE INDEX items_event ON items (acd_event_id, id) WHERE acd_event_id IS NOT NULL;

-- How many items are in each state, kept up to date so that asking costs the same at any size.
CREATE TABLE totals (
    state  TEXT    PRIMARY KEY,
    items  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER items_counted_in AFTER INSERT ON items BEGIN
    INSERT INTO totals (state, items) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET items = items + 1;
END;
CREATE TRIGGER items_counted_over AFTER UPDATE OF state ON items WHEN OLD.state <> NEW.state BEGIN
    UPDATE totals SET items = items - 1 WHERE state = OLD.state;
    INSERT INTO totals (state, items) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET items = items + 1;
END;
CREATE TRIGGER items_counted_out AFTER DELETE ON items BEGIN
    UPDATE totals SET items = items - 1 WHERE state = OLD.state;
END;

-- The same message found again, at another place or by another delivery of the helpdesk.
CREATE TABLE repeats (
    item_id   INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    place     TEXT    NOT NULL,
    seen_at   INTEGER NOT NULL,
    times     INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (item_id, place)
) STRICT, WITHOUT ROWID;

-- A folder as its UIDs are numbered at a time; another UIDVALIDITY is another numbering.
CREATE TABLE numberings (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL,
    folder       TEXT    NOT NULL,
    uidvalidity  INTEGER NOT NULL,
    UNIQUE (source, folder, uidvalidity)
) STRICT;

-- Every UID that was ever accounted for, and the key of its item. The row outlives the item.
CREATE TABLE places (
    numbering_id  INTEGER NOT NULL,
    uid           INTEGER NOT NULL,
    key           TEXT    NOT NULL,
    PRIMARY KEY (numbering_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX places_key ON places (key);

CREATE TABLE attempts (
    item_id       INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    digest        TEXT    NOT NULL,                  -- SHA-256 of the event draft that was sent
    ended_at      INTEGER,
    outcome       TEXT,
    reason        TEXT,
    http_status   INTEGER,
    words         TEXT,
    acd_event_id  INTEGER,
    PRIMARY KEY (item_id, number)
) STRICT, WITHOUT ROWID;

-- The ACD answered UPDATED: this item went into an event that was there before.
CREATE TABLE duplicates (
    id             INTEGER PRIMARY KEY,
    acd_event_id   INTEGER NOT NULL,
    item_id        INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    first_item_id  INTEGER REFERENCES items (id) ON DELETE SET NULL,
    at             INTEGER NOT NULL
) STRICT;
CREATE INDEX duplicates_event ON duplicates (acd_event_id);
CREATE INDEX duplicates_item ON duplicates (item_id);
CREATE INDEX duplicates_first ON duplicates (first_item_id);

CREATE TABLE cursors (
    source       TEXT    NOT NULL,
    folder       TEXT    NOT NULL,
    uidvalidity  INTEGER NOT NULL,
    baseline     INTEGER NOT NULL,
    last_uid     INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    moved_at     INTEGER NOT NULL,
    PRIMARY KEY (source, folder)
) STRICT, WITHOUT ROWID;

-- Refresh tokens that a token server gave in place of the configured ones.
CREATE TABLE refresh_tokens (
    mailbox  TEXT    PRIMARY KEY,
    origin   TEXT    NOT NULL,                       -- SHA-256 of the configured token it descends from
    token    TEXT    NOT NULL,
    kept_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Mailboxes whose mails get something done once their event is settled, as the running service is configured.
CREATE TABLE mail_action_sources (
    source  TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What is to be done, or was done, with the mail of a settled item; what it is, the configuration says.
CREATE TABLE mail_actions (
    item_id   INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    source    TEXT    NOT NULL,
    due_at    INTEGER NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,            -- how often the mail server refused it
    begun_at  INTEGER,                               -- a copy of it may be in the target folder since
    ended_at  INTEGER,
    outcome   TEXT    NOT NULL DEFAULT '',           -- once it has ended
    detail    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX mail_actions_due ON mail_actions (source, due_at, item_id) WHERE ended_at IS NULL;

-- A trigger, so that every way of settling an item writes it in the settlement's own transaction.
CREATE TRIGGER mail_actions_begin AFTER UPDATE OF state ON items
WHEN NEW.state IN ('created', 'updated') AND OLD.state NOT IN ('created', 'updated') AND NEW.kind = 'mail' BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT NEW.id, NEW.source, coalesce(NEW.settled_at, NEW.accepted_at)
    FROM mail_action_sources WHERE source = NEW.source
    ON CONFLICT (item_id) DO NOTHING;
END;

-- Mail that is read although it came before the folder was watched: a first start's or an operator's order.
CREATE TABLE orders (
    source       TEXT    NOT NULL,
    folder       TEXT    NOT NULL,
    since        INTEGER,                            -- mails that came earlier are left alone
    uidvalidity  INTEGER NOT NULL,                   -- 0: not begun yet
    next_uid     INTEGER NOT NULL,
    last_uid     INTEGER NOT NULL,
    uids         TEXT,                               -- sequence-set of the only ones wanted
    taken        INTEGER NOT NULL DEFAULT 0,
    known        INTEGER NOT NULL DEFAULT 0,
    asked_at     INTEGER NOT NULL,
    ended_at     INTEGER,
    words        TEXT    NOT NULL DEFAULT '',        -- why it ended early
    PRIMARY KEY (source, folder)
) STRICT, WITHOUT ROWID;

-- How many live items each source had in every ten minutes, by the time at which it got them.
CREATE TABLE rates (
    source  TEXT    NOT NULL,
    slot    INTEGER NOT NULL,                        -- milliseconds since 1970 / 600,000
    items   INTEGER NOT NULL,
    PRIMARY KEY (source, slot)
) STRICT, WITHOUT ROWID;

-- Suspected mail loops: the sender or conversation, and the held item that stands for all of it.
CREATE TABLE loops (
    name     TEXT    PRIMARY KEY,
    key      TEXT    NOT NULL,
    mails    INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
