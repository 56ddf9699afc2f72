"""Records to look at: some of each kind, with their place and the beginning of their text (pure)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from replay_cli.model import RecordBatch
from replay_cli.preparation import text_of
from replay_cli.profiling.texts import legible, valid
from replay_cli.segment.message import masked

MOST_EXAMPLES = 3
"""Records of one kind that are kept."""
_MOST_KINDS = 100
_MOST_DETAIL, _MOST_EXCERPT = 300, 300
"""Characters."""


class Excerpt(NamedTuple):
    """A record to look at; `unit` and `ordinal` tell its place in the object, secrets are masked."""

    uri: str
    unit: str
    ordinal: int
    detail: str
    text: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON values, the place as people count."""
        return {"uri": self.uri, self.unit: self.ordinal + 1, "detail": self.detail, "excerpt": self.text}


class Excerpts:
    """The first records of every kind, and the first ones of the first objects that have any."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Excerpt]] = {}

    def wants(self, kind: str, uri: str) -> bool:
        """Tell whether there are too few of a kind, or too few objects among them."""
        found = self._by_kind.get(kind)
        if found is None:
            return len(self._by_kind) < _MOST_KINDS
        if len(found) < MOST_EXAMPLES:
            return True
        uris = {excerpt.uri for excerpt in found}
        return len(uris) < MOST_EXAMPLES and uri not in uris

    def add(self, kind: str, batch: RecordBatch, ordinal: int, detail: str) -> None:
        """Keep a record of a batch if it is wanted."""
        if self.wants(kind, valid(batch.object.uri)):
            self._by_kind.setdefault(kind, []).append(_excerpt(batch, ordinal, detail))

    def merge(self, other: "Excerpts") -> None:
        """Take those of another one that are wanted, of records behind these."""
        for kind, excerpts in other._by_kind.items():
            for excerpt in excerpts:
                if self.wants(kind, excerpt.uri):
                    self._by_kind.setdefault(kind, []).append(excerpt)

    def document(self) -> dict[str, list[dict[str, Any]]]:
        """Return some of each kind as JSON values, of different objects as far as there are."""
        return {
            kind: [excerpt.document() for excerpt in _chosen(self._by_kind[kind])] for kind in sorted(self._by_kind)
        }


def _chosen(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    firsts = {excerpt.uri: excerpt for excerpt in reversed(excerpts)}.values()
    others = [excerpt for excerpt in excerpts if excerpt not in firsts]
    chosen = [*firsts, *others[: MOST_EXAMPLES - len(firsts)]]
    return [excerpt for excerpt in excerpts if excerpt in chosen]


def _excerpt(batch: RecordBatch, ordinal: int, detail: str) -> Excerpt:
    text = masked(text_of(batch.records[ordinal - batch.first])).decode(errors="replace")
    told = masked(valid(detail).encode()).decode(errors="replace")
    return Excerpt(
        valid(batch.object.uri), str(batch.unit), ordinal, legible(told, _MOST_DETAIL), legible(text, _MOST_EXCERPT)
    )
