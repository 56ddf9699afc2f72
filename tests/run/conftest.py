from collections.abc import Iterator

import pytest

from tests.support.sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    """A MoEngage in a process of its own that never limits the rate."""
    with SandboxProcess(rps=1_000_000) as process:
        yield process


@pytest.fixture
def sandbox(server: SandboxProcess) -> SandboxProcess:
    """The same one for all tests of a module, as if it were new."""
    server.faults([])
    server.reset()
    return server
