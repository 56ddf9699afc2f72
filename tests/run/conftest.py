from collections.abc import Iterator

import pytest

from tests.support.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """A MoEngage in a process of its own that never limits the rate."""
    with SandboxProcess(rps=1_000_000) as process:
        yield process
