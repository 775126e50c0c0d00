"""Failures of the machine that end a run: told in one line, with what the run can go on from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.runner import Runner

from i2ibench.errors import UserError
from i2ibench.io.run_folders import last_checkpoint_note


@contextmanager
def machine_failures(runner: Runner) -> Iterator[None]:
    """Turn a full disk, a removed work directory or a dead loader worker into a UserError.

    Raises:
        UserError: names the step, the cause and the last good checkpoint.
    """
    work_dir = Path(runner.work_dir)
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = _cause(error, work_dir)
        if cause is None:
            raise
        raise UserError(
            f"Training stopped in step {runner.iter + 1}: {cause} {last_checkpoint_note(work_dir)}"
        ) from error


def _cause(error: OSError | RuntimeError, work_dir: Path) -> str | None:
    """What happened, as a sentence; None for what is no failure of the machine."""
    if isinstance(error, OSError):
        if not work_dir.is_dir():
            return f"the work directory {work_dir} was removed."
        return f"{str(error).strip().splitlines()[-1]}."  # a worker's has its traceback before
    if str(error).startswith("DataLoader worker"):
        return (
            f"{str(error).splitlines()[0].rstrip('. ')}. If the memory ran out, lower "
            "train_dataloader.num_workers."
        )
    return None
