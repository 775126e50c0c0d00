"""Pre-emption: a scheduler asks the run to end, and it ends so that it can go on elsewhere."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.io.processes import barrier, get_world_size
from i2ibench.training.hooks.checkpoints import Checkpoints

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGBREAK") if hasattr(signal, name)
)
"""Requests to end; Windows has SIGBREAK (Ctrl+Break) in the place of SIGUSR1."""

EXIT_CODE = 75
"""The run was asked to end, has saved, and goes on with the same command (EX_TEMPFAIL)."""

NCCL_INTERVAL = 10
"""Steps between two looks at the other processes: each look makes a GPU wait."""


class Preempted(BaseException):
    """The run was asked to end; its state is saved."""


class Preemption(Hook):
    """Finishes the step, saves and raises Preempted in every process, once one has the signal.

    In a validation, the run goes on with that validation. Later signals change nothing. Use it in
    a `with` statement around the run; a hook alone hears nothing.

    Args:
        signals: that ask the run to end.
    """

    priority = "LOWEST"  # after Checkpoints: what others do after a step is part of the step

    def __init__(self, signals: tuple[signal.Signals, ...] = SIGNALS) -> None:
        self.signals = signals
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            self._before = {name: signal.signal(name, self._ask) for name in self.signals}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.asked:  # a repeated signal must not cut the way to the exit code short
            return
        for name, handler in self._before.items():
            signal.signal(name, signal.SIG_DFL if handler is None else handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and leave after the step."""
        if self._agreed(runner.iter + 1):
            for hook in _checkpoints(runner):
                hook.save_step(runner, batch_idx)
            barrier()  # torchrun ends all processes when the first of them has left
            raise Preempted

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave the validation; it is repeated."""
        if self._agreed(batch_idx):
            for hook in _checkpoints(runner):
                hook.save_epoch(runner, runner.epoch)
            barrier()
            raise Preempted

    def _agreed(self, step: int) -> bool:
        """Return whether any process was asked to end; the same answer in all of them."""
        if get_world_size() == 1:
            return self.asked
        on_gpu = dist.get_backend() == "nccl"
        if on_gpu and step % NCCL_INTERVAL:
            return False
        flag = torch.tensor(float(self.asked), device="cuda" if on_gpu else "cpu")
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())


def _checkpoints(runner: Runner) -> list[Checkpoints]:
    return [hook for hook in runner.hooks if isinstance(hook, Checkpoints)]
