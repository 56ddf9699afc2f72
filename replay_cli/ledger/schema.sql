CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- state: waiting | reading | complete | damaged | replaced. Every record below `watermark` (an ordinal, always the edge
-- of a batch) is settled. `read` counts records read once, however often they were read again. A uri has one object that
-- is not replaced; the replaced ones are earlier versions of it, in whose book only what was sent or parked stays, and
-- whose `watermark` is how far they were read. `place` numbers objects in the order in which they were begun (0: not
-- yet): requests are ranked by it. Those not begun are read by `reading_order`, then uri.
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    watermark INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    damage TEXT,
    changed_etag TEXT,
    place INTEGER NOT NULL DEFAULT 0,
    reading_order TEXT NOT NULL DEFAULT ''
);
CREATE INDEX object_uri ON object (uri);
CREATE INDEX object_waiting ON object (reading_order, uri) WHERE state = 'waiting';

-- The batches above the watermark: `settled` is a bitmap over the ordinals from `first`.
CREATE TABLE batch (
    object INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    unsettled INTEGER NOT NULL,
    settled BLOB NOT NULL,
    PRIMARY KEY (object, first)
) WITHOUT ROWID;

-- What is known of the messages of an object until it is complete, batch by batch: 8 bytes an ordinal, the hash of its
-- message id, zeros where nothing is to be sent. `left_out` is a bitmap of those that an earlier version has sent, NULL
-- for none. Of a replaced object it holds only what was settled or parked.
CREATE TABLE message_id (
    object INTEGER NOT NULL,
    first INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    left_out BLOB,
    PRIMARY KEY (object, first)
) WITHOUT ROWID;

-- The last messages that have an id and become requests, where duplicates are left out: a row for each batch with some,
-- in the order in which they were opened. `id` is how many messages are before it, `hashes` 8 bytes a message,
-- `duplicates` 1 byte (1 for a duplicate), NULL for none. Of a replaced object it holds only what was settled or parked.
CREATE TABLE seen (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    first INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    duplicates BLOB
);
CREATE INDEX seen_object ON seen (object);

-- Records that a replaced object left unsettled, with attempts in doubt or requests settled: these become those of the
-- new version's record with the same hash when that is read.
CREATE TABLE carried (
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (object, ordinal)
) WITHOUT ROWID;

-- Of a record that became several requests: the parts settled while others are not. `reason` is NULL for a delivered
-- one, else why it was given up; gone when the record is settled.
CREATE TABLE settled_part (
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    reason TEXT,
    detail TEXT NOT NULL DEFAULT '',
    status INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (object, ordinal, part)
) WITHOUT ROWID;

-- Requests that wait here instead of in memory, because their user cannot go on: one of the user's requests fails while
-- others pass, or too many of them wait. For `batch` their records are settled (the watermark passes them), in the book
-- they are pending. `rank` is the archive's order; `due` (POSIX seconds) is when one that failed is tried again, NULL
-- for those that only wait for the ones before them in their lanes; `spent` are the seconds used up of its budget;
-- `held`: its budget is used up, but it is kept for a later run. `redriven`: it was a dead letter.
CREATE TABLE parked (
    id INTEGER PRIMARY KEY,
    rank INTEGER NOT NULL,
    object INTEGER NOT NULL,
    part INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    body BLOB NOT NULL,
    users TEXT NOT NULL,
    unit TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    doubted INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    spent REAL NOT NULL,
    due REAL,
    held INTEGER NOT NULL DEFAULT 0,
    redriven INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX parked_due ON parked (due) WHERE due IS NOT NULL;

CREATE TABLE parked_lane (
    lane TEXT NOT NULL,
    rank INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (lane, rank, id)
) WITHOUT ROWID;
CREATE INDEX parked_lane_id ON parked_lane (id);

CREATE TABLE parked_record (
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    id INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (object, ordinal, id)
);
CREATE INDEX parked_record_id ON parked_record (id);

-- The book: settled records by outcome (delivered, skipped, rejected, dead_lettered) and reason. Warnings, which
-- settle nothing, are counted beside them as outcome 'warning'.
CREATE TABLE tally (
    object INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (object, outcome, reason)
) WITHOUT ROWID;

-- The first records that a warning is about, a few for each rule; `detail` says to a person what of them.
CREATE TABLE example (
    rule TEXT NOT NULL,
    object INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    unit TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (rule, object, ordinal)
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

-- kind: rejected (could not be sent) | dead_lettered (was sent and failed for good). `status` is that of the last reply,
-- 0 without one; `delivered_parts` are the numbers of the requests of this record that did arrive. `form` tells how
-- `record` is kept: 0 as it is, 1 compressed; or why it is gone and empty, with its `detail`: 2 expired, 3 erased.
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
    record BLOB NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    delivered_parts TEXT NOT NULL DEFAULT '',
    rank INTEGER NOT NULL DEFAULT 0,
    form INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX dead_letter_place ON dead_letter (object, ordinal);

CREATE TABLE reply (label TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

-- `delivered` counts the records that arrived in that run, NULL where that was not counted yet.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    seen REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'run',
    user TEXT NOT NULL DEFAULT '',
    delivered INTEGER
);

-- Settings that were changed in mid-job, knowingly.
CREATE TABLE amendment (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    reason TEXT NOT NULL,
    setting TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
