"""What is sent: the groups "What" and "Where from"."""

import click

from replay_cli.cli.options.grouped import FROM_S3, PATH, WHAT, option, together
from replay_cli.cli.options.types import Duration, Instant, Line, MessageCount

TYPES = ("track", "identify", "page", "screen", "group", "alias")

selection_options = together(
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

list_options = together(
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

s3_options = together(
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

shape_options = together(
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
