"""One thread for every benchmark, and the table at the end of `make bench`: ratios beside bars."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Before any other fixture: a server that one starts has its threads from then on."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
    noted = [b.extra_info for b in session.benchmarks] if session else []
    rows = [info for info in noted if "row" in info]
    if not rows:
        return
    width = max(len(info["row"]) for info in rows)
    terminalreporter.section("ratios: plain way / this project, CPU time, one thread")
    terminalreporter.line(f"{'row':{width}}  {'ratio':>9}  {'bar':>7}  {'goal':>7}")
    for info in rows:
        figures = f"{info['ratio']:9.3g}  {info['bar']:7g}  {info['goal']:7g}"
        terminalreporter.line(f"{info['row']:{width}}  {figures}  {verdict(info)}")


def verdict(info):
    """Where the bar lies above the goal, less is better; minima count where medians miss."""
    less = info["bar"] > info["goal"] or info.get("less is better", False)
    reached = [info["ratio"], info.get("ratio of minima", info["ratio"])]
    best = min(reached) if less else max(reached)

    def meets(target):
        return best <= target if less else best >= target

    return "goal" if meets(info["goal"]) else "bar" if meets(info["bar"]) else "MISSED"
