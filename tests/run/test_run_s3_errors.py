"""What is wrong with a store is said in one sentence that names the thing, the cause and what to do.

`python -m tests.run.test_run_s3_errors` prints what is said as a table.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from rich.console import Console
from rich.table import Column, Table

from tests.support.archives import message, write_lines
from tests.support.processes import Finished, replay
from tests.support.s3_server import IDENTITIES, LIMITED_BUCKET, S3Server
from tests.support.s3_stub import (
    ARCHIVED,
    CLOCK_SKEWED,
    EXPIRED_TOKEN,
    KMS_DENIED,
    MOVED,
    WRONG_REGION,
    ListedObject,
    S3Error,
    S3ErrorServer,
)

KEY = "segment-logs/rMtR7AWRj3mP6q9KmEhzh5/1740787200000/a.gz"
LOGS = f"s3://{LIMITED_BUCKET}/segment-logs"
OBJECT = f"s3://{LIMITED_BUCKET}/{KEY}"
NOWHERE = "http://127.0.0.1:9"
AT_ONCE = 3
SECRETS = (*(identity.secret_key for identity in IDENTITIES.values()), "not-my-secret", "made-up-session-token")
LIST, GET, RANGE = "list", "get", "range"
USAGE = "usage"
NONE: dict[str, str] = {}


class Case(NamedTuple):
    """What is wrong, and what is said of it.

    Args:
        name: for people.
        says: a part of the sentence; `{url}` stands for the store's.
        code: the exit code of `replay run`.
        fails: what of `replay check` fails: `USAGE`, where nothing is tried; "", where all works.
        location: the source.
        identity: whose credentials there are; none where it is empty.
        environment: other variables.
        options: other options.
        error: what the stub answers; else the real server does.
        only_objects: the stub lists an object, and answers so when that is read.
        url: where the store is looked for, if not where it is.
    """

    name: str
    says: str
    code: int = 1
    fails: str = LIST
    location: str = LOGS
    identity: str = "admin"
    environment: dict[str, str] = NONE
    options: tuple[str, ...] = ()
    error: S3Error | None = None
    only_objects: bool = False
    url: str = ""

    def __str__(self) -> str:
        return self.name


CASES = [
    Case(
        "no such bucket", "s3://no-such-bucket: there is no such bucket at {url}", 2, location="s3://no-such-bucket/x"
    ),
    Case(
        "no such bucket, a glob",
        "s3://no-such-bucket: there is no such bucket at {url}",
        2,
        location="s3://no-such-bucket/*.gz",
    ),
    Case(
        "nothing there",
        f"s3://{LIMITED_BUCKET}/march: nothing to read in there",
        2,
        location=f"s3://{LIMITED_BUCKET}/march",
    ),
    Case(
        "a glob of nothing",
        f"s3://{LIMITED_BUCKET}/*/march/*.gz: this pattern matches nothing",
        2,
        location=f"s3://{LIMITED_BUCKET}/*/march/*.gz",
    ),
    Case(
        "an object in place of a folder",
        f"s3://{LIMITED_BUCKET}/both is an object, and a folder too: for what is in the folder, write "
        f"s3://{LIMITED_BUCKET}/both/*",
        2,
        location=f"s3://{LIMITED_BUCKET}/both/",
    ),
    Case("no bucket", "s3://: name a bucket, as in s3://bucket/prefix", 2, location="s3://", fails=USAGE),
    Case("no bucket's name", "s3://No_Bucket: ", 2, location="s3://No_Bucket/x"),
    Case(
        "may not list",
        f"access denied: the credentials lack s3:ListBucket on s3://{LIMITED_BUCKET}",
        identity="reader",
    ),
    Case("may not list, but read what is named", "", 0, "", OBJECT, "reader"),
    Case(
        "may not read",
        f"access denied: the credentials lack s3:GetObject on {OBJECT}",
        fails=GET,
        identity="lister",
    ),
    Case(
        "a wrong secret",
        f"{LOGS}: the secret access key does not belong to the access key id: set both anew",
        environment={"AWS_SECRET_ACCESS_KEY": "not-my-secret"},
    ),
    Case(
        "an unknown key id",
        f"{LOGS}: {{url}} does not know the access key id: name a profile with --aws-profile, or set",
        environment={"AWS_ACCESS_KEY_ID": "NOBODYSKEY"},
    ),
    Case(
        "no credentials",
        f"{LOGS} cannot be read without credentials (Unable to locate credentials): name a profile",
        2,
        identity="",
    ),
    Case(
        "half of the credentials",
        f"{LOGS} cannot be read without credentials (Partial credentials",
        2,
        identity="",
        environment={"AWS_ACCESS_KEY_ID": "TESTADMINKEY"},
    ),
    Case("an unknown profile", "nobody", 2, options=("--aws-profile", "nobody")),
    Case(
        "expired credentials",
        f"{LOGS}: the credentials have expired: log in again, then run the same command again",
        environment={"AWS_SESSION_TOKEN": "made-up-session-token"},
        error=EXPIRED_TOKEN,
    ),
    Case(
        "expired since it was listed",
        f"{OBJECT}: the credentials have expired: log in again, then run the same command again",
        fails=GET,
        environment={"AWS_SESSION_TOKEN": "made-up-session-token"},
        error=EXPIRED_TOKEN,
        only_objects=True,
    ),
    Case(
        "another region",
        f"s3://{LIMITED_BUCKET} is in another region than {{url}}: use --s3-region eu-west-1",
        2,
        error=MOVED,
    ),
    Case(
        "a wrong region",
        f"s3://{LIMITED_BUCKET} is in another region than {{url}}: use --s3-region eu-west-1",
        2,
        error=WRONG_REGION,
        options=("--s3-region", "us-east-1"),
    ),
    Case(
        "an archived object",
        f"{OBJECT} is archived (storage class GLACIER): restore it first, then run the same command again",
        fails=GET,
        error=ARCHIVED,
        only_objects=True,
    ),
    Case(
        "a key of KMS",
        f"{OBJECT}: access denied: the credentials lack kms:Decrypt on the KMS key that it is encrypted with",
        fails=GET,
        error=KMS_DENIED,
        only_objects=True,
    ),
    Case(
        "a wrong clock",
        f"{LOGS}: the clock of this machine is wrong, so {{url}} refuses: set it",
        error=CLOCK_SKEWED,
    ),
    Case(
        "nobody listens",
        f"{LOGS}: {NOWHERE} cannot be reached (Connection refused): check the network and the endpoint, then run",
        url=NOWHERE,
    ),
    Case(
        "no URL",
        "--s3-endpoint-url 'minio:9000' is no URL: use for example https://minio.example.com:9000",
        2,
        url="minio:9000",
        fails=USAGE,
    ),
]


class Played(NamedTuple):
    url: str
    run: Finished
    check: Finished


class Stage:
    """The real server with an archive in it, and stubs beside it."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        data = write_lines(folder / "a.gz", [message(n) for n in range(10)]).read_bytes()
        server.put(LIMITED_BUCKET, {KEY: data, "both": data, "both/c.gz": data})

    def play(self, case: Case) -> Played:
        folder = self._folder / case.name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        with ExitStack() as stack:
            url = case.url or self._server.url
            if case.error:
                objects = [ListedObject(KEY, 1000)] if case.only_objects else []
                url = stack.enter_context(S3ErrorServer(case.error, objects)).url
            environment = self._server.environment(case.identity or "admin")
            if not case.identity:
                del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
            environment |= case.environment
            arguments = [case.location, "--s3-endpoint-url", url, "--sandbox", *case.options]
            run = replay(folder, "run", *arguments, "--json", **environment)
            return Played(url, run, replay(folder, "check", *arguments, **environment))


