import json
from pathlib import Path
from typing import Any

import pytest

from replay_cli.errors import UsageError
from replay_cli.sandbox.endpoints import read_body
from replay_cli.sandbox.spool import FILE_NAME, Spool


def fill(spool: Spool, count: int) -> None:
    for number in range(count):
        spool.append(1.5, 200, number % 2 == 0, None, read_body(b'{"n":%d}' % number))


def read(spool: Spool, **selection: Any) -> list[int]:
    return [json.loads(line)["seq"] for line in spool.lines(**selection)]


def test_a_line_holds_the_body_exactly_as_it_was_sent() -> None:
    spool = Spool()
    raw = b'{"a" : 1.0, "big":123456789012345678901234567890,"recorded":false}'
    assert spool.append(1700000000.25, None, True, "reset-after", read_body(raw)) == 1
    (line,) = spool.lines()
    head = b'{"seq":1,"at":1700000000.25,"status":null,"recorded":true,"fault":"reset-after","body":'
    assert line == head + raw + b"}"
    spool.close()


@pytest.mark.parametrize("raw", [b'{\n"a":\r\n"\\n"}', b'{\r"a":"\\n"}', b'{"a":\n"\\ud800"}'])
def test_a_body_of_several_lines_is_spooled_as_one(raw: bytes) -> None:
    spool = Spool()
    spool.append(0.0, 200, True, None, read_body(raw))
    (line,) = spool.lines()
    assert b"\r" not in line
    assert json.loads(line)["body"] == json.loads(raw)
    spool.close()


@pytest.mark.parametrize("depth", [500, *range(900, 1000)])
def test_a_body_of_several_lines_is_spooled_however_deep(depth: int) -> None:
    spool = Spool()
    raw = b"[\n" * depth + b"]" * depth
    spool.append(0.0, 200, False, None, read_body(raw))
    assert len(list(spool.lines())) == 1
    spool.close()


def test_a_body_that_is_no_json_is_spooled_as_text() -> None:
    spool = Spool()
    spool.append(0.0, 400, False, None, read_body(b"{\xff\n" + b"x" * 5000))
    (line,) = spool.lines()
    parsed = json.loads(line)
    assert (parsed["body"], len(parsed["text"]), parsed["text"][:3]) == (None, 1000, "{\ufffd\n")
    spool.close()


def test_lines_are_selected_by_number_record_and_limit() -> None:
    spool = Spool()
    fill(spool, 3500)
    assert read(spool) == list(range(1, 3501))
    assert read(spool, after=3498) == [3499, 3500]
    assert read(spool, after=1000, limit=2) == [1001, 1002]
    assert read(spool, after=999, limit=2, recorded=True) == [1001, 1003]
    assert read(spool, limit=0) == []
    assert read(spool, after=3500) == read(spool, after=9999) == []
    spool.close()


def test_a_reset_starts_from_one_and_ends_a_reading() -> None:
    spool = Spool()
    fill(spool, 10_000)
    reading = spool.lines()
    next(reading)
    spool.reset()
    assert len(list(reading)) < 10_000
    assert read(spool) == []
    fill(spool, 2)
    assert read(spool) == [1, 2]
    spool.close()


def test_a_spool_is_continued_without_its_cut_last_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    fill(spool, 1001)
    spool.close()
    path = tmp_path / FILE_NAME
    with path.open("ab") as file:
        file.write(b'{"seq":1002,"at":1.5,"sta')
    spool = Spool(tmp_path)
    fill(spool, 1)
    assert read(spool, after=999) == [1000, 1001, 1002]
    spool.close()
    assert len(path.read_bytes().splitlines()) == 1002


def test_a_spool_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    Spool(tmp_path).close()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_spool_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("my notes\n")
    with pytest.raises(UsageError, match="is not a spool of the sandbox"):
        Spool(tmp_path)
    assert (tmp_path / FILE_NAME).read_text() == "my notes\n"


def test_an_unusable_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot spool into"):
        Spool(tmp_path / "file")
