"""What is wrong with an expression is told before anything is read: where, and what would be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.fql import compile_condition
from replay_cli.segment.pointed import PointedError

HERE = "⟨here⟩"
"""Stands in the expressions where the caret is expected."""


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        # nothing, or not enough
        ("⟨here⟩", "an expression is needed"),
        ("  ⟨here⟩", "an expression is needed"),
        ("type =⟨here⟩", "a value is expected"),
        ("type = 'a' and⟨here⟩", "a value is expected"),
        ("!⟨here⟩", "a value is expected"),
        ("(⟨here⟩)", "a value is expected"),
        ("(type = 'a'⟨here⟩", r"and, or, or \)"),
        ("contains(event, 'a'⟨here⟩", r", or \)"),
        ("type in ['a'⟨here⟩", ", or ]"),
        ("type in ['a',⟨here⟩]", "a value is expected"),
        # too much
        ("type = 'a'⟨here⟩)", r"no \( that this"),
        ("type = 'a' ⟨here⟩event = 'b'", "and, or, or the end"),
        ("type = 'a' ⟨here⟩'b'", "and, or, or the end"),
        ("type = 'a' ⟨here⟩= 'b'", "and, or, or the end"),
        ("(type = 'a' ⟨here⟩'b')", r"and, or, or \)"),
        ("contains(event, 'a' ⟨here⟩'b')", r", or \)"),
        ("(type = 'a') ⟨here⟩= true", "cannot be compared"),
        # no conditions
        ("⟨here⟩all", "all = true, for instance"),
        (r"⟨here⟩properties.a\ b and type = 'a'", r"properties.a\\ b = true"),
        ("type = 'a' or ⟨here⟩'b'", "a value alone is no condition"),
        ("⟨here⟩true", "a value alone is no condition"),
        ("⟨here⟩length(event)", "length gives no boolean"),
        ("!⟨here⟩lowercase(event)", "lowercase gives no boolean"),
        ("(⟨here⟩properties.total) > 3", "a field alone is no condition"),
        ("!type ⟨here⟩= 'a'", r"stands in parentheses: !\("),
        ("!contains(type, 'a') ⟨here⟩in [true]", r"stands in parentheses: !\("),
        # operators of other languages
        ("type ⟨here⟩== 'a'", "== is written ="),
        ("type ⟨here⟩<> 'a'", "<> is written !="),
        ("type = 'a' ⟨here⟩&& event = 'b'", "&& is written and"),
        ("type = 'a' ⟨here⟩|| event = 'b'", r"\|\| is written or"),
        ("type = 'a' ⟨here⟩AND event = 'b'", "AND is written and"),
        ("type ⟨here⟩is 'a'", "is is written ="),
        ("type ⟨here⟩not in ['a']", "not is written !"),
        ("⟨here⟩not type = 'a'", "not is written !"),
        ("⟨here⟩not(type = 'a')", "not is written !"),
        ("event ⟨here⟩contains 'a'", r"contains is written contains\("),
        ("event ⟨here⟩startswith 'a'", "one of = != > >= < <= in"),
        # strings and other signs
        ("type = ⟨here⟩'a", "no closing '"),
        ('type = ⟨here⟩"a\\"', 'no closing "'),
        ("type = 'it's⟨here⟩'", "no closing '"),
        ("type = ⟨here⟩“a”", "straight quotes"),
        ("properties.a⟨here⟩ # 1", "# has no meaning"),
        ("type = ⟨here⟩1.5.2", "no number"),
        ("type = ⟨here⟩.5", "no number"),
        ("⟨here⟩2fa = true", "no number"),
        ("properties.total > ⟨here⟩-", "no meaning"),
        ("properties.⟨here⟩.a = 1", "a name is expected after the dot"),
        ("properties.⟨here⟩ = 1", "a name is expected after the dot"),
        ("type = ⟨here⟩\\", "a character is expected"),
        ("properties.products⟨here⟩[0] = 1", "have no paths"),
        ("properties.products[0]⟨here⟩.id = 1", "have no paths"),
        ("⟨here⟩and = 1", r"written \\and"),
        ("type = ⟨here⟩in", r"written \\in"),
        # operands that make no sense together
        ("type = ⟨here⟩track", r"in quotes; if it is a field, write \\track"),
        ("contains(event, ⟨here⟩Order)", "in quotes"),
        ("⟨here⟩'type' = 'track'", "without quotes"),
        ("type in ⟨here⟩'a'", "followed by a list"),
        ("type in ⟨here⟩lowercase(event)", "followed by a list"),
        ("type in ⟨here⟩('a', 'b')", "in brackets"),
        ("type in [⟨here⟩track]", "stands in quotes: 'track'"),
        ("type in [⟨here⟩['a']]", "a value is expected"),
        ("properties.a > ⟨here⟩true", "a boolean has no order"),
        ("⟨here⟩null < properties.a", "null has no order"),
        ("properties.a >= ⟨here⟩['a']", "a list has no order"),
        ("⟨here⟩contains(event, 'a') > 1", "a boolean has no order"),
        ("typeof(event) = ⟨here⟩'strng'", "never gives 'strng', but string"),
        ("typeof(event) in ⟨here⟩['list', 'text']", "never gives 'text'"),
        # functions
        ("⟨here⟩contans(event, 'a')", "did you mean contains"),
        ("⟨here⟩Lowercase(event) = 'a'", "did you mean lowercase"),
        ("⟨here⟩properties.xyz(event) = 'a'", "there are contains, match, length"),
        ("contains(event⟨here⟩)", "takes 2 values"),
        ("contains(event, 'a', ⟨here⟩'b')", "takes 2 values"),
        ("length(⟨here⟩) = 1", "takes one value"),
        ("contains(event, ⟨here⟩3)", "does not take a number"),
        ("contains(⟨here⟩['a'], 'a')", "does not take a list; a list is looked into by in"),
        ("lowercase(⟨here⟩length(event)) = 'a'", "does not take a number"),
        ("length(⟨here⟩true) = 1", "does not take a boolean"),
        ("match(event, ⟨here⟩null)", "does not take null"),
        ("match(event, ⟨here⟩userId)", "the pattern is written out"),
        ("match(event, ⟨here⟩lowercase('a'))", "the pattern is written out"),
        ("match(event, 'a⟨here⟩[b')", "no closing ]"),
        (r"match(event, 'it\'s a⟨here⟩[b')", "no closing ]"),
        (r'match(event, "\\\\⟨here⟩\\")', "a character is expected"),
    ],
)
def test_the_caret_stands_under_what_is_wrong(marked: str, words: str) -> None:
    text = marked.replace(HERE, "")
    with pytest.raises(PointedError, match=words) as caught:
        compile_condition(text)
    pointed = text[: caught.value.position] + HERE + text[caught.value.position :]
    assert pointed.replace(" ", "") == marked.replace(" ", "")


@pytest.mark.parametrize("text", [r"type = \track", "type = userId", "contains(event, userId)", "'a' = plan"])
def test_what_is_surely_a_field_needs_no_quotes(text: str) -> None:
    assert compile_condition(text)({}) in (True, False)


PIECES = st.sampled_from(
    [
        *(
            "type",
            "properties.a",
            "\\in",
            "'a'",
            '"b"',
            "'a*[b'",
            "1",
            "-2.5",
            "true",
            "null",
            "[",
            "]",
            ",",
            "['a', 1]",
        ),
        *("(", ")", "!", "=", "!=", ">", "<=", "in", "and", "or", "contains(", "match(", "length(", "typeof("),
        *(" ", ".", "\\", "'", '"', "\n", "é", "\ud800", "#", "0", "=="),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20))
def test_every_text_is_a_condition_or_pointed_at(text: str) -> None:
    error: PointedError | None = None
    try:
        assert compile_condition(text)({"type": "track"}) in (True, False)
    except PointedError as raised:
        error = raised
    if error is not None:
        assert error.text == text
        assert error.problem in str(error)
