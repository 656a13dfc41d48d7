-- Letters whose copies have one event together, and the item that has it.
CREATE TABLE letters (
    letter   TEXT    PRIMARY KEY,
    item_id  INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX letters_item ON letters (item_id);
