"""What a job remembers: the SQLite checkpoint, its watermark and book, in-doubt attempts, dead letters, locks.

`store` is the file and its transactions, used from one thread; `ledger` groups what the run tells it into commits
(≤ 20 ms) and says when they are durable; `watermark` decides what is settled; `dead_letters` keeps the file
beside the checkpoint; `lock` keeps two runs apart.
"""
