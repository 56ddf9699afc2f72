"""Names in snake_case: the three documented examples, and what is decided beyond them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay_cli.segment.snake_case import snake_case

NAMES = st.text(max_size=12) | st.text("aBC1_- .É", max_size=10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orderId", "order_id"),
        ("HTMLPage", "html_page"),
        ("userID", "user_id"),
        ("order_id", "order_id"),
        ("email", "email"),
        ("", ""),
        ("X", "x"),
        ("ID", "id"),
        ("XMLHttpRequest", "xml_http_request"),
        ("isHTML", "is_html"),
        ("aB", "a_b"),
        ("OrderTotalUSD", "order_total_usd"),
    ],
)
def test_words_are_found_with_acronyms_among_them(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("address2Line", "address2_line"), ("SHA256Hash", "sha256_hash"), ("line2", "line2"), ("2ndItem", "2nd_item")],
)
def test_digits_stay_with_the_word_before_them(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Product Name", "product_name"), ("first-name", "first_name"), ("a \t- b", "a_b"), ("Order-ID", "order_id")],
)
def test_gaps_become_one_underscore(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize("name", ["_id", "a.b", "a__b", "trailing_", "utm$source", "日本語", "ñandú"])
def test_other_signs_stay(name: str) -> None:
    assert snake_case(name) == name


@pytest.mark.parametrize(("name", "expected"), [("ÉtatCivil", "état_civil"), ("größeÄndern", "größe_ändern")])
def test_letters_of_other_alphabets_have_cases_too(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@given(NAMES)
@example("A𝐀B")  # a capital without a small form
@example("ΑΣ İx")
def test_done_twice_it_is_the_same(name: str) -> None:
    assert snake_case(snake_case(name)) == snake_case(name)


@given(NAMES)
def test_nothing_is_lost_but_case_and_gaps(name: str) -> None:
    gone = str.maketrans("", "", "".join({sign for sign in name if sign.isspace()}) + "-_")
    assert snake_case(name).translate(gone) == name.lower().translate(gone)


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=1, max_size=5))
def test_a_camel_case_name_has_its_words(words: list[str]) -> None:
    # A word of one letter would make an acronym with the next one.
    longer = [word + "x" for word in words]
    assert snake_case(longer[0] + "".join(word.title() for word in longer[1:])) == "_".join(longer)


def test_long_names_are_read_once() -> None:
    assert snake_case("aB" * 100_000) == "a_" + "ba_" * 99_999 + "b"
    assert snake_case("A" * 200_000) == "a" * 200_000
    assert snake_case(" _" * 100_000) == "__" * 100_000
