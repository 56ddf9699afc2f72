import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.message import MAX_DEPTH, MalformedError, dead_letter_record, masked, parse, to_json

SECRET = "s3cr3t"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def refusal(line: bytes) -> tuple[str, str]:
    with pytest.raises(MalformedError) as raised:
        parse(line)
    return raised.value.reason, str(raised.value)


def nested(depth: int, inside: bytes = b"1") -> bytes:
    return b'{"a":' * depth + inside + b"}" * depth


# -- parse ----------------------------------------------------------------------------------------------------


@given(DOCUMENTS)
def test_a_message_is_what_json_says(document: dict[str, Any]) -> None:
    assert parse(json.dumps(document, ensure_ascii=False).encode()) == (document, False)


@given(DOCUMENTS, st.sampled_from(["\ud800", "\udfff", "x\udc00y", "\udc00\ud800"]))
def test_the_careful_reader_reads_what_the_fast_one_does(document: dict[str, Any], lone: str) -> None:
    """A lone surrogate anywhere brings in the careful one; all else must stay the same."""
    text = json.dumps(document | {"lone": lone}).encode()
    message, replaced = parse(text)
    assert replaced
    cleaned = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in lone)
    assert message == document | {"lone": cleaned}
    assert orjson.loads(to_json(message)) == message, "the wire can carry it"


def test_lone_surrogates_in_keys_are_replaced_too() -> None:
    assert parse(rb'{"k\ud800": {"\udc00": ["\udbff!"]}}') == ({"k\ufffd": {"\ufffd": ["\ufffd!"]}}, True)


def test_a_pair_of_surrogates_is_no_lone_one() -> None:
    assert parse(rb'{"a": "\ud83d\ude00"}') == ({"a": "😀"}, False)


@pytest.mark.parametrize(
    "digits",
    [
        *["9223372036854775807", "18446744073709551615", "18446744073709551616", "-9223372036854775808"],
        *["-9223372036854775809", "-9223372036854775900", "1" + "0" * 20, "9" * 400, "-" + "9" * 5000],
    ],
)
def test_integers_beyond_64_bits_become_floats_whoever_reads_them(digits: str) -> None:
    """As JavaScript has them; what comes out can be written."""
    careful, replaced = parse(b'{"n": %s, "lone": "\\ud800"}' % digits.encode())
    assert replaced
    exact = int(digits) if len(digits) < 1000 else None
    if exact is not None and -(2**63) <= exact < 2**64:
        assert careful["n"] == exact
        assert isinstance(careful["n"], int)
    else:
        assert careful["n"] == float(digits)
        assert isinstance(careful["n"], float)
    assert orjson.loads(to_json(careful))["lone"] == "\ufffd"
    fast, _ = parse(b'{"n": %s}' % digits.encode())
    assert (fast["n"], type(fast["n"])) == (careful["n"], type(careful["n"]))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("rest", ["", ', "lone": "\\ud800"'])
def test_constants_that_only_python_knows_are_malformed(constant: str, rest: str) -> None:
    reason, _ = refusal(f'{{"a": {constant}{rest}}}'.encode())
    assert reason == "malformed_json"


