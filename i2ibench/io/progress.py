"""Progress with a time estimate: a bar on a terminal, lines elsewhere."""

import time
from collections.abc import Iterable, Iterator, Sized
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

Item = TypeVar("Item")


class Progress:
    """Shows how far a task is and when it will end; use it in a `with` statement.

    Args:
        description: what is being done.
        total: steps in all.
        completed: steps done before, by a run that is resumed.
        line_seconds: time between two lines where there is no terminal.
        visible: False for all but the first of several processes.
    """

    def __init__(
        self,
        description: str,
        total: int,
        completed: int = 0,
        line_seconds: float = 10.0,
        visible: bool = True,
    ) -> None:
        self.description, self.total, self.done = description, total, completed
        self._first, self._begin = completed, time.monotonic()
        self._line_seconds, self._last_line = line_seconds, self._begin
        self._console = Console(stderr=True, quiet=not visible, soft_wrap=True)
        self._status = ""
        self._bar: RichProgress | None = None
        if self._console.is_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task(
                description, total=total, completed=completed, status=""
            )

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Count `steps` as done; `status` is shown behind the estimate."""
        self.done += steps
        if self._bar is not None:
            self._status = status or self._status
            self._bar.update(self._task, advance=steps, status=self._status)
            return
        now = time.monotonic()
        if self.done >= self.total or now - self._last_line >= self._line_seconds:
            self._last_line = now
            line = f"{self.description} {self.done}/{self.total}  eta {self._eta(now)}  {status}"
            self._console.print(line.rstrip(), highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, markup=False)

    def _eta(self, now: float) -> timedelta:
        speed = (self.done - self._first) / max(now - self._begin, 1e-9)
        remaining = max(self.total - self.done, 0) / speed if speed else 0.0
        return timedelta(seconds=round(remaining))


def say(text: str) -> None:
    """Print a line beside the progress displays."""
    Console(stderr=True, soft_wrap=True).print(text, highlight=False, markup=False)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """The items one by one, with progress."""
    if total is None:
        assert isinstance(items, Sized)
        total = len(items)
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()


def _bar(console: Console) -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[status]}"),
        console=console,
    )
