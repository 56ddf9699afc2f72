"""What is in an archive and what a run would make of it, counted in bounded memory.

A `Profiler` makes a `Profile` of a part of an archive, profiles are merged, and `document` writes one down as plain
values; `estimate` says how long it would take to send. In a profile each module of the package has one subject.
"""

from replay_cli.profiling.documenting import document
from replay_cli.profiling.profile import Profile
from replay_cli.profiling.profiler import Prepares, Profiler

__all__ = ["Prepares", "Profile", "Profiler", "document"]
