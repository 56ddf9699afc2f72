"""Patterns of `match`: what they mean, and that no text makes them slow."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay_cli.segment.fql.glob import MAX_LENGTH, GlobError, compile_glob

Sign = str | tuple[str, ...]
"""A sign of a pattern: "*", "?", or the characters that it stands for."""


def naive_match(signs: tuple[Sign, ...], text: str) -> bool:
    """Try every way that there is (each once)."""

    @cache
    def fits(sign: int, letter: int) -> bool:
        if sign == len(signs):
            return letter == len(text)
        if signs[sign] == "*":
            return fits(sign + 1, letter) or (letter < len(text) and fits(sign, letter + 1))
        if letter == len(text) or (signs[sign] != "?" and text[letter] not in signs[sign]):
            return False
        return fits(sign + 1, letter + 1)

    return fits(0, 0)


def written(sign: Sign) -> str:
    if isinstance(sign, str):
        return sign
    letters = [f"\\{letter}" if letter in "\\*?[]-!^" else letter for letter in sign]
    return letters[0] if len(letters) == 1 else f"[{''.join(letters)}]"


LETTERS = "ab*?[]-\\!^\n"
SIGNS = st.one_of(
    st.sampled_from(["*", "*", "?"]),
    st.sampled_from(LETTERS).map(lambda letter: (letter,)),
    st.lists(st.sampled_from(LETTERS), min_size=2, max_size=4, unique=True).map(tuple),
)


@given(st.lists(SIGNS, max_size=8).map(tuple), st.text(LETTERS, max_size=10))
@example(("*", ("a",), ("b",), "*", ("b",)), "ab")
@example(("*", ("a",), "*", ("a",)), "a")
@example((("a",), "*", ("a",)), "a")
def test_a_pattern_matches_as_if_every_way_were_tried(signs: tuple[Sign, ...], text: str) -> None:
    assert compile_glob("".join(map(written, signs)))(text) is naive_match(signs, text)


@given(st.lists(SIGNS, max_size=8).map(tuple), st.data())
def test_a_text_made_after_a_pattern_matches(signs: tuple[Sign, ...], data: st.DataObject) -> None:
    parts = {"*": st.text(LETTERS, max_size=3), "?": st.sampled_from(LETTERS)}
    text = "".join(data.draw(parts[sign] if isinstance(sign, str) else st.sampled_from(sign)) for sign in signs)
    assert compile_glob("".join(map(written, signs)))(text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("Order *", ["Order Completed", "Order "], ["Order", "An Order "]),
        ("* Viewed", ["Page Viewed", " Viewed"], ["Viewed", "Page Viewed "]),
        ("*cart*", ["cart", "a cart b"], ["car t", "Cart"]),
        ("", [""], ["a"]),
        ("**", ["", "a\nb"], []),
        ("a?c", ["abc", "a\nc", "aéc"], ["ac", "abbc"]),
        ("v[1-3]", ["v1", "v3"], ["v0", "v4", "v", "v-"]),
        ("[-a]", ["-", "a"], ["b"]),
        ("[a-]", ["-", "a"], ["b"]),
        (r"[\]\-\^]", ["]", "-", "^"], ["\\", "a"]),
        ("a]", ["a]"], ["a"]),
        (r"50\*", ["50*"], ["50", "500", "50\\*"]),
        (r"\a\\", ["a\\"], ["a", "\\a\\"]),
        ("/a/*", ["/a/b/c"], ["/a"]),
        ("a.c|(d)+", ["a.c|(d)+"], ["abc", "d"]),
    ],
)
def test_what_patterns_mean(pattern: str, yes: list[str], no: list[str]) -> None:
    matches = compile_glob(pattern)
    assert [text for text in yes if not matches(text)] == []
    assert [text for text in no if matches(text)] == []


@pytest.mark.parametrize(
    ("pattern", "index", "words"),
    [
        ("abc[de", 3, "no closing ]"),
        ("ab[]c", 2, "no character"),
        ("a[!b]", 2, "no negated classes"),
        ("a[^b]", 2, "no negated classes"),
        ("[z-a]", 1, "backwards"),
        ("[ab-\\", 4, "after the"),
        ("ab\\", 2, "after the"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH, "1000 characters"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_pointed_at(pattern: str, index: int, words: str) -> None:
    with pytest.raises(GlobError, match=words) as caught:
        compile_glob(pattern)
    assert caught.value.index == index


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 400 + "*b", "*a*a*a*a*a*a*a*a*a*a*[bc]", "*?" * 50 + "b", "*[a-b]?a" * 20 + "*c*", "*" + "a" * 50 + "b*c"],
)
def test_a_hostile_text_ends(pattern: str) -> None:
    """Tried every way, each of these would take longer than anybody waits."""
    assert compile_glob(pattern)("a" * 100_000) is False
