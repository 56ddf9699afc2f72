"""Globs over the keys of a bucket mean what they mean on a disk."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.archive.patterns import Match, Pattern, split


@pytest.mark.parametrize(
    ("key_glob", "base", "parts"),
    [
        ("segment-logs/*/1740787200000/*.gz", "segment-logs/", ("*", "1740787200000", "*.gz")),
        ("a/b/seg*", "a/b/", ("seg*",)),
        ("*", "", ("*",)),
        ("**/*.gz", "", ("**", "*.gz")),
        ("a/*/", "a/", ("*",)),
        ("a//b?", "a//", ("b?",)),
        ("a/x[12]/b", "a/", ("x[12]", "b")),
        ("a/b.gz", "a/b.gz", ()),
        ("a/b/", "a/b/", ()),
        ("", "", ()),
    ],
)
def test_a_glob_is_a_literal_folder_and_a_pattern(key_glob: str, base: str, parts: tuple[str, ...]) -> None:
    assert split(key_glob) == (base, Pattern(parts))


@pytest.mark.parametrize(
    ("glob", "key", "match"),
    [
        ("*/1740787200000/*.gz", "src1/1740787200000/a.gz", Match.NAMED),
        ("*/1740787200000/*.gz", "src1/1740787200000/a.json", Match.NOTHING),
        ("*/1740787200000/*.gz", "src1/1740787200000/a.gz/deeper", Match.BELOW),
        ("*/1740787200000", "src1/1740787200000/a.gz", Match.BELOW),
        ("*/1740787200000", "src1/1740873600000/a.gz", Match.NOTHING),
        ("*", "a.gz", Match.NAMED),
        ("*", "a/", Match.BELOW),
        ("*", "", Match.NOTHING),
        ("*", ".a.gz", Match.NOTHING),
        (".*", ".a.gz", Match.NAMED),
        ("[.]a", ".a", Match.NOTHING),
        ("A*", "a", Match.NOTHING),
        ("*/b", "/b", Match.NOTHING),
        ("?/b", "é/b", Match.NAMED),
        ("?", "\ud800", Match.NAMED),
        ("*", "a\nb", Match.NAMED),
        ("**", "a/b.gz", Match.BELOW),
        ("**", "b.gz", Match.BELOW),
        ("**/*.gz", "b.gz", Match.NAMED),
        ("**/*.gz", "a/b/c.gz", Match.NAMED),
        ("**/*.gz", "a/.b/c.gz", Match.NOTHING),
        ("**/*.gz", "a.gz/b/c", Match.BELOW),
        ("**/*.gz", "a.gz/b/c.gz", Match.NAMED),
        ("a/**/b/*", "a/b/c", Match.NAMED),
        ("a/**/b/*", "a/x/y/b/c", Match.NAMED),
        ("a/**", "a/.hidden/b", Match.BELOW),  # what is read in a folder has rules of its own
        ("*.gz/**", "a.gz", Match.NOTHING),
        ("*.gz/**", "a.gz/b", Match.BELOW),
        ("[", "[", Match.NAMED),
        ("[!a]", "b", Match.NAMED),
        ("x**y", "x-y", Match.NAMED),
    ],
)
def test_a_key_is_named_or_below_or_nothing(glob: str, key: str, match: Match) -> None:
    assert Pattern(tuple(glob.split("/"))).matches(key) is match


def test_without_parts_everything_is_below() -> None:
    everything = Pattern()
    assert everything.matches("a/b") is everything.matches("a") is Match.BELOW
    assert everything.leads("a/b/")
    assert everything.literal_head("a/") == ""


@pytest.mark.parametrize(
    ("glob", "folder", "leads", "head"),
    [
        ("src*/1740787200000/*.gz", "", True, "src"),
        ("src*/1740787200000/*.gz", "src1/", True, "1740787200000"),
        ("src*/1740787200000/*.gz", "src1/1740787200000/", True, ""),
        ("src*/1740787200000/*.gz", "other/", False, ""),
        ("src*/1740787200000/part-*", "src1/1740787200000/", True, "part-"),
        ("src*/1740787200000", "src1/1740787200000/", True, ""),
        ("src*/1740787200000", "src1/1740787200000/deeper/", True, ""),
        ("**/part-*", "", True, ""),
        ("x*/**/part-*", "x1/", True, ""),
        ("**/part-*", ".hidden/", False, ""),
        ("x*", "", True, "x"),
        ("x*", "x/", True, ""),
        ("[x]", "", True, ""),
    ],
)
def test_a_folder_leads_there_or_not(glob: str, folder: str, leads: bool, head: str) -> None:
    pattern = Pattern(tuple(glob.split("/")))
    assert (pattern.leads(folder), pattern.literal_head(folder)) == (leads, head)


def expand(names: Sequence[str], parts: Sequence[str]) -> set[Match]:
    """Walk as on a disk: what a glob matches is a file to read, or a folder with everything below it."""
    if not parts:
        return {Match.BELOW} if names else {Match.NAMED}
    if not names:
        return set()
    visible = names[0][:1] not in ("", ".")
    if parts[0] == "**":
        deeper = expand(names[1:], parts) if visible and len(names) > 1 else set[Match]()
        return expand(names, parts[1:]) | deeper
    is_glob = any(sign in parts[0] for sign in "*?[")
    if not (fnmatchcase(names[0], parts[0]) and (visible or not is_glob or (names[0] and parts[0][0] == "."))):
        return set()
    return expand(names[1:], parts[1:])


NAMES = st.one_of(st.sampled_from(["a", "ab", "b", ".a", "", "a.gz"]), st.text(".ab[]*?!-", max_size=3))
KEYS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)
GLOBS = st.lists(st.sampled_from(["**", "*", "a*", "?", "[ab]", ".*"]) | NAMES, min_size=1, max_size=5)
PATTERNS = GLOBS.map(tuple).map(Pattern)


@given(PATTERNS, KEYS)
def test_it_matches_as_a_walk_over_a_disk_would(pattern: Pattern, key: str) -> None:
    found = expand(key.split("/"), pattern.parts)
    best = Match.NAMED if Match.NAMED in found else Match.BELOW if found else Match.NOTHING
    assert pattern.matches(key) is best


@given(PATTERNS, KEYS)
def test_no_match_is_left_out_on_the_way_to_it(pattern: Pattern, key: str) -> None:
    if pattern.matches(key) is Match.NOTHING:
        return
    names = key.split("/")
    for depth, name in enumerate(names):
        folder = "".join(f"{above}/" for above in names[:depth])
        assert pattern.leads(folder)
        assert name.startswith(pattern.literal_head(folder))


@given(GLOBS.map("/".join), KEYS)
def test_a_split_glob_matches_what_the_whole_one_does(key_glob: str, key: str) -> None:
    base, pattern = split(key_glob)
    whole = Pattern(tuple(key_glob.rstrip("/").split("/")))
    if not pattern.parts:
        assert base == key_glob
    elif key.startswith(base):
        assert pattern.matches(key[len(base) :]) is whole.matches(key)
    else:
        assert whole.matches(key) is Match.NOTHING


def test_hostile_globs_cost_little() -> None:
    """Tried one by one, the ways through these would not end."""
    names = ["a"] * 100
    for parts in (["**", "a"] * 50, ["**"] * 200, ["**", "*a*a*a*b"] * 50):
        pattern = Pattern((*parts, "b"))
        assert pattern.matches("/".join([*names, "c"])) is Match.NOTHING
        assert pattern.leads("a/" * 100) is True
    assert Pattern(("*a" * 200 + "b",)).matches("a" * 1000) is Match.NOTHING
