-- Events that are followed in the ACD until they are Done, and who is told of it. Times as in 0001_items.sql.

-- Routes whose events are followed, as the running service is configured.
CREATE TABLE follow_up_routes (
    route   TEXT    PRIMARY KEY,
    first   INTEGER NOT NULL,                        -- milliseconds from the settlement to the first look
    notify  TEXT                                     -- who is told of the event's end
) STRICT, WITHOUT ROWID;

-- What is known of the event of a settled item, and when it is looked at next.
CREATE TABLE follow_ups (
    item_id       INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    acd_event_id  INTEGER NOT NULL,
    began_at      INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    looks         INTEGER NOT NULL DEFAULT 0,        -- how many there were
    steady        INTEGER NOT NULL DEFAULT 0,        -- those since anything new was found, for the next waiting time
    looked_at     INTEGER,                           -- the last time that the ACD told the event's state
    status        INTEGER,                           -- AcdEventStatusID at that time
    status_name   TEXT    NOT NULL DEFAULT '',
    new_at        INTEGER,
    seen_at       INTEGER,
    done_at       INTEGER,
    ended_at      INTEGER,
    outcome       TEXT    NOT NULL DEFAULT '',       -- once it has ended
    detail        TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX follow_ups_due ON follow_ups (due_at, item_id) WHERE ended_at IS NULL;

-- A trigger, so that every way of settling an item writes it in the settlement's own transaction.
CREATE TRIGGER follow_ups_begin AFTER UPDATE OF state ON items
WHEN NEW.state IN ('created', 'updated') AND OLD.state NOT IN ('created', 'updated')
AND NEW.acd_event_id IS NOT NULL BEGIN
    INSERT INTO follow_ups (item_id, acd_event_id, began_at, due_at)
    SELECT NEW.id, NEW.acd_event_id, coalesce(NEW.settled_at, NEW.accepted_at),
        coalesce(NEW.settled_at, NEW.accepted_at) + first
    FROM follow_up_routes WHERE route = NEW.route
    ON CONFLICT (item_id) DO NOTHING;
END;

-- Somebody is to be told, or was told, how an item's event ended.
CREATE TABLE notices (
    item_id   INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    target    TEXT    NOT NULL,
    began_at  INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,            -- how often it was not taken
    ended_at  INTEGER,
    outcome   TEXT    NOT NULL DEFAULT '',           -- once it has ended
    detail    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX notices_due ON notices (target, due_at, item_id) WHERE ended_at IS NULL;

-- At what stage the action on a mail begins: once its item is settled, or once its event is Done.
ALTER TABLE mail_action_sources ADD COLUMN stage TEXT NOT NULL DEFAULT 'settled';

DROP TRIGGER mail_actions_begin;
CREATE TRIGGER mail_actions_begin AFTER UPDATE OF state ON items
WHEN NEW.state IN ('created', 'updated') AND OLD.state NOT IN ('created', 'updated') AND NEW.kind = 'mail' BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT NEW.id, NEW.source, coalesce(NEW.settled_at, NEW.accepted_at)
    FROM mail_action_sources WHERE source = NEW.source AND stage = 'settled'
    ON CONFLICT (item_id) DO NOTHING;
END;
CREATE TRIGGER mail_actions_begin_when_done AFTER UPDATE OF outcome ON follow_ups
WHEN NEW.outcome = 'done' AND OLD.outcome <> 'done' BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, NEW.ended_at
    FROM items JOIN mail_action_sources AS wanted ON wanted.source = items.source AND wanted.stage = 'done'
    WHERE items.id = NEW.item_id AND items.kind = 'mail'
    ON CONFLICT (item_id) DO NOTHING;
END;

-- The same for the one who is told: the end of an event and what follows from it are one transaction.
CREATE TRIGGER notices_begin AFTER UPDATE OF outcome ON follow_ups
WHEN NEW.outcome IN ('done', 'error') AND OLD.outcome = '' BEGIN
    INSERT INTO notices (item_id, target, began_at, due_at)
    SELECT items.id, wanted.notify, NEW.ended_at, NEW.ended_at
    FROM items JOIN follow_up_routes AS wanted ON wanted.route = items.route
    WHERE items.id = NEW.item_id AND wanted.notify IS NOT NULL
    ON CONFLICT (item_id) DO NOTHING;
END;
