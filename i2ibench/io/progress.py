"""Progress display with a time estimate: a bar on a terminal, lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
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

LINE_SECONDS = 10.0
"""Time between two progress lines where there is no terminal."""


class Progress:
    """A context manager that shows on stderr how far a task is and when it will end.

    Args:
        description: the text before the bar, such as "caching scenes".
        total: number of steps.
        completed: steps that were done before, by a run that is now resumed.
        visible: False for all but the first of several processes.
    """

    def __init__(
        self,
        description: str,
        total: int,
        completed: int = 0,
        visible: bool = True,
    ) -> None:
        self.description, self.total, self.done = description, total, completed
        self._first, self._begin = completed, time.monotonic()
        self._last_line = self._begin
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

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Count steps of the task as done and update the display.

        Without a terminal a line is printed when `LINE_SECONDS` have passed since the last line,
        and at the end.

        Args:
            steps: the number of steps.
            status: a text behind the time estimate. "" keeps the earlier text of a bar; a printed
                line then has none.
        """
        self.done += steps
        if self._bar is not None:
            self._status = status or self._status
            self._bar.update(self._task, advance=steps, status=self._status)
            return
        now = time.monotonic()
        if self.done >= self.total or now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            line = f"{self.description} {self.done}/{self.total}  eta {self._eta(now)}  {status}"
            self._console.print(line.rstrip(), highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Print a line on stderr above the progress bar, where it stays.

        Nothing is printed if the display was made with visible=False.
        """
        self._console.print(text, highlight=False, markup=False)

    def _eta(self, now: float) -> timedelta:
        speed = (self.done - self._first) / max(now - self._begin, 1e-9)
        remaining = max(self.total - self.done, 0) / speed if speed else 0.0
        return timedelta(seconds=round(remaining))


def say(text: str) -> None:
    """Print a line of text on stderr, not wrapped and without markup."""
    Console(stderr=True, soft_wrap=True).print(text, highlight=False, markup=False)


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Yield the items one by one, and show on stderr how many are done."""
    with Progress(description, len(items)) as progress:
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
