"""A sandbox for the length of a test, and what it says afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from replay_cli.sandbox import Sandbox
from tests.sandbox.client import BOUND_SECONDS


class FakeClock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def with_sandbox(
    test: Callable[[Sandbox], Awaitable[None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    **settings: Any,
) -> None:
    async def run() -> None:
        async with Sandbox(**settings) as sandbox:
            await test(sandbox)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while not condition():  # noqa: ASYNC110 (no event to wait for: it is the server's state)
            await asyncio.sleep(0.01)


def last(sandbox: Sandbox) -> tuple[int | None, bool, str | None]:
    *_, line = sandbox.received()
    return line["status"], line["recorded"], line["fault"]
