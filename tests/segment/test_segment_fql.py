"""FQL as destination filters speak it: operators, strict types, functions, and that no message makes it raise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.fql import compile_condition, compile_path, read_path
from replay_cli.segment.pointed import PointedError

MESSAGE = {
    "type": "track",
    "event": "Order Completed",
    "userId": "u-1",
    "a.b": "dotted",
    "first name": "Ada",
    "2fa": True,
    "in": "word",
    "context": {"library": {"name": "analytics.js", "version": "1.0"}, "page": {"path": "/cart"}},
    "properties": {
        "total": 35.5,
        "one": 1,
        "zero": 0,
        "large": 9007199254740993,
        "numeral": "12.5",
        "yes": True,
        "no": False,
        "none": None,
        "empty": "",
        "word": "héé",
        "lines": "a\nb",
        "tags": ["a", 1, True, None, ["x"]],
        "plan": {"name": "pro", "seats": [1, 2]},
        "same": {"seats": [1.0, 2], "name": "pro"},
        "other": {"seats": [True, 2], "name": "pro"},
        "star": "50* off",
        "backslash": "a\\b",
        "quotes": 'it\'s "it"',
    },
}


def matches(text: str, message: dict[str, Any] = MESSAGE) -> bool:
    return compile_condition(text)(message)


# -- operators ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "type = 'track'",
        'type = "track"',
        "'track' = type",
        "type != 'identify'",
        "properties.total > 35",
        "35 < properties.total",
        "properties.total >= 35.5",
        "properties.total <= 3.55e1",
        "36 >= properties.total",
        "properties.total < 36 and properties.total > -36",
        "properties.one < properties.total",
        "type in ['identify', 'track']",
        "1 in [1, 2]",
        "'a' in properties.tags",
        "1 in properties.tags",
        "null in properties.tags",
        "properties.none in [null]",
        "event > 'Order' and event < 'Orders'",
        "properties.tags = properties.tags",
        "properties.plan = properties.same",
        "properties.plan.seats != ['1', '2']",
        "properties.plan.seats = [1, 2]",
        "lowercase(event) = lowercase('ORDER COMPLETED')",
        "contains(lowercase(event), lowercase('ORDER'))",
        "length(lowercase(string(properties.total))) = 4",
        "contains(event, 'Order')",
        "!contains(event, 'Refund')",
        "match(event, 'Order *')",
        "! ! contains(event, 'Order')",
        "!(type = 'identify')",
        "\ttype\n=\u00a0'track' ",
    ],
)
def test_a_true_condition_matches(text: str) -> None:
    assert matches(text) is True


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("type = 'x' and type = 'x' or type = 'track'", True),
        ("type = 'track' or type = 'x' and type = 'x'", True),
        ("(type = 'track' or type = 'x') and type = 'x'", False),
        ("type = 'x' and (type = 'x' or type = 'track')", False),
        ("!(type = 'x') and !contains(type, 'x')", True),
        ("!(type = 'track' and type = 'x')", True),
        ("!(type = 'track' or type = 'x')", False),
        ("type = 'track' and event = 'x' or type = 'x' or userId = 'u-1' and type = 'track'", True),
        ("type = 'track' and event = 'x' and userId = 'u-1'", False),
        ("type = 'x' or type = 'y' or type = 'z'", False),
    ],
)
def test_and_binds_tighter_than_or(text: str, is_meant: bool) -> None:
    assert matches(text) is is_meant


@pytest.mark.parametrize("operator", ["=", ">", ">=", "<", "<="])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("properties.one", "'1'"),
        ("properties.numeral", "12.5"),
        ("properties.empty", "0"),
        ("properties.tags", "'a'"),
        ("properties.plan", "'pro'"),
        ("properties.none", "0"),
        ("properties.none", "''"),
        ("properties.missing", "0"),
        ("properties.yes", "1"),
        ("properties.no", "0"),
        ("properties.yes", "properties.one"),
        ("properties.plan", "properties.other"),
    ],
)
def test_values_of_two_kinds_are_never_equal_and_have_no_order(operator: str, left: str, right: str) -> None:
    assert matches(f"{left} {operator} {right}") is False
    assert matches(f"{left} != {right}") is True


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("properties.yes = true", True),
        ("properties.one = true", False),
        ("properties.one != true", True),
        ("properties.zero = false", False),
        ("properties.no in [0]", False),
        ("properties.zero in [false]", False),
        ("true in [1]", False),
        ("properties.yes in properties.plan.seats", False),
        ("2 in properties.plan.seats", True),
        ("properties.large = 9007199254740993", True),
        ("properties.large = 9007199254740992", False),
        ("properties.tags = ['a', 1, true, null]", False),
        ("properties.plan in properties.tags", False),
        ("properties.other.seats = [1, 2]", False),
        ("properties.yes < properties.yes", False),
        ("properties.none <= properties.none", False),
        ("properties.plan >= properties.plan", False),
    ],
)
def test_booleans_numbers_and_null_keep_apart(text: str, is_meant: bool) -> None:
    assert matches(text) is is_meant


@pytest.mark.parametrize("path", ["missing", "properties.none", "type.x", "properties.tags.0", "properties.one.x.y"])
def test_what_is_not_there_is_null(path: str) -> None:
    assert matches(f"{path} = null and {path} in [null] and typeof({path}) = 'null' and {path} != 'x'")
    assert not matches(f"{path} != null or {path} = '' or {path} = 0 or {path} = false or 'x' in {path}")


# -- text and names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        r"a\.b = 'dotted'",
        r"first\ name = 'Ada'",
        r"\2fa = true",
        r"\in = 'word'",
        r"prop\erties.\plan.name = 'pro'",
        r"""properties.quotes = 'it\'s "it"'""",
        r'''properties.quotes = "it's \"it\""''',
        r"properties.backslash = 'a\\b' and properties.backslash = 'a\b'",
        "properties.lines = 'a\nb'",
    ],
)
def test_a_backslash_makes_any_character_part_of_a_name_and_quotes_part_of_a_string(text: str) -> None:
    assert matches(text)


def test_an_escaped_word_of_the_language_is_a_field() -> None:
    message = {"and": {"or": 1}, "true": "t", "contains": "c"}
    assert matches(r"and.or = 1 and \true = 't' and contains = 'c'", message)


@pytest.mark.parametrize(
    ("text", "steps"),
    [("userId", ("userId",)), (r"properties.a\.b.c\ d", ("properties", "a.b", "c d")), (r"a.b.c.d", tuple("abcd"))],
)
def test_a_path_alone_is_read_as_in_an_expression(text: str, steps: tuple[str, ...]) -> None:
    assert read_path(text) == steps
    message: Any = "found"
    for step in reversed(steps):
        message = {step: message}
    assert compile_path(steps)(message) == "found"


@pytest.mark.parametrize(("text", "position"), [("", 0), ("'a'", 0), ("a b", 1), ("a = 1", 1), ("a" + ".a" * 100, 0)])
def test_what_is_no_path_is_pointed_at(text: str, position: int) -> None:
    with pytest.raises(PointedError) as caught:
        read_path(text)
    assert caught.value.position == position


# -- functions ------------------------------------------------------------------------------------------------


NO_BOOLEANS: list[Any] = ["yes", "", None, [True], {}]
NO_SCALARS: list[Any] = [None, ["a"], {}]


@pytest.mark.parametrize(
    ("call", "value", "result"),
    [
        ("contains({}, 'b')", "abc", True),
        ("contains({}, 'x')", "abc", False),
        ("contains({}, '')", "abc", True),
        ("contains({}, 'a')", None, False),
        ("contains({}, 'a')", ["a"], False),
        ("contains({}, '1')", 1, False),
        ("contains({}, null)", "null", False),
        ("match({}, '*')", None, False),
        ("match({}, '*')", 1, False),
        ("match({}, '*')", "", True),
        ("length({})", "héé", 5),
        ("length({})", "abc", 3),
        ("length({})", "\U0001f600", 4),
        ("length({})", ["a", [1, 2]], 2),
        ("length({})", None, 0),
        ("length({})", {"a": 1}, None),
        ("length({})", 7, None),
        ("lowercase({})", "ÀB c", "àb c"),
        ("uppercase({})", "Àb c", "ÀB C"),
        ("snakecase({})", "orderId", "order_id"),
        ("snakecase({})", "Order Completed", "order_completed"),
        ("kebabcase({})", "orderId", "order-id"),
        ("kebabcase({})", "HTML page", "html-page"),
        ("titlecase({})", "order completed", "Order Completed"),
        ("titlecase({})", "orderID", "Order Id"),
        *((f"{name}case({{}})", value, None) for name in ("lower", "snake", "title") for value in (None, 5, ["A"])),
        ("typeof({})", None, "null"),
        ("typeof({})", "", "string"),
        ("typeof({})", 1.5, "number"),
        ("typeof({})", True, "boolean"),
        ("typeof({})", [], "list"),
        ("typeof({})", {}, "object"),
        ("bool({})", True, True),
        ("bool({})", "true", True),
        ("bool({})", "false", False),
        ("bool({})", 0, False),
        ("bool({})", 0.5, True),
        *(("bool({})", value, None) for value in NO_BOOLEANS),
        ("string({})", "a", "a"),
        ("string({})", 1.0, "1"),
        ("string({})", 1e21, "1e+21"),
        ("string({})", False, "false"),
        *(("string({})", value, None) for value in NO_SCALARS),
        ("number({})", 1.5, 1.5),
        ("number({})", "12.50", 12.5),
        ("number({})", "-7", -7),
        ("number({})", "9007199254740993", 9007199254740993),
        ("number({})", "1e3", 1000),
        *(("number({})", value, None) for value in (None, True, "", " 1", "0x10", "1_0", "NaN", "١", "9" * 500, [1])),
    ],
)
def test_functions_give(call: str, value: Any, result: Any) -> None:
    text = call.format("properties.value")
    assert matches(f"{text} = event", {"event": result, "properties": {"value": value}})
    assert matches(f"event = {text}", {"event": result, "properties": {"value": value}})


def test_only_true_itself_makes_a_function_a_condition() -> None:
    for value, is_meant in ((True, True), (1, True), ("true", True), (False, False), ("yes", False), (None, False)):
        message = {"properties": {"value": value}}
        assert matches("bool(properties.value)", message) is is_meant
        assert matches("!bool(properties.value)", message) is not is_meant


@pytest.mark.parametrize("name", ["boolean", "bool"])
@pytest.mark.parametrize("text", ["typeof(event) = '{}'", "'{}' = typeof(event)", "typeof(event) in ['null', '{}']"])
def test_typeof_knows_both_names_of_a_boolean(name: str, text: str) -> None:
    assert matches(text.format(name), {"event": True})
    assert not matches(text.format(name), {"event": 1})


def test_typeof_knows_both_names_of_a_list() -> None:
    assert matches("typeof(event) = 'list' and typeof(event) = 'array' and typeof(event) != 'object'", {"event": []})


# -- bounds ---------------------------------------------------------------------------------------------------


def test_parentheses_nest_a_hundred_levels_deep() -> None:
    assert matches("(" * 100 + "type = 'track'" + ")" * 100)
    for depth, is_meant in ((99, True), (100, False)):
        assert matches("type = 'x' or userId = 'u-1' and !(" * depth + "type = 'x'" + ")" * depth) is is_meant
    assert matches("lowercase(" * 100 + "type" + ")" * 100 + " = 'track'")
    assert matches(" or ".join(["(type = 'x')"] * 5000 + ["type = 'track'"]))
    assert matches("!" * 5000 + "contains(type, 'track')")


@pytest.mark.parametrize("opening", ["(", "!(", "lowercase("])
@pytest.mark.parametrize("depth", [101, 10_000])
def test_deeper_nesting_is_refused_at_the_parenthesis_that_is_too_much(opening: str, depth: int) -> None:
    with pytest.raises(PointedError, match="100 levels") as caught:
        compile_condition(opening * depth)
    assert caught.value.position == 101 * len(opening) - 1


def test_deep_and_long_values_are_compared_without_recursion() -> None:
    def nested(innermost: Any) -> Any:
        value = innermost
        for _ in range(50_000):
            value = [value]
        return value

    condition = compile_condition("properties.a = properties.b or properties.a in properties.c")
    assert not condition({"properties": {"a": nested(1), "b": nested(True), "c": [1]}})
    assert condition({"properties": {"a": nested(1), "b": nested(1.0)}})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
EXPRESSIONS = [
    compile_condition(text)
    for text in (
        "type = properties.a and properties.a != event or userId > properties.b",
        "userId <= 1 or userId > 'a' or properties.a.b.c = null or type = [1, 'a']",
        "type in properties.a or type in [1, true, 'a', null] or 'a' in event or 2 in event",
        "contains(type, event) or match(type, '*a?[b-c]*') or length(event) > 2",
        "lowercase(type) = 'a' or uppercase(event) = 'a' or titlecase(userId) = 'A'",
        "snakecase(type) = 'a' or kebabcase(event) = 'a' or typeof(userId) = 'list'",
        "bool(type) or string(event) = '1' or number(userId) = 1",
    )
]


@given(st.dictionaries(st.sampled_from(["type", "event", "userId", "properties"]), VALUES))
def test_no_message_makes_a_condition_raise(message: dict[str, Any]) -> None:
    before = repr(message)
    assert {condition(message) for condition in EXPRESSIONS} <= {True, False}
    assert repr(message) == before
