"""Training from a notebook."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.registry.configuration import load_config
from i2ibench.training import run


def train(
    config: str | Path,
    overrides: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    *,
    fresh: bool = False,
    resume: bool = False,
) -> Path:
    """Train the system of a config, and return the folder of the run, which `load` takes.

    An interrupted run continues, and a finished one is left as it is.

    Args:
        config: a config file, or the name of one in the package, such as "pix2pixhd_toystreet".
        overrides: values of the config by dotted key, such as {"train_cfg.max_epochs": 2}.
        work_dir: the folder of the run; None for work_dirs/<config name>.
        fresh: start anew; an earlier run is moved aside.
        resume: continue even if the config or the data has changed.

    Raises:
        UserError: the config, the data or the folder cannot be used; see
            `i2ibench.training.run.train`.
    """
    folder = None if work_dir is None else Path(work_dir)
    return run.train(load_config(Path(config), overrides, folder), fresh, resume)
