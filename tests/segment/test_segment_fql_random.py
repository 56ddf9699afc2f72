"""Random expressions, written in random ways, against an evaluator that knows nothing of the product's."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.segment.fql import compile_condition
from tests.segment.test_segment_fql_glob import naive_match

Tree = tuple[Any, ...]
"""("field", steps), ("value", value), ("call", name, *arguments), ("compare", sign, left, right), ("not", condition),
("and" | "or", *conditions)."""

# -- what an expression means ---------------------------------------------------------------------------------


def exact(value: Any) -> Any:
    """A value with its kind, so that equal means equal."""
    match value:
        case bool() | None | str():
            return type(value).__name__, value
        case int() | float():
            return "number", Fraction(value)
        case list():
            return "list", [exact(item) for item in value]
    return "object", {name: exact(item) for name, item in value.items()}


def found(steps: tuple[str, ...], value: Any) -> Any:
    if not steps:
        return value
    return found(steps[1:], value.get(steps[0])) if isinstance(value, dict) else None


KINDS = {"NoneType": "null", "bool": "boolean", "str": "string"}
NAMES = {"bool": "boolean", "array": "list"}


def called(name: str, value: Any, *rest: Any) -> Any:
    kind = exact(value)[0]
    if name == "typeof":
        return KINDS.get(kind, kind)
    if name == "contains":
        return kind == "str" and exact(rest[0])[0] == "str" and value.find(rest[0]) >= 0
    if name == "match":
        return kind == "str" and naive_match(tuple(sign if sign == "*" else (sign,) for sign in rest[0]), value)
    match name, kind:
        case "length", "str" | "list":
            return len(value.encode() if kind == "str" else value)
        case "length", "NoneType":
            return 0
        case "uppercase", "str":
            return value.upper()
        case "bool", "str":
            return {"true": True, "false": False}.get(value)
        case "bool", "number":
            return value != 0
        case "bool", "bool":
            return value
    return None


def holds(tree: Tree, message: dict[str, Any]) -> bool:
    match tree:
        case ("not", inner):
            return not holds(inner, message)
        case ("and", *parts):
            return min(holds(part, message) for part in parts)
        case ("or", *parts):
            return max(holds(part, message) for part in parts)
        case ("compare", sign, ("call", "typeof", _) as left, ("value", name)):
            return compared(sign, meaning(left, message), NAMES.get(name, name))
        case ("compare", sign, left, right):
            return compared(sign, meaning(left, message), meaning(right, message))
    return meaning(tree, message) is True


def meaning(tree: Tree, message: dict[str, Any]) -> Any:
    match tree:
        case ("field", steps):
            return found(steps, message)
        case ("value", value):
            return value
    _, name, *arguments = tree
    return called(name, *(meaning(argument, message) for argument in arguments))


def compared(sign: str, left: Any, right: Any) -> bool:
    one, other = exact(left), exact(right)
    if sign == "in":
        return other[0] == "list" and one in other[1]
    if sign in ("=", "!="):
        return (one == other) is (sign == "=")
    if one[0] != other[0] or one[0] not in ("number", "str"):
        return False
    order = (one[1] > other[1]) - (one[1] < other[1])
    return order in {">": (1,), ">=": (0, 1), "<": (-1,), "<=": (-1, 0)}[sign]


# -- random ones ----------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "A", "aa", "ab", "true", "1", "it's", '"', "\\", "\\'", "a\\b", "é", "b\n"])
NUMBERS = st.sampled_from([0, 1, 2, -1, 1.0, 0.5, 2**53 + 1, 1e21])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2), max_leaves=4
)
PLACES = [("type",), ("event",), ("properties", "a"), ("properties", "b.c"), ("traits", "x y", "in")]
MESSAGES = st.tuples(*[VALUES for _ in PLACES]).map(
    lambda values: {
        "type": values[0],
        "event": values[1],
        "properties": {"a": values[2], "b.c": values[3]},
        "traits": {"x y": {"in": values[4]}},
    }
)

FIELDS = st.sampled_from(PLACES).map(lambda steps: ("field", steps))
LITERALS = SCALARS.map(lambda value: ("value", value))
LISTS = st.lists(SCALARS, max_size=4).map(lambda values: ("value", values))
WORDS = TEXTS.map(lambda text: ("value", text))
TEXTUAL: st.SearchStrategy[Tree] = st.deferred(
    lambda: FIELDS | st.tuples(st.just("call"), st.just("uppercase"), FIELDS | WORDS | TEXTUAL)
)
PATTERNS = st.sampled_from(["*", "a", "a*", "*a", "*a*", "a*a*", ""]).map(lambda text: ("value", text))
LENGTHS = st.tuples(st.just("call"), st.just("length"), TEXTUAL | LISTS)
TRUTHS = st.one_of(
    st.tuples(st.just("call"), st.just("contains"), TEXTUAL, WORDS | TEXTUAL),
    st.tuples(st.just("call"), st.just("match"), TEXTUAL, PATTERNS),
    st.tuples(st.just("call"), st.just("bool"), FIELDS | LITERALS | LENGTHS),
)
KIND_NAMES = ["null", "boolean", "bool", "number", "string", "list", "array", "object"]
EQUALS = st.sampled_from(["=", "!="])
ORDERED = TEXTUAL | LENGTHS
COMPARISONS = st.one_of(
    st.tuples(st.just("compare"), EQUALS, TEXTUAL | TRUTHS | LENGTHS, LITERALS | LISTS | FIELDS),
    st.tuples(st.just("compare"), EQUALS, LITERALS | LISTS, TEXTUAL | TRUTHS),
    st.tuples(st.just("compare"), st.sampled_from([">", ">=", "<", "<="]), ORDERED, ORDERED | WORDS),
    st.tuples(
        st.just("compare"), st.sampled_from([">", ">=", "<", "<="]), NUMBERS.map(lambda n: ("value", n)), ORDERED
    ),
    st.tuples(st.just("compare"), st.just("in"), TEXTUAL | LITERALS | LENGTHS, LISTS | FIELDS),
    st.tuples(
        st.just("compare"),
        EQUALS,
        st.tuples(st.just("call"), st.just("typeof"), FIELDS | LENGTHS),
        st.sampled_from(KIND_NAMES).map(lambda name: ("value", name)),
    ),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    COMPARISONS | TRUTHS,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner), *(st.tuples(st.sampled_from(["and", "or"]), *[inner] * n) for n in (2, 3))
    ),
    max_leaves=6,
)


class Writer:
    """Writes a tree as text, with spaces, quotes, parentheses and backslashes wherever it likes."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def condition(self, tree: Tree) -> str:
        match tree:
            case ("and" | "or" as word, *parts):
                # Parts of the same operator would do without parentheses; these are to be kept apart.
                text = f" {word}{self._gap()} ".join(self._part(part) for part in parts)
            case ("not", inner):
                text = f"!{self._gap()}{self._part(inner) if inner[0] == 'call' else self._grouped(inner)}"
            case ("compare", sign, left, right):
                space = " " if sign == "in" else self._gap()
                text = f"{self.operand(left)}{space}{sign}{space}{self.operand(right)}"
            case _:
                text = self.operand(tree)
        return self._grouped_text(text) if self._likes() else text

    def _part(self, tree: Tree) -> str:
        return self.condition(tree) if tree[0] in ("compare", "call", "not") else self._grouped(tree)

    def _grouped(self, tree: Tree) -> str:
        return self._grouped_text(self.condition(tree))

    def _grouped_text(self, text: str) -> str:
        return f"({self._gap()}{text}{self._gap()})"

    def operand(self, tree: Tree) -> str:
        match tree:
            case ("field", steps):
                return ".".join(self._step(step) for step in steps)
            case ("value", list() as values):
                return f"[{self._gap()}{f'{self._gap()},{self._gap()}'.join(map(self._scalar, values))}]"
            case ("value", value):
                return self._scalar(value)
        _, name, *arguments = tree
        return f"{name}{self._gap()}({f'{self._gap()},'.join(map(self.operand, arguments))}{self._gap()})"

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return {None: "null", "True": "true", "False": "false"}.get(
                value if value is None else str(value), repr(value)
            )
        quote = self._data.draw(st.sampled_from("'\""))
        return quote + value.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote

    def _step(self, step: str) -> str:
        text = "".join(f"\\{letter}" if not letter.isalpha() else letter for letter in step)
        return f"\\{text}" if text[0] != "\\" and self._likes() else text

    def _likes(self) -> bool:
        return self._data.draw(st.booleans())

    def _gap(self) -> str:
        return self._data.draw(st.sampled_from(["", " ", "\n "]))


@settings(max_examples=200)
@given(TREES, MESSAGES, st.data())
def test_an_expression_means_what_its_tree_means(tree: Tree, message: dict[str, Any], data: st.DataObject) -> None:
    assert compile_condition(Writer(data).condition(tree))(message) is holds(tree, message)


@given(
    st.lists(st.sampled_from(["and", "or"]), min_size=1, max_size=7), st.lists(st.booleans(), min_size=8, max_size=8)
)
def test_without_parentheses_and_goes_first(words: list[str], truths: list[bool]) -> None:
    terms = [f"type = '{'track' if truth else 'page'}'" for truth in truths]
    text = terms[0] + "".join(f" {word} {term}" for word, term in zip(words, terms[1:], strict=False))
    alternatives = [[truths[0]]]
    for word, truth in zip(words, truths[1:], strict=False):
        if word == "or":
            alternatives.append([])
        alternatives[-1].append(truth)
    assert compile_condition(text)({"type": "track"}) is any(all(terms) for terms in alternatives)
