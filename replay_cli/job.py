"""What a job is: its sources and its destination, and the settings that may not change under it."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from replay_cli.errors import UsageError
from replay_cli.segment.selection import Selection

CHECKPOINTS = Path(".replay")
_SHOWN = 60
"""Characters of a configuration that are shown; a hash tells the rest apart."""
_LISTS = ("only_ids", "except_ids")
"""Settings that are digests of what a file lists."""
_ANOTHER_LIST = "another list"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Difference(NamedTuple):
    """A setting that is not the checkpoint's, and both values as people read them."""

    setting: str
    before: str
    after: str

    @property
    def option(self) -> str:
        """How the command line names it."""
        return f"--{self.setting.replace('_', '-')}"

    def __str__(self) -> str:
        now = "" if self.before == _ANOTHER_LIST else f" and is {self.after} here"
        return f"{self.option} was {self.before} until now in this job{now}"


def refuse(differences: Sequence[Difference]) -> NoReturn:
    """Refuse to go on with other settings than a job's.

    Raises:
        UsageError: always; the text names all of them.
    """
    one = "one" if len(differences) == 1 else "ones"
    raise UsageError(
        f"{'; '.join(map(str, differences))}: use the same again, go on with the new {one} with --amend REASON, or "
        "begin a new job with --restart"
    )


class Job(NamedTuple):
    """The identity of a job.

    `sources` are canonical locations, `endpoint` is MoEngage's base URL (or `sandbox`, the in-process one), and
    `settings` say what is sent and as what: option → value.
    """

    sources: tuple[str, ...]
    endpoint: str
    workspace_id: str
    settings: Mapping[str, Any]

    @property
    def selection(self) -> Selection:
        """What is sent of the sources."""
        return Selection.from_settings(self.settings)

    @property
    def name(self) -> str:
        """A name for people with a hash for certainty: `segment-logs-3f2a9c81`."""
        identity = "\n".join([*sorted(self.sources), self.endpoint, self.workspace_id])
        digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
        words = _NOT_IN_NAMES.sub("-", Path(min(self.sources)).name).strip("-.") or "job"
        return f"{words[:40]}-{digest}"

    def stored(self) -> dict[str, Any]:
        """Return what the checkpoint keeps of it."""
        return {
            "sources": sorted(self.sources),
            "endpoint": self.endpoint,
            "workspace_id": self.workspace_id,
            "settings": dict(self.settings),
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "Job":
        return cls(tuple(stored["sources"]), stored["endpoint"], stored["workspace_id"], stored["settings"])

    def require_same(self, stored: "Job", checkpoint: Path | str) -> None:
        """Check that a checkpoint belongs to this job.

        Raises:
            UsageError: it does not; the text names the first difference.
        """
        ours, theirs = self.stored(), stored.stored()
        for what in ("sources", "endpoint", "workspace_id"):
            if ours[what] != theirs[what]:
                raise UsageError(
                    f"{checkpoint} belongs to another job: its {what.replace('_', ' ')} "
                    f"{'are' if what == 'sources' else 'is'} {_shown(theirs[what])}, not {_shown(ours[what])}: "
                    "give this one another --name or --checkpoint"
                )

    def differences(self, stored: "Job") -> list[Difference]:
        """Return the settings that are not those of a checkpoint, by name."""
        ours, theirs = self.settings, stored.settings
        return [
            _difference(setting, theirs.get(setting), ours.get(setting))
            for setting in sorted(ours.keys() | theirs.keys())
            if theirs.get(setting) != ours.get(setting)
        ]


def _difference(setting: str, before: Any, after: Any) -> Difference:
    """Say how a setting differs; of lists, a digest says nothing to anybody."""
    if setting not in _LISTS:
        return Difference(setting, _shown(before), _shown(after))
    if before and after:
        return Difference(setting, _ANOTHER_LIST, "this list")
    return Difference(setting, *("a list" if value else _shown(value) for value in (before, after)))


def _shown(value: Any) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "empty"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value is None or value == "" else str(value)


def dead_letter_path(checkpoint: Path) -> Path:
    """Return the file beside a checkpoint for the records that were not delivered: each checkpoint has its own."""
    return checkpoint.with_name(checkpoint.name.removesuffix(".ckpt") + ".dead-letters.jsonl.gz")


def plain_dead_letter_path(checkpoint: Path) -> Path:
    """Return where that file was as long as it was not compressed: before format 6 of checkpoints."""
    return dead_letter_path(checkpoint).with_suffix("")
