"""The options `--only-ids`, `--except-ids` and `--suppress`: their files, read, and what is remembered of them.

The lists of message ids belong to the job: the digest of what they hold is one of its settings, so that another list
is refused by name, and the same one may lie elsewhere. The list of suppressed people may change freely. Where the
files are is remembered with the pace of a run, so that `resume` and `redrive` read them again.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from replay_cli.cli.list_file import MESSAGE_IDS, PEOPLE, ListFile
from replay_cli.errors import UsageError
from replay_cli.report.terminal import count
from replay_cli.segment.ids import IdSet, Number
from replay_cli.segment.lists import SUPPRESSED, SUPPRESSED_BY_EMAIL, Lists, person

ONLY_IDS, EXCEPT_IDS, SUPPRESS = "only_ids", "except_ids", "suppress"
"""How click, the job's settings and a run's pace name the options."""

_DIGEST_BYTES = 16
_STAYS = "what was left out stays so, and whom this one does not list gets all the rest"


class MessageIds(NamedTuple):
    """A list of message ids; `digest` is that of the ids in their order, whatever the file looks like."""

    path: Path
    digest: str
    ids: IdSet


class People(NamedTuple):
    """The suppressed people of all files; of `addresses` of the entries an e-mail address is all that is known."""

    paths: tuple[Path, ...] = ()
    addresses: int = 0
    ids: IdSet | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The lists of one invocation."""

    only: MessageIds | None = None
    except_: MessageIds | None = None
    people: People = field(default_factory=lambda: People())

    @property
    def lists(self) -> Lists:
        """What they mean for a message."""
        return Lists(
            None if self.only is None else self.only.ids,
            None if self.except_ is None else self.except_.ids,
            self.people.ids,
        )

    def settings(self) -> dict[str, Any]:
        """Return what belongs to the job's settings: by option, what is set."""
        return {name: ids.digest for name, ids in self._by_option().items()}

    def pace(self) -> dict[str, Any]:
        """Return what a run remembers besides: where the files are."""
        files = {name: str(ids.path) for name, ids in self._by_option().items()}
        return {**files, SUPPRESS: [str(path) for path in self.people.paths]}

    def explain(self) -> list[str]:
        """Say what was understood, in lines for people."""
        lines = []
        if self.only is not None:
            lines.append(f"only the {count(len(self.only.ids), 'message id')} listed in {self.only.path}")
        if self.except_ is not None:
            lines.append(f"without the {count(len(self.except_.ids), 'message id')} listed in {self.except_.path}")
        if self.people.ids is not None:
            lines += _explain(self.people, len(self.people.ids))
        return lines

    def _by_option(self) -> dict[str, MessageIds]:
        both = {ONLY_IDS: self.only, EXCEPT_IDS: self.except_}
        return {name: ids for name, ids in both.items() if ids is not None}


def listing_from(values: Mapping[str, Any], number: Number = hash) -> Listing:
    """Read the files that the values of `list_options` name; where a command has not all of them, the others.

    Args:
        values: click's, by option.
        number: what the sets of ids hash with: `ids.portable` where they go to other processes.

    Raises:
        UsageError: a file cannot be read or understood, or --only-ids names an empty one.
    """
    only, except_ = values.get(ONLY_IDS), values.get(EXCEPT_IDS)
    listing = Listing(
        None if only is None else _message_ids("--only-ids", Path(only), number),
        None if except_ is None else _message_ids("--except-ids", Path(except_), number),
        _people([Path(path) for path in values.get(SUPPRESS) or ()], number),
    )
    if listing.only is not None and not len(listing.only.ids):
        raise UsageError(f"--only-ids {only}: is empty, so nothing could be meant: list at least one message id")
    return listing


def read_again(settings: Mapping[str, Any], pace: Mapping[str, Any], suppress: Sequence[Path] = ()) -> Listing:
    """Read the files of an earlier run.

    Args:
        settings: the job's, from its checkpoint.
        pace: that run's, from the checkpoint.
        suppress: the files to use instead of that run's.

    Raises:
        UsageError: a file is not there any more, or is another list of message ids.
    """
    for name in (ONLY_IDS, EXCEPT_IDS):
        if settings.get(name) is not None and pace.get(name) is None:
            raise UsageError(f"the checkpoint does not say where the {_option(name)} file is: use `replay run` again")
    _require_there({**pace, SUPPRESS: ()} if suppress else pace)
    listing = listing_from({**pace, SUPPRESS: suppress or pace.get(SUPPRESS)})
    _require_same(settings, listing.settings(), pace)
    return listing


