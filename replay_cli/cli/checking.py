"""What `replay check` tries, and how it tells."""

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from replay_cli.archive import S3Options, Source, open_source, read
from replay_cli.cli.destination import Destination, api_key, choose
from replay_cli.cli.selecting import s3_options, selection_from
from replay_cli.delivery.transport import Transport
from replay_cli.errors import ReplayError
from replay_cli.model import ArchiveObject, Request
from replay_cli.moengage.actions import segment_path
from replay_cli.moengage.replies import Reply
from replay_cli.report.terminal import count, printable, size
from replay_cli.segment.selection import Selection

_MEANINGS = {
    401: "the workspace id or the API key is wrong",
    403: "the workspace is suspended or blocked, or this address is not allowed",
    409: "the workspace id and the API key do not belong together",
    429: "the workspace is over its rate just now; try again",
}


def check(sources: Sequence[str], values: dict[str, Any]) -> NoReturn:
    """Try everything, say how each went, and exit 0 if all of it works, else 1."""
    destination = choose(values["region"], values["endpoint"], values["sandbox"], values["workspace_id"])
    selection, s3 = selection_from(values), s3_options(values)
    for line in selection.explain():
        click.echo(f"        {line}")
    works = [_check_source(location, selection, s3) for location in sources]
    works.append(_check_key(destination, values))
    raise click.exceptions.Exit(0 if all(works) else 1)


def _check_source(location: str, selection: Selection, s3: S3Options) -> bool:
    """List a location, then read the beginning and the end of its first object: with S3, three permissions."""
    source = open_source([location], selection, s3)
    try:
        objects = [obj for page in source.pages() for obj in page]
    except ReplayError as error:
        return _tell("list", False, str(error))
    total = sum(obj.size for obj in objects)
    found = f"{count(len(objects), 'object')}, {size(total)}, {count(source.ignored, 'name')} ignored"
    _tell("list", True, f"{location}: {found}")
    return not objects or (_check_beginning(source, objects[0]) and _check_range(source, objects[0]))


def _check_beginning(source: Source, obj: ArchiveObject) -> bool:
    try:
        batch = next(read(source, obj), None)
    except ReplayError as error:
        return _tell("get", False, str(error))
    first = f"its first batch has {len(batch.records):,} {batch.unit}s" if batch else "it is empty"
    return _tell("get", True, f"{obj.uri}: {first}")


def _check_range(source: Source, obj: ArchiveObject) -> bool:
    """Read the last byte alone: what is cut off is fetched so, and Parquet is read so."""
    if not obj.size:
        return True
    try:
        with source.open(obj) as file:
            file.seek(obj.size - 1)
            came = len(file.read(1))
    except ReplayError as error:
        return _tell("range", False, str(error))
    return _tell("range", came == 1, f"{obj.uri}: {'its last byte can be read alone' if came else 'nothing came'}")


def _check_key(destination: Destination, values: dict[str, Any]) -> bool:
    try:
        key = api_key(destination, values["api_key_file"])
    except ReplayError as error:
        return _tell("key", False, str(error))
    return asyncio.run(_check_credentials(destination, key, values["ca_file"]))


async def _check_credentials(destination: Destination, key: str, ca_file: Any) -> bool:
    if destination.is_sandbox:
        from replay_cli.sandbox import Sandbox

        async with Sandbox(workspace_id=destination.workspace_id, api_key=key) as sandbox:
            reply = await _ask(sandbox.url, destination.workspace_id, key, ca_file)
    else:
        reply = await _ask(destination.endpoint, destination.workspace_id, key, ca_file)
    name = f"workspace {destination.workspace_id} at {destination.endpoint}: "
    if reply.failure is not None:
        return _tell("key", False, name + reply.cause)
    if 200 <= reply.status < 300:
        return _tell("key", True, name + ("not tried" if destination.is_sandbox else "the credentials are good"))
    meaning = _MEANINGS.get(reply.status, "not what the check should answer")
    return _tell("key", False, f"{name}HTTP {reply.status}: {meaning}")


async def _ask(endpoint: str, workspace_id: str, key: str, ca_file: Any) -> Reply:
    request = Request((), 0, "GET", segment_path(workspace_id, "/auth"), b"", (), ())
    async with Transport(endpoint, workspace_id, key, concurrency=1, ca_file=ca_file) as transport:
        return await transport.attempt(request, _at_once)


async def _at_once() -> None:
    """Let the attempt leave: the check is one request."""


def _tell(what: str, works: bool, how: str) -> bool:
    verdict = click.style("ok    ", fg="green") if works else click.style("FAILED", fg="red")
    click.echo(f"{verdict}  {what:<5}  {printable(how)}")
    return works
