"""The times of many messages at once, as whole milliseconds (pure)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from replay_cli.segment.javascript import instant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Instants = NDArray[np.int64]

UNREADABLE = -(1 << 63)
"""What stands for a time that cannot be read."""
_LENGTH = len("2025-03-01T10:00:00.000Z")
_SHAPE = b"0000-00-00T00:00:00.000Z"
_ZEROS = bytes(range(48)) + b"0" * 10 + bytes(range(58, 256))
"""Makes every digit a zero."""
_TEXTS, _USUAL_LENGTHS = {str}, {_LENGTH}
_BEFORE_1970 = 1970 * 12 + 1


def instants(values: Sequence[Any]) -> "Instants":
    """Return times as milliseconds since 1970, as `instant` reads them; `UNREADABLE` for what it does not read.

    Nearly all are in the archives' form, and read column by column.
    """
    import numpy as np

    if _TEXTS.issuperset(map(type, values)) and _USUAL_LENGTHS.issuperset(map(len, values)):
        found = _read(values)
    else:
        usual = [at for at, value in enumerate(values) if value.__class__ is str and len(value) == _LENGTH]
        found = np.full(len(values), UNREADABLE, np.int64)
        found[usual] = _read([values[at] for at in usual])
    for at in np.flatnonzero(found == UNREADABLE).tolist():
        seconds = instant(values[at])
        if seconds is not None:
            found[at] = round(seconds * 1000)
    return found


def _read(texts: Sequence[str]) -> "Instants":
    """Return the instants of texts of the usual length; `UNREADABLE` for those that are not in the archives' form."""
    import numpy as np

    written = "".join(texts).encode("ascii", "replace")
    if written.translate(_ZEROS) != _SHAPE * len(texts):
        rows = [text.encode("ascii", "replace") for text in texts]
        written = b"".join([row if row.translate(_ZEROS) == _SHAPE else _SHAPE for row in rows])
    digits = (np.frombuffer(written, np.uint8).reshape(-1, _LENGTH).T & 15).astype(np.int32)
    tens = digits[:-1] * 10 + digits[1:]
    month, day, hour, minute, second = tens[5], tens[8], tens[11], tens[14], tens[17]
    months = (tens[0] * 100 + tens[2]) * 12 + month - _BEFORE_1970
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    is_date = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)  # 30 February rolls over, here as in JavaScript
    is_time = (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = (days + (day - 1)) * 86_400 + (hour * 3_600 + minute * 60 + second)
    return np.where(is_date & is_time, seconds * 1_000 + (digits[20] * 100 + tens[21]), UNREADABLE)
