"""The files behind --only-ids, --except-ids and --suppress: what is understood, what is refused, what is remembered."""

import gzip
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.cli.list_file import LONGEST_LINE, MESSAGE_IDS, PEOPLE, ListFile
from replay_cli.cli.listing import Listing, listing_from, no_longer_suppressed, read_again
from replay_cli.cli.options import GroupedCommand, list_options
from replay_cli.errors import UsageError

IDS = st.lists(st.text("abc#@1é", min_size=1, max_size=6))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ids_in(path: Path) -> list[str]:
    return [entry for entries in ListFile("--suppress", path, PEOPLE).entries() for entry in entries.ids]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


# -- a plain list ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "u1\nu2\n",
        "u1\nu2",
        "u1\r\nu2\r\n",
        "u1\r\nu2\r",
        "\ufeffu1\nu2\n",
        "\n\n  u1 \n\n\tu2\t\n\n",
        gzip.compress(b"u1\nu2\n", mtime=0),
        gzip.compress(b"u1\n", mtime=0) + gzip.compress(b"u2\n", mtime=0),
    ],
)
def test_one_id_a_line_in_many_forms(file: Path, content: str | bytes) -> None:
    assert ids_in(write(file, content)) == ["u1", "u2"]


def test_a_line_is_an_id_whatever_it_begins_with(file: Path) -> None:
    assert ids_in(write(file, "#1\n// x\n5'\"\n")) == ["#1", "// x", "5'\""]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "  \r\n", gzip.compress(b"", mtime=0)])
def test_an_empty_list_has_no_entries(file: Path, content: str | bytes) -> None:
    assert ids_in(write(file, content)) == []


def test_many_lines_come_in_pieces_and_in_order(file: Path) -> None:
    ids = [f"user-{n}-{'x' * (n % 50)}é" for n in range(20_000)]
    write(file, gzip.compress("\n".join(ids).encode(), compresslevel=1))
    pieces = [entries.ids for entries in ListFile("--suppress", file, PEOPLE).entries()]
    assert len(pieces) > 2
    assert [entry for piece in pieces for entry in piece] == ids


# -- a table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "user_id\nu1\nu2\n",
        "\n userId \nu1\n\nu2",
        "name,User ID,plan\nAda,u1,x\nBob, u2 ,y\n",
        'name;"user-id"\n"Ada; the first";u1\nBob;"u2"\n',
        "name\tUSER_ID\nAda\tu1\nBob\tu2\n",
        'name,user_id\r\n"Ada,\r\nthe first",u1\r\nBob,u2\r\nEve\r\nEva,\r\n',
        "user_id,name\nu1,Ada,,\nu2,Bob\n",
    ],
)
def test_a_table_is_known_by_the_name_of_its_column(file: Path, content: str) -> None:
    assert ids_in(write(file, content)) == ["u1", "u2"]


def test_a_table_of_people_has_several_columns(file: Path) -> None:
    write(file, "email,x,userId,anonymousId\na@x.io,1,u1,\nb@x.io,2,,\n,3,,a1\n,4,,\n")
    (entries,) = ListFile("--suppress", file, PEOPLE).entries()
    assert entries.ids == ["a@x.io", "u1", "b@x.io", "a1"]
    assert entries.alone == ["b@x.io", "a1"]


def test_an_id_with_a_separator_goes_into_a_table(file: Path) -> None:
    assert ids_in(write(file, 'user_id\n"a,b"\n"say ""hi"""\n')) == ["a,b", 'say "hi"']


