"""What paths tell, and the order in which objects are read."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.layout import Place, Span, describe, folder_of, is_day, sort_key, sort_text, source_of, span

ID = "kQ8vTz3nWbYp5RdXmLs2Ha"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a/segment-logs/src1/1432684800000/x.gz", Place("src1", date(2015, 5, 27))),
        ("/copied/src1/1432684800000/x.gz", Place("src1", date(2015, 5, 27))),
        ("/a/src1/1432684800001/x.gz", Place()),
        ("/a/src1/1432684800000/deeper/x.gz", Place("src1", date(2015, 5, 27))),
        ("s3://bucket/1432684800000/x.gz", Place(None, date(2015, 5, 27))),
        ("segment-logs/1432684800000/x.gz", Place(None, date(2015, 5, 27))),
        ("s3://bucket/segment_type=track/x.gz", Place(None, segment_type="track")),
        ("/a/src1/day=2025-03-01/segment_type=track/x.gz", Place(None, date(2025, 3, 1), None, "track")),
        ("/lake/day=2025-03-01/hr=24/x.gz", Place(None, date(2025, 3, 1))),
        (
            "/lake/data/src1/segment_type=Order%20Completed/day=2025-03-01/hr=07/p.parquet",
            Place("src1", date(2025, 3, 1), 7, "Order Completed"),
        ),
        (
            "/lake/data/src1/segment_type=track/year=2025/month=3/day=01/hr=23/p.parquet",
            Place("src1", date(2025, 3, 1), 23, "track"),
        ),
        (
            "/lake/data/src1/segment_type=track/year=2025/month=03/day=01/p.parquet",
            Place("src1", date(2025, 3, 1), None, "track"),
        ),
        ("/lake/events/day=2025-03-01/p.parquet", Place(None, date(2025, 3, 1))),
        ("/lake/events/day=never/hr=x/p.parquet", Place()),
        ("/lake/events/year=2025/p.parquet", Place()),
        ("/lake/day=2025-03-01.parquet", Place()),
    ],
)
def test_a_path_tells_source_day_hour_and_type(path: str, place: Place) -> None:
    assert describe(path) == place


def test_days_come_before_sources_and_names() -> None:
    """A user's history is spread over sources: none may be read to its end before the next begins."""
    paths = [
        "/logs/a/1740787200000/1.gz",
        "/logs/b/1740787200000/0.gz",
        "/logs/a/1740873600000/0.gz",
        "/logs/b/1740873600000/0.gz",
        "/unknown/a.gz",
    ]
    assert sorted(set(paths), key=sort_key) == paths


def test_hours_come_before_sources() -> None:
    day = "segment_type=track/day=2025-03-01"
    paths = [f"/data/{source}/{day}/hr={hour}/p.parquet" for hour in ("02", "10") for source in "ab"]
    assert sorted(set(paths), key=sort_key) == paths


@pytest.mark.parametrize(
    ("folder", "first", "until"),
    [
        ("segment-logs/src1/1432684800000/", "2015-05-27", "2015-05-28"),
        ("s3://bucket/prefix/segment-logs/src1/1432684800000/", "2015-05-27", "2015-05-28"),
        ("/copied/src1/1432684800000/deeper/", "2015-05-27", "2015-05-28"),
        ("year=2025/", "2025-01-01", "2026-01-01"),
        ("year=2025/month=2/", "2025-02-01", "2025-03-01"),
        ("year=2025/month=12/", "2025-12-01", "2026-01-01"),
        ("year=2024/month=02/day=29/", "2024-02-29", "2024-03-01"),
        ("year=2025/month=03/day=01/hr=05/", "2025-03-01T05:00", "2025-03-01T06:00"),
        ("/lake/data/s/segment_type=track/day=2025-03-01/", "2025-03-01", "2025-03-02"),
        ("/lake/data/s/segment_type=track/day=2025-03-01/hour=23/", "2025-03-01T23:00", "2025-03-02"),
        ("day=2025-03-01/hr=24/", "2025-03-01", "2025-03-02"),
        ("day=2025-03-01/year=2024/", "2025-03-01", "2025-03-02"),
        ("year=2025/month=13/", "2025-01-01", "2026-01-01"),
        ("year=2025/month=02/day=30/", "2025-02-01", "2025-03-01"),
    ],
)
def test_a_folder_tells_when_its_objects_were_received(folder: str, first: str, until: str) -> None:
    assert span(folder) == Span(*(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, until)))


