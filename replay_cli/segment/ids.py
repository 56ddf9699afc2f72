"""A set of ids that holds millions of them in little memory: their hashes, 8 bytes each (pure)."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from hashlib import blake2b

Number = Callable[[str], int]
"""Text → a number of 64 bits with a sign."""

_HASH_BITS = 64
_SHELF_BITS = 10
"""The hashes are put on 2**10 shelves by their first bits, so that each shelf can be sorted for itself."""
_BUCKET_BITS = 4
"""Of a large set a bucket has 8 to 16 members (2**4): few to search once the table has told where it begins."""

_BITS = tuple(1 << place for place in range(8))


class IdSet:
    """An immutable set of texts: 10 to 11 bytes a member, and some 20 while it is built.

    It keeps a 64-bit hash of each text. Python's own is salted anew in every process: never store one; for a set that
    goes to other processes there is `portable`. A text that is not a member is taken for one with odds of `len(set)`
    to 2**64 at each question.

    Args:
        ids: the members, in any order; they are read once, and may repeat.
        number: makes the hashes.
    """

    __slots__ = ("_hashes", "_number", "has")

    has: Callable[[str], bool]
    """Tells whether a text is a member: `in`, without the detour by way of this class."""

    def __init__(self, ids: Iterable[str], number: Number = hash) -> None:
        self._number = number
        self._fill(map(number, ids))

    def _fill(self, hashes: Iterable[int]) -> None:
        shelves = _on_shelves(hashes)
        bits = max(_SHELF_BITS, sum(map(len, shelves)).bit_length() - _BUCKET_BITS)
        self._hashes, bounds = _in_row(shelves, bits)
        self.has = _question(self._number, self._hashes, bounds, bits, _marks(self._hashes))

    def __getstate__(self) -> "tuple[Number, array[int]]":
        if self._number is hash:
            raise TypeError("a set of this process's own hashes means nothing in another one")
        return self._number, self._hashes

    def __setstate__(self, state: "tuple[Number, array[int]]") -> None:
        self._number, hashes = state
        self._fill(hashes)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.has(text)

    def __len__(self) -> int:
        """Return how many different members there are."""
        return len(self._hashes)


def portable(text: str) -> int:
    """Hash a text to the same number everywhere; ten times as slow as Python's own hash."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little", signed=True)


def _on_shelves(hashes: Iterable[int]) -> "list[array[int]]":
    """Return the hashes by their first bits; those of negative ones are at the end, where negative indices lead."""
    shelves = [array("q") for _ in range(1 << _SHELF_BITS)]
    put = [shelf.append for shelf in shelves]
    shift = _HASH_BITS - _SHELF_BITS
    for number in hashes:
        put[number >> shift](number)
    return shelves


def _in_row(shelves: "list[array[int]]", bits: int) -> "tuple[array[int], array[int]]":
    """Return all hashes in order, once each, and where the buckets by their first `bits` begin; empties the shelves."""
    row, bounds = array("q"), array("I")
    buckets, shift, half = 1 << (bits - _SHELF_BITS), _HASH_BITS - bits, len(shelves) // 2
    for number in range(-half, half):
        members = sorted(set(shelves[number]))
        shelves[number] = array("q")
        begin = 0
        for bucket in range(number * buckets, (number + 1) * buckets):
            begin = bisect_left(members, bucket << shift, begin)
            bounds.append(len(row) + begin)
        row.extend(array("q", members))
    bounds.append(len(row))
    return row, bounds


def _marks(hashes: "array[int]") -> bytes:
    """Return a bitmap of the hashes' last bits, 8 to 16 bits a member: most of what is no member has none there."""
    marks = bytearray(1 << len(hashes).bit_length())
    mask = len(marks) - 1
    for number in hashes:
        marks[number >> 3 & mask] |= _BITS[number & 7]
    return bytes(marks)


def _question(
    hash_of: Number, hashes: "array[int]", bounds: "array[int]", bits: int, marks: bytes
) -> Callable[[str], bool]:
    shift, half, mask, bit = _HASH_BITS - bits, 1 << (bits - 1), len(marks) - 1, _BITS

    def has(text: str) -> bool:
        number = hash_of(text)
        if not marks[number >> 3 & mask] & bit[number & 7]:
            return False
        bucket = (number >> shift) + half
        end = bounds[bucket + 1]
        place = bisect_left(hashes, number, bounds[bucket], end)
        return place < end and hashes[place] == number

    return has
