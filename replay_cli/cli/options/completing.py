"""What shells are offered for arguments that may be files, and may be something else."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def offer_files(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Leave it to the shell to complete the name of a file; what is on S3 has to be written out."""
    from click.shell_completion import CompletionItem  # what other invocations do without

    return [CompletionItem(incomplete, type="file")]
