-- After a machine was lost: records of an object, from the ordinal `first` up to `next`, of which nobody knows what was
-- sent since the checkpoint that is left. What is still to be sent of them is in doubt from when it is read again; then
-- they are gone from here. `at` is when the loss was noted (POSIX seconds); attempts that the checkpoint itself knew to
-- be on their way are in doubt already, with numbers above `doubt`.
CREATE TABLE lost (
    object INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    at REAL NOT NULL,
    doubt INTEGER NOT NULL,
    PRIMARY KEY (object, first)
) WITHOUT ROWID;
