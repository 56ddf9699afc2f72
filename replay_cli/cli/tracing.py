"""Looks for records of people: in the texts that a checkpoint keeps, and in the archives that its job has read."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from replay_cli.archive import Source, read
from replay_cli.cli.people import Theirs
from replay_cli.errors import DamagedObjectError, FatalError
from replay_cli.ledger.erasing import RecordText
from replay_cli.ledger.store import Store
from replay_cli.ledger.whereabouts import Fate, ReadObject
from replay_cli.model import Message, RecordBatch
from replay_cli.preparation import Preparation, text_of

_LONGEST = 64
"""Characters of a message's type and time that are shown."""


class Looked(NamedTuple):
    """What looking through the archives came to.

    `through` are the numbers of the objects that were looked through whole, `not_through` says of the others why not;
    with a `failure` it is worth to look again.
    """

    through: set[int]
    not_through: dict[str, str]
    failure: FatalError | None


class Tracing:
    """Puts the records of some people on the checkpoint's list, with what became of them.

    Args:
        store: the checkpoint; its list is begun.
        theirs: tells which records are about them.
    """

    def __init__(self, store: Store, theirs: Theirs) -> None:
        self._store = store
        self._theirs = theirs
        store.begin_list()

    def letters(self, erase: Callable[[list[int]], None]) -> int:
        """Look through the dead letters; return how many are theirs.

        Args:
            erase: takes the numbers of some.
        """
        count = 0
        for block in self._store.letter_texts():
            found = [letter.id for letter in block if self._is_theirs(letter.text)]
            erase(found)
            count += len(found)
        return count

    def parked(self) -> int:
        """Look through the records whose requests are parked; return how many are theirs."""
        return sum(self._is_theirs(text) for block in self._store.parked_texts() for text in block)

    def _is_theirs(self, text: RecordText) -> bool:
        message = self._theirs.of(text.record)
        if message is None:
            return False
        self._put(text, self._store.fate(text.object_id, text.ordinal), message)
        return True

    def archives(self, source: Source, prepare: Preparation, say: Callable[[str], None]) -> Looked:
        """Look through all objects of which something was, or may have been, sent.

        Args:
            source: where they are.
            prepare: tells what is not sent of a record.
            say: is told which object it is about.
        """
        looked = Looked(set(), {}, None)
        for obj in self._store.read_objects():
            say(obj.uri)
            try:
                why_not = self._object(obj, source, prepare)
            except FatalError as error:
                looked = looked._replace(failure=looked.failure or error)
                why_not = str(error)
            if why_not:
                looked.not_through[obj.uri] = why_not
            else:
                looked.through.add(obj.id)
        return looked

    def _object(self, obj: ReadObject, source: Source, prepare: Preparation) -> str:
        """Look through an object; return why it cannot be looked through whole, "" if it was."""
        if obj.replaced:
            return "a later version took its place, and what was read of this one is gone"
        found = source.find(obj.uri)
        if found is None:
            return "it is not there any more"
        if found.etag != obj.etag:
            return "it changed since it was read"
        try:
            for batch in read(source, found):
                if batch.first >= obj.next and not obj.whole:
                    break
                self._batch(obj, batch, prepare)
        except DamagedObjectError as error:
            return "" if obj.whole else error.cause
        return ""

    def _batch(self, obj: ReadObject, batch: RecordBatch, prepare: Preparation) -> None:
        for text, message in self._theirs_in(obj, batch):
            fate = self._store.fate(obj.id, text.ordinal)
            if fate is Fate.SETTLED:
                fate = self._settled(obj, _only(batch, text.ordinal), prepare)
            self._put(text, fate, message)

    def _theirs_in(self, obj: ReadObject, batch: RecordBatch) -> Iterator[tuple[RecordText, Message]]:
        for ordinal, record in enumerate(batch.records, batch.first):
            if record == b"" or (ordinal >= obj.next and not obj.whole):
                continue
            text = text_of(record)
            message = self._theirs.of(text)
            if message is not None:
                yield RecordText(obj.id, ordinal, batch.unit, text), message

    def _settled(self, obj: ReadObject, record: RecordBatch, prepare: Preparation) -> Fate:
        """Tell of a settled record whether it was sent, as far as the job's settings say it."""
        if prepare(record).requests:
            return Fate.PERHAPS_SENT if obj.left_out else Fate.SENT
        return Fate.PERHAPS_SENT if self._store.amendments() else Fate.NOT_SENT

    def _put(self, text: RecordText, fate: Fate, message: Message) -> None:
        self._store.put_on_list(text, fate, _short(message.get("type")), _short(message.get("timestamp")))


def _only(batch: RecordBatch, ordinal: int) -> RecordBatch:
    """Return a batch of one record of a batch, at its place."""
    return batch._replace(first=ordinal, records=[batch.records[ordinal - batch.first]])


def _short(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
