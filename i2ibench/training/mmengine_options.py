"""Options of mmengine's own classes, checked before mmengine's Runner uses them."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import VISBACKENDS, Registry
from mmengine.runner import EpochBasedTrainLoop

from i2ibench.errors import UserError, near_match
from i2ibench.registry import check_names, check_options
from i2ibench.registry.discovery import load_plugins
from i2ibench.registry.mmengine_workarounds import start_method


def runner_options(config: Config) -> dict[str, Any]:
    """Return those keyword arguments of mmengine's Runner that do not depend on models or data.

    They are the work directory, training loop, logging, seed and backends for scalars and images.
    mmengine's own default hooks are switched off.

    Args:
        config: the config of a stage, with its work directory.

    Raises:
        UserError: an unknown type or option, or a value of `train_cfg` that is no positive integer.
    """
    load_plugins()  # one of them may be such a backend, which mmengine's registry does not look for
    for entry in config.get("vis_backends", []):
        check_part("vis_backends", VISBACKENDS, entry)
    return {
        "cfg": config,
        "work_dir": config.work_dir,
        "experiment_name": f"{Path(config.work_dir).name}_{time.time_ns()}",
        "train_cfg": train_loop(config),
        "default_hooks": dict.fromkeys(("runtime_info", "timer", "logger", "checkpoint")),
        "env_cfg": {
            "cudnn_benchmark": config.get("cudnn_benchmark", False),
            "mp_cfg": {"mp_start_method": start_method()},
        },
        "randomness": {"seed": config.get("seed", 0)},
        "log_level": "WARNING",
        "visualizer": {
            "type": "Visualizer",
            "vis_backends": [dict(backend) for backend in config.get("vis_backends", [])],
        },
    }


def train_loop(config: Config) -> dict[str, Any]:
    """Return `train_cfg` for mmengine's Runner: the config's, with `type` and `max_epochs`.

    The type is always EpochBasedTrainLoop. A config without `max_epochs` trains 1 epoch.

    Raises:
        UserError: an unknown option, or a value that is no positive integer.
    """
    options = {"max_epochs": 1, **config.get("train_cfg", {})}
    check_options(EpochBasedTrainLoop, {"runner": None, "dataloader": None, **options})
    for name, value in options.items():
        if not isinstance(value, int) or value < 1:
            raise UserError(f"train_cfg.{name} must be a positive integer, not {value!r}.")
    return {"type": "EpochBasedTrainLoop", **options}


def check_part(key: str, registry: Registry, entry: Any, besides: Sequence[str] = ()) -> None:
    """Check an entry of a list in a config against one of mmengine's registries.

    The type and the names of the options are checked, not the values of the options.

    Args:
        key: the key of the list, for error messages.
        registry: the registry of mmengine that has the entry's type.
        entry: the entry, which should be a dict with `type` and options.
        besides: names of options that are allowed besides those of the constructor.

    Raises:
        UserError: the entry is no dict, or its type or an option is unknown.
    """
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise UserError(f"{key}: an entry must be a dict with a 'type', not {entry!r}.")
    kind = entry["type"]
    registry.import_from_location()
    # `registry.get` would import any dotted name
    part = registry.module_dict.get(kind) if isinstance(kind, str) else None
    if part is None:
        raise UserError(
            f"{key}: mmengine has no {registry.name} {kind!r}."
            f"{near_match(str(kind), registry.module_dict)}"
        )
    check_names(part, [name for name in entry if name not in ("type", *besides)])
