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

CREATE INDEX items_due ON items (due_at, id) WHERE state = 'pending' AND turn = 1;
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
