"""Where requests go: exactly one of a region, an endpoint or the sandbox, and the credentials for it."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import click
from yarl import URL

from replay_cli.delivery.loopback import is_loopback
from replay_cli.errors import UsageError
from replay_cli.moengage.regions import MAX_RPS, REGIONS

SANDBOX = "sandbox"


class Destination(NamedTuple):
    """A workspace at an endpoint (a base URL, or `sandbox`)."""

    endpoint: str
    workspace_id: str

    @property
    def is_sandbox(self) -> bool:
        return self.endpoint == SANDBOX

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine."""
        return self.is_sandbox or is_loopback(URL(self.endpoint))

    def require_rate(self, rps: float, option: str = "--rps") -> None:
        """Check a rate against MoEngage's documented cap, which holds for everything but this machine.

        Args:
            rps: attempts a second.
            option: which one says so.

        Raises:
            UsageError: it is higher.
        """
        if rps > MAX_RPS and not self.is_local:
            raise UsageError(f"{option} {rps:g}: MoEngage takes at most {MAX_RPS} requests a second of a workspace")


def choose(region: str | None, endpoint: str | None, sandbox: bool, workspace_id: str | None) -> Destination:
    """Make the destination of what was given.

    Raises:
        UsageError: not exactly one of the three, a URL that cannot be used, or no workspace.
    """
    given = [name for name, value in (("--region", region), ("--endpoint", endpoint), ("--sandbox", sandbox)) if value]
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        raise UsageError(f"give exactly one of --region, --endpoint and --sandbox (found: {found})")
    if sandbox:
        return Destination(SANDBOX, workspace_id or SANDBOX)
    if not workspace_id:
        raise UsageError("no workspace: set MOENGAGE_WORKSPACE_ID or give --workspace-id")
    return Destination(REGIONS[region] if region else _checked(endpoint or ""), workspace_id)


def _checked(endpoint: str) -> str:
    try:
        url = URL(endpoint)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"--endpoint {endpoint}: not a URL; use for example https://api-01.moengage.com")
    if url.user or url.password:
        raise UsageError("--endpoint must not hold credentials: use MOENGAGE_API_KEY or --api-key-file")
    if url.scheme == "http" and not is_loopback(url):
        raise UsageError(f"--endpoint {endpoint}: plain HTTP would show the API key to the network; use https")
    if url.path not in ("", "/") or url.query_string or url.fragment:
        raise UsageError(f"--endpoint {endpoint}: give the base URL only, without a path")
    return str(url.origin())


def api_key(destination: Destination, key_file: Path | None) -> str:
    """Return the API key from a file, the environment or a prompt, in this order.

    Raises:
        UsageError: there is none, or the file cannot be read.
    """
    if destination.is_sandbox:
        return SANDBOX
    if key_file is not None:
        try:
            key = key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"cannot read the API key from {key_file}: {cause}") from None
    else:
        key = os.environ.get("MOENGAGE_API_KEY", "").strip()
        if not key and sys.stdin.isatty():
            key = str(click.prompt("MoEngage API key", hide_input=True, err=True)).strip()
    if not key and key_file is not None:
        raise UsageError(f"{key_file} is empty: it should hold the API key")
    if not key:
        raise UsageError("no API key: set MOENGAGE_API_KEY or give --api-key-file")
    if not key.isprintable() or ":" in destination.workspace_id:
        raise UsageError("the API key or the workspace id has characters that HTTP Basic cannot carry")
    return key
