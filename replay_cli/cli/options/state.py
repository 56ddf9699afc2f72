"""Where a job's memory is: a file, or an object on S3; and how the latter is kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import click

from replay_cli.cli.options.completing import offer_files
from replay_cli.cli.options.grouped import MEMORY, option, together
from replay_cli.cli.options.types import Duration
from replay_cli.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from replay_cli.remote.place import Place

_REMOTE = "s3://"


class Location(click.ParamType["Path | Place"]):
    """A checkpoint: the path of a file, or `s3://bucket/key`."""

    name = "path"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Union[Path, "Place"]:  # a name in quotes takes no `|`
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return] # it was converted before
        if not value.startswith(_REMOTE):
            return Path(value)
        from replay_cli.remote.place import place_of

        try:
            return place_of(value)
        except UsageError as error:
            return self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        return offer_files(ctx, param, incomplete)


CHECKPOINT = Location()

reach_options = together(
    reach := [
        option(
            MEMORY,
            "--state-endpoint-url",
            metavar="URL",
            help="Another S3 service for the checkpoint than for the sources.",
        ),
        option(MEMORY, "--state-profile", metavar="NAME", help="Another AWS profile for the checkpoint."),
    ]
)

state_options = together(
    [
        option(
            MEMORY,
            "--push-every",
            type=Duration(),
            default="30s",
            show_default=True,
            help="With a checkpoint on S3: how often it is stored there during a run.",
        ),
        *reach,
        option(
            MEMORY,
            "--lease",
            type=Duration(),
            default="30s",
            show_default=True,
            help="With a checkpoint on S3: for how long it is a run's own unless it renews that; then others may take "
            "over.",
        ),
    ]
)
