"""Names in snake_case, as Segment's classic destinations write them.

Segment's own algorithm is not published. This one knows acronyms: `orderId` → `order_id`, `HTMLPage` → `html_page`,
`userID` → `user_id`. White space and hyphens become underscores too, a run of them one; digits stay with the word
before them (`address2Line` → `address2_line`); all other signs stay, dots and underscores at either end among them.
"""

import re
from itertools import pairwise

# On the kinds of letters (U upper, l any other, d digit): before an upper one that ends a word, and before the last
# one of a row of upper ones that begins a word.
_WORDS = re.compile("(?<=[ld])(?=U)|(?<=U)(?=Ul)")
_GAPS = re.compile(r"[\s-]+")


def snake_case(name: str) -> str:
    """Return a name in snake_case; done twice it is the same."""
    kinds = "".join(map(_kind, name))
    starts = [0, *(found.start() for found in _WORDS.finditer(kinds)), len(name)]
    words = [name[start:end] for start, end in pairwise(starts)]
    return _GAPS.sub("_", "_".join(words).lower())


def _kind(letter: str) -> str:
    # What has no small form is not upper here: it would still be there after this, and then begin a word.
    if letter.lower() != letter:
        return "U"
    if letter.isalpha():
        return "l"
    return "d" if letter.isdigit() else " "
