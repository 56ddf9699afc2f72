-- What a report tells besides the book. All of it is bounded, however long the job runs.

-- What happened in some `seconds` from `at` (POSIX seconds) on, of one run (0: of several, or thinned with age).
-- `paused` are seconds, `peak` attempts in a rolling second, `slowest` seconds; `replies` is JSON, status or failure →
-- attempts; `latencies` are counts in buckets that grow with the time.
CREATE TABLE timeline (
    at INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    paused REAL NOT NULL,
    peak INTEGER NOT NULL,
    slowest REAL NOT NULL,
    replies TEXT NOT NULL,
    latencies BLOB NOT NULL,
    PRIMARY KEY (at, seconds, run)
) WITHOUT ROWID;

-- The records that became requests, each counted once: by event as sent and day, and, because these pairs are bounded,
-- by each alone.
CREATE TABLE content (event TEXT NOT NULL, day TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (event, day)) WITHOUT ROWID;
CREATE TABLE content_event (event TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE content_day (day TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
