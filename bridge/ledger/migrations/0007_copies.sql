-- Copies of a letter are duplicates as the halves of a case are (0006_duplicates.sql), and their mails get the same
-- action. They never take the place of what stands for them: the ACD would refuse the very same again. Their records go
-- with their items, since every label of a mail is a copy.

INSERT INTO duplicates (kind, at, acd_event_id, item_id, key, source, sender, subject, ticket_number,
                        first_item_id, first_key, first_source, first_at)
SELECT 'same-letter', i.settled_at, f.acd_event_id, i.id, i.key, i.source, coalesce(i.message ->> 'sender', ''),
       coalesce(i.message ->> 'subject', ''), coalesce(i.message ->> 'ticket_number', ''),
       f.id, f.key, f.source, f.accepted_at
FROM items AS i JOIN items AS f ON f.key = substr(i.detail, length('of ') + 1)
WHERE i.state = 'duplicate' AND i.reason = 'same-letter';

CREATE TRIGGER copies_removed BEFORE DELETE ON items BEGIN
    DELETE FROM duplicates WHERE item_id = OLD.id AND kind = 'same-letter';
END;

-- It was delivered: so were they.
DROP TRIGGER same_case_delivered;
CREATE TRIGGER first_delivered AFTER UPDATE OF settled_at ON items
WHEN NEW.state IN ('created', 'updated') AND OLD.state NOT IN ('created', 'updated') BEGIN
    UPDATE duplicates SET acd_event_id = NEW.acd_event_id
    WHERE first_item_id = NEW.id AND kind <> 'updated' AND over_at IS NULL;
END;

-- What is to be done with a mail after delivery is done with this one too, at the same stage of the event.
DROP TRIGGER same_case_action_at_once;
CREATE TRIGGER duplicate_action_at_once AFTER INSERT ON duplicates
WHEN NEW.kind <> 'updated' AND NEW.acd_event_id IS NOT NULL BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, NEW.at
    FROM items JOIN mail_action_sources AS wanted ON wanted.source = items.source
    WHERE items.id = NEW.item_id AND items.kind = 'mail' AND (wanted.stage = 'settled'
        OR EXISTS (SELECT 1 FROM follow_ups WHERE item_id = NEW.first_item_id AND outcome = 'done'))
    ON CONFLICT (item_id) DO NOTHING;
END;
DROP TRIGGER same_case_action;
CREATE TRIGGER duplicate_action AFTER UPDATE OF acd_event_id ON duplicates
WHEN NEW.kind <> 'updated' AND NEW.over_at IS NULL BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, coalesce(first.settled_at, NEW.at)
    FROM items JOIN mail_action_sources AS wanted ON wanted.source = items.source AND wanted.stage = 'settled'
    JOIN items AS first ON first.id = NEW.first_item_id
    WHERE items.id = NEW.item_id AND items.kind = 'mail'
    ON CONFLICT (item_id) DO NOTHING;
END;
DROP TRIGGER same_case_action_when_done;
CREATE TRIGGER duplicate_action_when_done AFTER UPDATE OF outcome ON follow_ups
WHEN NEW.outcome = 'done' AND OLD.outcome <> 'done' BEGIN
    INSERT INTO mail_actions (item_id, source, due_at)
    SELECT items.id, items.source, NEW.ended_at
    FROM duplicates JOIN items ON items.id = duplicates.item_id
    JOIN mail_action_sources AS wanted ON wanted.source = items.source AND wanted.stage = 'done'
    WHERE duplicates.first_item_id = NEW.item_id AND duplicates.kind <> 'updated' AND duplicates.over_at IS NULL
    AND items.kind = 'mail'
    ON CONFLICT (item_id) DO NOTHING;
END;

-- It ended without an event: the oldest other half of its case takes its place, and stands for the others, for copies
-- and for the letter. What an operator gave up is not posted behind his back: what takes its place is held for his word.
DROP TRIGGER same_case_ended;
CREATE TRIGGER first_ended AFTER UPDATE OF settled_at ON items
WHEN NEW.state IN ('dead', 'quarantined', 'filtered') AND OLD.state IN ('pending', 'sending', 'uncertain', 'held')
AND EXISTS (SELECT 1 FROM duplicates WHERE first_item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL) BEGIN
    UPDATE duplicates
    SET first_item_id = heir.id, first_key = heir.key, first_source = heir.source, first_at = heir.accepted_at
    FROM (SELECT items.* FROM duplicates AS d JOIN items ON items.id = d.item_id
        WHERE d.first_item_id = NEW.id AND d.kind = 'same-case' AND d.over_at IS NULL AND items.event IS NOT NULL
        ORDER BY items.id LIMIT 1) AS heir
    WHERE duplicates.first_item_id = NEW.id AND duplicates.kind <> 'updated' AND duplicates.over_at IS NULL
    AND duplicates.item_id <> heir.id;

    UPDATE letters SET item_id = heir.id
    FROM (SELECT items.id FROM duplicates AS d JOIN items ON items.id = d.item_id
        WHERE d.first_item_id = NEW.id AND d.kind = 'same-case' AND d.over_at IS NULL AND items.event IS NOT NULL
        LIMIT 1) AS heir
    WHERE letters.item_id = NEW.id;

    UPDATE items SET state = iif(NEW.reason = 'operator-drop', 'held', 'pending'), reason = 'same-case',
        detail = 'takes the place of ' || NEW.key || ', which ended without an event', tries = 0,
        due_at = NEW.settled_at, accepted_at = NEW.settled_at, settled_at = NULL
    WHERE state = 'duplicate' AND event IS NOT NULL AND id IN (SELECT item_id FROM duplicates
        WHERE first_item_id = NEW.id AND kind = 'same-case' AND over_at IS NULL);
END;

-- It stands for itself from now on, however that came. Where it takes another one's place, it may stand before those
-- of its conversation that have their turn already.
DROP TRIGGER same_case_over;
CREATE TRIGGER duplicate_over AFTER UPDATE OF settled_at ON items
WHEN OLD.state = 'duplicate' AND NEW.state <> 'duplicate' BEGIN
    UPDATE duplicates SET over_at = coalesce(NEW.settled_at, NEW.due_at)
    WHERE item_id = NEW.id AND kind <> 'updated' AND over_at IS NULL;

    UPDATE items SET turn = id = (SELECT min(id) FROM items
        WHERE conversation = NEW.conversation AND state IN ('pending', 'sending', 'uncertain', 'held'))
    WHERE NEW.reason = 'same-case' AND conversation = NEW.conversation
    AND state IN ('pending', 'sending', 'uncertain', 'held');
END;
