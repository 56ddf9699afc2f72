"""`validate --show N`: some records beside the requests that they become."""

import io
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from replay_cli.cli.showing import LOOKED_AT, Showcase, Shown
from replay_cli.cli.side_by_side import print_shown
from replay_cli.model import ArchiveObject, RecordBatch, Request, Unit
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Preparation, Prepared
from tests.support.archives import message, write_lines
from tests.support.in_process import Told, replay_here


def show(tmp_path: Path, *options: str) -> Told:
    return replay_here(tmp_path, "validate", "a.jsonl", "--show", *options)


def shown(tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = show(tmp_path, *options, "--json").summary["shown"]
    return found


def prepared(*records: bytes | dict[str, Any], first: int = 0) -> Prepared:
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    prepare = Preparation(make_api({}, "w"), strict=False, clock=lambda: 2e9)
    return prepare(RecordBatch(ArchiveObject("/a", 1, "e"), first, lines, Unit.LINE, 1))


def test_it_shows_each_record_with_its_place_and_the_whole_request(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [b"", message(1)])
    (one,) = shown(tmp_path, "5", "--region", "DC_02")
    assert (one["uri"], one["line"], one["outcome"], one["reason"]) == (str(path), 2, "request", None)
    assert one["record"] == message(1)
    (request,) = one["requests"]
    assert request["method"] == "POST"
    assert request["url"] == "https://api-02.moengage.com/v1/integrations/segment?appId=sandbox"
    assert (request["body"]["user_id"], request["body"]["properties"]) == ("user-1", {"n": 1})


def test_of_each_event_it_shows_one_before_it_shows_a_second_of_any(tmp_path: Path) -> None:
    events = ["Seen"] * 50 + ["Bought"] + ["Seen"] * 50
    records = [message(n, event=event) for n, event in enumerate(events)]
    write_lines(tmp_path / "a.jsonl", [*records, message(101, type="identify", traits={})])
    assert [each["line"] for each in shown(tmp_path, "3")] == [1, 51, 102]
    assert [each["line"] for each in shown(tmp_path, "5")] == [1, 2, 3, 51, 102]


def test_what_is_not_sent_is_shown_with_its_reason_and_ends_with_3_when_rejected(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1), message(2, type="page"), b"[1]", message(4)])
    end = show(tmp_path, "4", "--json")
    rows = [(each["line"], each["outcome"], each["reason"]) for each in end.summary["shown"]]
    assert rows == [
        (1, "request", None),
        (2, "skipped", "not_subscribed"),
        (3, "rejected", "not_an_object"),
        (4, "request", None),
    ]
    assert end.code == 3
    assert show(tmp_path, "1").code == 0


def test_what_the_selection_leaves_out_takes_no_room_from_what_is_meant(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, event=event) for n, event in enumerate("XAAX")])
    outcomes = [(each["line"], each["reason"]) for each in shown(tmp_path, "2", "--event", "A")]
    assert outcomes == [(2, None), (3, None)]
    outcomes = [(each["line"], each["reason"]) for each in shown(tmp_path, "9", "--event", "A")]
    assert outcomes == [(1, "other_event"), (2, None), (3, None)]


def test_it_reads_no_further_than_it_needs(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(2_500)])
    write_lines(tmp_path / "b.jsonl", [b"{"])
    end = replay_here(tmp_path, "validate", "a.jsonl", "b.jsonl", "--show", "1", "--json")
    assert (end.code, end.summary["looked_at"]) == (0, 1_000)


def test_looking_for_other_kinds_has_an_end() -> None:
    showcase = Showcase(2)
    batch = prepared(*[message(n) for n in range(1_000)])
    batches = 0
    while not showcase.is_complete:
        showcase.take(batch)
        batches += 1
    assert batches == LOOKED_AT / 1_000


