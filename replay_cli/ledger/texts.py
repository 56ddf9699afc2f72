"""How the text of a dead letter is kept in the checkpoint: compressed where that is shorter, or not any more."""

from enum import IntEnum

from isal import isal_zlib

_LEVEL = 1


class Form(IntEnum):
    """What the column `form` tells of a letter's `record`; of what is gone, it is empty."""

    PLAIN = 0
    PACKED = 1
    EXPIRED = 2
    ERASED = 3


GONE = {Form.EXPIRED: "expired", Form.ERASED: "erased"}
"""The forms of a letter whose text is not kept any more, as the dead-letter file says it."""


def packed(text: bytes) -> tuple[Form, bytes]:
    """Return the form in which a text is kept, and what is kept."""
    shorter = bytes(isal_zlib.compress(text, _LEVEL))
    return (Form.PACKED, shorter) if len(shorter) < len(text) else (Form.PLAIN, text)


def unpacked(form: int, kept: bytes) -> bytes | None:
    """Return a text that is kept; None when it is gone."""
    if form in GONE:
        return None
    return bytes(isal_zlib.decompress(kept)) if form == Form.PACKED else kept


def beginning(form: int, kept: bytes, most: int) -> bytes:
    """Return at most so many bytes of a text; nothing when it is gone."""
    if form == Form.PACKED:
        return bytes(isal_zlib.decompressobj().decompress(kept, most))
    return kept[:most]
