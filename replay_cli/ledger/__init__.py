"""What a job remembers: the SQLite checkpoint, its watermark and book, in-doubt attempts, dead letters, locks.

`store` is the file and its transactions, used from one thread; `ledger` groups what the run tells it into commits
(≤ 20 ms) and says when they are durable; `watermark` decides what is settled; `dead_letters` keeps the file
beside the checkpoint; `lock` keeps two runs apart.

For reports it keeps a `timeline` of `intervals` with `latencies`, thinned with age, and the `content` by event and day,
both bounded however long a job runs. `undelivered` finds examples of what did not go; `upgrading` knows the formats
before. `snapshot` copies it while it is written; `losses` are what may have been sent since such a copy, when it is all
that is left.
`texts` compresses dead letters, `erasing` takes texts out for good, `whereabouts` tells what became of single records,
and `headway` how far reading is.
"""
