import json
import stat
from pathlib import Path
from typing import Any

import pytest

from replay_cli.errors import FatalError
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.store import Store
from replay_cli.segment.message import masked
from tests.ledger.checkpoints import A, letter, new_store, rejecting


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.dead-letters.jsonl"


def recovered(path: Path, store: Store) -> DeadLetterFile:
    letters = DeadLetterFile(path)
    letters.recover(store)
    return letters


def ordinals(path: Path) -> list[int]:
    return [json.loads(line)["ordinal"] for line in path.read_bytes().splitlines()]


def keep(store: Store, letters: DeadLetterFile, *numbers: int) -> None:
    store.apply(rejecting(*(letter(number) for number in numbers)))
    letters.catch_up(store)


def test_a_line_tells_everything_of_a_letter(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    assert not path.exists(), "no letters, no file"
    store.apply(rejecting(letter(6, b'{ "type": "track", "n": 1.0 }', attempts=3, unit="row")))
    letters.catch_up(store)
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line) == {
        "uri": A.uri,
        "etag": A.etag,
        "ordinal": 6,
        "row": 7,
        "kind": "rejected",
        "reason": "malformed_json",
        "detail": "bad",
        "attempts": 3,
        "at": 1000.5,
        "record": {"type": "track", "n": 1.0},
    }
    assert b'{ "type": "track", "n": 1.0 }' in line, "the record as it was archived"


@pytest.mark.parametrize("record", [b'{"type": "tr', b"[1]", b'"text"', b"\xff\xfe", b"", b'{"a":"\\ud800"}', b"NaN"])
def test_what_is_no_object_is_kept_as_text_on_one_line(store: Store, path: Path, record: bytes) -> None:
    letters = recovered(path, store)
    store.apply(rejecting(letter(1, record)))
    letters.catch_up(store)
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["text"] == record.decode(errors="replace")


def test_letters_are_for_their_owner_only(store: Store, path: Path) -> None:
    keep(store, recovered(path, store), 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_letter_is_written_once(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    keep(store, letters, 1, 2)
    keep(store, letters, 3)
    letters.catch_up(store)
    recovered(path, store).catch_up(store)
    assert ordinals(path) == [1, 2, 3]


def test_what_was_written_but_not_committed_is_cut_and_written_again(store: Store, path: Path) -> None:
    """Killed after the letter was appended, before its length was committed."""
    letters = recovered(path, store)
    keep(store, letters, 1)
    committed = path.read_bytes()
    store.apply(rejecting(letter(2), letter(3)))
    path.write_bytes(committed + b'{"ordinal": 2, "record": {"half')
    recovered(path, store)
    assert path.read_bytes().startswith(committed)
    assert ordinals(path) == [1, 2, 3]


def test_letters_committed_but_not_written_are_added(store: Store, path: Path) -> None:
    """Killed between the commit of a letter and its line."""
    keep(store, recovered(path, store), 1)
    store.apply(rejecting(letter(2)))
    recovered(path, store)
    assert ordinals(path) == [1, 2]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut"])
def test_a_file_that_lost_letters_is_written_anew(store: Store, path: Path, damage: str) -> None:
    keep(store, recovered(path, store), *range(5))
    store.apply(rejecting(letter(5)))
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if damage == "emptied" else 100])
    recovered(path, store)
    assert ordinals(path) == [0, 1, 2, 3, 4, 5]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keep(store, recovered(path, store), 6)
    assert ordinals(path) == list(range(7))


def test_more_letters_than_are_held_in_memory_are_all_written(store: Store, path: Path) -> None:
    store.apply(rejecting(*(letter(number) for number in range(2500))))
    recovered(path, store)
    assert ordinals(path) == list(range(2500))


def test_a_file_that_cannot_be_written_stops_the_run(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    letters = DeadLetterFile(tmp_path / "folder")
    store.apply(rejecting(letter(1)))
    with pytest.raises(FatalError, match=r"cannot write .*folder.*nothing more is sent"):
        letters.catch_up(store)
    assert store.meta("dead_letters_length") is None, "its length is not committed"


def test_a_masked_record_is_kept_without_its_secret(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    records = [b'{"writeKey": "SECRET", "type": "x"}', b'{"type": "x", "writeKey": "SECR']
    store.apply(rejecting(*(letter(n, masked(record)) for n, record in enumerate(records))))
    letters.catch_up(store)
    assert b"SECR" not in path.read_bytes()
    assert [json.loads(line).keys() & {"record", "text"} for line in path.read_bytes().splitlines()] == [
        {"record"},
        {"text"},
    ]
