"""Preemption: a scheduler's signal makes a run save its state and end, to continue later."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.io.process_group import barrier, get_world_size
from i2ibench.training.hooks.checkpoints import Checkpoints

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGBREAK") if hasattr(signal, name)
)
"""Signals on which a run ends. Windows has SIGBREAK (Ctrl+Break) instead of SIGUSR1."""

EXIT_CODE = 75
"""Exit code of a run that saved its state after a signal; the same command continues it."""

NCCL_INTERVAL = 10
"""Steps between two exchanges of signals with NCCL; each makes the CPU wait for the GPU."""


class Preempted(BaseException):
    """The exception of a run that received a signal and has saved its state."""


class Preemption(Hook):
    """Finishes the step, saves and raises Preempted in every process if one receives a signal.

    A validation that is stopped is repeated by the resumed run. Further signals are ignored. The
    hook receives signals only inside a `with` statement, which must surround the run.

    Args:
        signals: the signals on which the run ends.
    """

    priority = "LOWEST"  # after Checkpoints and all hooks whose work belongs to the step

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
        if self.asked:  # a repeated signal must not kill the process before it exits with 75
            return
        for name, handler in self._before.items():
            signal.signal(name, signal.SIG_DFL if handler is None else handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save the state and raise Preempted after the step, if any process received a signal.

        With NCCL, signals are looked at only every NCCL_INTERVAL steps.
        """
        if self._agreed(runner.iter + 1):
            for hook in _checkpoints(runner):
                hook.save_step(runner, batch_idx)
            barrier()  # torchrun kills all processes when the first one exits
            raise Preempted

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save the epoch and raise Preempted during a validation, if any process received a signal.

        The resumed run repeats the validation.
        """
        if self._agreed(batch_idx):
            for hook in _checkpoints(runner):
                hook.save_epoch(runner, runner.epoch)
            barrier()
            raise Preempted

    def _agreed(self, step: int) -> bool:
        """Return whether any process received a signal; the result is the same in all.

        With NCCL, the result is False except at multiples of NCCL_INTERVAL.
        """
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
