"""What paths tell, and the order in which objects are read."""

from datetime import date

import pytest

from replay_cli.segment.layout import Place, describe, sort_key


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a/segment-logs/src1/1432684800000/x.gz", Place("src1", date(2015, 5, 27))),
        ("/copied/src1/1432684800000/x.gz", Place("src1", date(2015, 5, 27))),
        ("/a/src1/1432684800001/x.gz", Place()),
        ("/a/src1/1432684800000/deeper/x.gz", Place()),
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
