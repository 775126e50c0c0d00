"""Two ways of one thing, run in turns: their ratio beside its bar and goal.

Ratios are of process CPU time on one thread; wall time moves with the neighbours' load.
"""

import gc
import statistics
import time

import torch

SHORTEST = 0.02
"""Seconds that are timed at least."""


def in_turns(benchmark, ours, plain, row, bar, goal, rounds=5):
    """Time both in turns and note how many times faster ours is.

    The benchmark's own figures are of one more run of ours.

    Args:
        benchmark: pytest-benchmark's fixture.
        ours: called without arguments.
        plain: called without arguments.
        row: what is compared, as the table names it.
        bar: what the ratio must reach.
        goal: what it should reach.
        rounds: how often, after one that is not counted.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pairs = []
    for _ in range(rounds + 1):
        pairs.append((_seconds(plain), _seconds(ours)))
    del pairs[0]
    ratio = statistics.median(slow / fast for slow, fast in pairs)
    of_minima = min(slow for slow, _ in pairs) / min(fast for _, fast in pairs)
    note(benchmark, row, ratio, bar, goal)
    benchmark.extra_info["ratio of minima"] = round(of_minima, 2)
    benchmark.extra_info["seconds"] = round(statistics.median(fast for _, fast in pairs), 4)
    print(f"\n{row}: {benchmark.extra_info}")
    benchmark.pedantic(ours, rounds=1)
    torch.set_num_threads(threads)


def note(benchmark, row, ratio, bar, goal):
    """Note a ratio for the table of `make bench`."""
    figures = {"row": row, "ratio": round(ratio, 3), "bar": bar, "goal": goal}
    benchmark.extra_info.update(figures)


def _seconds(function):
    """Of a call; short ones are repeated, as their callers do, so that caches are warm."""
    gc.collect()
    gc.disable()
    calls, taken, begin = 0, 0.0, time.process_time()
    while taken < SHORTEST:
        function()
        calls, taken = calls + 1, time.process_time() - begin
    gc.enable()
    return taken / calls
