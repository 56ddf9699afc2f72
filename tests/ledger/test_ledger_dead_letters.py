import gzip
import json
import random
import stat
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import FatalError
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.redrive import Which
from replay_cli.ledger.store import Store
from replay_cli.ledger.texts import Form, beginning, packed, unpacked
from replay_cli.segment.message import masked
from tests.ledger.checkpoints import A, letter, new_store, rejecting, rows


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.dead-letters.jsonl.gz"


def recovered(path: Path, store: Store) -> DeadLetterFile:
    letters = DeadLetterFile(path)
    letters.recover(store)
    return letters


def lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def ordinals(path: Path) -> list[int]:
    return [json.loads(line)["ordinal"] for line in lines(path)]


def keep(store: Store, letters: DeadLetterFile, *numbers: int) -> None:
    store.apply(rejecting(*(letter(number) for number in numbers)))
    letters.catch_up(store)


# -- a line ---------------------------------------------------------------------------------------------------


def test_a_line_tells_everything_of_a_letter(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    assert not path.exists(), "no letters, no file"
    store.apply(rejecting(letter(6, b'{ "type": "track", "n": 1.0 }', attempts=3, unit="row")))
    letters.catch_up(store)
    (line,) = lines(path)
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
    (line,) = lines(path)
    assert json.loads(line)["text"] == record.decode(errors="replace")


def test_a_masked_record_is_kept_without_its_secret(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    records = [b'{"writeKey": "SECRET", "type": "x"}', b'{"type": "x", "writeKey": "SECR']
    store.apply(rejecting(*(letter(n, masked(record)) for n, record in enumerate(records))))
    letters.catch_up(store)
    assert b"SECR" not in b"".join(lines(path))
    assert [json.loads(line).keys() & {"record", "text"} for line in lines(path)] == [{"record"}, {"text"}]


# -- the file -------------------------------------------------------------------------------------------------


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


def test_gunzip_reads_what_was_appended_piece_by_piece(store: Store, path: Path) -> None:
    letters = recovered(path, store)
    for number in range(5):
        keep(store, letters, number)
    read = subprocess.run(["gzip", "-dc", path], capture_output=True, check=True).stdout
    assert [json.loads(line)["ordinal"] for line in read.splitlines()] == [0, 1, 2, 3, 4]


def test_what_was_written_but_not_committed_is_cut_and_written_again(store: Store, path: Path) -> None:
    """Killed after the letter was appended, before its length was committed: at any byte of it."""
    letters = recovered(path, store)
    keep(store, letters, 1)
    committed = path.read_bytes()
    store.apply(rejecting(letter(2), letter(3)))
    member = gzip.compress(b'{"ordinal": 2, "record": {}}\n')
    for end in range(len(member) + 1):
        store.set_meta(dead_letters_written=1, dead_letters_length=len(committed))
        path.write_bytes(committed + member[:end])
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


def test_more_letters_than_are_held_in_memory_are_all_written(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay_cli.ledger.dead_letters._BYTES_AT_ONCE", 10_000)
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


# -- what an earlier version has left -------------------------------------------------------------------------


def test_the_plain_file_of_an_earlier_version_becomes_a_compressed_one(store: Store, path: Path) -> None:
    plain = path.with_suffix("")
    plain.write_text('{"ordinal": 1}\n')
    store.apply(rejecting(letter(1), letter(2)))
    store.set_meta(dead_letters_form="plain")
    recovered(path, store)
    assert ordinals(path) == [1, 2]
    assert not plain.exists()


def test_a_plain_file_that_is_somebodys_own_stays(store: Store, path: Path) -> None:
    """Whoever reads the letters may have unpacked them beside."""
    plain = path.with_suffix("")
    plain.write_text("mine")
    store.apply(rejecting(letter(1)))
    recovered(path, store)
    assert plain.read_text() == "mine"


# -- in the checkpoint ----------------------------------------------------------------------------------------


@given(st.binary(max_size=2000) | st.text("ab", max_size=2000).map(str.encode))
def test_a_text_is_what_it_was(text: bytes) -> None:
    form, kept = packed(text)
    assert unpacked(form, kept) == text
    assert len(kept) <= len(text)
    for most in (0, 1, len(text) // 2, len(text) + 1):
        assert beginning(form, kept, most) == text[:most] if most else True


def test_long_texts_take_less_room_and_are_read_by_everybody(store: Store) -> None:
    record = json.dumps({"type": "track", "items": [{"id": n, "name": "thing"} for n in range(100)]}).encode()
    store.apply(rejecting(letter(1, record, kind="dead_lettered", reason="http_400")))
    ((form, kept),) = rows(store.path, "SELECT form, record FROM dead_letter")
    assert form == Form.PACKED
    assert len(kept) < len(record) / 4
    assert zlib.decompress(kept) == record
    ((_, _, text),) = store.dead_letters(after=0)
    (block,) = store.letters_to_redrive(Which())
    assert text == block.letters[0].record == record
    assert record.decode().startswith(store.undelivered()[0]["examples"][0]["excerpt"][:-1])


def test_letters_of_an_earlier_version_are_read_as_they_are(store: Store, path: Path) -> None:
    store.apply(rejecting(letter(1, kind="dead_lettered")))
    rows(store.path, "SELECT 1")
    with store._transaction() as db:
        db.execute("UPDATE dead_letter SET form = 0, record = ?", (b'{"type":"track", "old": 1}',))
    recovered(path, store)
    assert json.loads(lines(path)[0])["record"] == {"type": "track", "old": 1}
    (block,) = store.letters_to_redrive(Which())
    assert block.letters[0].record == b'{"type":"track", "old": 1}'


# -- expired --------------------------------------------------------------------------------------------------


def bytes_beside(store: Store) -> bytes:
    """All that is in the checkpoint's files, the dead letters' unpacked."""
    found = b""
    for file in sorted(store.path.parent.iterdir()):
        content = file.read_bytes()
        found += gzip.decompress(content) if file.suffix == ".gz" else content
    return found


def test_expired_letters_are_gone_from_the_disk_and_stay_in_the_book(store: Store, path: Path) -> None:
    """Also where a text was not compressed, or lies in pages that nothing refers to."""
    dice = random.Random(1)
    texts = [b'{"userId": "somebody-%d", "x": "%s"}' % (n, dice.randbytes(3000).hex().encode()) for n in range(20)]
    texts += [b'{"userId":"somebody"}', b"no json of somebody"]
    old = [letter(n, text, kind="dead_lettered", reason="http_400") for n, text in enumerate(texts)]
    store.apply(rejecting(*old, letter(99, b'{"userId":"another one"}', at=2000.0, kind="dead_lettered")))
    with store._transaction() as db:
        db.execute("UPDATE dead_letter SET detail = 'somebody is unknown' WHERE ordinal < 99")
    before = store.tallies()
    recovered(path, store)
    assert b"somebody" in bytes_beside(store)
    assert store.expire_letters(before=1500.0) == 22
    assert store.wipe()
    recovered(path, store)
    assert b"somebody" not in bytes_beside(store)
    assert store.tallies() == before
    store.verify_book()
    assert store.gone_letters() == {"expired": 22}
    told = [json.loads(line) for line in lines(path)]
    assert [each.get("expired", False) for each in told] == [True] * 22 + [False]
    assert all("record" not in each and "text" not in each for each in told[:-1])
    assert told[0]["reason"] == "http_400"
    assert store.undelivered()[0]["examples"][0]["excerpt"] == "(expired)"


def test_what_has_expired_is_never_sent_again(store: Store) -> None:
    store.apply(rejecting(*(letter(n, kind="dead_lettered", at=1000.0 + n) for n in range(4))))
    store.expire_letters(before=1002.0)
    assert store.redrivable(Which()) == {"malformed_json": 2}
    assert [[each.ordinal for each in block.letters] for block in store.letters_to_redrive(Which())] == [[2, 3]]
    assert store.expire_letters(before=1002.0) == 0, "once is enough"


def test_a_wipe_that_died_is_made_up_for(store: Store) -> None:
    store.apply(rejecting(letter(1, b"no json of somebody")))
    assert store.expire_letters(before=1500.0) == 1
    store.close()
    again = Store.open(store.path)
    assert again.wipe()
    again.close()
    assert b"somebody" not in store.path.read_bytes()


def test_who_reads_an_older_state_keeps_it_and_it_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.apply(rejecting(letter(1, b"no json of somebody")))
    store._db.execute("PRAGMA busy_timeout = 1")
    reader = Store.open(store.path, read_only=True)
    with reader.unchanging():
        assert reader.tallies()
        store.expire_letters(before=1500.0)
        assert not store.wipe()
    assert store.wipe()
    reader.close()


def test_only_erasing_overwrites_what_it_deletes(store: Store) -> None:
    """A run deletes much, and would be slowed down by it."""
    usual = store._value("PRAGMA secure_delete")
    store.apply(rejecting(letter(1)))
    store.expire_letters(before=1500.0)
    assert store._value("PRAGMA secure_delete") == usual


def test_endings_of_runs_lose_what_a_reply_may_have_repeated(store: Store) -> None:
    store.end_run(1010.0, "failed", "HTTP 400 somebody is unknown")
    store.shorten_reasons(lambda reason: reason.split(" somebody")[0])
    assert store.runs()[0]["reason"] == "HTTP 400"
    assert store.wipe()
    assert b"somebody" not in bytes_beside(store)
