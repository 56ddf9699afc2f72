"""Does what a job file says with a command: once, or once for each of its routes, one after the other."""

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import BytesIO, TextIOWrapper
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
from click.core import ParameterSource

from replay_cli.cli.job_file import DESTINATIONS, Errand, JobFile
from replay_cli.cli.job_keys import CHECKPOINT, suggestion
from replay_cli.cli.job_routes import Route
from replay_cli.cli.live import answer, require_told
from replay_cli.cli.options.grouped import ACCEPTED, ARGUMENTS, ROUTE, GroupedOption
from replay_cli.errors import ReplayError, UsageError
from replay_cli.report.summary import EXIT_FAILED, EXIT_INCOMPLETE, EXIT_OK, EXIT_PAUSED, EXIT_SIGNALS, EXIT_USAGE
from replay_cli.report.terminal import error_console, print_json, printable

Invoke = Callable[[click.Context], Any]

_ORDER = (*EXIT_SIGNALS.values(), EXIT_FAILED, EXIT_USAGE, EXIT_PAUSED, EXIT_INCOMPLETE, EXIT_OK)
"""Exit codes: of several, the first one that is among them is that of all."""
_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
_WRITTEN = ("report", "output", "counts", "metrics_file")
"""Parameters that name files to write: each route has its own."""
_READING = ("run", "validate", "check")
"""Commands that list the sources."""


class Done(NamedTuple):
    """How a command ended for a route: its exit code, and what it printed as JSON, if that was asked for."""

    code: int
    document: Any


def invoke_job(command: click.Command, context: click.Context, invoke: Invoke) -> Any:
    """Do what a command does as its job file says.

    Args:
        command: the command.
        context: its own, with an `Errand`.
        invoke: what does it with the parameters of a context.

    Raises:
        UsageError: what is given contradicts the job file, or the routes leave a source out.
        Exit: there are routes, and all were gone; its code is that of all.
    """
    errand: Errand = context.obj
    routes = _chosen(errand.job, context.meta.get(ROUTE))
    if not routes:
        settle(context)
        return invoke(context)
    contexts = [_context_of(command, context, route) for route in routes]
    for each in contexts:
        settle(each)
    if command.name in _READING:
        from replay_cli.cli.listed_sources import require_all_taken, require_readable  # what others do without

        for each in contexts:
            require_readable(each.params)
        require_all_taken(errand.job, context.params)
    return _go(contexts, invoke, as_json=bool(context.params.get("as_json")))


def settle(context: click.Context) -> None:
    """Bring what was given beside a job file into accord with it.

    Raises:
        UsageError: that cannot be.
    """
    errand: Errand = context.obj
    given = {name for name in context.params if context.get_parameter_source(name) in _GIVEN}
    if errand.route is not None:
        _require_own(context, errand.route, given)
        _give_own_files(context.params, errand.route)
    elif "name" in given:
        _rename(context.params, errand.job)
    if given & DESTINATIONS:
        for name in (DESTINATIONS - given) & context.params.keys():
            context.params[name] = False if name == "sandbox" else None
    if "dry_run" in given and "report" not in given and context.params["dry_run"]:
        context.params["report"] = None  # it is of what is sent
    if context.command.name == "run":
        require_told(errand.job, context.params)
    answer(errand.job, context.params)


def _rename(values: dict[str, Any], job: JobFile) -> None:
    """Take a name over the job file's: its memory has that name then."""
    if CHECKPOINT in job.values:
        raise UsageError(f"{job.path} says where the job's checkpoint is: give --checkpoint instead of --name")
    values[CHECKPOINT], values["name"] = Path(job.checkpoint_named(values["name"])), None


# -- routes ---------------------------------------------------------------------------------------------------