def _require_there(pace: Mapping[str, Any]) -> None:
    """Say how to go on where a file of an earlier run is gone: it may have been moved."""
    for name in (ONLY_IDS, EXCEPT_IDS):
        path = pace.get(name)
        if path is not None and not Path(path).exists():
            raise UsageError(
                f"{_option(name)} {path}: there is no such file any more. Put it back, or run the `replay run …` "
                f"command of this job again with {_option(name)} and the file's new place: "
                "a moved file is no difference"
            )
    for path in pace.get(SUPPRESS) or ():
        if not Path(path).exists():
            raise UsageError(
                f"--suppress {path}: there is no such file any more. An earlier run of this job used it, so put it "
                "back, or give --suppress with its new place"
            )


def _require_same(settings: Mapping[str, Any], now: Mapping[str, Any], pace: Mapping[str, Any]) -> None:
    for name in (ONLY_IDS, EXCEPT_IDS):
        if settings.get(name) != now.get(name):
            raise UsageError(
                f"{_option(name)} {pace.get(name)}: is not the same list as when the job began (the same ids in the "
                "same order): put the old one back, or go on with this one with `replay run … --amend REASON`"
            )


def no_longer_suppressed(
    pace: Mapping[str, Any], book: Mapping[str, Mapping[str, int]], listing: Listing
) -> str | None:
    """Return the warning that people of earlier runs are not suppressed any more; None when all seem to be.

    Args:
        pace: the pace of the last run, from the checkpoint.
        book: outcome → reason → records, from the checkpoint.
        listing: the lists of this run.

    Raises:
        UsageError: an earlier run suppressed people, and this one has no list at all. An empty one is a choice.
    """
    before, now = pace.get(SUPPRESS) or (), {str(path) for path in listing.people.paths}
    left = [path for path in before if path not in now]
    if not now and (before or _has_suppressed(book)):
        files = f"had --suppress {', '.join(before)}" if before else "left out people with --suppress"
        raise UsageError(
            f"an earlier run of this job {files}, and this one has no such list: give --suppress FILE again; or, to "
            "send to everybody from now on, an empty list"
        )
    if left:
        return f"warning: an earlier run of this job had --suppress {', '.join(left)}, and this one has not: {_STAYS}"
    return None


def _has_suppressed(book: Mapping[str, Mapping[str, int]]) -> bool:
    skipped = book.get("skipped", {})
    return any(skipped.get(reason) for reason in (SUPPRESSED, SUPPRESSED_BY_EMAIL))


def _explain(people: People, members: int) -> list[str]:
    files = ", ".join(map(str, people.paths))
    if not members:
        return [f"--suppress {files}: is empty, so it leaves nobody out"]
    lines = [f"without the people listed in {files}: {members:,} ids and addresses"]
    if people.addresses:
        lines.append(
            f"warning: {people.addresses:,} of the entries are e-mail addresses: they leave out the messages that "
            "carry them; other messages of the same people go out unless their user ids are listed"
        )
    return lines


def _message_ids(option: str, path: Path, number: Number) -> MessageIds:
    file, hash_ = ListFile(option, path, MESSAGE_IDS), hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def blocks() -> Iterator[list[str]]:
        for entries in file.entries():
            if entries.ids:
                hash_.update(b"\n".join([entry.encode() for entry in entries.ids]) + b"\n")
            yield entries.ids

    ids = IdSet(chain.from_iterable(blocks()), number)
    return MessageIds(file.path, f"blake2b:{hash_.hexdigest()}", ids)


def _people(paths: Sequence[Path], number: Number) -> People:
    if not paths:
        return People()
    files = [ListFile("--suppress", path, PEOPLE) for path in paths]
    addresses = 0

    def blocks() -> Iterator[list[str]]:
        nonlocal addresses
        for entries in chain.from_iterable(file.entries() for file in files):
            if "@" not in "".join(entries.ids):  # millions of user ids are as they are
                yield entries.ids
                continue
            addresses += sum("@" in entry for entry in entries.alone)
            yield [person(entry) for entry in entries.ids]

    ids = IdSet(chain.from_iterable(blocks()), number)
    return People(tuple(file.path for file in files), addresses, ids)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
