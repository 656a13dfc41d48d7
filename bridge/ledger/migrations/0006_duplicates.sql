-- Duplicates outlive their items: a row carries what an operator needs to make sense of it.
CREATE TABLE duplicates_anew (
    id             INTEGER PRIMARY KEY,
    kind           TEXT    NOT NULL,                 -- 'updated': the ACD said so; 'same-case': another source has it
    at             INTEGER NOT NULL,
    acd_event_id   INTEGER,                          -- NULL: the item that stands for it has no event yet
    item_id        INTEGER REFERENCES items (id) ON DELETE SET NULL,
    key            TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    sender         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    ticket_number  TEXT    NOT NULL,
    first_item_id  INTEGER REFERENCES items (id) ON DELETE SET NULL,
    first_key      TEXT,                             -- NULL: the event was not made by an item that is known
    first_source   TEXT,
    first_at       INTEGER,
    over_at        INTEGER                           -- since when the item stands for itself
) STRICT;

INSERT INTO duplicates_anew (id, kind, at, acd_event_id, item_id, key, source, sender, subject, ticket_number,
                             first_item_id, first_key, first_source, first_at)
SELECT d.id, 'updated', d.at, d.acd_event_id, d.item_id, i.key, i.source, coalesce(i.message ->> 'sender', ''),
       coalesce(i.message ->> 'subject', ''), coalesce(i.message ->> 'ticket_number', ''),
       f.id, f.key, f.source, f.accepted_at
FROM duplicates d JOIN items i ON i.id = d.item_id LEFT JOIN items f ON f.id = d.first_item_id;

DROP TABLE duplicates;
ALTER TABLE duplicates_anew RENAME TO duplicates;

CREATE INDEX duplicates_at ON duplicates (at);
CREATE INDEX duplicates_event ON duplicates (acd_event_id, at);
CREATE INDEX duplicates_ticket ON duplicates (ticket_number) WHERE ticket_number <> '';
CREATE INDEX duplicates_item ON duplicates (item_id);
CREATE INDEX duplicates_first ON duplicates (first_item_id);

-- What people look for an item by, and what tells the same case of two sources. Message-IDs are random: an index of
-- them alone would have every new item write a page of its own. In runs of 4096 items it writes the newest few.
CREATE INDEX items_ticket ON items (message ->> 'ticket_number') WHERE message ->> 'ticket_number' IS NOT NULL;
CREATE INDEX items_message_id ON items (id >> 12, message ->> 'message_id') WHERE message ->> 'message_id' IS NOT NULL;

-- Triggers, so that every way in which an item ends has its effect on those it stands for in its own transaction. Every
-- way writes settled_at; claiming an item does not, and pays nothing for them.

-- It was delivered: so were they.
CREATE TRIGGER same_case_delivered AFTER UPDATE OF settled_at ON items
WHEN NEW.state IN ('created', 'updated') AND OLD.state NOT IN ('created', 'updated') BEGIN
    UPDATE duplicates SET acd_event_id = NEW.acd_event_id
    WHERE first_item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL;
END;

-- What is to be done with a mail after delivery is done with this one too, at the same stage of the event.
CREATE TRIGGER same_case_action_at_once AFTER INSERT ON duplicates
WHEN NEW.kind = 'same-case' AND NEW.acd_event_id IS NOT NULL BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, NEW.at
    FROM items JOIN mail_action_sources AS wanted ON wanted.source = items.source
    WHERE items.id = NEW.item_id AND items.kind = 'mail' AND (wanted.stage = 'settled'
        OR EXISTS (SELECT 1 FROM follow_ups WHERE item_id = NEW.first_item_id AND outcome = 'done'))
    ON CONFLICT (item_id) DO NOTHING;
END;
CREATE TRIGGER same_case_action AFTER UPDATE OF acd_event_id ON duplicates
WHEN NEW.kind = 'same-case' AND NEW.over_at IS NULL BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, coalesce(first.settled_at, NEW.at)
    FROM items JOIN mail_action_sources AS wanted ON wanted.source = items.source AND wanted.stage = 'settled'
    JOIN items AS first ON first.id = NEW.first_item_id
    WHERE items.id = NEW.item_id AND items.kind = 'mail'
    ON CONFLICT (item_id) DO NOTHING;
END;
CREATE TRIGGER same_case_action_when_done AFTER UPDATE OF outcome ON follow_ups
WHEN NEW.outcome = 'done' AND OLD.outcome <> 'done' BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, NEW.ended_at
    FROM duplicates JOIN items ON items.id = duplicates.item_id
    JOIN mail_action_sources AS wanted ON wanted.source = items.source AND wanted.stage = 'done'
    WHERE duplicates.first_item_id = NEW.item_id AND duplicates.kind = 'same-case' AND duplicates.over_at IS NULL
    AND items.kind = 'mail'
    ON CONFLICT (item_id) DO NOTHING;
END;

-- It ended without an event: the oldest of them takes its place, and stands for the others. What an operator gave up
-- is not posted behind his back: what takes its place is held for his word.
CREATE TRIGGER same_case_ended AFTER UPDATE OF settled_at ON items
WHEN NEW.state IN ('dead', 'quarantined', 'filtered') AND OLD.state IN ('pending', 'sending', 'uncertain', 'held')
AND EXISTS (SELECT 1 FROM duplicates WHERE first_item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL) BEGIN
    UPDATE duplicates
    SET first_item_id = heir.id, first_key = heir.key, first_source = heir.source, first_at = heir.accepted_at
    FROM (SELECT items.* FROM duplicates AS d JOIN items ON items.id = d.item_id
        WHERE d.first_item_id = NEW.id AND d.kind = 'same-case' AND d.over_at IS NULL AND items.event IS NOT NULL
        ORDER BY items.id LIMIT 1) AS heir
    WHERE duplicates.first_item_id = NEW.id AND duplicates.kind = 'same-case' AND duplicates.over_at IS NULL
    AND duplicates.item_id <> heir.id;

    UPDATE items SET state = iif(NEW.reason = 'operator-drop', 'held', 'pending'), reason = 'same-case',
        detail = 'takes the place of ' || NEW.key || ', which ended without an event', tries = 0,
        due_at = NEW.settled_at, accepted_at = NEW.settled_at, settled_at = NULL
    WHERE state = 'duplicate' AND event IS NOT NULL AND id IN (SELECT item_id FROM duplicates
        WHERE first_item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL);
END;

-- It stands for itself from now on, however that came. Where it takes another one's place, it may stand before those
-- of its conversation that have their turn already.
CREATE TRIGGER same_case_over AFTER UPDATE OF settled_at ON items
WHEN OLD.state = 'duplicate' AND NEW.state <> 'duplicate' BEGIN
    UPDATE duplicates SET over_at = coalesce(NEW.settled_at, NEW.due_at)
    WHERE item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL;

    UPDATE items SET turn = id = (SELECT min(id) FROM items
        WHERE conversation = NEW.conversation AND state IN ('pending', 'sending', 'uncertain', 'held'))
    WHERE NEW.reason = 'same-case' AND conversation = NEW.conversation
    AND state IN ('pending', 'sending', 'uncertain', 'held');
END;
