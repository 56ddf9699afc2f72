"""Settings of all tests: a slow machine is no failure, so hypothesis has no deadline."""

from hypothesis import settings

settings.register_profile("replay", deadline=None)
settings.load_profile("replay")
