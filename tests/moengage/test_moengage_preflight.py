import pytest

from replay_cli.moengage.mapping import UnmappableError
from replay_cli.moengage.preflight import MAX_BODY_BYTES, RESERVED_IDS, is_reserved, refuse_future, refuse_size


@pytest.mark.parametrize("user", sorted(RESERVED_IDS))
def test_reserved_ids_are_known_in_any_case(user: str) -> None:
    assert is_reserved(user)
    assert is_reserved(user.upper())
    assert is_reserved(user.title())


@pytest.mark.parametrize("user", ["", "x", "7", "é"])
def test_an_id_has_two_characters_at_least(user: str) -> None:
    assert is_reserved(user)


@pytest.mark.parametrize("user", ["10", "-3", "guest1", "nulls", "a" * 500, "user_attribute_unique_ids", " null"])
def test_other_ids_are_free(user: str) -> None:
    assert not is_reserved(user)


def test_the_reserved_ids_are_the_documented_ones() -> None:
    documented = (
        "unknown, guest, null, 0, 1, 2, -1, -2, true, false, na, n/a, none, user_attribute_unique_id, "
        "dummy_seller_code, user_id, id, customer_id, uid, userid"
    )
    assert set(documented.split(", ")) == RESERVED_IDS


def test_refusals_are_named() -> None:
    with pytest.raises(UnmappableError, match="2099-01-01, which is in the future") as future:
        refuse_future("2099-01-01")
    with pytest.raises(UnmappableError, match=f"128,001 bytes; MoEngage takes {MAX_BODY_BYTES:,}") as size:
        refuse_size(b"x" * 128_001)
    assert (future.value.reason, size.value.reason) == ("future_date", "too_large")