@pytest.mark.parametrize(
    "folder",
    [
        "",
        "/",
        "segment-logs/src1/",
        "src1/1432684800001/",
        "src1/1432684800000",  # a file
        "s3://1432684800000/",
        "month=02/",
        "day=01/",
        "hr=05/",
        "year=0/",
        "year=9999/",
        "year=9999/month=12/",
        "day=9999-12-31/",
        "year=2025 and more/",
        "day=2025-02-30/",
    ],
)
def test_a_folder_without_a_time_tells_none(folder: str) -> None:
    assert span(folder) is None


def test_a_day_is_told_by_a_day_or_an_hour() -> None:
    folders = ["year=2025/", "year=2025/month=1/", "year=2025/month=1/day=1/", "day=2025-01-01/hr=0/", "src1/"]
    assert [is_day(folder) for folder in folders] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("folder", "source_id"),
    [
        ("segment-logs/src1/1432684800000/", "src1"),
        ("copied/src1/1432684800000/", "src1"),
        (f"s3://bucket/segment-logs/{ID}/", ID),
        (f"/backup/segment-logs/{ID}/", ID),
        (f"lake/data/{ID}/", ID),
        (f"lake/data/{ID}/segment_type=track/", ID),
        ("lake/data/src1/segment_type=track/day=2025-03-01/", "src1"),
        ("segment-logs/march/", None),
        ("segment-logs/march/src1/1432684800000/", "src1"),
        ("data/raw/", None),
        ("data/raw/segment-logs/src1/1432684800000/", "src1"),
        ("segment-logs/", None),
        ("segment-logs/1432684800000/", None),
        ("data/segment_type=track/", None),
        (f"{ID}/", None),
        ("s3://bucket/1432684800000/", None),
        ("s3://bucket/segment_type=track/", None),
        ("s3://data/src1/", None),
        ("day=2025-03-01/segment_type=track/", None),
        ("", None),
    ],
)
def test_a_folder_tells_its_source_where_that_is_certain(folder: str, source_id: str | None) -> None:
    assert source_of(folder) == source_id


PARTS = st.one_of(
    st.sampled_from(["segment-logs", "data", "src1", "src2", ID, "march", "s3:", "", ".", "..", "x=", "=", "\ud800"]),
    st.sampled_from(["1740787200000", "1740873600000", "1740787200001", "9" * 13, "0" * 13, "9" * 5000, "\u0661" * 13]),
    st.sampled_from(["segment_type=track", "segment_type=%ff", "day=2025-03-01", "day=2025-03-02", "day=9999-12-31"]),
    st.builds(
        "{}={}".format,
        st.sampled_from(["year", "month", "day", "hr", "hour"]),
        st.sampled_from(["2025", "2024", "03", "3", "12", "99", "-1", "0", "1", "9999", "9" * 5000, "", "x", "\u0661"]),
    ),
    st.text(max_size=5),
)
PATHS = st.builds("{}{}".format, st.sampled_from(["", "/", "s3://"]), st.lists(PARTS, max_size=8).map("/".join))


@given(PATHS, PATHS)
def test_a_deeper_folder_only_makes_it_more_precise(path: str, below: str) -> None:
    """So nothing is below a folder that is left out which would not be left out by itself."""
    upper, lower = f"{path}/", f"{path}/{below}/"
    known = span(upper)
    told = span(lower)
    assert known is None or (told is not None and told.within(known))
    assert source_of(upper) in (None, source_of(lower))
    assert is_day(upper) <= (describe(f"{lower}x.gz").day is not None)


@given(PATHS)
def test_a_path_and_its_folder_tell_the_same(path: str) -> None:
    place, known = describe(path), span(folder_of(path))
    assert place.source_id == source_of(folder_of(path))
    if place.day is None:
        assert known is None or known.until - known.first > timedelta(days=1)
    else:
        assert known is not None
        assert known.first.replace(tzinfo=None) == datetime(
            place.day.year, place.day.month, place.day.day, place.hour or 0
        )


@given(st.lists(PATHS, max_size=8))
def test_the_text_to_sort_by_gives_the_reading_order(paths: list[str]) -> None:
    assert sorted(paths, key=lambda path: (sort_text(path), path)) == sorted(paths, key=sort_key)
