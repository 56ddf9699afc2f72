"""Reading, step by step: which object comes next, its batches, and what happened to it meanwhile.

The conductor lets `Reading.steps` and `Reading.page` run in threads and takes what they give; where they ask, it
answers.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from replay_cli.archive import Source, read
from replay_cli.errors import ChangedObjectError, DamagedObjectError, FatalError
from replay_cli.ledger.objects import Listed
from replay_cli.model import ArchiveObject
from replay_cli.preparation import Prepared
from replay_cli.segment.layout import sort_text
from replay_cli.settlement import Work
from replay_cli.workshop import Preparing

_EXPECTED = 4
"""How many objects after the current one are told to the source."""
_MOST_CHANGES = 5
"""An object that changes more often while nothing of it is read is not archived, but in use."""


class Begin(NamedTuple):
    """An object is going to be read."""

    work: Work


class Next(NamedTuple):
    """A batch, and what its records are known by."""

    prepared: Prepared
    hashes: dict[int, bytes]


class End(NamedTuple):
    """An object was read to its end, or to its damage."""

    work: Work
    damage: str | None


class Changed(NamedTuple):
    """An object changed before anything of it was read, or is gone (None). The answer is its work now, or nothing."""

    work: Work
    found: ArchiveObject | None


class Want(NamedTuple):
    """All is read that was known. The answer is what to read next, or nothing if there is nothing more."""


Step = Begin | Next | End | Changed | Want
Answer = Sequence[Work] | None
"""To the steps that ask; None to the others."""


class Reading:
    """Lists and reads for one run.

    Args:
        source: where the objects are.
        pages: what is left of its listing.
        prepare_all: batches → what they become, in their order.
    """

    def __init__(self, source: Source, pages: Iterator[Sequence[ArchiveObject]], prepare_all: Preparing) -> None:
        self._source = source
        self._pages = pages
        self._prepare_all = prepare_all

    @property
    def ignored(self) -> int:
        """How many names the listing has left alone."""
        return self._source.ignored

    def page(self) -> list[Listed] | None:
        """Return the next page of the listing; None at its end."""
        page = next(self._pages, None)
        return None if page is None else listed(page)

    def steps(self, work: Sequence[Work]) -> Generator[Step, Answer, None]:
        """Read everything, beginning with this work."""
        while True:
            objects = [each.object for each in work]
            for index, each in enumerate(work, start=1):
                self._source.expect(objects[index : index + _EXPECTED])
                yield from self._object(each)
            more = yield Want()
            if not more:
                return
            work = more

    def _object(self, work: Work) -> Generator[Step, Answer, None]:
        for _ in range(_MOST_CHANGES):
            yield Begin(work)
            if not (yield from self._batches(work)):
                return
            now = yield Changed(work, self._source.find(work.object.uri))
            if not now:
                return
            (work,) = now
        raise FatalError(f"{work.object.uri} keeps changing: run the same command again when it is at rest")

    def _batches(self, work: Work) -> Generator[Step, Answer, bool]:
        """Give an object's batches and its end; return whether it changed before anything of it was read."""
        untouched, damage = not (work.watermark or work.batches), None
        try:
            edges = [edge for batch in work.batches.values() for edge in (batch.first, batch.next)]
            for prepared, hashes in self._prepare_all(read(self._source, work.object, work.watermark, edges)):
                untouched = False
                yield Next(prepared, hashes)
        except DamagedObjectError as error:
            damage = error.cause
        except ChangedObjectError as error:
            if untouched:
                return True
            raise FatalError(
                f"{error.uri} {error.how} while it was read, and a part of it may be sent: "
                "if another version is there, --changed continue goes on with it, by the message ids already sent; "
                "or put the old one back, and run the same command again"
            ) from None
        yield End(work, damage)
        return False


def listed(page: Sequence[ArchiveObject]) -> list[Listed]:
    """Say of the objects of a page in which order they are read."""
    return [Listed(obj, sort_text(obj.uri)) for obj in page]