@settings(max_examples=30)
@given(ids=IDS)
def test_a_list_and_a_table_of_the_same_ids_mean_the_same(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    plain = write(folder / "plain.txt", "".join(f"{one}\r\n" for one in ids))
    table = write(folder / "table.csv", "n,message_id\n" + "".join(f'1,"{one}"\n' for one in ids))
    first, second = (listing_from({"except_ids": path}) for path in (plain, table))
    assert first.settings() == second.settings()
    assert first.except_ is not None
    assert all(one in first.except_.ids for one in ids)


# -- what is refused ------------------------------------------------------------------------------------------

TOO_LONG = "x" * (LONGEST_LINE + 1)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"u1\n\xe9\n", 2, "byte e9 is not UTF-8"),
        ("u1\n".encode("utf-16"), 1, "byte ff is not UTF-8"),
        (b"u1\nu\x002\n", 2, "NUL byte"),
        (b"user-1\n" * 50_000 + b"\n\xe9\n", 50_002, "byte e9 is not UTF-8"),
        (b"user_id\n" + b"user-1\n" * 50_000 + b"u,v\n", 50_002, "more cells than the header"),
        (b"u1\ru2\ru3\n", 1, "carriage return"),
        (f"u1\n\n{TOO_LONG}\n", 3, "longer than 10,000 bytes"),
        (f"u1\n{TOO_LONG * 60}", 2, "longer than 10,000 bytes"),
        (f"u1\n{'é' * 5001}\n", 2, "longer than 10,000 bytes"),
        ("id,name\nu1,Ada\n", 1, "user_id, email or anonymous_id: give it a header"),
        ("u1\nu2,Ada\n", 2, "looks like the row of a table"),
        ("u1;Ada\n", 1, "looks like the row of a table"),
        ("u1\tAda\n", 1, "looks like the row of a table"),
        ('"u1"\n', 1, "looks like the row of a table"),
        ("message_id\nm1\n", 1, "there is no column of people: name it user_id, email or anonymous_id"),
        ("\nuser_id,name\nu1,Ada\nu2,Bob,x\n", 4, "more cells than the header, which has 2"),
        ('user_id\nu1\n"u2" x\n', 3, "is no row of a table"),
        ('user_id\nu1\n"u2\n', 3, "is no row of a table"),
        ("user_id\nu1\n" + f'"{"x" * 4999}\n' + ("x" * 4999 + "\n") * 40, 29, "is no row of a table"),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(file: Path, content: str | bytes, line: int, problem: str) -> None:
    with pytest.raises(UsageError, match=rf"--suppress .*list\.txt line {line}: .*{problem}"):
        ids_in(write(file, content))


@pytest.mark.parametrize(
    "content", [gzip.compress(b"u1\n" * 9, mtime=0)[:-9], b"\x1f\x8bnothing", gzip.compress(b"u1\n", mtime=0) + b"x"]
)
def test_a_broken_gzip_is_refused(file: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match=r"list\.txt: cannot be decompressed \(.+\): compress it again"):
        ids_in(write(file, content))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path / "none.txt", "there is no such file"),
        (tmp_path, "is a directory"),
        (Path("/dev/null"), "no regular file"),
        (Path("-"), "standard input is read once"),
    ):
        with pytest.raises(UsageError, match=f"--suppress {path}: .*{problem}"):
            ids_in(path)


def test_a_file_that_cannot_be_opened_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    write(file, "u1")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"list\.txt: cannot be read \(Permission denied\)"):
        ids_in(file)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(gzip.compress))
def test_any_bytes_are_a_list_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.txt", content)
    with suppress(UsageError):
        assert all(one and one == one.strip() for one in ids_in(path))


# -- the options ----------------------------------------------------------------------------------------------


def parse(*arguments: str) -> Listing:
    """Read a command line as click does."""
    found: list[Listing] = []

    @click.command(cls=GroupedCommand)
    @list_options
    def command(**values: object) -> None:
        found.append(listing_from(values))

    command.main(list(arguments), standalone_mode=False, auto_envvar_prefix="LISTS")
    return found[0]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with lists."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "ids.txt", "m1\nm2\n")
    write(tmp_path / "people.csv", "user_id,email\nu1,a@x.io\n,B@x.io\n")
    write(tmp_path / "more.txt", "u7\nc@x.io\n")
    write(tmp_path / "empty.txt", "\n")
    return tmp_path


