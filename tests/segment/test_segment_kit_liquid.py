"""`@liquid` against what Segment's own runtime did."""

import subprocess
import sys
from typing import Any

import pytest

from replay_cli.segment.kit import MappingError, compile_mapping
from tests.segment.kit_cases import read_cases

CASES = read_cases("liquid_cases.jsonl")


def render(text: str, message: dict[str, Any] | None = None) -> Any:
    return compile_mapping({"@liquid": text})(message or {})


def test_all_cases_are_there() -> None:
    assert len(CASES) == 387


def test_a_template_is_rendered_as_segments_runtime_renders_it() -> None:
    wrong = [case for case in CASES if render(case["liquid"], case["event"]) != case["output"]]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("{{ n | divided_by: 4 }} {{ 1.0 }} {{ big }}", "1.75 1 12345678901234567000"),
        ("{{ list }} {{ list | join }} {{ o }}", "1two 1 two [object Object]"),
        ("{{ list.size }} {{ s.size }} {{ list.last }} {{ list[-2] }} {{ o['k'] }}", "2 4 two 1 v"),
        ("{{ now }}{{ today }}{{ partial }}|", "|"),
        ("{% if '7' < n or nil == missing %}a{% endif %}{% if o == empty %}b{% endif %}", "a"),
        ("{% if f and n or s %}yes{% else %}no{% endif %}", "no"),
        ("{% unless list contains 'two' %}x{% elsif n == 7.0 %}seven{% endunless %}", "seven"),
        ("{{ f | default: 'x' }}{{ f | default: 'x', allow_false: true }}", "xfalse"),
        ("{{ s-}} end\n", "Żabaend\n"),
        ("  {{- ' a ' | strip -}}\n b", "ab"),
        ("{{ day | date: '%-d %B %Y, %l:%M %p' }}", "1 March 2025, 10:05 AM"),
        ("{{ day | date: '%s' }} {{ 0 | date: '%F' }}", "1740823509 %F"),
        ("{{ day | date: '%H:%M %:z', 'America/New_York' }}", "05:05 -05:00"),
        ("{{ day | date: '%H:%M %z', 330 }}", "04:35 -0530"),
        ("{{ s | date: '%Y' }}", "Żaba"),
        ("{% raw %}{{ x }}{% endraw %}{% comment %} {{ y }} {% endcomment %}", "{{ x }}"),
        ("{% capture c %}{{ n }}!{% endcapture %}{{ c | append: c }}", "7!7!"),
    ],
)
def test_liquid_is_javascripts(text: str, expected: str) -> None:
    message = {
        **{"n": 7, "big": 12345678901234567890, "list": [1, "two"], "o": {"k": "v"}, "f": False},
        **{"s": "Żaba", "day": "2025-03-01T10:05:09.123Z"},
    }
    assert render(text, message) == expected


@pytest.mark.parametrize("text", ["{{ a | append }}", "{{ a | base64_decode }}", "{{ a | url_decode }}"])
def test_what_fails_at_segment_is_a_mapping_error_for_the_message(text: str) -> None:
    with pytest.raises(MappingError, match="cannot be rendered of this message") as caught:
        render(text, {"a": "%"})
    assert caught.value.where == ("@liquid",)


def test_liquid_is_imported_only_for_a_mapping_that_has_it() -> None:
    script = (
        "import sys\n"
        "from replay_cli.segment.kit import compile_mapping\n"
        "compile_mapping({'a': {'@template': '{{a}}'}})\n"
        "assert 'liquid' not in sys.modules\n"
        "compile_mapping({'a': {'@liquid': '{{a}}'}})\n"
        "assert 'liquid' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