@contextmanager
def playing(server: S3Server, cases: Sequence[Case], folder: Path) -> Iterator[dict[str, "Future[Played]"]]:
    """Play cases side by side; by their names, what came of them."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with patch.dict(os.environ, clean | {"NO_PROXY": "127.0.0.1"}, clear=True), ThreadPoolExecutor(AT_ONCE) as pool:
        stage = Stage(server, folder)
        yield {case.name: pool.submit(stage.play, case) for case in cases}
        pool.shutdown(cancel_futures=True)


def said_by_run(run: Finished) -> str:
    """The line that says how it ended."""
    return next((line for line in run.err.splitlines() if line.startswith(("Error: ", "failed: "))), "complete")


def said_by_check(check: Finished) -> str:
    """What it says of the store."""
    return "\n".join(line for line in (check.out + check.err).splitlines() if not line.startswith("ok      key"))


def require(case: Case, played: Played) -> None:
    """Require all that is promised."""
    run, check = played.run, played.check
    said = case.says.format(url=played.url)
    assert run.code == case.code, run.err
    assert said in run.err
    assert check.code == {"": 0, USAGE: 2}.get(case.fails, 1), check.out + check.err
    if case.fails == USAGE:
        assert said in check.err
    elif case.fails:
        assert f"FAILED  {case.fails:<5}  " in check.out
        assert said in check.out
    works: Sequence[str] = {GET: [LIST], "": [LIST, GET, RANGE]}.get(case.fails, [])
    lines = [line for line in check.out.splitlines() if line.startswith("ok") and "s3://" in line]
    assert [line.split()[1] for line in lines] == [*works], check.out
    for end in (run, check):
        assert "Traceback" not in end.err
        assert not any(secret in end.out + end.err for secret in SECRETS)


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    items = (item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function))
    chosen: list[Any] = [item.callspec.params["case"] for item in items]
    with playing(s3_server, chosen, tmp_path_factory.mktemp("errors")) as futures:
        yield futures


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_wrong_is_said(played: dict[str, "Future[Played]"], case: Case) -> None:
    require(case, played[case.name].result())


def main() -> None:
    """Print the table."""
    names = ("what is wrong", "exit codes", "replay run says", "replay check says", "")
    table = Table(*(Column(name, overflow="fold") for name in names), show_lines=True)
    failed = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(S3Server())
        futures = stack.enter_context(playing(server, CASES, folder))
        for case in CASES:
            played = futures[case.name].result()
            try:
                require(case, played)
                verdict = "holds"
            except AssertionError:
                failed += 1
                verdict = "FAILS"
            run, check = played.run, played.check
            table.add_row(case.name, f"{run.code}, {check.code}", said_by_run(run), said_by_check(check), verdict)
    Console(width=200).print(table)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
