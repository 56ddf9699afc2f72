"""The streams that people read."""

import io

import pytest

from replay_cli.report.consoles import error_console, output_console


@pytest.mark.parametrize(("name", "console"), [("stderr", error_console), ("stdout", output_console)])
@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", "1.0 MB - 3 +/- 1 ... gr\\xf6\\u6587"), ("iso-8859-1", "1.0 MB · 3 ± 1 ... grö\\u6587"),
     ("utf-8", "1.0 MB · 3 ± 1 … grö文")],
)  # fmt: skip
def test_what_cannot_be_encoded_is_shown_in_ascii(
    name: str, console: object, encoding: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(f"sys.{name}", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    assert callable(console)
    console().print("1.0 MB · 3 ± 1 … grö文", markup=False)
    assert raw.getvalue().decode(encoding) == f"{written}\n"


def test_a_missing_stream_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon has none."""
    monkeypatch.setattr("sys.stderr", None)
    monkeypatch.setattr("sys.stdout", None)
    output_console().print("to nobody")
    error_console()
