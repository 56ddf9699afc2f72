"""What records are known by; the window itself is tested where it is."""

import orjson

from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Preparation
from replay_cli.recognition import leave_out_duplicates
from replay_cli.segment.duplicates import Window
from tests.support.archives import message


def test_what_runs_beside_the_requests_leaves_with_the_duplicates() -> None:
    records = [message(1), message(2), message(1, event="Again"), message(3, event="Other")]
    prepare = Preparation(make_api({}, "w"), strict=False, clock=lambda: 2e9)
    batch = RecordBatch(ArchiveObject("/a", 1, "e"), 0, [orjson.dumps(record) for record in records], Unit.LINE, 1)
    left = leave_out_duplicates(prepare(batch), Window(10))
    assert [request.ordinals for request in left.requests] == [(0,), (1,), (3,)]
    assert left.events == ["Tested", "Tested", "Other"]
    assert left.times == [f"2025-03-01T10:00:00.{n:03}Z" for n in (1, 2, 3)]
