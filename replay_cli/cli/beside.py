"""What lies on S3 beside a checkpoint: its dead letters, and the page of its job."""

import tempfile
from pathlib import Path

from replay_cli.cli.summarizing import chronicle_of
from replay_cli.job import dead_letter_path
from replay_cli.ledger.store import Store
from replay_cli.remote.bucket import Bucket
from replay_cli.remote.keeper import Keeper
from replay_cli.remote.place import Place
from replay_cli.report.page import write_page
from replay_cli.report.summary import Summary

_PAGE = ".html"


def put_beside(bucket: Bucket, keeper: Keeper, place: Place, path: Path, store: Store, summary: Summary) -> Summary:
    """Store dead letters and page beside a checkpoint; return the summary, which names them there.

    Args:
        bucket: where the checkpoint is.
        keeper: holds it.
        place: its name there.
        path: the working copy, beside which the dead letters lie on this machine.
        store: the working copy, opened.
        summary: the job's.

    Raises:
        ReplayError: they cannot be stored.
    """
    name = Path(place.key).name
    letters, there = dead_letter_path(path), dead_letter_path(Path(name)).name
    if summary["dead_letters"]:
        keeper.put_beside(there, letters)
        summary = summary | {"dead_letters": place.beside(there).uri}
    else:
        bucket.delete(place.beside(there).key)  # of an earlier run; they have all arrived since
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        write_page(page, chronicle_of(store, summary))
        keeper.put_beside(name.removesuffix(".ckpt") + _PAGE, page)
    return summary
