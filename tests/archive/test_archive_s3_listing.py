"""A bucket is listed as a directory would be: the same names in the same order, and no folder that is not wanted."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replay_cli.archive import Source, canonical, open_source, s3_listing
from replay_cli.archive.s3 import S3Source
from replay_cli.archive.source import PAGE_OBJECTS
from replay_cli.aws import S3Options
from replay_cli.errors import FatalError, UsageError
from replay_cli.segment.layout import sort_key
from replay_cli.segment.selection import EVERYTHING, Period, Selection
from tests.support.archives import objects
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import LIMITED_BUCKET, S3Server

BODY = b"{}\n"
FIRST = datetime(2025, 3, 1, tzinfo=UTC)
DAYS = [str(1740787200000 + day * 86_400_000) for day in range(10)]  # from March 1, 2025 on
WEB, APP, API = SOURCES = ("rMtR7AWRj3mP6q9KmEhzh5", "9cJd1L5RBHzTUPeA6g3QvW", "qwErTy12345UiOpAsDfGhj")


@dataclass
class Store:
    """A bucket behind a proxy, which counts what is asked for."""

    server: S3Server
    proxy: S3Proxy
    bucket: str

    def put(self, keys: Iterable[str]) -> None:
        self.server.put(self.bucket, dict.fromkeys(keys, BODY))

    def source(self, *locations: str, selection: Selection = EVERYTHING) -> S3Source:
        names = [canonical(f"s3://{self.bucket}/{location}") for location in locations]
        return S3Source(names, selection, S3Options(endpoint_url=self.proxy.url))

    def keys(self, *locations: str, selection: Selection = EVERYTHING) -> list[str]:
        """What is listed there, in order."""
        return self.named(objects(self.source(*locations, selection=selection)))

    def named(self, listed: Sequence[object]) -> list[str]:
        return [str(getattr(obj, "uri", "")).removeprefix(f"s3://{self.bucket}/") for obj in listed]


@pytest.fixture
def store(s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    become(s3_server, "admin", monkeypatch)
    with S3Proxy(s3_server.url) as proxy:
        yield Store(s3_server, proxy, bucket)


def become(server: S3Server, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment(identity).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def received(first: float, until: float, **more: object) -> Selection:
    """What was received between two days of `DAYS`, counted from the first one."""
    return Selection(received=Period(FIRST + timedelta(days=first), FIRST + timedelta(days=until)), **more)  # type: ignore[arg-type] # the rest of it


def raw_logs(
    sources: Iterable[str] = SOURCES, days: Iterable[str] = DAYS, files: Iterable[str] = ("a.gz",)
) -> list[str]:
    names = list(files)
    return [f"segment-logs/{source}/{day}/{name}" for source in sources for day in days for name in names]


def lake(days: Iterable[int], hours: Iterable[int], source: str = WEB) -> list[str]:
    each = list(hours)
    return [f"data/{source}/segment_type=track/day=2025-03-{day:02}/hr={hour:02}/a.gz" for day in days for hour in each]


# -- the same as on disk --------------------------------------------------------------------------------------

LEFT_ALONE = ["_SUCCESS", ".hidden.gz", "notes.txt", "_temporary/x.gz", ".git/y.gz", "a.csv"]
TREES = {
    "raw logs": raw_logs(days=DAYS[:3], files=["b.gz", "a.gz"]),
    "a lake by day and hour": lake([1, 2], [0, 9, 10, 23]),
    "a lake by year, month and day": [
        f"data/{source}/segment_type={kind}/year=2025/month={month}/day={day}/part-0.parquet"
        for source in (WEB, APP)
        for kind in ("track", "identify")
        for month in (2, 11)
        for day in (3, 21)
    ],
    "an hour without zeros": [f"x/day=2025-03-01/hour={hour}/a.gz" for hour in range(0, 24, 5)],
    "no layout": ["a.gz", "b/c.gz", "b/d/e.gz", "b/d.gz", "z/1.gz", "z/10.gz", "z/2.gz"],
    "dates in names": ["2025-03-02/a.gz", "2025-03-01/a.gz", "logs-2025-03-01.gz"],
    "suffixes": ["a.gz", "b.JSON", "c.jsonl", "d.ndjson", "e.zst", "f.parquet", "part-00000", "g.GZ", "h.gz.tmp"],
    "names to be left alone": ["a.gz", *LEFT_ALONE, *(f"sub/{name}" for name in LEFT_ALONE)],
    "names to be left alone in a day": [
        *raw_logs([WEB], DAYS[:1]),
        *(f"segment-logs/{WEB}/{DAYS[0]}/{name}" for name in LEFT_ALONE),
        *(f"segment-logs/{WEB}/{name}" for name in LEFT_ALONE),
    ],
    "all kinds": [*raw_logs([WEB], DAYS[1:3]), *lake([1, 3], [5]), "a.gz", "zz/b.gz", "segment-logs/march/c.gz"],
    "letters of all kinds": ["é.gz", "a b.gz", "a+b.gz", "a%2Fb.gz", "x&y/=.gz", "日本/本.gz", "𝔘.gz", "\uffee.gz"],
    "a folder named like a file": ["a.gz/b.gz", "a.txt/b.gz", "x.parquet/part-0.parquet"],
    "objects behind a day": [f"{WEB}/{DAYS[0]}/deep/er/a.gz", f"{WEB}/{DAYS[0]}/b.gz", f"{WEB}/{DAYS[1]}/{DAYS[0]}/c"],
}


def random_tree(seed: int) -> list[str]:
    """Some folders of all layouts in each other, most of which tell something only by chance."""
    dice = random.Random(seed)
    pools = (
        ["segment-logs", "data", "a", "b", "copies", "_temporary", ".x", "2025"],
        [*SOURCES, "old", "src1", "_old"],
        [*DAYS[:3], "year=2025", "day=2025-03-02", "segment_type=track", "x", "1740787200001"],
        ["month=3", "month=12", "hr=07", "hr=7", "hour=23", DAYS[0], "y", ".y"],
        ["day=1", "day=31", "day=32", "deep"],
    )
    names = ("a.gz", "b.gz", "part-0", "c.PARQUET", "_d.gz", ".e.gz", "f.txt", "g.json")
    tree = set()
    for _ in range(60):
        folders = [dice.choice(pool) for pool in pools[: dice.randrange(6)]]
        # One name in each hidden folder: below a day each of them counts, on a disk the folder does.
        hidden = any(folder[0] in "._" for folder in folders)
        tree.add("/".join([*folders, "a.gz" if hidden else dice.choice(names)]))
    hidden_folders = {_hidden_head(name) for name in tree} - {""}
    return sorted(
        [name for name in tree if not _hidden_head(name)]
        + [next(name for name in sorted(tree) if _hidden_head(name) == head) for head in sorted(hidden_folders)]
    )


def _hidden_head(name: str) -> str:
    """The path up to the first hidden folder; "" where there is none."""
    folders = name.split("/")[:-1]
    first = next((number for number, folder in enumerate(folders, start=1) if folder[0] in "._"), 0)
    return "/".join(folders[:first])


def on_disk(root: Path, keys: Iterable[str]) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(BODY)


def from_disk(root: Path, selection: Selection = EVERYTHING) -> tuple[list[str], Source]:
    source = open_source([str(root)], selection)
    return [str(Path(obj.uri).relative_to(root)) for obj in objects(source)], source


def require_the_same(store: Store, root: Path, keys: Sequence[str], *selections: Selection) -> None:
    """The tree at the top of the bucket and in a folder of it is read as the one on the disk."""
    on_disk(root, keys)
    store.put([*keys, *(f"in/{key}" for key in keys)])
    names, disk = from_disk(root)
    inside = store.source("in")
    assert [name.removeprefix("in/") for name in store.named(objects(inside))] == names
    assert inside.ignored == disk.ignored
    for selection in selections:
        expected, _ = from_disk(root, selection)
        assert [name.removeprefix("in/") for name in store.keys("in", selection=selection)] == expected, selection


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_tree_is_listed_as_from_disk(store: Store, tmp_path: Path, tree: list[str]) -> None:
    require_the_same(store, tmp_path, tree)


@pytest.mark.parametrize("seed", range(6))
def test_any_tree_is_listed_as_from_disk(store: Store, tmp_path: Path, seed: int) -> None:
    """Whatever is wanted of it, too."""
    day = timedelta(days=1)
    selections = [
        received(1, 2),
        received(0.3, 1.3),
        received(0.5, 40, source_ids=frozenset({WEB})),
        Selection(source_ids=frozenset({APP, "src1"})),
        Selection(event_time=Period(FIRST + 2 * day, FIRST + 2.5 * day), late=timedelta(hours=1)),
    ]
    require_the_same(store, tmp_path, random_tree(seed), *selections)


def test_a_hidden_folder_counts_once_where_it_is_seen_and_below_a_day_each_name_in_it_does(store: Store) -> None:
    day = f"{WEB}/{DAYS[0]}"
    store.put(
        ["a.gz", "_temporary/1.gz", "_temporary/2.gz", f"{day}/a.gz", f"{day}/_temporary/1", f"{day}/_temporary/2"]
    )
    source = store.source("")
    assert store.named(objects(source)) == [f"{day}/a.gz", "a.gz"]
    assert source.ignored == 3


def test_what_a_console_puts_there_to_show_a_folder_is_no_object(store: Store) -> None:
    store.put([*raw_logs([WEB], DAYS[:1]), "segment-logs/", f"segment-logs/{WEB}/{DAYS[1]}/", "empty/"])
    source = store.source("segment-logs")
    assert store.named(objects(source)) == raw_logs([WEB], DAYS[:1])
    assert source.ignored == 0
    with pytest.raises(UsageError, match=r"/empty: nothing to read in there"):
        store.keys("empty")


# -- locations ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(s3_server: S3Server) -> str:
    """A bucket with some of everything."""
    bucket, keys = s3_server.make_bucket(), raw_logs(days=DAYS[:2], files=["a.gz", "_b.txt"])
    s3_server.put(bucket, dict.fromkeys([*keys, "other/x.txt", "other/.y", "one.gz", "both"], BODY))
    s3_server.put(bucket, {"both/c": BODY})  # not beside the other: SeaweedFS then loses it now and then
    return bucket


@pytest.fixture
def archive(store: Store, filled: str) -> Store:
    store.bucket = filled
    return store


@pytest.mark.parametrize(
    ("location", "keys"),
    [
        ("", [*raw_logs(sorted(SOURCES), DAYS[:1]), *raw_logs(sorted(SOURCES), DAYS[1:2]), "both", "both/c", "one.gz"]),
        (f"segment-logs/{WEB}", raw_logs([WEB], DAYS[:2])),
        (f"segment-logs/{WEB}/", raw_logs([WEB], DAYS[:2])),
        (f"segment-logs/{WEB}/{DAYS[1]}", raw_logs([WEB], DAYS[1:2])),
        ("one.gz", ["one.gz"]),
        ("other/x.txt", ["other/x.txt"]),
        ("other/.y", ["other/.y"]),
        (f"segment-logs/*/{DAYS[0]}/*.gz", raw_logs(sorted(SOURCES), DAYS[:1])),
        (f"segment-logs/*/{DAYS[0]}", raw_logs(sorted(SOURCES), DAYS[:1])),
        (f"segment-logs/{WEB[:3]}*", raw_logs([WEB], DAYS[:2])),
        (f"segment-logs/{WEB}/*/_b.*", raw_logs([WEB], DAYS[:2], ["_b.txt"])),
        (f"segment-logs/[{WEB[0]}{APP[0]}]*/{DAYS[1]}/?.gz", raw_logs(sorted([WEB, APP]), DAYS[1:2])),
        ("**/*.gz", [*raw_logs(sorted(SOURCES), DAYS[:1]), *raw_logs(sorted(SOURCES), DAYS[1:2]), "one.gz"]),
        (f"**/{DAYS[1]}/**", raw_logs(sorted(SOURCES), DAYS[1:2])),
        ("other/*", ["other/x.txt"]),
        ("both/*", ["both/c"]),
        (
            "*",
            [*raw_logs(sorted(SOURCES), DAYS[:1]), *raw_logs(sorted(SOURCES), DAYS[1:2]), "both", "both/c", "one.gz"],
        ),
    ],
)
def test_a_location_gives_what_it_means(archive: Store, location: str, keys: list[str]) -> None:
    assert archive.keys(location) == keys


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("both", "/both is an object, and a folder too: for what is in the folder, write s3://.*/both/\\*"),
        ("nowhere", "/nowhere: nothing to read in there"),
        ("nowhere/", "/nowhere: nothing to read in there"),
        ("one", "/one: nothing to read in there"),
        ("segment-log", "/segment-log: nothing to read in there"),
        ("one.gz/x", "/one.gz/x: nothing to read in there"),
        ("*.nothing", r"/\*\.nothing: this pattern matches nothing"),
        ("segment-logs/*/1640995200000/*.gz", "1640995200000/.* matches nothing"),
        ("**/*.nothing", "matches nothing"),
    ],
)
def test_a_location_with_nothing_to_read_is_a_usage_error(archive: Store, location: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        archive.keys(location)


def test_a_folder_of_which_nothing_is_wanted_is_no_error(archive: Store) -> None:
    """There is something, only not for this job."""
    assert archive.keys("segment-logs", selection=received(5, 6)) == []
    assert archive.keys(f"segment-logs/{WEB}/{DAYS[0]}", selection=received(5, 6)) == []
    assert archive.keys(f"segment-logs/{WEB}/{DAYS[0]}/a.gz", selection=received(5, 6)) == []
    assert archive.keys(f"segment-logs/*/{DAYS[0]}/*.gz", selection=received(5, 6)) == []
    assert archive.keys("segment-logs", selection=Selection(source_ids=frozenset({"nobody"}))) == []


def test_a_bucket_that_is_not_there_is_a_usage_error(store: Store) -> None:
    for location in ("", "x", "*.gz"):
        source = S3Source([f"s3://no-such-bucket/{location}"], EVERYTHING, S3Options(endpoint_url=store.proxy.url))
        with pytest.raises(UsageError, match="s3://no-such-bucket: there is no such bucket at http"):
            objects(source)


def test_an_empty_bucket_has_nothing_to_read(store: Store) -> None:
    with pytest.raises(UsageError, match=f"s3://{store.bucket}/: nothing to read in there"):
        store.keys("")


def test_who_may_not_list_may_read_what_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.server.put(LIMITED_BUCKET, {"listing/a.gz": BODY, "listing/b.gz": BODY})
    become(store.server, "reader", monkeypatch)
    store.bucket = LIMITED_BUCKET
    source = store.source("listing/a.gz")
    (obj,) = objects(source)
    with source.open(obj) as file:
        assert file.read() == BODY
    for location in ("listing", "listing/*.gz", "listing/c.gz", ""):
        with pytest.raises(FatalError, match=f"the credentials lack s3:ListBucket on s3://{LIMITED_BUCKET}$"):
            store.keys(location)


def test_who_may_only_list_is_told_what_is_missing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.server.put(LIMITED_BUCKET, {"lister/a.gz": BODY})
    become(store.server, "lister", monkeypatch)
    store.bucket = LIMITED_BUCKET
    source = store.source("lister")
    (obj,) = objects(source)
    missing = f"the credentials lack s3:GetObject on s3://{LIMITED_BUCKET}/lister/a.gz"
    with source.open(obj) as file, pytest.raises(FatalError, match=missing):
        file.read(1)


# -- what is asked for ----------------------------------------------------------------------------------------


def asked(store: Store) -> "Counter[str]":
    """The prefixes listed, each with how often."""
    return Counter(store.proxy.prefixes)


def once(*prefixes: str) -> "Counter[str]":
    return Counter(prefixes)


LEVELS = ("segment-logs", "segment-logs/")  # whether it is an object, and what is in the folder


def folders(sources: Iterable[str], days: Iterable[str] = ()) -> list[str]:
    each = list(days)
    levels = [f"segment-logs/{source}/" for source in sources]
    return [*levels, *(f"{level}{day}/" for level in levels for day in each)]


@pytest.mark.parametrize(
    ("selection", "sources", "days"),
    [
        (EVERYTHING, SOURCES, DAYS),
        (received(2, 5), SOURCES, DAYS[2:5]),
        (received(2.5, 4.1), SOURCES, DAYS[2:5]),
        (Selection(received=Period(FIRST + timedelta(days=8))), SOURCES, DAYS[8:]),
        (Selection(received=Period(None, FIRST + timedelta(days=1, milliseconds=1))), SOURCES, DAYS[:2]),
        (Selection(source_ids=frozenset({APP, WEB})), [APP, WEB], DAYS),
        (received(9, 99, source_ids=frozenset({API})), [API], DAYS[9:]),
        (received(20, 30), SOURCES, []),
        (
            Selection(event_time=Period(FIRST + timedelta(days=4), FIRST + timedelta(days=5)), late=timedelta(days=2)),
            *(SOURCES, DAYS[3:7]),
        ),
        (Selection(event_time=Period(FIRST + timedelta(days=3.5))), SOURCES, DAYS[2:]),
        (Selection(event_time=Period(None, FIRST - timedelta(days=5))), SOURCES, DAYS[:2]),
    ],
    ids=lambda value: str(value.settings()) if isinstance(value, Selection) else "",
)
def test_only_what_is_wanted_is_listed(
    store: Store, selection: Selection, sources: Sequence[str], days: Sequence[str]
) -> None:
    store.put(raw_logs())
    keys = [key for day in days for key in raw_logs(sorted(sources), [day])]
    assert store.keys("segment-logs", selection=selection) == keys
    assert asked(store) == once(*LEVELS, *folders(sources, days))


def test_hours_are_left_out_where_the_cut_is(store: Store) -> None:
    """In days that are wanted whole, hours are not looked at one by one."""
    store.put(lake(range(1, 6), range(24)))
    selection = received(1 + 22 / 24, 3 + 1.5 / 24)
    base = f"data/{WEB}/segment_type=track/"
    wanted = [*lake([2], [22, 23]), *lake([3], range(24)), *lake([4], [0, 1])]
    assert store.keys("data", selection=selection) == wanted
    assert asked(store) == once(
        *("data", "data/", f"data/{WEB}/", base),
        *(f"{base}day=2025-03-{day:02}/" for day in (2, 3, 4)),
        *(key.removesuffix("a.gz") for key in wanted if "day=2025-03-03" not in key),
    )


def test_months_and_years_are_left_out(store: Store) -> None:
    keys = [
        f"lake/year={year}/month={month}/day={day}/a.gz"
        for year in (2024, 2025)
        for month in (2, 3, 4)
        for day in (1, 2)
    ]
    store.put(keys)
    assert store.keys("lake", selection=received(1, 31)) == ["lake/year=2025/month=3/day=2/a.gz"]
    levels = ["lake", "lake/", "lake/year=2025/", "lake/year=2025/month=3/"]
    assert asked(store) == once(*levels, "lake/year=2025/month=3/day=2/")


def test_a_glob_lists_no_more_than_it_could_match(store: Store) -> None:
    store.put([*raw_logs(), "segment-log-of-another-kind/a.gz", "zzz/a.gz"])
    assert store.keys(f"segment-logs/*/{DAYS[4]}/*.gz") == raw_logs(sorted(SOURCES), [DAYS[4]])
    days = [f"segment-logs/{source}/{DAYS[4]}" for source in SOURCES]
    assert asked(store) == once("segment-logs/", *days, *(f"{day}/" for day in days))


def test_a_named_object_is_looked_up_not_searched_for(store: Store) -> None:
    store.put(raw_logs())
    key = raw_logs()[0]
    assert store.keys(key) == [key]
    assert asked(store) == once(key, f"{key}/")


# -- page by page ---------------------------------------------------------------------------------------------


def test_days_are_listed_when_their_turn_comes(store: Store) -> None:
    """A page is a day of all sources, and when it is given out, no more than the next day was looked at."""
    store.put(raw_logs(files=["a.gz", "b.gz"]))
    pages = store.source("segment-logs").pages()
    for number, day in enumerate(DAYS):
        page = store.named(next(pages))
        assert page == raw_logs(sorted(SOURCES), [day], ["a.gz", "b.gz"])
        assert asked(store) == once(*LEVELS, *folders(SOURCES, DAYS[: number + 2]))
    assert next(pages, None) is None


def test_overlapping_locations_give_each_object_once_day_by_day(store: Store) -> None:
    store.put([*raw_logs(), "loose.gz", "other/loose.gz"])
    locations = ["segment-logs", f"segment-logs/{WEB}", f"segment-logs/*/{DAYS[3]}/*.gz", raw_logs()[7], "", "other"]
    pages = [store.named(page) for page in store.source(*locations).pages()]
    assert pages[:10] == [raw_logs(sorted(SOURCES), [day]) for day in DAYS]
    assert pages[10:] == [["loose.gz", "other/loose.gz"]]


NAMES = [f"{number:04}.gz" for number in range(PAGE_OBJECTS + 100)]
CROWD = [*sorted([*raw_logs([WEB], DAYS[:1], NAMES), *raw_logs([APP], DAYS[:1])]), *raw_logs([APP], DAYS[1:2])]


@pytest.fixture(scope="module")
def crowd(s3_server: S3Server) -> str:
    """A bucket with more in one folder than fits on a page: to put it there takes seconds."""
    bucket = s3_server.make_bucket()
    s3_server.put(bucket, dict.fromkeys(CROWD, BODY))
    return bucket


def test_a_day_with_many_objects_comes_in_pages(store: Store, crowd: str) -> None:
    store.bucket = crowd
    pages = [store.named(page) for page in store.source("segment-logs").pages()]
    assert [len(page) for page in pages] == [PAGE_OBJECTS, 101, 1]
    assert [key for page in pages for key in page] == CROWD
    assert len(store.proxy.prefixes) == len(LEVELS) + 2 + 2 + 2


def test_overlapping_locations_give_each_object_once_where_a_page_ends_too(store: Store, crowd: str) -> None:
    store.bucket = crowd
    assert store.keys("segment-logs", "segment-logs/*") == CROWD


ROW = PAGE_OBJECTS + 100


@pytest.fixture(scope="module")
def row(s3_server: S3Server) -> str:
    """A bucket with a long row of objects: to put it there takes seconds."""
    bucket, names = s3_server.make_bucket(), [*(f"m-{number:04}" for number in range(ROW)), "a", "z"]
    s3_server.put(bucket, {f"flat/{name}.gz": BODY for name in names})
    return bucket


@pytest.fixture
def flat(store: Store, row: str) -> Iterator[Store]:
    """That row; what a test puts beside it is gone afterwards."""
    store.bucket, before = row, store.server.keys(row)
    yield store
    client = store.server.client()
    for key in set(store.server.keys(row)).difference(before):
        client.delete_object(Bucket=row, Key=key)


def test_a_long_row_of_objects_comes_as_it_is_listed(flat: Store) -> None:
    source = flat.source("flat")
    pages = source.pages()
    first = flat.named(next(pages))
    assert len(flat.proxy.listings) == 3, "whether it is an object, this page and the next"
    keys = [*first, *(key for page in pages for key in flat.named(page))]
    assert keys == ["flat/a.gz", *(f"flat/m-{number:04}.gz" for number in range(ROW)), "flat/z.gz"]
    assert len(flat.proxy.listings) == 3


def test_a_long_row_keeps_the_order_of_the_keys_among_others(flat: Store) -> None:
    """On disk it would not matter how many are in a folder."""
    flat.put(["a/x.gz", "z/x.gz", *raw_logs([WEB], DAYS[:1])])
    keys = flat.keys("")
    assert len(keys) == ROW + 5
    assert keys == sorted(keys, key=lambda key: sort_key(f"s3://{flat.bucket}/{key}"))


def test_overlapping_locations_give_each_object_once_beside_a_long_row(flat: Store) -> None:
    flat.put(["a/x.gz", "z/x.gz"])
    keys = flat.keys("", "z", "a", "flat/z.gz")
    assert not {key: count for key, count in Counter(keys).items() if count > 1}
    assert len(keys) == ROW + 4


def test_folders_behind_a_long_row_are_found(flat: Store) -> None:
    """They turn up only when its last page is listed."""
    flat.put(["flat/n/x.gz", "flat/y/z/x.gz", *(f"flat/{key}" for key in raw_logs([WEB, APP], DAYS[:2]))])
    keys = flat.keys("flat")
    assert Counter(keys) == Counter(key for key in flat.server.keys(flat.bucket))
    days = [key for key in keys if "segment-logs" in key]
    assert [key.split("/")[3] for key in days] == [DAYS[0]] * 2 + [DAYS[1]] * 2


@pytest.mark.parametrize(("limit", "value"), [("_MOST_UNDATED", 3), ("_MOST_LOOSE", 5)])
def test_where_no_day_is_found_the_keys_come_in_their_order(
    store: Store, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    keys = [f"t{tenant}/x{part}/y/{name}.gz" for tenant in range(6) for part in range(4) for name in "ab"]
    keys += [f"t{tenant}/{name}.gz" for tenant in range(6) for name in "lm"]
    keys += [f"t5/x3/{key}" for key in raw_logs([WEB], DAYS[:2])]  # too far down
    store.put([*keys, "t1/_temporary/x.gz", "t1/notes.txt"])
    monkeypatch.setattr(s3_listing, limit, value)
    source = store.source("")
    found = store.named([obj for page in source.pages() for obj in page])
    assert found == sorted(keys)
    assert source.ignored == 2
    some = store.keys("", selection=received(1, 2))
    assert some == [key for key in sorted(keys) if DAYS[0] not in key]


def test_where_no_day_is_found_a_glob_still_matches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"t{tenant}/x/{name}" for tenant in range(6) for name in ("a.gz", "b.txt", "_c.gz")]
    store.put(keys)
    monkeypatch.setattr(s3_listing, "_MOST_UNDATED", 3)
    assert store.keys("t*/x/?.*") == [key for key in sorted(keys) if not key.endswith("_c.gz")]
    assert store.keys("**/*.txt") == [key for key in sorted(keys) if key.endswith(".txt")]


def test_more_sources_than_folders_without_a_day_are_still_read_day_by_day(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_listing, "_MOST_UNDATED", 3)
    store.put(raw_logs([f"src{n}" for n in range(6)], DAYS[:2]))
    assert [key.split("/")[2] for key in store.keys("segment-logs")] == [DAYS[0]] * 6 + [DAYS[1]] * 6
