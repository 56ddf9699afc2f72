"""MoEngage's data centres, as the Segment destination names them (documented)."""

REGIONS = {f"DC_{n:02}": f"https://api-{n:02}.moengage.com" for n in range(1, 6)}
"""Region → base URL of its API."""

MAX_RPS = 500
"""Requests a second that one workspace may send, live traffic included (documented; beyond it: 429)."""