def test_nothing_given_means_no_lists() -> None:
    assert parse() == Listing()
    assert (parse().lists.selector(), parse().settings(), parse().explain()) == (None, {}, [])


def test_options_make_lists(listed: Path) -> None:
    made = parse("--only-ids", "ids.txt", "--suppress", "people.csv", "--suppress", "more.txt")
    select = made.lists.selector()
    assert select is not None
    messages: Iterable[dict[str, Any]] = [
        {"messageId": "m1", "userId": "u2"},
        {"messageId": "m3", "userId": "u2"},
        {"messageId": "m2", "userId": "u7"},
        {"messageId": "m2", "traits": {"email": "b@X.io"}},
    ]
    assert [select(message) for message in messages] == [None, "not_in_only_ids", "suppressed", "suppressed_by_email"]
    assert list(made.settings()) == ["only_ids"]
    assert made.pace() == {
        "only_ids": str(listed / "ids.txt"),
        "suppress": [str(listed / "people.csv"), str(listed / "more.txt")],
    }


def test_an_address_without_an_id_is_warned_about(listed: Path) -> None:
    """The row that has both is safe by its id."""
    lines = parse("--suppress", "people.csv", "--suppress", "more.txt").explain()
    assert "5 ids and addresses" in lines[0]
    assert "2 of the entries are e-mail addresses" in lines[1]
    assert "unless their user ids are listed" in lines[1]
    write(listed / "people.csv", "user_id,email\nu1,a@x.io\n")
    assert len(parse("--suppress", "people.csv").explain()) == 1


def test_an_empty_list_is_an_error_only_where_nothing_would_be_meant(listed: Path) -> None:
    with pytest.raises(UsageError, match=r"--only-ids empty\.txt: is empty"):
        parse("--only-ids", "empty.txt")
    made = parse("--except-ids", "empty.txt", "--suppress", "empty.txt")
    assert "the 0 message ids" in made.explain()[0]
    assert "is empty, so it leaves nobody out" in made.explain()[1]


def test_the_setting_depends_on_the_ids_and_not_on_the_file(listed: Path) -> None:
    before = parse("--only-ids", "ids.txt").settings()
    write(listed / "other.csv.gz", gzip.compress(b"\xef\xbb\xbfx,messageId\r\n1, m1\r\n2,m2\r\n", mtime=0))
    assert parse("--only-ids", "other.csv.gz").settings() == before
    write(listed / "ids.txt", "m1\nm3\n")
    assert parse("--only-ids", "ids.txt").settings() != before
    write(listed / "ids.txt", "m1m2\n")
    assert parse("--only-ids", "ids.txt").settings() != before


def test_the_wrong_kind_of_table_is_refused(listed: Path) -> None:
    with pytest.raises(UsageError, match=r"people\.csv line 1: there is no column of message ids: name it message_id"):
        parse("--except-ids", "people.csv")


# -- the next run ---------------------------------------------------------------------------------------------


