"""How it is delivered, what is remembered and what is printed."""

from collections.abc import Callable

import click

from replay_cli.cli.options.grouped import DELIVERY, MEMORY, OUTPUT, PATH, F, option, together
from replay_cli.cli.options.types import Duration, MostDeadLetters, Rate, RateSchedule, SendingWindow, TimeZone
from replay_cli.policy import DEFAULT_BEFORE_SUCCESS


def rate_options(group: str) -> list[Callable[[F], F]]:
    """Make the options of how fast requests go."""
    return [
        option(
            group,
            "--rps",
            type=Rate(),
            default="250",
            show_default=True,
            help="Attempts a second at most; the workspace's 500 are shared with live traffic.",
        ),
        option(
            group,
            "--concurrency",
            type=click.IntRange(1, 10_000),
            default=512,
            show_default=True,
            help="Attempts at once at most.",
        ),
    ]


def budget_options(group: str) -> list[Callable[[F], F]]:
    """Make the options of what bulk requests may spend besides."""
    return [
        option(
            group,
            "--users-per-minute",
            type=click.IntRange(min=0),
            default=10_000,
            show_default=True,
            help="With --api bulk: users and devices at most, 0 for no bound; the workspace's are shared, too.",
        ),
        option(
            group,
            "--events-per-minute",
            type=click.IntRange(min=0),
            default=30_000,
            show_default=True,
            help="With --api bulk: events at most, 0 for no bound.",
        ),
    ]


def hours_options() -> list[Callable[[F], F]]:
    """Make the options of when may be sent, and how fast by the time of day."""
    return [
        option(
            DELIVERY,
            "--window",
            type=SendingWindow(),
            metavar="HH:MM-HH:MM",
            help="Send only then, also across midnight: 22:00-04:00, or 'mon-fri 22:00-06:00,sat 00:00-24:00'. At its "
            "end the run is paused; the same command goes on.",
        ),
        option(
            DELIVERY,
            "--rps-schedule",
            type=RateSchedule(),
            metavar="HH:MM=N,...",
            help="Attempts a second by time of day, below --rps: 01:00=400,06:00=100; 0: none then.",
        ),
        option(
            DELIVERY,
            "--time-zone",
            type=TimeZone(),
            default="UTC",
            show_default=True,
            help="Whose clocks --window and --rps-schedule mean, for example Europe/Berlin.",
        ),
    ]


delivery_options = together(
    [
        *rate_options(DELIVERY),
        *hours_options(),
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
        *budget_options(DELIVERY),
        option(
            DELIVERY,
            "--max-duration",
            type=Duration(),
            help="Pause the run after so long; the same command goes on.",
        ),
        option(
            MEMORY,
            "--keep-dead-letters",
            type=Duration(),
            help="Erase the texts of dead letters that are older (30d) at the start and end of a run; they stay in "
            "the book, and cannot be redriven.  [default: keep them all]",
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

again_option = option(
    MEMORY,
    "--again",
    is_flag=True,
    allow_from_autoenv=False,
    help="Send what other jobs have sent to the workspace already, knowingly; else it is refused.",
)

report_option = option(
    OUTPUT,
    "--report",
    type=PATH,
    metavar="FILE.html",
    help="Write a page of what the job did, for a browser; whatever the end.",
)

output_options = together(
    [
        option(OUTPUT, "--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout."),
        report_option,
        option(
            OUTPUT, "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before sending to a real region."
        ),
    ]
)
