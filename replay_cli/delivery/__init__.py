"""How requests leave: per-user lanes, the rolling cap, back-off, and one attempt over aiohttp."""
