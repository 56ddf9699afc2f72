"""What is wrong with a file of filters is told with its place in the JSON, conditions inside of strings included."""

import pytest

from replay_cli.segment.filters import Filters, read_filters
from replay_cli.segment.pointed import PointedError

HERE = "⟨here⟩"
"""Stands in the texts where the caret is expected."""


def action(written: str) -> str:
    return f'[{{"if": "all", "actions": [{{"type": "DROP"}}, {written}]}}]'


def fields(written: str, kind: str = "DROP_PROPERTIES") -> str:
    return action(f'{{"type": "{kind}", "fields": {written}}}')


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("⟨here⟩", "no JSON"),
        ('{"if": ⟨here⟩}', "no JSON"),
        ("⟨here⟩" + "[" * 100_000, "nested too deep"),
        ("⟨here⟩3", "a list of filters, or one filter"),
        ("⟨here⟩{}", "a list of filters, or one filter"),
        ('{"data": ⟨here⟩[]}', "a list of filters, or one filter"),
        ('{"data": {"filters": ⟨here⟩{}}}', "a list of filters, or one filter"),
        ("[⟨here⟩3]", "a filter is an object"),
        ('[{"if": "all", "actions": []}, ⟨here⟩{"actions": []}]', 'no "if"'),
        ('⟨here⟩{"actions": []}', 'no "if"'),
        ('⟨here⟩{"if": "all"}', 'no list of "actions"'),
        ('{"if": "all", "actions": ⟨here⟩{}}', 'no list of "actions"'),
        ('{"if": ⟨here⟩true, "actions": []}', "an expression, or all"),
        ('{"title": ⟨here⟩3, "if": "all", "actions": []}', "a title is a string"),
        ('{"enabled": ⟨here⟩"yes", "if": "all", "actions": []}', "true or false"),
        # conditions
        ('{"if": "⟨here⟩", "actions": []}', "an expression is needed"),
        ('{"if": "⟨here⟩All", "actions": []}', "a field alone"),
        (r'{"if": "type = \"it\u0027s\" ⟨here⟩\"b\"", "actions": []}', "and, or, or the end"),
        (r"""{"if": "'\ud83d\ude00' = type⟨here⟩)", "actions": []}""", r"no \( that this"),
        # actions
        (action("⟨here⟩3"), "an action is an object"),
        (action("⟨here⟩{}"), "no type: there are SAMPLE, DROP, DROP_PROPERTIES, ALLOW_PROPERTIES"),
        (action('{"type": ⟨here⟩"drop"}'), "did you mean DROP?"),
        (action('{"type": ⟨here⟩"ALOW_PROPERTIES"}'), "did you mean ALLOW_PROPERTIES?"),
        (action('{"type": ⟨here⟩"X"}'), "there are SAMPLE"),
        (action('⟨here⟩{"type": "SAMPLE"}'), "from 0"),
        *(
            (action(f'{{"type": "SAMPLE", "percent": ⟨here⟩{percent}}}'), "from 0")
            for percent in ("1.01", "-0.1", "10", '"0.5"', "true", "NaN")
        ),
        (action('{"type": "SAMPLE", "percent": 1, "path": ⟨here⟩3}'), "the path of a field"),
        (action('{"type": "SAMPLE", "percent": 1, "path": "user⟨here⟩ id"}'), "ends before this"),
        # fields
        (action('⟨here⟩{"type": "DROP_PROPERTIES"}'), "fields are an object"),
        (fields('⟨here⟩["email"]'), "fields are an object"),
        (fields('{⟨here⟩"property": ["email"]}'), "did you mean properties?"),
        (fields('{⟨here⟩"userId": ["email"]}'), "there are properties, traits, context, and"),
        (fields('{"properties": ⟨here⟩"email"}'), "a list of names"),
        (fields('{"properties": ["a", ⟨here⟩3]}'), "the name of a field"),
        (fields('{"properties": ["a", ⟨here⟩""]}'), "the name of a field"),
        (fields(f'{{"properties": [⟨here⟩"a{".a" * 50}"]}}'), "50 steps"),
        (fields('{"": ⟨here⟩["userId", "type"]}'), "use DROP"),
        (fields('{"properties": ⟨here⟩[]}', "ALLOW_PROPERTIES"), "would take away everything"),
        (fields('{"": ⟨here⟩["userId"]}', "ALLOW_PROPERTIES"), "allow type too"),
    ],
)
def test_the_caret_stands_under_what_is_wrong(marked: str, words: str) -> None:
    text = marked.replace(HERE, "")
    with pytest.raises(PointedError, match=words) as caught:
        read_filters(text)
    assert text[: caught.value.position] + HERE + text[caught.value.position :] == marked


def test_a_document_that_was_tampered_with_is_refused() -> None:
    with pytest.raises(PointedError, match="did you mean DROP"):
        Filters.from_document([{"if": "all", "actions": [{"type": "DROPS"}]}])