def test_the_files_of_an_earlier_run_are_read_again(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parse("--only-ids", "ids.txt", "--suppress", "more.txt")
    monkeypatch.chdir("/")
    again = read_again(first.settings(), first.pace())
    assert (again.settings(), again.pace()) == (first.settings(), first.pace())
    assert again.lists.suppressed is not None
    assert "u7" in again.lists.suppressed


def test_other_people_may_be_suppressed_now(listed: Path) -> None:
    first = parse("--suppress", "more.txt")
    (listed / "more.txt").unlink()
    again = read_again(first.settings(), first.pace(), [listed / "people.csv"])
    assert again.pace() == {"suppress": [str(listed / "people.csv")]}


@pytest.mark.parametrize("content", ["m1\n", "m2\nm1\n", "m1\nm2\nm2\n"], ids=["others", "reordered", "repeated"])
@pytest.mark.parametrize("option", ["--only-ids", "--except-ids"])
def test_another_list_of_message_ids_is_refused_by_name(listed: Path, option: str, content: str) -> None:
    first = parse(option, "ids.txt")
    write(listed / "ids.txt", content)
    with pytest.raises(
        UsageError, match=rf"{option} .*ids\.txt: is not the same list as .* order\): .* --amend REASON"
    ):
        read_again(first.settings(), first.pace())


@pytest.mark.parametrize("option", ["--only-ids", "--except-ids"])
def test_a_list_of_message_ids_that_was_moved_is_named_in_the_next_run(listed: Path, option: str) -> None:
    first = parse(option, "ids.txt")
    (listed / "ids.txt").rename(listed / "moved.txt")
    with pytest.raises(
        UsageError, match=rf"{option} .*ids\.txt: there is no .*`replay run …` .* again with {option} and"
    ):
        read_again(first.settings(), first.pace())
    assert parse(option, "moved.txt").settings() == first.settings()


def test_a_list_of_people_that_is_gone_stops_the_next_run(listed: Path) -> None:
    first = parse("--suppress", "people.csv", "--suppress", "more.txt")
    (listed / "more.txt").unlink()
    with pytest.raises(
        UsageError, match=r"--suppress .*more\.txt: there is no .* or give --suppress with its new place"
    ):
        read_again(first.settings(), first.pace())


def test_a_checkpoint_that_does_not_know_the_file_says_so(listed: Path) -> None:
    """Its first run died before it began."""
    with pytest.raises(UsageError, match="does not say where the --only-ids file is"):
        read_again(parse("--only-ids", "ids.txt").settings(), {})


def test_a_list_of_people_that_is_left_out_is_refused(listed: Path) -> None:
    before = parse("--suppress", "more.txt", "--suppress", "people.csv").pace()
    with pytest.raises(UsageError, match=rf"had --suppress {listed / 'more.txt'}, .*people\.csv, .* an empty list$"):
        no_longer_suppressed(before, {}, parse())
    assert no_longer_suppressed(parse().pace(), {}, parse()) is None


@pytest.mark.parametrize("reason", ["suppressed", "suppressed_by_email"])
def test_whom_earlier_runs_left_out_the_book_knows_too(listed: Path, reason: str) -> None:
    """As when the run that had the list was not the last one."""
    with pytest.raises(UsageError, match="left out people with --suppress, and this one has no such list"):
        no_longer_suppressed({}, {"skipped": {reason: 1}}, parse())
    assert no_longer_suppressed({}, {"skipped": {reason: 1}}, parse("--suppress", "more.txt")) is None
    assert no_longer_suppressed({}, {"skipped": {"not_subscribed": 1, reason: 0}}, parse()) is None


@pytest.mark.parametrize("other", ["empty.txt", "people.csv"])
def test_another_list_of_people_is_a_choice_with_a_warning(listed: Path, other: str) -> None:
    warning = no_longer_suppressed(parse("--suppress", "more.txt").pace(), {}, parse("--suppress", other))
    assert warning is not None
    assert warning.startswith(f"warning: an earlier run of this job had --suppress {listed / 'more.txt'}")


def test_more_people_are_no_difference(listed: Path) -> None:
    before, now = parse("--suppress", "more.txt"), parse("--suppress", "./more.txt", "--suppress", "people.csv")
    assert no_longer_suppressed(before.pace(), {}, now) is None


def test_in_the_environment_files_are_parted_as_paths_are(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(listed / "with a space.txt", "u8\n")
    monkeypatch.setenv("LISTS_SUPPRESS", os.pathsep.join(["more.txt", "with a space.txt"]))
    assert parse().pace() == {"suppress": [str(listed / "more.txt"), str(listed / "with a space.txt")]}


def test_the_kinds_have_columns_of_their_own() -> None:
    """A header tells which list it is."""
    assert not set(MESSAGE_IDS.columns) & set(PEOPLE.columns)
