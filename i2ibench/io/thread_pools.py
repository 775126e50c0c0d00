"""Thread pools that read or write many files at once."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_THREADS = 8


def file_threads() -> ThreadPoolExecutor:
    """Return a new pool of one thread per processor, at most `MAX_THREADS`."""
    return ThreadPoolExecutor(max_workers=min(MAX_THREADS, os.cpu_count() or 1))


def map_in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    on_item: Callable[[], None] | None = None,
) -> list[Result]:
    """Call `work` on every item in threads and return the results in the order of the items.

    If `work` raises an exception, that of the first such item is raised, and items that are not
    begun are left out.

    Args:
        work: the function; it is called from several threads at once.
        items: the items, such as the scenes of a data set.
        on_item: called after each item, also a failed one, in the thread that processed the item.
    """

    def run(item: Item) -> Result:
        try:
            return work(item)
        finally:
            if on_item is not None:
                on_item()

    with file_threads() as pool:
        return list(pool.map(run, items))
