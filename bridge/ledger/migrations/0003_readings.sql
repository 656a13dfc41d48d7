-- Whether the service that last opened the file has closed it; one row, once there was one.
CREATE TABLE last_run (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    closed  INTEGER NOT NULL
) STRICT;

-- The mails of a folder that are about to be read, after an end that was not in order: one of them may have caused it.
CREATE TABLE readings (
    source       TEXT    NOT NULL,
    folder       TEXT    NOT NULL,
    lane         INTEGER NOT NULL,                   -- as that of items: 0 live, 1 history
    uidvalidity  INTEGER NOT NULL,
    first_uid    INTEGER NOT NULL,
    last_uid     INTEGER NOT NULL,
    tries        INTEGER NOT NULL,                   -- how often it was begun, this time included
    PRIMARY KEY (source, folder, lane)
) STRICT, WITHOUT ROWID;
