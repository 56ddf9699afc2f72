"""What was not delivered, reason by reason, with a few records to see what is wrong with them."""

from pathlib import Path

from replay_cli.ledger.undelivered import MOST_EXAMPLES, MOST_EXCERPT, MOST_REASONS
from tests.ledger.checkpoints import letter, new_store, rejecting


def test_each_reason_has_its_number_and_a_few_records_with_their_places(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    bad = [letter(n, b'{"n":%d}' % n) for n in range(5)]
    refused = letter(7, b'{"n":7}', kind="dead_lettered", reason="http_400", detail="HTTP 400 no", unit="row")
    store.apply(rejecting(*bad, refused))
    first, second = store.undelivered()
    assert (first["kind"], first["reason"], first["n"]) == ("rejected", "malformed_json", 5)
    assert first["examples"] == [
        {"uri": "/logs/a.gz", "line": n + 1, "detail": "bad", "excerpt": f'{{"n":{n}}}'} for n in range(MOST_EXAMPLES)
    ]
    assert (second["kind"], second["reason"], second["n"]) == ("dead_lettered", "http_400", 1)
    assert second["examples"] == [{"uri": "/logs/a.gz", "row": 8, "detail": "HTTP 400 no", "excerpt": '{"n":7}'}]
    store.close()


def test_an_excerpt_is_short_whatever_the_record(tmp_path: Path) -> None:
    """Also one that is no text, and one whose characters are cut in the middle."""
    store = new_store(tmp_path)
    records = ["ä€😀".encode() * 100_000, b"\xff" * 100_000, b"x" * MOST_EXCERPT]
    store.apply(rejecting(*(letter(n, record) for n, record in enumerate(records))))
    excerpts = [example["excerpt"] for example in store.undelivered()[0]["examples"]]
    assert [len(excerpt) for excerpt in excerpts] == [MOST_EXCERPT] * 3
    assert [excerpt[-1] for excerpt in excerpts] == ["…", "…", "x"]
    assert "\N{REPLACEMENT CHARACTER}" not in excerpts[0]
    store.close()


def test_reasons_that_somebody_makes_up_do_not_fill_the_page(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    letters = [letter(n, kind="dead_lettered", reason=f"http_400:{n}") for n in range(MOST_REASONS + 50)]
    store.apply(rejecting(*letters, *(letter(1000 + n, reason="too_deep") for n in range(3))))
    found = store.undelivered()
    assert len(found) == MOST_REASONS
    assert (found[0]["reason"], found[0]["n"]) == ("too_deep", 3)
    store.close()
