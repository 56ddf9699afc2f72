"""`@template`: `{{path}}` and `{{{path}}}` in a text, without any escaping.

The runtime (npm `@segment/actions-core`, `mapping-kit/placeholders`) first replaces the triple ones, then looks for
double ones in what came out: a value put in by a triple placeholder may hold placeholders itself.
"""

from collections.abc import Iterator
from typing import Any

from replay_cli.segment.kit.paths import compile_steps, steps_of, walk
from replay_cli.segment.kit.text import BLANK, text_of
from replay_cli.segment.kit.values import LARGEST, Evaluate, MappingError, Where

_MOST_PLACEHOLDERS = 1000
"""A text that a message has put in may hold as many placeholders as it likes; so many are looked at."""


def compile_template(template: str, where: Where) -> Evaluate:
    """Make the function that renders a template; the texts between the placeholders are found once.

    Evaluating raises `MappingError` where more than `LARGEST` characters would come out.
    """
    if any(path is not None for _, path in _parts(template, 3)):
        return lambda payload: render(template, payload, where)
    pieces = [(text, None if path is None else compile_steps(steps_of(path))) for text, path in _parts(template, 2)]

    def evaluate(payload: Any) -> str:
        return "".join([text if read is None else text + text_of(read(payload)) for text, read in pieces])

    return evaluate


def render(template: str, payload: Any, where: Where) -> str:
    """Render a template that may come from a message."""
    return _replace(_replace(template, 3, payload, where), 2, payload, where)


def _replace(template: str, width: int, payload: Any, where: Where) -> str:
    size, pieces = 0, []
    for count, (text, path) in enumerate(_parts(template, width)):
        piece = text if path is None else text + text_of(walk(payload, steps_of(path)))
        size += len(piece)
        if size > LARGEST or count > _MOST_PLACEHOLDERS:
            raise MappingError("the template makes a text that is too long of this message", where)
        pieces.append(piece)
    return "".join(pieces)


def _parts(template: str, width: int) -> Iterator[tuple[str, str | None]]:
    """Part a template into texts and the paths after them; the last text has none.

    A placeholder has `width` braces either side, and anything but closing ones between. Each character is looked at
    once: a search from every `{{` would be quadratic in a hostile text.
    """
    opening, closing = "{" * width, "}" * width
    done = start = 0
    while (end := template.find("}", start)) >= 0:
        found = template.find(opening, start, end - 1) if template.startswith(closing, end) else -1
        start = end + 1
        if found >= 0:
            start = end + width
            yield template[done:found], template[found + width : end].strip(BLANK)
            done = start
    yield template[done:], None
