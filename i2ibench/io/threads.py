"""Threads: many files read or written at once."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8
"""Threads, also where there are more processors."""


def file_threads() -> ThreadPoolExecutor:
    """Threads for files: one for each processor, at most `MOST`."""
    return ThreadPoolExecutor(max_workers=min(MOST, os.cpu_count() or 1))


def map_in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    on_item: Callable[[], None] | None = None,
) -> list[Result]:
    """Run `work` on every item in threads, and return the results in the order of the items.

    Args:
        work: what is done, in several threads.
        items: such as the scenes of a data set.
        on_item: called after each item, in the thread that has done it.
    """

    def noted(item: Item) -> Result:
        try:
            return work(item)
        finally:
            if on_item is not None:
                on_item()

    with file_threads() as pool:
        return list(pool.map(noted, items))
