"""Two processes of one gloo group on the CPU, that call what a test sends them."""

import multiprocessing
import traceback
from pathlib import Path
from typing import Any

import torch.distributed as dist

SPAWN = multiprocessing.get_context("spawn")
"""A fork of a process whose threads have computed may wait for them for ever."""


class TwoProcesses:
    """Calls module-level functions in both processes; use it in a `with` statement.

    Args:
        folder: for the file by which they find each other.
    """

    def __init__(self, folder: Path) -> None:
        self.pipes, self.children = [], []
        for rank in range(2):
            own, other = SPAWN.Pipe()
            child = SPAWN.Process(target=_serve, args=(rank, folder / "group", other), daemon=True)
            child.start()
            self.pipes.append(own)
            self.children.append(child)

    def __enter__(self) -> "TwoProcesses":
        return self

    def __exit__(self, *error: object) -> None:
        for pipe in self.pipes:
            pipe.send(None)
        for child in self.children:
            child.join(20)
            child.kill()

    def call(self, function: Any, *arguments: Any, seconds: float = 120) -> list[Any]:
        """Return the result of `function(rank, *arguments)` in each process."""
        for pipe in self.pipes:
            pipe.send((function, arguments))
        answers = []
        for pipe in self.pipes:
            assert pipe.poll(seconds), "a process hangs"
            answers.append(pipe.recv())
        failures = [answer for failed, answer in answers if failed]
        assert not failures, failures[0]
        return [answer for _, answer in answers]


def _serve(rank: int, file: Path, pipe: Any) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    while (task := pipe.recv()) is not None:
        function, arguments = task
        try:
            pipe.send((False, function(rank, *arguments)))
        except Exception:
            pipe.send((True, traceback.format_exc()))
    dist.destroy_process_group()
