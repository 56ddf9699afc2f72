"""Times that are read together are those that are read one by one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replay_cli.profiling.instants import UNREADABLE, instants
from replay_cli.segment.javascript import instant

_FIELDS = (st.integers(0, 9999), *(st.integers(0, most) for most in (13, 32, 25, 61, 61, 999)))
FORMS = st.one_of(
    st.tuples(*_FIELDS).map(lambda f: f"{f[0]:04}-{f[1]:02}-{f[2]:02}T{f[3]:02}:{f[4]:02}:{f[5]:02}.{f[6]:03}Z"),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
)
OTHERS = st.one_of(
    st.text(alphabet="0123456789-:.TZé ", min_size=24, max_size=24),
    st.text(max_size=30),
    st.datetimes().map(lambda moment: moment.isoformat(" ")),
    st.floats(),
    st.integers(),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)


def one_by_one(values: list[Any]) -> list[int]:
    seconds = map(instant, values)
    return [UNREADABLE if second is None else round(second * 1000) for second in seconds]


@given(st.lists(FORMS, max_size=20))
def test_times_in_the_archives_form_are_read_as_one_by_one(values: list[str]) -> None:
    assert instants(values).tolist() == one_by_one(values)


@given(st.lists(st.one_of(FORMS, OTHERS), max_size=20))
def test_so_are_any_values_among_them(values: list[Any]) -> None:
    assert instants(values).tolist() == one_by_one(values)


def test_two_texts_that_are_two_times_only_together_are_none() -> None:
    both = "2025-03-01T10:00:00.000Z2025-03-01T10:00:00.000Z"
    assert instants([both[:20], both[20:]]).tolist() == [UNREADABLE] * 2
    assert instants([both, ""]).tolist() == [UNREADABLE] * 2


def test_what_only_looks_like_a_digit_is_none() -> None:
    assert instants(["²025-03-01T10:00:00.000Z", "@025-03-01T10:00:00.000Z"]).tolist() == [UNREADABLE] * 2