def test_what_the_selection_leaves_out_is_no_reason_to_end() -> None:
    showcase = Showcase(1)
    for _ in range(LOOKED_AT // 100):
        showcase.take(prepared(*[message(n, type="page") for n in range(100)]))
    assert not showcase.is_complete
    showcase.take(prepared(message(1)))
    assert [each.outcome for each in showcase.shown()] == ["request"]


@given(st.lists(st.sampled_from(["A", "B", "C", "page", "bad"]), max_size=60), st.integers(1, 8))
def test_it_shows_as_many_as_there_are_in_their_order(kinds: list[str], number: int) -> None:
    made: dict[str, dict[str, Any] | bytes] = {"page": message(1, type="page"), "bad": b"["}
    showcase = Showcase(number)
    for first in range(0, len(kinds), 7):
        records = [made.get(kind) or message(1, event=kind) for kind in kinds[first : first + 7]]
        showcase.take(prepared(*records, first=first))
    ordinals = [each.ordinal for each in showcase.shown()]
    assert ordinals == sorted(set(ordinals))
    sendable = [kind for kind in kinds if kind != "page"]
    assert len(ordinals) == min(number, len(sendable) + ("page" in kinds))
    assert {kinds[ordinal] for ordinal in ordinals} >= set(kinds) if len(set(kinds)) <= number else True


def test_write_keys_are_masked_in_records_and_requests(tmp_path: Path) -> None:
    secret = "SECRETSECRET"
    write_lines(
        tmp_path / "a.jsonl",
        [message(1, writeKey=secret, properties={"writeKey": secret}), b'{"writeKey": "SECRETSECRET'],
    )
    for options in (("9",), ("9", "--json")):
        end = show(tmp_path, *options)
        assert secret not in end.out + end.err
        assert "***" in end.out


def test_it_says_of_bulk_what_each_record_becomes(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    (one,) = shown(tmp_path, "1", "--api", "bulk")
    (request,) = one["requests"]
    assert request["url"].startswith("/v1/transition/")


def test_damage_is_named_and_ends_with_3(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.gz", [message(n) for n in range(10)])
    path.write_bytes(path.read_bytes()[:-12])
    end = replay_here(tmp_path, "validate", "a.gz", "--show", "50")
    assert end.code == 3
    assert f"not whole: {path}" in end.err


def printed(width: int, *, is_terminal: bool, shown: Shown) -> str:
    file = io.StringIO()
    print_shown(Console(file=file, width=width, force_terminal=is_terminal, color_system=None), [shown], "https://m")
    return file.getvalue()


def one_shown(record: bytes = b'{"left": 1}', body: bytes = b'{"right": 2}') -> Shown:
    return Shown("/a", Unit.LINE, 6, "request", record, (Request((6,), 0, "POST", "/p", body, (), ()),))


def test_it_is_side_by_side_where_there_is_room_and_below_one_another_elsewhere() -> None:
    (line,) = [line for line in printed(140, is_terminal=True, shown=one_shown()).splitlines() if '"left": 1' in line]
    assert line.index("{") == 70
    for text in (printed(80, is_terminal=True, shown=one_shown()), printed(400, is_terminal=False, shown=one_shown())):
        assert text.index('"left": 1') < text.index("POST https://m/p") < text.index('"right": 2')
        assert max(map(len, text.splitlines())) < 40


@given(st.binary(max_size=200))
def test_whatever_a_record_holds_it_is_text_for_the_terminal(content: bytes) -> None:
    text = printed(80, is_terminal=False, shown=one_shown(content, content))
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_markup_and_escapes_of_others_are_shown_and_not_obeyed() -> None:
    text = printed(140, is_terminal=True, shown=one_shown(b'{"a": "[red]\\u001b[2J\\u202e"}'))
    assert "[red]" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


def test_large_and_deep_records_are_cut() -> None:
    many = json.dumps(list(range(10_000))).encode()
    text = printed(80, is_terminal=False, shown=one_shown(many, b'"' + b"x" * 1_000_000 + b'"'))
    assert "… 9,902 more lines" in text
    assert len(text) < 5_000
    deep = printed(80, is_terminal=False, shown=one_shown(b"[" * 300 + b"]" * 300))
    assert "[[[" in deep
