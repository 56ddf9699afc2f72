"""What those are told who are not there: logs, metrics, a word at the end."""

import click

from replay_cli.cli.options.grouped import PATH, option, together
from replay_cli.cli.options.types import Duration

TELLING = "Telling others"
JSON = "json"


def _begin_log(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Let stderr speak JSON from here on, so that what is wrong with other options is said in it, too."""
    if value == JSON:
        from replay_cli.cli.json_log import speak_json  # what people read does without

        speak_json()
    return value


log_options = together(
    [
        option(
            TELLING,
            "--log-format",
            type=click.Choice(["text", JSON]),
            default="text",
            show_default=True,
            is_eager=True,
            callback=_begin_log,
            help="On stderr: lines for people, or one JSON object a line, without personal data.",
        ),
        option(
            TELLING,
            "--verbose",
            is_flag=True,
            help="Tell details as well: each dead letter, its reason and place. They may hold personal data.",
        ),
    ]
)

telling_options = together(
    [
        log_options,
        option(
            TELLING,
            "--metrics-file",
            type=PATH,
            metavar="FILE.prom",
            help="Write metrics here every 15 s and at the end, for the textfile collector of Prometheus.",
        ),
        option(
            TELLING,
            "--metrics-port",
            type=click.IntRange(0, 65_535),
            metavar="N",
            help="Answer /metrics and /healthz at this port while the run is on; 0 takes a free one.",
        ),
        option(
            TELLING,
            "--metrics-host",
            metavar="ADDRESS",
            default="127.0.0.1",
            show_default=True,
            help="With --metrics-port: where it listens; 0.0.0.0 for everybody.",
        ),
        option(
            TELLING,
            "--on-finish-file",
            type=PATH,
            metavar="FILE",
            help="A file with a URL to which the summary is posted at the end, and when the run stalls; else "
            "REPLAY_ON_FINISH_URL.",
        ),
        option(
            TELLING,
            "--stall-after",
            type=Duration(),
            default="15m",
            show_default=True,
            help="The run is stalled when nothing was settled for so long although it should be.",
        ),
    ]
)
