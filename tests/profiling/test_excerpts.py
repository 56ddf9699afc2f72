"""Examples are few, of different objects where there are, masked, and nothing that a terminal would act on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.profiling.excerpts import Excerpts

PLACES = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abcde")), max_size=25)


def batch(record: bytes = b"{}", uri: str = "/a", first: int = 0) -> RecordBatch:
    return RecordBatch(ArchiveObject(uri, 1, "e"), first, [record], Unit.LINE, 1)


def kept(places: list[tuple[str, str]], first: int = 0) -> Excerpts:
    made = Excerpts()
    for ordinal, (kind, uri) in enumerate(places, first):
        made.add(kind, batch(uri=uri, first=ordinal), ordinal, "")
    return made


def shown(record: bytes, detail: str = "") -> dict[str, object]:
    made = Excerpts()
    made.add("k", batch(record), 0, detail)
    ((example,),) = made.document().values()
    assert json.loads(json.dumps(example)) == example
    return example


@given(PLACES)
def test_there_are_three_of_a_kind_and_of_as_many_objects_as_can_be(places: list[tuple[str, str]]) -> None:
    found = kept(places).document()
    assert found.keys() == {kind for kind, _ in places}
    for kind, examples in found.items():
        lines = [(uri, line) for line, (other, uri) in enumerate(places, 1) if other == kind]
        assert len(examples) == min(3, len(lines))
        assert len({one["uri"] for one in examples}) == min(3, len({uri for uri, _ in lines}))
        assert (examples[0]["uri"], examples[0]["line"]) == lines[0]
        assert [one["line"] for one in examples] == sorted(one["line"] for one in examples)


@given(PLACES, st.integers(0, 25))
def test_those_of_parts_merge_into_those_of_the_whole(places: list[tuple[str, str]], cut: int) -> None:
    merged = kept(places[:cut])
    merged.merge(kept(places[cut:], len(places[:cut])))
    assert merged.document() == kept(places).document()


def test_there_are_not_more_kinds_than_anybody_looks_at() -> None:
    made = kept([(f"reason {n}", "/a") for n in range(1_000)])
    assert len(made.document()) == 100


@pytest.mark.parametrize(
    "record", [b'{"writeKey": "SECRET"}', b'{"writeKey": "SECRET', b"writeKey=SECRET", b'{"write\\u004bey":"SECRET"}']
)
def test_secrets_are_masked(record: bytes) -> None:
    assert "SECRET" not in str(shown(record, record.decode()))


@given(st.binary(max_size=700), st.text(max_size=400))
def test_any_bytes_become_a_short_printable_text(record: bytes, detail: str) -> None:
    example = shown(record, detail)
    for text in (str(example["excerpt"]), str(example["detail"])):
        assert len(text) <= 300
        assert text.isprintable()


def test_what_a_terminal_would_act_on_is_not_shown() -> None:
    example = shown(b"\x1b[2J\xe2\x80\xaegnirts\x07")
    assert example["excerpt"] == "\ufffd[2J\ufffdgnirts\ufffd"


def test_a_path_that_is_no_unicode_can_be_written_down() -> None:
    made = Excerpts()
    made.add("k", batch(uri="/logs/caf\udce9.jsonl"), 0, "")
    assert made.document()["k"][0]["uri"] == "/logs/caf?.jsonl"