@given(DOCUMENTS.map(lambda document: json.dumps(document).encode()), st.data())
def test_bytes_that_are_no_utf_8_are_refused_with_their_place(text: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    bad = data.draw(st.sampled_from([b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5"]))
    reason, detail = refusal(text[:at] + bad + text[at:])
    assert reason == "invalid_utf8"
    assert detail == f"byte {at + 1} is not UTF-8 ({bad[:1].hex()})"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"[1]", "array"),
        (b'"x"', "string"),
        (b"7", "number"),
        (b"7.5", "number"),
        (b"true", "boolean"),
        (b"null", "null"),
    ],
)
def test_what_is_no_object_is_refused_by_kind(line: bytes, kind: str) -> None:
    assert refusal(line) == ("not_an_object", f"a JSON {kind}, not an object")


@pytest.mark.parametrize(
    "line", [b"{", b'{"a":1', b'{"a":1}}', b"{'a':1}", b'{"a":01}', b'{"a":"\t"}', b"nope", b"{}x"]
)
def test_broken_json_is_refused_saying_where(line: bytes) -> None:
    reason, detail = refusal(line)
    assert reason == "malformed_json"
    assert "column" in detail


def test_depth_is_bounded_whoever_reads() -> None:
    """As far as the writer goes on the fast way, 250 levels on the careful one, and never a crash."""
    assert to_json(parse(nested(MAX_DEPTH))[0]) == nested(MAX_DEPTH)
    assert parse(nested(MAX_DEPTH, rb'"\ud800"'))[1]
    for depth in (MAX_DEPTH + 1, 300, 1000):
        assert refusal(nested(depth, rb'"\ud800"'))[0] == "too_deep"
        assert refusal(nested(depth, rb'"\ud800[{"'))[0] == "too_deep"
    for depth in (300, 1000):
        with pytest.raises(MalformedError) as raised:
            to_json(parse(nested(depth))[0])
        assert raised.value.reason == "too_deep"
    assert refusal(nested(100_000))[0] == "too_deep"
    assert refusal(b"[" * 500_000)[0] == "too_deep"


def test_brackets_in_texts_are_no_depth() -> None:
    text = b'{"lone": "\\ud800", "text": "%s"}' % (b'[{\\"[{' * 300)
    assert parse(text)[1]


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u d8019e+-.tfnNI', max_size=40).map(str.encode))
def test_no_line_crashes_the_reader(line: bytes) -> None:
    try:
        message, _ = parse(line)
    except MalformedError as error:
        reason = error.reason
    else:
        reason = ""
        to_json(message)
    assert reason in {"", "malformed_json", "invalid_utf8", "not_an_object", "too_deep"}


# -- masked ---------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["writeKey", "WRITEKEY", "write_key", "writekey", "Write_Key"])
SECRETS = st.sampled_from(
    [SECRET, f'"{SECRET}"', f"\\{SECRET}\\", f"{SECRET}, {SECRET}", f"é\u2028{SECRET}\n", f"}}{SECRET}"]
)


@st.composite
def key_texts(draw: st.DrawFn) -> str:
    """The key as JSON may write it: any of its letters escaped."""
    letters = [
        letter if draw(st.integers(0, 3)) else f"\\u{ord(letter):04{draw(st.sampled_from('xX'))}}"
        for letter in draw(KEYS)
    ]
    return '"' + "".join(letters) + '"'


@st.composite
def texts_with_a_secret(draw: st.DrawFn) -> tuple[str, str]:
    """A JSON text with a write key at some depth, and the text expected."""
    space = draw(st.sampled_from(["", " ", "  \t"]))
    pair = f"{draw(key_texts())}{space}:{space}"
    secret = json.dumps(draw(SECRETS), ensure_ascii=draw(st.booleans()))
    around = draw(st.lists(DOCUMENTS, max_size=3))
    text, expected = f"{pair}{secret}", f'{pair}"***"'
    for other in around:
        before, after = json.dumps(other)[1:-1], json.dumps(other, ensure_ascii=False)
        before = before + ", " if before else ""
        text = f'{before}"inner": [{{{text}}}, {after}]'
        expected = f'{before}"inner": [{{{expected}}}, {after}]'
    return f"{{{text}}}", f"{{{expected}}}"


@given(texts_with_a_secret())
def test_a_write_key_is_masked_at_any_depth_and_all_else_stays(texts: tuple[str, str]) -> None:
    text, expected = texts
    assert masked(text.encode()) == expected.encode()


@given(texts_with_a_secret(), st.data())
def test_a_cut_off_text_keeps_no_part_of_the_secret(texts: tuple[str, str], data: st.DataObject) -> None:
    text = texts[0].encode()
    cut = text[: data.draw(st.integers(0, len(text)))]
    kept = masked(cut)
    assert SECRET.encode() not in kept
    assert kept.count(b"s3") == 0
    assert len(kept) <= len(cut) + 10


@given(texts_with_a_secret(), st.binary(max_size=5), st.binary(max_size=5))
def test_a_malformed_text_is_masked_too(texts: tuple[str, str], before: bytes, after: bytes) -> None:
    text = b"{" + before + b" " + texts[0].encode() + after
    if before.count(b'"') % 2 == 0 and b"\\" not in before:
        assert SECRET.encode() not in masked(text)


@given(DOCUMENTS)
def test_a_text_without_a_write_key_stays_byte_for_byte(document: dict[str, Any]) -> None:
    for ascii_ in (True, False):
        text = json.dumps(document, ensure_ascii=ascii_).encode()
        assert masked(text) == text


@given(DOCUMENTS, st.integers(1, 3))
def test_a_write_key_in_a_document_inside_a_text_is_masked(document: dict[str, Any], levels: int) -> None:
    text = json.dumps(document | {"writeKey": SECRET, "after": [1]})
    for _ in range(levels):
        text = json.dumps({"raw": text, "n": 1})
    kept = json.loads(masked(text.encode()))
    assert kept["n"] == 1
    for _ in range(levels):
        kept = json.loads(kept["raw"])
    assert kept == document | {"writeKey": "***", "after": [1]}


@pytest.mark.parametrize("value", [b"12345", b"null", b"true", b"1e5"])
def test_a_masked_text_is_json_as_before(value: bytes) -> None:
    kept = masked(b'{"writeKey":' + value + b',"a":1}')
    assert json.loads(kept) == {"writeKey": "***", "a": 1}


@pytest.mark.parametrize("depth", [300, 1000, 20_000])
def test_a_deep_text_is_masked_without_a_crash(depth: int) -> None:
    text = nested(depth, rb'{"write\u004bey": "s3cr3t", "\u0041": 1}')
    assert masked(text) == nested(depth, rb'{"write\u004bey": "***", "\u0041": 1}')


def test_a_large_text_is_masked() -> None:
    text = b'{"writeKey": "%s", "a": "%s"}' % (rb"\"x" * 300_000, rb"\"y" * 300_000)
    assert masked(text) == b'{"writeKey": "***", "a": "%s"}' % (rb"\"y" * 300_000)


LETTER = {"uri": "/a.jsonl", "ordinal": 3, "kind": "dead_lettered", "record": {"type": "track", "event": "E"}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (LETTER, {"type": "track", "event": "E"}),
        (LETTER | {"kind": "rejected"}, {"type": "track", "event": "E"}),
        (LETTER | {"kind": "page"}, None),
        ({"kind": "rejected", "record": {"type": "track"}}, None),
        ({"type": "track", "event": "E"}, None),
    ],
)
def test_a_line_of_a_dead_letter_file_holds_a_message(
    document: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert dead_letter_record(document) == expected


def test_a_dead_letter_of_what_was_no_message_is_none_either() -> None:
    with pytest.raises(MalformedError) as caught:
        dead_letter_record(LETTER | {"record": None, "text": '{"a": "\ufffd"}', "reason": "invalid_utf8"})
    assert caught.value.reason == "invalid_utf8"
