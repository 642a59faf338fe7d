"""How a command tells the operator what it is doing: always on stderr, as a bar on a terminal, as lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Report(Protocol):
    """One line of news, or the progress of something long."""

    def __call__(self, line: str, /) -> None: ...

    def progress(self, what: str, total: int) -> AbstractContextManager[Advance]:
        """A context whose value is called with every number of bytes (or rows) that was done."""


class Silent:
    """For callers that only want the effect."""

    def __call__(self, line: str, /) -> None:
        pass

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol names them
        yield lambda done: None  # noqa: ARG005


class Lines:
    """Plain lines: one at the start and one per tenth."""

    def __call__(self, line: str, /) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        done = told = 0

        def advance(step: int) -> None:
            nonlocal done, told
            done += step
            if total and done * 10 // total > told:
                told = done * 10 // total
                self(f"{what}: {min(told, 10) * 10} %")

        self(what)
        yield advance


class Terminal(Lines):
    """A bar that moves."""

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda step: bar.advance(task, step)


def for_stderr() -> Report:
    """The form that fits where stderr goes."""
    return Terminal() if sys.stderr.isatty() else Lines()
