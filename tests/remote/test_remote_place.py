"""Names of checkpoints on S3."""

import pytest

from replay_cli.errors import UsageError
from replay_cli.remote import Place, place_of


def test_a_place_is_a_bucket_and_a_key() -> None:
    place = place_of("s3://logs/state/nightly.ckpt")
    assert place == Place("logs", "state/nightly.ckpt")
    assert place.uri == "s3://logs/state/nightly.ckpt"


def test_what_lies_beside_is_in_the_same_folder() -> None:
    assert place_of("s3://logs/state/a/nightly.ckpt").beside("b.html").uri == "s3://logs/state/a/b.html"
    assert place_of("s3://logs/nightly.ckpt").beside("b.html").uri == "s3://logs/b.html"


@pytest.mark.parametrize(
    "text",
    [
        *("", "s3://", "s3://logs", "s3://logs/", "s3://logs/state/", "s3:///key", "state/nightly.ckpt", "gs://logs/a"),
        *("s3://lo gs/a", "s3://logs*/a", "s3://logs/../a", "s3://logs/./a", "s3://logs//a", "s3://logs/" + "a" * 1000),
        *("s3://logs/a\x1b[31m", "s3://logs/a\nb", "s3://logs/\udcff"),
    ],
)
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        place_of(text)
    assert str(raised.value).isprintable()
