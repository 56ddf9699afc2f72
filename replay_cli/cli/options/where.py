"""Where it goes, as what, and with which credentials."""

import click

from replay_cli.cli.options.grouped import AS_WHAT, CREDENTIALS, PATH, WHERE, option, together

REGIONS = tuple(f"DC_{n:02}" for n in range(1, 6))

destination_options = together(
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

credential_options = together(credentials)

mapping_options = together(
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
