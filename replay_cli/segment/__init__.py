"""What a Segment message means: read from its archived text, turned back from Parquet, dated as JavaScript would.

Pure: no I/O, no clock. The protocol facts are Segment's documentation and the behaviour of its published runtime.
"""
