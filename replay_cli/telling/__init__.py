"""What a run tells those who are not there: events as JSON lines, metrics, its health, and a word at its end.

Nothing here holds personal data unless somebody asked for it, nothing holds a secret, and whatever fails here stops
no run.
"""
