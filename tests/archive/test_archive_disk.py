"""Locations on disk: what is read, what is left alone, and what is refused."""

import os
from pathlib import Path

import pytest

from replay_cli.archive import Source, canonical, open_source
from replay_cli.errors import DamagedObjectError, FatalError, UsageError
from replay_cli.model import ArchiveObject
from tests.support.archives import objects


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"{}\n")


def listed(*locations: Path | str) -> tuple[list[ArchiveObject], Source]:
    source = open_source([str(location) for location in locations])
    return objects(source), source


def names(root: Path, *locations: Path | str) -> list[str]:
    return [
        str(Path(obj.uri).relative_to(root)) for obj in objects(open_source([str(location) for location in locations]))
    ]


def test_a_directory_gives_the_archives_in_it_and_counts_the_rest(tmp_path: Path) -> None:
    taken = ["a.gz", "b.JSON", "c.jsonl", "d.ndjson", "e.zst", "f.parquet", "part-00000", "sub/deep/g.GZ"]
    make(tmp_path, *taken, "notes.txt", "_SUCCESS", ".hidden.gz", "_temporary/x.gz", ".git/y.gz")
    _, source = listed(tmp_path)
    assert names(tmp_path, tmp_path) == taken
    assert source.ignored == 5


def test_names_above_the_given_directory_do_not_matter(tmp_path: Path) -> None:
    make(tmp_path, "_old/.copy/a.gz")
    assert names(tmp_path, tmp_path / "_old" / ".copy") == ["_old/.copy/a.gz"]


def test_a_file_that_is_named_is_always_read(tmp_path: Path) -> None:
    make(tmp_path, ".hidden.txt", "_x.txt")
    assert names(tmp_path, tmp_path / ".hidden.txt") == [".hidden.txt"]
    assert names(tmp_path, tmp_path / "_x.*") == ["_x.txt"]


def test_a_glob_reads_what_it_matches(tmp_path: Path) -> None:
    make(tmp_path, "x/a.txt", "x/b.gz", "y/z/c.txt", "y/.d.txt")
    assert names(tmp_path, tmp_path / "*" / "*.txt") == ["x/a.txt"]
    assert names(tmp_path, tmp_path / "**" / "*.txt") == ["x/a.txt", "y/z/c.txt"]
    assert names(tmp_path, tmp_path / "[xy]") == ["x/b.gz"]
    assert names(tmp_path, tmp_path / "x" / "?.*") == ["x/a.txt", "x/b.gz"]


def test_a_name_with_a_bracket_is_a_name_first(tmp_path: Path) -> None:
    make(tmp_path, "a[1].gz", "a1.gz")
    assert names(tmp_path, tmp_path / "a[1].gz") == ["a[1].gz"]


def test_an_object_named_twice_is_read_once(tmp_path: Path) -> None:
    make(tmp_path, "a.gz", "b.gz", "_c")
    found, source = listed(tmp_path, tmp_path / "a.gz", tmp_path / "*", tmp_path / "_c")
    assert [Path(obj.uri).name for obj in found] == ["_c", "a.gz", "b.gz"]
    assert source.ignored == 0


def test_several_locations_are_merged_in_one_order(tmp_path: Path) -> None:
    make(tmp_path, "one/src1/1740873600000/a.gz", "two/src2/1740787200000/b.gz")
    found = names(tmp_path, tmp_path / "one", tmp_path / "two")
    assert [Path(name).name for name in found] == ["b.gz", "a.gz"]


def test_an_object_is_known_by_its_absolute_path_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "real/a.gz")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert [obj.uri for obj in listed("link")[0]] == [str(tmp_path.resolve() / "real" / "a.gz")]


