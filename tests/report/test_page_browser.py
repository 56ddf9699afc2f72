"""The page as a reader sees it, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay_cli.report.page import write_page
from tests.support.browser import Browser
from tests.support.documents import HOSTILE, hostile_run_document, plan_document, run_document, validation_document

DOCUMENTS = {
    "run": run_document(),
    "validation": validation_document(),
    "plan": plan_document(),
    "hostile": hostile_run_document(),
}
every_page = pytest.mark.parametrize("name", DOCUMENTS)
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
TABLE = """[...[...document.querySelectorAll('h3')].find(each => each.textContent == '%s')
    .closest('figure').querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"""
CONTRAST = """(() => {
    const light = text => {
        const [r, g, b] = text.match(/[\\d.]+/g).map(each => each / 255)
            .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (colour != 'rgba(0, 0, 0, 0)') return colour;
        }
    };
    const texts = 'p, h1, h2, h3, dt, dd, li, th, td, code, pre, summary, a, small';
    return [...document.querySelectorAll(texts)].map(each => {
        const [a, b] = [light(getComputedStyle(each).color), light(behind(each))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }).reduce((x, y) => Math.min(x, y));
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, document in DOCUMENTS.items():
        write_page(folder / f"{name}.html", document)
    return {name: folder / f"{name}.html" for name in DOCUMENTS}


@every_page
def test_nothing_fails_and_nothing_leaves_the_page(browser: Browser, pages: dict[str, Path], name: str) -> None:
    seen = browser.look(pages[name])
    assert seen.errors == []
    assert seen.requests == [pages[name].as_uri()]


def test_what_fails_and_what_leaves_a_page_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('oh'); nowhere.x</script>")
    seen = browser.look(page, "document.images.length")
    assert seen.answer == 1
    assert "http://127.0.0.1:9/x.png" in seen.requests
    assert any("oh" in each for each in seen.errors)
    assert any("nowhere" in each for each in seen.errors)


@every_page
def test_a_phone_need_not_scroll_sideways(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """With everything unfolded, too."""
    seen = browser.look(pages[name], f"{OPEN_ALL}, document.documentElement.scrollWidth", width=360)
    assert seen.answer == 360


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_by_day_and_by_night(
    browser: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    """Its contrast is what WCAG asks of large text at least, of the small grey one too."""
    assert browser.look(pages[name], f"{OPEN_ALL}, {CONTRAST}", scheme=scheme).answer > 3.0


def test_at_night_the_page_and_its_charts_are_dark(browser: Browser, pages: dict[str, Path]) -> None:
    question = """[getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('.wide .area path')).fill,
        getComputedStyle(document.querySelector('.wide text')).fill]"""
    day = browser.look(pages["run"], question).answer
    night = browser.look(pages["run"], question, scheme="dark").answer
    assert all(one != other for one, other in zip(day, night, strict=True))
    assert sum(map(int, night[0][4:-1].split(","))) < 100 < 600 < sum(map(int, day[0][4:-1].split(",")))


def test_a_phone_has_charts_of_its_own(browser: Browser, pages: dict[str, Path]) -> None:
    question = """[...document.querySelectorAll('svg')].filter(each => each.checkVisibility())
        .map(each => [each.parentElement.className, each.querySelector('text').getBoundingClientRect().height])"""
    for width, kind in ((1280, "chart wide"), (360, "chart narrow")):
        drawn = browser.look(pages["run"], question, width=width).answer
        assert {each for each, _ in drawn} == {kind}
        assert all(height > 10 for _, height in drawn)


def test_the_book_in_the_page_is_the_summarys_and_closes(browser: Browser, pages: dict[str, Path]) -> None:
    question = """[...document.querySelectorAll('#book .stack data')].map(each => Number(each.value))"""
    read, *parts = browser.look(pages["run"], question).answer
    records = DOCUMENTS["run"]["summary"]["records"]
    assert read == records["read"]
    assert parts == [records[part] for part in ("delivered", "skipped", "rejected", "dead_lettered", "pending")]
    assert sum(parts) == read


def test_the_numbers_beneath_the_charts_add_up_to_the_summarys(browser: Browser, pages: dict[str, Path]) -> None:
    document = DOCUMENTS["run"]
    attempts = column(browser.look(pages["run"], TABLE % "Throughput, attempts a second").answer, 2)
    assert sum(attempts) == document["summary"]["requests"]["attempts"]
    assert column(browser.look(pages["run"], TABLE % "By day").answer, 1) == list(
        document["content"]["by_day"].values()
    )


def test_every_reply_and_reason_is_named_with_its_number(browser: Browser, pages: dict[str, Path]) -> None:
    summary = DOCUMENTS["run"]["summary"]
    question = """[[...document.querySelectorAll('#time > .scroll tbody tr')].map(row => [row.cells[0].textContent,
        row.cells[1].textContent]), [...document.querySelectorAll('.reasons > .reason')].map(each =>
        [each.querySelector('code').textContent, Number(each.querySelector('data').value)])]"""
    replies, reasons = browser.look(pages["run"], question).answer
    assert {label: number(n) for label, n in replies} == summary["requests"]["by_status"]
    expected = summary["rejected"] | summary["dead_lettered"] | summary["warnings"] | summary["skipped"]
    assert dict(reasons) == expected


def test_the_numbers_of_a_validation_are_the_documents(browser: Browser, pages: dict[str, Path]) -> None:
    document = DOCUMENTS["validation"]
    question = """[[...document.querySelectorAll('#book .stack data')].map(each => Number(each.value)),
        document.querySelector('#estimate data').value, document.querySelector('h1').textContent,
        [...document.querySelectorAll('#names .meters .n > data')].map(each => Number(each.value)),
        [...document.querySelectorAll('#people .bars li .share')].map(each => parseFloat(each.textContent))]"""
    book, requests, headline, names, shares = browser.look(pages["validation"], question).answer
    assert book == [document["records"][part] for part in ("read", "sendable", "skipped", "rejected")]
    assert int(requests) == document["estimate"]["requests"]
    assert headline == document["reason"]
    assert names == [431, 261, 38]
    assert 99 < sum(filter(None, shares)) <= 100.1


def test_hostile_names_are_texts(browser: Browser, pages: dict[str, Path]) -> None:
    question = """[document.scripts.length, document.images.length, document.body.checkVisibility(),
        [...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames()).filter(each => /^on/.test(each)),
        document.body.textContent.includes(%s), [...document.querySelectorAll('pre')].map(each => each.textContent)]"""
    answer: list[Any] = browser.look(pages["hostile"], question % repr(HOSTILE[4])).answer
    assert answer[:5] == [0, 0, True, [], True]
    assert HOSTILE[0] in answer[5]


def column(rows: list[list[str]], at: int) -> list[int]:
    return [number(row[at]) for row in rows]


def number(text: str) -> int:
    return int(text.replace(",", ""))
