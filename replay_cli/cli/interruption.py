"""Signals that end a command which has nothing to write down before: by an exception, so that all is cleaned up."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from replay_cli.report.summary import EXIT_SIGNALS

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A signal came that ends the command."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def is_to_be_ignored(number: signal.Signals) -> bool:
    """Tell whether a signal is ignored as `nohup` has it: that must stay so.

    SIGINT is ignored in what a script runs in its background, but who sends it means it.
    """
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end what is within, with the exit codes 130, 143 and 129.

    Raises:
        Exit: one of them came; the terminal was told.
    """
    before = {number: signal.signal(number, _interrupt) for number in _ENDING if not is_to_be_ignored(number)}
    try:
        yield
    except Interrupted as interrupted:
        click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(EXIT_SIGNALS[interrupted.name]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping(stop: Callable[[str], None]) -> Iterator[None]:
    """Let the first signal only ask to stop, by its name; the next one ends what is within `interruptible`."""

    def ask(number: int, _frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in _ENDING if not is_to_be_ignored(number)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(signal.Signals(number).name)