def test_links_do_not_lead_out_of_a_directory_nor_in_a_circle(tmp_path: Path) -> None:
    make(tmp_path, "root/a.gz", "outside/b.gz")
    root = tmp_path / "root"
    (root / "circle").symlink_to(".")
    (root / "other").symlink_to("..")
    (root / "out.gz").symlink_to(tmp_path / "outside" / "b.gz")
    (root / "gone.gz").symlink_to("nowhere")
    (root / "self.gz").symlink_to("self.gz")
    assert names(tmp_path, root) == names(tmp_path, root / "**") == ["root/a.gz"]
    assert listed(root)[1].ignored == 5


def test_a_link_to_a_hidden_file_in_the_directory_is_followed(tmp_path: Path) -> None:
    """Annexed archives keep their files like this."""
    make(tmp_path, ".annex/objects/1")
    (tmp_path / "a.gz").symlink_to(".annex/objects/1")
    assert names(tmp_path, tmp_path) == [".annex/objects/1"]


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    make(tmp_path, "a.gz")
    os.mkfifo(tmp_path / "pipe.gz")
    assert names(tmp_path, tmp_path) == ["a.gz"]
    with pytest.raises(UsageError, match="not a regular file"):
        listed(tmp_path / "pipe.gz")


@pytest.mark.parametrize("location", ["missing", "a.gz/b", "*.nothing", "empty", "gs://bucket/x"])
def test_a_location_with_nothing_to_read_is_a_usage_error(tmp_path: Path, location: str) -> None:
    make(tmp_path, "a.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        listed(location if "://" in location else tmp_path / location)
    assert location in str(caught.value)


def test_no_location_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        open_source([])


def test_an_unreadable_file_is_named_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.gz", "b.gz")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("b.gz"))
    with pytest.raises(FatalError, match=r"b\.gz cannot be read: permission denied"):
        listed(tmp_path)


def test_a_disk_that_fails_is_a_fatal_error(tmp_path: Path) -> None:
    make(tmp_path, "a.gz")
    source = open_source([str(tmp_path)])
    (obj,) = objects(source)
    with pytest.raises(FatalError, match=r"a\.gz cannot be read: Input/output error"), source.open(obj):
        raise OSError(5, "Input/output error")


def test_an_object_that_changed_since_it_was_listed_is_not_read(tmp_path: Path) -> None:
    make(tmp_path, "a.gz")
    source = open_source([str(tmp_path)])
    (obj,) = objects(source)
    (tmp_path / "a.gz").write_bytes(b"something else")
    with pytest.raises(FatalError, match="changed since it was listed"), source.open(obj):
        pass


@pytest.mark.parametrize("looks_damaged", [False, True])
def test_an_object_that_changes_while_it_is_read_is_noticed(tmp_path: Path, looks_damaged: bool) -> None:
    make(tmp_path, "a.gz")
    source = open_source([str(tmp_path)])
    (obj,) = objects(source)
    (tmp_path / "new").write_bytes(b"another one")

    def replace() -> None:
        with source.open(obj):
            (tmp_path / "new").replace(tmp_path / "a.gz")
            if looks_damaged:
                raise DamagedObjectError(obj.uri, "cut off")

    with pytest.raises(FatalError, match="changed since it was listed"):
        replace()


def test_an_object_that_is_gone_is_a_fatal_error(tmp_path: Path) -> None:
    make(tmp_path, "a.gz")
    source = open_source([str(tmp_path)])
    (obj,) = objects(source)
    (tmp_path / "a.gz").unlink()
    with pytest.raises(FatalError, match=r"a\.gz is gone since it was listed"), source.open(obj):
        pass


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    """Names go into checkpoints and reports, which are UTF-8."""
    try:
        (tmp_path / os.fsdecode(b"\xff.gz")).write_bytes(b"")
    except OSError:
        return  # a file system that does not take such names
    with pytest.raises(FatalError, match="rename it"):
        listed(tmp_path)


def test_a_canonical_location_is_absolute_and_keeps_its_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "real/a.gz")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    root = str(tmp_path.resolve())
    assert canonical("link") == canonical("./real/") == f"{root}/real"
    assert canonical("link/**/*.gz") == f"{root}/real/**/*.gz"
