"""Checkpoints made for a test, and questions to them from outside."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replay_cli.ledger.changes import Changed
from replay_cli.ledger.group import DeadLetter, Group
from replay_cli.ledger.objects import Listed, ObjectState
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject

JOB: dict[str, Any] = {"sources": ["/a"], "endpoint": "sandbox", "workspace_id": "w", "settings": {}}
A = ArchiveObject("/logs/a.gz", 100, "a1")
B = ArchiveObject("/logs/b.gz", 200, "b1")


def new_store(folder: Path, objects: Sequence[ArchiveObject] = (A,)) -> Store:
    """A checkpoint with its objects registered (numbered from 1) and a run begun."""
    store = Store.create(folder / "job.ckpt", JOB)
    take_in(store, objects)
    store.start_run(1000.0, {})
    return store


def take_in(store: Store, objects: Sequence[ArchiveObject], changed: Changed = Changed.REFUSE) -> list[ObjectState]:
    """List all that there is, as a run does, and return it as the checkpoint then knows it."""
    there = {obj.uri: obj for obj in objects}
    begun = [store.take_found(state, there.get(state.object.uri), changed) for state in store.begun(changed)]
    store.begin_listing({})
    store.register([Listed(obj, "") for obj in objects])
    store.end_listing(0)
    known = {state.object.uri: state for state in [*store.waiting(), *begun]}
    finished = rows(store.path, "SELECT id, uri, size, etag, state FROM object WHERE state IN ('complete', 'damaged')")
    known |= {uri: ObjectState(id_, ArchiveObject(uri, size, etag), state) for id_, uri, size, etag, state in finished}
    return [known[obj.uri] for obj in objects]


def rows(path: Path, sql: str, *parameters: Any) -> list[Any]:
    """Ask the file over a connection of one's own: only what is committed is seen."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def letter(ordinal: int, record: bytes = b'{"type":"track"}', **changes: Any) -> DeadLetter:
    return DeadLetter(1, ordinal, "rejected", "malformed_json", "bad", 0, 1000.5, "line", record)._replace(**changes)


def rejecting(*letters: DeadLetter) -> Group:
    """A group that counts and keeps rejected records, as the ledger makes it."""
    group = Group(opened=[(1, len(letters))], dead_letters=list(letters), seen=1001.0)
    for each in letters:
        group.tallies[1, each.kind, each.reason] += 1
    return group
