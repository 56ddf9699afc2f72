"""Who does work that can be done side by side: this process, several of this machine, or a Dask cluster.

All of them take items one by one and give a future for each (`engine`). While they work they tell how far they have
come. An engine is a context manager; when it is left, by an error too, nobody goes on.
"""

from replay_cli.engines.engine import Engine, Here, Tell, Told, Work
from replay_cli.engines.processes import Processes

__all__ = ["Engine", "Here", "Processes", "Tell", "Told", "Work"]
