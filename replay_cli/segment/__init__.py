"""What a Segment message means, and which ones are meant.

Pure: no I/O, no clock, no MoEngage in it. `message` reads a record, `lake` a table's row, `layout` the paths of an
archive. `selection` says which messages are meant: by `period`, `windows` and `content`, whose `criteria` have modules
of their own; `lists` and `duplicates` leave out more. `filters` are a destination's, in the language of `fql`;
`triggers` and the mapping `kit` are those of its subscriptions. `javascript` and `v8_date` are what Segment's runtime
makes of values.
"""
