"""The options that commands share, in the groups in which `--help` shows them."""

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from replay_cli.policy import DEFAULT_BEFORE_SUCCESS, DeadLetterLimit
from replay_cli.segment.duplicates import LARGEST

F = TypeVar("F", bound=Callable[..., Any])

MAX_RATE = 1_000_000.0
REGIONS = tuple(f"DC_{n:02}" for n in range(1, 6))
TYPES = ("track", "identify", "page", "screen", "group", "alias")


class GroupedOption(click.Option):
    """An option that knows its group in `--help`."""

    def __init__(self, *arguments: Any, group: str = "Options", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.group = group

    @property
    def variable(self) -> str:
        """How the environment names it, behind the command's prefix: as the command line does (`--from`: `FROM`)."""
        return max(self.opts, key=len).lstrip("-").replace("-", "_").upper()

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the environment says, by the names of AWS and MoEngage first."""
        told = click.Parameter.resolve_envvar_value(self, ctx)
        if told is None and self.allow_from_autoenv and ctx.auto_envvar_prefix is not None:
            told = os.environ.get(f"{ctx.auto_envvar_prefix}_{self.variable}")
        return told or None


class GroupedCommand(click.Command):
    """A command whose `--help` shows its options by group, and examples at the end."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse variables of this command that it does not know: a misspelt one would be silently without effect."""
        prefix = f"{ctx.auto_envvar_prefix}_" if ctx.auto_envvar_prefix else ""
        known = {
            f"{prefix}{parameter.variable}"
            for parameter in self.get_params(ctx)
            if isinstance(parameter, GroupedOption) and parameter.allow_from_autoenv
        }
        for name in sorted(os.environ):
            if prefix and name.startswith(prefix) and name not in known:
                raise click.UsageError(f"{name} in the environment is no option of `{ctx.command_path}`", ctx)
        self._refuse_repetitions(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_repetitions(self, ctx: click.Context, args: list[str]) -> None:
        """Refuse what says what is sent, and as what, if it takes one value and is given two: one would be lost.

        Of the others the last one counts, as everywhere: scripts add to a command to override what is in it.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in given:
            if not isinstance(parameter, GroupedOption) or parameter.multiple or parameter.is_flag:
                continue
            if parameter.group in (WHAT, AS_WHAT) and given.count(parameter) > 1:
                raise click.UsageError(f"{max(parameter.opts, key=len)} is given twice, and takes one value", ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(row)
        for name, rows in groups.items():
            with formatter.section(name):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class Duration(click.ParamType[float]):
    """A length of time: `90`, `20s`, `15m`, `4h`, `2d`; seconds where no unit is given."""

    name = "duration"
    _UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # noqa: RUF012 # a constant of click's own kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        number, unit = (text[:-1], text[-1]) if text[-1:] in self._UNITS else (text, "s")
        try:
            seconds = float(number) * self._UNITS[unit]
        except ValueError:
            seconds = float("nan")
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is not a duration: use for example 90s, 15m, 4h or 2d", param, ctx)
        return seconds


class Instant(click.ParamType[datetime]):
    """An instant, given as aware and in UTC: `2025-03-01`, `2025-03-01T10:00`, with seconds, with an offset or `Z`.

    Without an offset it is UTC. A space will do for the T, and Segment's folder names (a Unix time in milliseconds)
    can be used as they are.
    """

    name = "time"
    _FORM = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
    _MILLISECONDS = re.compile(r"[0-9]{12,13}")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip().upper()
        try:
            if self._MILLISECONDS.fullmatch(text):
                seconds, milliseconds = divmod(int(text), 1000)
                return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
            if self._FORM.fullmatch(text):
                moment = datetime.fromisoformat(text)
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
        return self.fail(
            f"{value!r} is not a time: use for example 2025-03-01, 2025-03-01T10:00Z, 2025-03-01T10:00:00+02:00, or a "
            "folder name of Segment's (1740787200000); without an offset it is UTC",
            param,
            ctx,
        )


class Line(click.types.StringParamType):
    """A text that may have spaces in it: where the environment gives several, each has a line of its own."""

    envvar_list_splitter = "\n"


class Rate(click.ParamType[float]):
    """Attempts a second: a number more than 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            rate = float(value)
        except ValueError:
            rate = float("nan")
        if not 0 < rate <= MAX_RATE:
            self.fail(f"{value!r} is not a rate: use a number of attempts a second, for example 250", param, ctx)
        return rate


class MessageCount(click.ParamType[int]):
    """A number of messages: `1000000`, `500k`, `10M`."""

    name = "n"
    _UNITS = {"k": 1_000, "m": 1_000_000}  # noqa: RUF012 # a constant of click's own kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip().lower().replace("_", "").replace(",", "")
        number, unit = (text[:-1], self._UNITS[text[-1]]) if text[-1:] in self._UNITS else (text, 1)
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:12]) * unit <= LARGEST:
            self.fail(
                f"{value!r} is no number of messages up to {LARGEST:,}: use for example 500k or 10M",
                param,
                ctx,
            )
        return int(number) * unit


