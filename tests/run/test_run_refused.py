"""What the operator wrote is refused before anything is read: one error, the place, and a caret under it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process import Told, replay_here

TRACK = '"trigger": "type = \\"track\\"", "actionSlug": "trackEvent"'
HEADER = "received_from,received_until,source_id,event"


def refused(cwd: Path, *options: str) -> Told:
    """Refuse a command whose source is not there: that would be the error, were the sources looked at first."""
    end = replay_here(cwd, "run", "nowhere", "--sandbox", *options)
    assert end.code == 2, end.err
    assert "Traceback" not in end.err
    assert "nowhere" not in end.err
    assert end.out == ""
    assert not (cwd / ".replay").exists()
    return end


def require_caret(told: str, name: str, sentence: str, at: str) -> None:
    """Three lines: the problem by the name of its text, the line that it is in, a caret under the place."""
    problem, line, caret = told.rstrip("\n").split("\n")
    assert problem.startswith(f"Error: {name}, ")
    assert sentence in problem
    assert caret.strip() == "^"
    assert line[caret.index("^") :].startswith(at), told


@pytest.mark.parametrize(
    ("condition", "sentence", "at"),
    [
        ("type = 'track", "no closing '", "'track"),
        ("type = 'track' an event = 'x'", "and, or, or the end", "an event"),
        ("type = 'track' and (event = 'x'", ")", ""),
        ("contians(event, 'x')", "contains", "contians"),
        ("contains(event)", "takes 2 values", ")"),
        ("event == 'x'", "== is written =", "== 'x'"),
        ("type = ", "a value is expected", ""),
        ("properties.total > 'much' and", "a value is expected", ""),
    ],
)
def test_a_wrong_condition(tmp_path: Path, condition: str, sentence: str, at: str) -> None:
    require_caret(refused(tmp_path, "--where", condition).err, "--where", sentence, at)


FILTERS: list[tuple[str, str, str]] = [
    ("", "this is no JSON", ""),
    ("{}", "filters are", "{}"),
    ('[{"if": "all" "actions": []}]', "this is no JSON", '"actions"'),
    ('[{"actions": []}]', 'no "if"', "{"),
    ('[{"if": "all"}]', 'no list of "actions"', '{"if"'),
    ('[{"if": "type = \'track\' or", "actions": []}]', "a value is expected", '"'),
    ('[{"if": "all", "actions": [{"type": "DROPP"}]}]', "did you mean DROP?", '"DROPP"'),
    ('[{"if": "all", "actions": [{"type": "SAMPLE", "percent": 10}]}]', "percent", "10"),
    ('[{"if": "all", "actions": [{"type": "DROP_PROPERTIES", "fields": {"property": ["x"]}}]}]', "properties", '"'),
]


@pytest.mark.parametrize(("written", "sentence", "at"), FILTERS)
def test_wrong_filters(tmp_path: Path, written: str, sentence: str, at: str) -> None:
    (tmp_path / "f.json").write_text(written)
    require_caret(refused(tmp_path, "--filters", "f.json").err, "--filters f.json", sentence, at)


def settings(**changes: Any) -> str:
    """A subscription that is as it should be, but for these settings."""
    fields = {"type": {"@path": "$.type"}, "event": {"@path": "$.event"}, "userId": {"@path": "$.userId"}}
    return f'{{{TRACK}, "settings": {json.dumps(fields | changes)}}}'


MAPPINGS: list[tuple[str, str, str, str]] = [
    ("m.json", "", "this is not JSON", ""),
    ("m.json", "[]", "no subscription in here is enabled", "[]"),
    ("m.json", settings().replace("trackEvent", "trackEvents"), "trackEvent, identifyUser", '"trackEvents"'),
    ("m.json", settings().replace("type =", "typ ="), "is type meant?", "typ ="),
    ("m.json", settings(propertys={}), "no field 'propertys': properties, ", '"propertys"'),
    ("m.json", settings(event=None), "no event, which trackEvent needs", "null"),
    ("m.json", settings(properties={"@paht": "$.x"}), "no directive @paht: there are @path", '"@paht"'),
    ("m.json", settings(properties={"@liquid": "{{ x "}), "no Liquid that Segment runs", '"{{ x "'),
    ("m.json", settings(properties={"@replace": {"pattern": "x" * 11, "value": "y"}}), "at most 10", '"xxx'),
    ("m.json", settings(userId="$.userId"), 'write {"@path": "$.userId"}', '"$.userId"'),
    ("m.json", settings(userId={"@template": "x {{properties.key}"}), "no }} behind it", '"x {{'),
    ("m.json", settings(userId={"@literal": "u"}), "every message would go to one user", '{"@literal"'),
    ("m.json", settings().replace("actionSlug", "action_slug").replace("trackE", "track_e"), "trackEvent", '"track_e'),
    ("m.tf", 'resource "a" "b" {\n}\n', "neither JSON", '"a" "b"'),
    ("m.toml", "", "a [track] or an [identify] table", ""),
    ("m.toml", "[trak]\n", "track, identify", "[trak]"),
    ("m.toml", "[track]\nrenam = {a = 'b'}\n", "rename, drop", "renam"),
    ("m.toml", "[track]\nrename = {a = 'b.c'}\n", "keeps its object", "rename"),
    ("m.toml", "[track]\ndrop = 'email'\n", "list of names", "drop"),
    ("m.toml", "[track\n", "this is not TOML", ""),
    ("m.toml", "[identify]\nproject_name = 'Shop'\n", "[identify]", "project_name"),
    ("m.toml", "[track]\nadd = {at = 2025-03-01}\n", "write it as a text", "add"),
]


@pytest.mark.parametrize(("file", "written", "sentence", "at"), MAPPINGS)
def test_a_wrong_mapping(tmp_path: Path, file: str, written: str, sentence: str, at: str) -> None:
    (tmp_path / file).write_text(written)
    require_caret(refused(tmp_path, "--mapping", file).err, f"--mapping {file}", sentence, at)


@pytest.mark.parametrize(
    ("written", "sentence", "at"),
    [
        ("", "there is nothing in it", ""),
        (f"{HEADER}\n", "no window below the header", HEADER),
        ("from,until\n2025-03-01,2025-03-02\n", "received_from", "from"),
        (f"{HEADER}\n2025-03-01,soon,,\n", "'soon' is not a time", "soon"),
        (f"{HEADER}\n2025-03-02,2025-03-01,,\n", "received_until", "2025-03-01"),
        (f"{HEADER}\n2025-03-01,2025-03-02,,Order [\n", "this [ of the pattern", "Order ["),
    ],
)
def test_wrong_windows(tmp_path: Path, written: str, sentence: str, at: str) -> None:
    (tmp_path / "w.csv").write_text(written)
    require_caret(refused(tmp_path, "--windows", "w.csv").err, "--windows w.csv", sentence, at)


@pytest.mark.parametrize("option", ["--windows", "--filters", "--mapping", "--only-ids", "--except-ids", "--suppress"])
def test_a_file_that_is_not_there_or_no_text_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    (tmp_path / "latin").write_bytes(b"first\ncaf\xe9\n")
    assert refused(tmp_path, option, "nofile").err.startswith(f"Error: {option} nofile")
    assert refused(tmp_path, option, ".").err.startswith(f"Error: {option} .")
    not_utf8 = refused(tmp_path, option, "latin").err
    assert not_utf8.startswith(f"Error: {option} latin")
    assert "line 2" in not_utf8
    assert "UTF-8" in not_utf8


@pytest.mark.parametrize(
    ("options", "files", "sentence"),
    [
        (["--only-ids", "l"], {"l": ""}, "--only-ids l: is empty"),
        (["--only-ids", "l"], {"l": "name,reason\nx,y\n"}, "names no column message_id"),
        (["--suppress", "l"], {"l": "u1;a@example.com\n"}, "names no column user_id, email or anonymous_id"),
        (["--mapping", "m.toml", "--api", "bulk"], {"m.toml": "[track]\n"}, "--mapping is for --api actions"),
        (["--mapping", "m.toml", "--project-name", "x"], {"m.toml": "[track]\n"}, "--mapping or --project-name"),
        (["--mapping", "m.toml", "--update-existing-only"], {"m.toml": "[track]\n"}, "--mapping or --update-exist"),
        (["--api", "bulk", "--project-name", "x"], {}, "--project-name is for --api actions and classic"),
        (["--type", "identify", "--identify", "none"], {}, "contradict each other"),
        (["--type", "page", "--event", "x"], {}, "only tracks have an event"),
        (["--stamp", "replayed"], {}, "use KEY=VALUE"),
        (["--stamp", "=yes"], {}, "use KEY=VALUE"),
        (["--stamp", "a=1", "--stamp", "a=2"], {}, "--stamp a is given twice"),
        (["--sample", "1%"], {}, "use for example 0-1%"),
        (["--dedupe", "0"], {}, "use for example 500k"),
        (["--dedupe", "many"], {}, "use for example 500k"),
        (["--require-consent", ""], {}, "--require-consent is empty"),
        (["--type", "trak"], {}, "'track'"),
        (["--api", "action"], {}, "'actions', 'classic', 'bulk'"),
        (["--region", "DC_01"], {}, "--region and --sandbox"),
        (["--only-id", "l"], {}, "--only-ids"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, options: list[str], files: Mapping[str, str], sentence: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    told = refused(tmp_path, *options).err
    assert told.count("Error: ") == 1
    assert sentence in told
