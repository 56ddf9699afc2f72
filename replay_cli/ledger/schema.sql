CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- state: waiting | reading | complete | damaged. Every record below `watermark` (an ordinal, always the edge of a
-- batch) is settled. `read` counts records read once, however often they were read again.
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    watermark INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    damage TEXT,
    changed_etag TEXT
);

-- The batches above the watermark: `settled` is a bitmap over the ordinals from `first`.
CREATE TABLE batch (
    object INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    unsettled INTEGER NOT NULL,
    settled BLOB NOT NULL,
    PRIMARY KEY (object, first)
) WITHOUT ROWID;

-- Of a record that became several requests: the parts delivered while others are not.
CREATE TABLE delivered_part (
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    PRIMARY KEY (object, ordinal, part)
) WITHOUT ROWID;

-- The book: settled records by outcome (delivered, skipped, rejected, dead_lettered) and reason. Warnings, which
-- settle nothing, are counted beside them as outcome 'warning'.
CREATE TABLE tally (
    object INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (object, outcome, reason)
) WITHOUT ROWID;

-- Attempts that may be on the wire: durable before the first byte leaves, gone when their outcome is durable.
CREATE TABLE intent (
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (object, ordinal, part, attempt)
) WITHOUT ROWID;

-- Attempts of which nobody knows whether MoEngage has them.
CREATE TABLE in_doubt (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at REAL NOT NULL,
    cause TEXT NOT NULL
);
CREATE INDEX in_doubt_place ON in_doubt (object, ordinal);

-- kind: rejected (could not be sent) | dead_lettered (was sent and failed for good).
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    at REAL NOT NULL,
    unit TEXT NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE reply (label TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    seen REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    ignored INTEGER NOT NULL DEFAULT 0
);