class MostDeadLetters(click.ParamType[DeadLetterLimit]):
    """A number of dead letters, or a share of the records settled: `100`, `0`, `2%`."""

    name = "n|p%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DeadLetterLimit:
        if isinstance(value, DeadLetterLimit):
            return value
        text = str(value).strip()
        try:
            if text.endswith("%") and 0 <= (share := float(text[:-1])) <= 100:
                return DeadLetterLimit(share=share / 100)
            if text.isascii() and text.isdigit():
                return DeadLetterLimit(most=int(text))
        except ValueError:
            pass
        return self.fail(f"{value!r} is neither a number nor a share: use for example 500 or 2%", param, ctx)


def option(group: str, *declarations: str, **keywords: Any) -> Callable[[F], F]:
    """Make an option of a group."""
    return click.option(*declarations, cls=GroupedOption, group=group, **keywords)


def _all(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for decorator in reversed(options):
            function = decorator(function)
        return function

    return decorate


PATH = click.Path(path_type=Path)

WHAT = "What"
FROM_S3 = "Where from (S3)"
WHERE = "Where it goes (exactly one)"
AS_WHAT = "As what it goes"
DELIVERY = "Delivery"
MEMORY = "Memory"
OUTPUT = "Output"
CREDENTIALS = "Credentials"

selection_options = _all(
    [
        option(
            WHAT,
            "--received-from",
            type=Instant(),
            help="Received by Segment from then on (included). Cuts exactly: between two jobs, and with live traffic.",
        ),
        option(WHAT, "--received-until", type=Instant(), help="Received before then (excluded)."),
        option(
            WHAT,
            "--from",
            "event_from",
            type=Instant(),
            help="Happened from then on (included), by the message's timestamp.",
        ),
        option(WHAT, "--until", "event_until", type=Instant(), help="Happened before then (excluded)."),
        option(
            WHAT,
            "--late",
            type=Duration(),
            default="7d",
            show_default=True,
            help="How long after --until events are still looked for in what was received.",
        ),
        option(
            WHAT,
            "--source-id",
            multiple=True,
            metavar="ID",
            help="Only from this Segment source, by the archive's folders; can be given several times.",
        ),
        option(
            WHAT,
            "--windows",
            type=PATH,
            metavar="FILE",
            help="Only known failures: what lies in a line of a CSV with the columns received_from, received_until, "
            "source_id, event; an empty source_id or event is any.",
        ),
        option(
            WHAT,
            "--type",
            multiple=True,
            type=click.Choice(TYPES),
            help="Only messages of this type; can be given several times.",
        ),
        option(
            WHAT,
            "--identify",
            type=click.Choice(["all", "none"]),
            default="all",
            show_default=True,
            help="none: no identifies, which overwrite newer traits with those of their time.",
        ),
        option(
            WHAT,
            "--event",
            multiple=True,
            type=Line(),
            metavar="NAME",
            help="Only this event, exactly, or by a pattern: Order*, also with ? and [a-z]; \\* is the sign itself. "
            "Can be given several times. What has no event (identifies) is left out too.",
        ),
        option(
            WHAT,
            "--user-id",
            multiple=True,
            type=Line(),
            metavar="ID",
            help="Only messages with this user id; can be given several times.",
        ),
        option(
            WHAT,
            "--where",
            metavar="FQL",
            help="Only messages that this is true of, in the language of destination filters: "
            "\"type = 'track' and properties.total > 100\".",
        ),
        option(
            WHAT,
            "--sample",
            metavar="A-B%",
            help="Only a part of the users: 0-1%, and 1-100% for exactly the rest. By user id, else anonymous id: what "
            "a user did before being identified may fall elsewhere.",
        ),
        option(
            WHAT,
            "--require-consent",
            multiple=True,
            type=Line(),
            metavar="CATEGORY",
            help="Only with consent to this category, where the message says what was consented to; given several "
            "times, to all. Which categories there are, the archive alone knows: a misspelt one leaves all these out.",
        ),
        option(
            WHAT,
            "--exclude-device-mode",
            is_flag=True,
            help="Nothing from the libraries for iOS, Android, React Native and the web: it may have reached MoEngage "
            "by its own SDK.",
        ),
        option(
            WHAT,
            "--exclude-integrations",
            is_flag=True,
            help="Nothing that turned MoEngage off by its own integrations; by default these are ignored, as in "
            "Segment's Replay.",
        ),
    ]
)

suppress_option = option(
    WHAT,
    "--suppress",
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="Nothing of these people: user ids, e-mail addresses and anonymous ids, one a line or a CSV with columns "
    "user_id, email, anonymous_id; .gz too. Read at each start; can be given several times.",
)

list_options = _all(
    [
        option(
            WHAT,
            "--only-ids",
            type=PATH,
            metavar="FILE",
            help="Only messages whose message ids are listed: one a line, or a CSV with a column message_id; .gz too.",
        ),
        option(WHAT, "--except-ids", type=PATH, metavar="FILE", help="No messages whose message ids are listed."),
        suppress_option,
    ]
)

s3_options = _all(
    [
        option(
            FROM_S3, "--aws-profile", metavar="NAME", help="Profile of the AWS configuration; else AWS's own rules."
        ),
        option(
            FROM_S3,
            "--s3-endpoint-url",
            metavar="URL",
            envvar=["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
            help="Another S3 service, for example MinIO's.",
        ),
        option(FROM_S3, "--s3-region", metavar="NAME", help="The buckets' region, where AWS's rules do not tell it."),
        option(FROM_S3, "--s3-requester-pays", is_flag=True, help="Pay for requests to requester-pays buckets."),
        option(
            FROM_S3,
            "--s3-addressing",
            type=click.Choice(["auto", "path", "virtual"]),
            default="auto",
            show_default=True,
            help="The bucket in the path or in the host name of URLs.",
        ),
    ]
)

destination_options = _all(
    [
        option(WHERE, "--region", type=click.Choice(REGIONS), help="MoEngage's data centre of your workspace."),
        option(WHERE, "--endpoint", metavar="URL", help="Another base URL; plain HTTP only on this machine."),
        option(WHERE, "--sandbox", is_flag=True, help="A local MoEngage inside this process: nothing leaves."),
        option(
            CREDENTIALS,
            "--workspace-id",
            envvar="MOENGAGE_WORKSPACE_ID",
            show_envvar=True,
            help="The workspace (app) id.",
        ),
        *(
            credentials := [
                option(
                    CREDENTIALS,
                    "--api-key-file",
                    type=PATH,
                    help="A file with the API key; else MOENGAGE_API_KEY, else a prompt.",
                ),
                option(
                    CREDENTIALS,
                    "--ca-file",
                    type=PATH,
                    help="PEM certificates to trust instead of the system's.",
                ),
            ]
        ),
    ]
)

credential_options = _all(credentials)

shape_options = _all(
    [
        option(
            WHAT,
            "--filters",
            type=PATH,
            metavar="FILE",
            help="The destination's filters, as Segment's API returns them (JSON): what they drop is left out.",
        ),
        option(
            WHAT,
            "--dedupe",
            type=MessageCount(),
            metavar="N",
            help="Leave out a message whose id is among those of the N messages to be sent before it (500k, 10M).",
        ),
    ]
)

mapping_options = _all(
    [
        option(
            AS_WHAT,
            "--api",
            type=click.Choice(["actions", "classic", "bulk"]),
            default="actions",
            show_default=True,
            help="What Segment's MoEngage (Actions) destination sends, what its classic cloud mode sends (known users, "
            "snake_case), or MoEngage's Data API in bulk (known users, many records a request).",
        ),
        option(
            AS_WHAT,
            "--mapping",
            type=PATH,
            metavar="FILE",
            help="Subscriptions and their mappings instead of the defaults: as Segment's API returns them (JSON), or "
            "wishes (TOML): rename, drop, add, lowercase.",
        ),
        option(AS_WHAT, "--project-name", default="", help="MoEngage project: moe_project_name of every track."),
        option(AS_WHAT, "--update-existing-only", is_flag=True, help="Create no new users."),
        option(
            AS_WHAT,
            "--stamp",
            multiple=True,
            metavar="KEY=VALUE",
            help="A property on every replayed event, so that campaigns can exclude them; can be given several times.",
        ),
        option(AS_WHAT, "--strict", is_flag=True, help="Reject what would only be warned about."),
    ]
)

delivery_options = _all(
    [
        option(
            DELIVERY,
            "--rps",
            type=Rate(),
            default="250",
            show_default=True,
            help="Attempts a second at most; the workspace's 500 are shared with live traffic.",
        ),
        option(
            DELIVERY,
            "--concurrency",
            type=click.IntRange(1, 10_000),
            default=512,
            show_default=True,
            help="Attempts at once at most.",
        ),
        option(
            DELIVERY,
            "--timeout",
            type=Duration(),
            default="30s",
            show_default=True,
            help="For one attempt, from its first byte out to its last byte in.",
        ),
        option(
            DELIVERY,
            "--retry-for",
            type=Duration(),
            default="4h",
            show_default=True,
            help="How long a failing request is tried again.",
        ),
        option(
            DELIVERY,
            "--max-attempts",
            type=click.IntRange(min=1),
            help="How often it is tried.  [default: no limit]",
        ),
        option(
            DELIVERY,
            "--in-doubt",
            type=click.Choice(["resend", "dead-letter"]),
            default="resend",
            show_default=True,
            help="What to do when nobody knows whether MoEngage has it: at least once, or at most once.",
        ),
        option(
            DELIVERY,
            "--on-exhausted",
            type=click.Choice(["dead-letter", "pause"]),
            default="dead-letter",
            show_default=True,
            help="What to do with a request that failed for --retry-for while others passed: give it up, or finish all "
            "else and keep it for the next run.",
        ),
        option(
            DELIVERY,
            "--max-dead-letters",
            type=MostDeadLetters(),
            help="Stop when more records than this (or this share) become dead letters.  "
            f"[default: {DEFAULT_BEFORE_SUCCESS} before the first success]",
        ),
        option(
            DELIVERY,
            "--bulk-refused",
            type=click.Choice(["dead-letter", "split"]),
            default="dead-letter",
            show_default=True,
            help="What to do with a refused bulk request whose reply names no element: give all of it up, or send its "
            "halves, which doubles records if MoEngage took a part of it.",
        ),
        option(
            DELIVERY,
            "--users-per-minute",
            type=click.IntRange(min=0),
            default=10_000,
            show_default=True,
            help="With --api bulk: users and devices at most, 0 for no bound; the workspace's are shared, too.",
        ),
        option(
            DELIVERY,
            "--events-per-minute",
            type=click.IntRange(min=0),
            default=30_000,
            show_default=True,
            help="With --api bulk: events at most, 0 for no bound.",
        ),
        option(
            DELIVERY,
            "--max-duration",
            type=Duration(),
            help="Pause the run after so long; the same command goes on.",
        ),
    ]
)


def limit_option(help_: str) -> Callable[[F], F]:
    """Make `--limit`, which means requests or dead letters."""
    return option(DELIVERY, "--limit", type=click.IntRange(1, 1_000_000_000), help=help_)


changed_option = option(
    MEMORY,
    "--changed",
    type=click.Choice(["refuse", "continue"]),
    default="refuse",
    show_default=True,
    help="What to do when an unfinished or damaged file has changed; continue: send what was not, by message id.",
)

output_options = _all(
    [
        option(OUTPUT, "--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout."),
        option(
            OUTPUT, "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before sending to a real region."
        ),
    ]
)
