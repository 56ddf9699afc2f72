"""What an object is, from its first bytes and never from its name (pure).

Segment stores raw logs with `Content-Encoding: gzip`, so some clients hand them over already decompressed,
under a name that still ends in `.gz`.
"""

from enum import Enum

HEAD_BYTES = 512
"""How much of an object is enough to know it by."""

_FOREIGN = (b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"Obj\x01", b"ORC", b"\xff\xfe", b"\xfe\xff", b"PARE")
"""Zip, bzip2, xz, Avro, ORC, UTF-16 and encrypted Parquet: none has a line of JSON that begins like it."""
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r")


class Format(Enum):
    """The formats that can be read."""

    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "Parquet"
    JSON_LINES = "JSON lines"
    UNKNOWN = "unknown"


def sniff(head: bytes) -> Format:
    """Tell the format of what begins with `head` (its first `HEAD_BYTES`, or all of it)."""
    if head.startswith(b"\x1f\x8b"):
        return Format.GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or _is_skippable_frame(head):
        return Format.ZSTD
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    return Format.JSON_LINES if _is_text(head) else Format.UNKNOWN


def unknown_format(head: bytes) -> str:
    """Make a sentence about what could not be recognised."""
    beginning = repr(head[:8])[2:-1]
    return f"unknown format (starts with {beginning}): neither JSON lines, gzip, zstd nor Parquet"


def _is_skippable_frame(head: bytes) -> bool:
    """Zstd files may begin with one (RFC 8878, 3.1.2): those of `pzstd` do."""
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


def _is_text(head: bytes) -> bool:
    if head.startswith(_FOREIGN) or b"\0" in head:
        return False
    return not head or head[0] >= 0x20 or head[0] in _TEXT_CONTROLS
