"""The page as a file, and what it holds: all numbers, and other people's text as text."""

import os
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.errors import FatalError
from replay_cli.report.page import write_page
from replay_cli.report.page.rendering import render
from replay_cli.report.page.tidying import LONGEST, tidied
from replay_cli.report.page.writing import write_whole
from tests.support.documents import (
    HOSTILE,
    hostile_run_document,
    plan_document,
    run_document,
    validation_document,
)

DOCUMENTS = {
    "run": run_document,
    "validation": validation_document,
    "plan": plan_document,
    "hostile": hostile_run_document,
}
every_document = pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
MOST_BYTES = 300_000


class Skeleton(HTMLParser):
    """Tags with the names of their attributes, in order: what a page is made of, without its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))


@every_document
def test_a_page_is_one_file_that_only_its_owner_reads(make: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("an earlier one")
    path.chmod(0o644)
    write_page(path, make())
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().rstrip().endswith("</html>")


@every_document
def test_a_page_depends_on_its_document_alone(make: Callable[[], dict[str, Any]]) -> None:
    assert render(make()) == render(make())


def test_a_page_that_cannot_be_written_is_told_and_leaves_the_old_one(tmp_path: Path) -> None:
    taken = tmp_path / "folder"
    taken.mkdir()
    for path in (tmp_path / "missing" / "report.html", taken):
        with pytest.raises(FatalError, match=f"cannot write the report {path}"):
            write_page(path, plan_document())
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    link, target = tmp_path / "latest.html", tmp_path / "report.html"
    link.symlink_to(target)
    write_page(link, plan_document())
    assert link.is_symlink()
    assert target.read_text().startswith("<!doctype html>")
    write_page(Path(os.devnull), plan_document())
    assert Path(os.devnull).is_char_device()


def test_a_page_goes_through_a_pipe() -> None:
    end, begin = os.pipe()
    try:
        write_whole(Path(f"/dev/fd/{begin}"), "a page")
        assert os.read(end, 100) == b"a page"
    finally:
        os.close(end)
        os.close(begin)


def test_an_interrupted_page_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "report.html", "a page")
    assert not list(tmp_path.iterdir())


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_a_page_is_never_written_through_what_lies_in_its_way(tmp_path: Path) -> None:
    path, others = tmp_path / "report.html", tmp_path / "others"
    others.write_text("theirs")
    (tmp_path / f".report.html.{os.getpid()}").symlink_to(others)
    write_whole(path, "a page")
    assert (others.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "a page", False)


def test_a_long_job_and_a_large_archive_make_small_pages() -> None:
    run = run_document(20_000)
    run["content"]["by_event"] = {f"Event number {number}": 9 for number in range(1000)}
    validation = validation_document()
    for part in ("by_event", "by_source", "by_library"):
        validation[part] = {f"Some name of a usual length {number}": 9 for number in range(1000)}
    for part in ("by_received_day", "skipped", "rejected"):
        validation[part] = {f"reason_{number}": 9 for number in range(3000)}
    assert len(render(run).encode()) < MOST_BYTES
    assert len(render(validation).encode()) < MOST_BYTES


def test_a_job_that_sent_nothing_yet_has_a_page() -> None:
    document = run_document(0)
    document["summary"]["requests"] = {"attempts": 0, "by_status": {}, "peak_per_second": 0}
    document["content"] = {"by_day": {}, "by_event": {}, "by_event_and_day": []}
    document |= {"latency_ms": None, "rejections": [], "history": []}
    for name in ("records", "skipped", "rejected", "dead_lettered", "warnings"):
        document["summary"][name] = dict.fromkeys(document["summary"]["records"], 0) if name == "records" else {}
    document["summary"] |= {"amendments": [], "warning_examples": {}, "job": None, "checkpoint": None}
    assert "Nothing was skipped, rejected or given up" in render(document)


def test_an_empty_archive_has_a_page() -> None:
    document = validation_document()
    document["estimate"] |= {"requests": 0, "records": 0, "longest_user": None, "bulk": None}
    document["records"] = {"read": 0, "sendable": 0, "skipped": 0, "rejected": 0}
    document["times"] |= {"first": None, "last": None, "by_day": {}}
    for name in (
        "skipped",
        "rejected",
        "warnings",
        "by_type",
        "by_event",
        "by_source",
        "by_received_day",
        "by_library",
    ):
        document[name] = {}
    assert "There is nothing to send." in render(document)


def test_a_page_refers_to_nothing_outside_itself() -> None:
    for make in DOCUMENTS.values():
        page = render(make())
        tags = Skeleton(page).tags
        assert not {tag[0] for tag in tags} & {
            "script",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "image",
            "use",
        }
        assert not [tag for tag in tags if {"src", "xlink:href", "srcset"} & set(tag)]
        assert "default-src 'none'" in page


@settings(max_examples=60)
@given(name=st.text(max_size=40) | st.sampled_from([text[:40] for text in HOSTILE]))
def test_a_text_of_the_archive_is_a_text_of_the_page(name: str) -> None:
    """Whatever it is, the page is made of the same elements as with a harmless one."""

    def page_with(text: str) -> list[tuple[str, ...]]:
        document = plan_document()
        document["by_source"] = {text: {"objects": 1, "bytes": 1}}
        document["rejected"] = {text: 7}
        document["job"]["sources"] = [text]
        document["job"]["settings"] = {"stamp": {text: text}}
        document["reason"] = text or "x"
        return Skeleton(render(document)).tags

    assert page_with(name) == page_with("harmless")


def test_hostile_names_are_shown_as_they_are_written() -> None:
    page = render(hostile_run_document())
    assert "&lt;script&gt;fetch(" in page
    assert "<script" not in page
    assert "\\u202egnp.exe" in page
    assert "\\x00\\x1b[31m" in page
    assert "\\ud800" in page
    assert "{{ 7 * 7 }}" in page
    assert "a" * (LONGEST + 1) not in page


names = st.text(alphabet=st.characters(), max_size=8) | st.sampled_from(HOSTILE)


@settings(max_examples=100)
@given(st.dictionaries(names, st.integers(0, 9), max_size=12))
def test_tidying_loses_no_entry_and_leaves_nothing_unprintable(counts: dict[str, int]) -> None:
    kept = tidied({"counts": counts})["counts"]
    assert sorted(kept.values()) == sorted(counts.values())
    for name in kept:
        name.encode()
        assert len(name) <= 12 * LONGEST
        assert name.replace("\n", "").isprintable()


def test_tidying_ends_in_what_is_nested_without_end() -> None:
    value: Any = "bottom"
    for _ in range(100_000):
        value = [value]
    assert "bottom" not in str(tidied(value))