def _chosen(job: JobFile, name: str | None) -> Sequence[Route]:
    """Return the routes to go: all, or the one that is picked."""
    if name is None:
        return job.routes
    if not job.routes:
        raise UsageError(f"--route {name}: {job.path} has no routes: leave it out")
    found = [route for route in job.routes if route.name == name]
    if not found:
        names = [route.name for route in job.routes]
        raise UsageError(f"--route {name}: {job.path} has no such route{suggestion(name, names)}")
    return found


def _context_of(command: click.Command, base: click.Context, route: Route) -> click.Context:
    """Read the command line once more, as for a job of the route's own."""
    job = base.obj.job
    return command.make_context(
        base.info_name,
        list(base.meta[ARGUMENTS]),
        parent=base.parent,
        obj=Errand(job, route),
        default_map=job.defaults(command, route),
    )


def _require_own(context: click.Context, route: Route, given: set[str]) -> None:
    """Refuse what would make the same of all routes, where each has something of its own."""
    for name in ("source_id", CHECKPOINT, "name"):
        if name in given:
            what = "sources" if name == "source_id" else "a checkpoint"
            raise UsageError(f"{_named(context, name)}: each route of the job file has {what} of its own: leave it out")
    own = {key.replace("-", "_") for key, value in route.values.items() if value is not False}
    if own & DESTINATIONS:
        own |= DESTINATIONS  # any of them would take the place of the route's
    for name in sorted(own & context.params.keys()):
        if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            raise UsageError(
                f"{_named(context, name)} is in the environment, and route {route.name} has one of its own: leave one "
                "of them out"
            )


def _named(context: click.Context, name: str) -> str:
    parameter = next(each for each in context.command.params if each.name == name)
    return f"--{parameter.long_name}" if isinstance(parameter, GroupedOption) else name.upper()


def _give_own_files(values: dict[str, Any], route: Route) -> None:
    for name in _WRITTEN:
        if isinstance(path := values.get(name), Path):
            values[name] = path.with_name(f"{path.stem}.{route.name}{path.suffix}")


def _go(contexts: Sequence[click.Context], invoke: Invoke, *, as_json: bool) -> NoReturn:
    """Let one route after the other go: a signal ends all of them, a failure only its own."""
    if len(contexts) > 1 and contexts[0].params.get("watch") is not None:
        raise UsageError("--watch shows one job: pick one with --route")
    done, console = dict[str, Done](), error_console()
    for context in contexts:
        route: Route = context.obj.route
        console.print(printable(f"route {route.name}: {', '.join(route.sources)}"), highlight=False, markup=False)
        done[route.name] = _one(context, invoke, as_json=as_json)
        if done[route.name].code in EXIT_SIGNALS.values():
            break
    if as_json:
        print_json({"routes": {name: each.document for name, each in done.items()}})
    accepted = contexts[0].meta.get(ACCEPTED, ())  # of each route: the pause of one must not hide what another one says
    codes = {EXIT_OK if each.code in accepted else each.code for each in done.values()}
    raise click.exceptions.Exit(next((code for code in _ORDER if code in codes), EXIT_FAILED))


def _one(context: click.Context, invoke: Invoke, *, as_json: bool) -> Done:
    if not as_json:
        return Done(_end(context, invoke)[0], None)
    printed = BytesIO()
    with redirect_stdout(TextIOWrapper(printed, encoding="utf-8", write_through=True)) as stream:
        code, problem = _end(context, invoke)
        stream.detach()
    try:
        return Done(code, loads(printed.getvalue()))
    except JSONDecodeError:
        return Done(code, {"error": problem, "exit_code": code})


def _end(context: click.Context, invoke: Invoke) -> tuple[int, str]:
    """Return the exit code of a route's own invocation, and what went wrong."""
    try:
        with context:
            invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code, ""
    except ReplayError as error:
        code, problem = error.exit_code, str(error)
    except click.ClickException as error:
        code, problem = error.exit_code, error.format_message()
    else:
        return EXIT_OK, ""
    click.echo(f"Error: route {context.obj.route.name}: {printable(problem)}", err=True)
    return code, problem
