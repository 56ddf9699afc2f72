"""Samples: a few objects that speak for all, and errors that can be believed."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import ArchiveObject
from replay_cli.profiling.sampling import SAMPLED, Chosen, Measured, Sampler, Total, total, variance_within

SIZES = st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from("abcde")), max_size=120)


def offered(sizes: list[tuple[int, str]]) -> Sampler:
    sampler = Sampler()
    for n, (size, kind) in enumerate(sizes):
        sampler.offer(ArchiveObject(f"{kind}/{n}", size, ""), kind)
    return sampler


def whole(chosen: Chosen, n: int) -> Measured:
    return Measured(chosen, chosen.object.size, n, 0.0)


@given(SIZES)
def test_a_sample_stands_for_every_byte_once(sizes: list[tuple[int, str]]) -> None:
    drawn = offered(sizes).draw()
    stands_for = Counter[str]()
    for chosen in drawn:
        assert chosen.weight >= chosen.object.size
        stands_for[chosen.kind] += round(chosen.weight * 1000)
    for kind, weight in stands_for.items():
        assert weight / 1000 == pytest.approx(sum(size for size, other in sizes if other == kind))
    assert stands_for.keys() == {kind for size, kind in sizes if size}
    assert len({chosen.object for chosen in drawn}) == len(drawn)


@given(SIZES)
def test_what_grows_with_the_bytes_is_told_exactly(sizes: list[tuple[int, str]]) -> None:
    estimate, error = total([whole(chosen, 3 * chosen.object.size) for chosen in offered(sizes).draw()])
    assert estimate == pytest.approx(3 * sum(size for size, _ in sizes))
    assert error == pytest.approx(0, abs=1e-6 * (estimate + 1))


@given(SIZES, st.randoms(use_true_random=False))
def test_where_every_object_is_read_the_number_is_exact(sizes: list[tuple[int, str]], generator: random.Random) -> None:
    few = sizes[:SAMPLED]
    drawn = [chosen for chosen in offered(few).draw() if chosen.unseen == 0]
    if len(drawn) == sum(size > 0 for size, _ in few):
        counted = [whole(chosen, generator.randrange(10**6)) for chosen in drawn]
        assert total(counted) == Total(sum(each.n for each in counted), 0.0)


def population(seed: int) -> tuple[dict[ArchiveObject, int], Sampler]:
    """Objects of up to 40 kinds with what is in them: sizes and densities differ widely."""
    generator = random.Random(seed)
    kinds, count = generator.choice([1, 2, 5, 15, 40]), generator.choice([40, 300, 1500])
    densities = [generator.uniform(0.003, 0.02) for _ in range(kinds)]
    found, sampler = {}, Sampler()
    for n in range(count):
        kind, size = generator.randrange(kinds), 1 + int(generator.lognormvariate(10, 1.5))
        obj = ArchiveObject(f"{seed}/{n}", size, "")
        found[obj] = round(size * densities[kind] * generator.lognormvariate(0, 0.3))
        sampler.offer(obj, str(kind))
    return found, sampler


def test_the_true_number_is_nearly_always_within_three_errors() -> None:
    """Of 150 listings; and the errors are no larger than they must be."""
    off = []
    for seed in range(150):
        found, sampler = population(seed)
        estimate, error = total([whole(chosen, found[chosen.object]) for chosen in sampler.draw()])
        off.append((estimate - sum(found.values())) / error)
    assert sum(abs(each) > 3 for each in off) <= 2
    assert 0.7 < (sum(each**2 for each in off) / len(off)) ** 0.5 < 1.4
    assert abs(sum(off) / len(off)) < 0.4


def test_the_same_listing_gives_the_same_sample_whatever_its_order() -> None:
    sizes = [(n * 7919 % 10_007, "a" if n % 3 else "b") for n in range(2_000)]
    objects = [(ArchiveObject(f"{n}", size, ""), kind) for n, (size, kind) in enumerate(sizes)]
    samples = []
    for order in (objects, objects[::-1]):
        sampler = Sampler()
        for obj, kind in order:
            sampler.offer(obj, kind)
        samples.append(sorted(sampler.draw(), key=lambda chosen: chosen.object.uri))
    assert samples[0] == samples[1]
    assert len(samples[0]) in range(SAMPLED - 1, SAMPLED + 2)


def test_what_is_kept_of_a_listing_does_not_grow_with_it() -> None:
    sampler = Sampler()
    for n in range(20_000):
        sampler.offer(ArchiveObject(f"s3://b/{n}", 1 + n % 91, ""), f"kind {n % 5_000}")
    assert sum(len(kept) for kept in sampler._kinds.values()) <= 25 * (SAMPLED + 1)
    assert len(sampler.draw()) <= 25 * 2 + SAMPLED


def test_parts_that_are_alike_leave_no_doubt_and_others_do() -> None:
    assert variance_within([(100, 7), (100, 7), (200, 14)], 10_000) == pytest.approx(0)
    assert variance_within([(100, 7), (100, 9)], 10_000) > 0
    assert variance_within([(100, 7), (100, 9)], 200) == 0
    assert variance_within([(100, 7)], 10_000) == 7
