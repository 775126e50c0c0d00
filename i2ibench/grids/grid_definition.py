"""Grids of training runs: a base config, named axes of changes, and seeds."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError, near_match
from i2ibench.inference.checkpoints import config_that_affects_results
from i2ibench.io.provenance import fingerprint
from i2ibench.io.safe_names import safe_name
from i2ibench.registry.configuration import Config, load_config, read_assignments
from i2ibench.registry.shipped_configs import find_config, named_file

KEYS = {
    "base": "the config that the axes change, relative to the grid file, or i2ibench::NAME.py",
    "axes": "by axis name its values by name: a config file, or a dict of changes to the base or "
    "to the config file that it names as `_base_`",
    "seeds": "list of training seeds",
    "exclude": "list of dicts of axis and value; cells that have all of them are left out",
    "shared_stages": "how many first stages cells of equal config share",
    "protocol": "how every cell is scored, instead of the configs' own",
    "work_dir": "where the cells go; default work_dirs/<grid file's name>",
}


@dataclass(frozen=True)
class Cell:
    """One training run of a grid.

    Attributes:
        name: the name, such as "losses=full,seed=0".
        values: the value of each axis.
        seed: the training seed.
        config: the complete config; its work directory is the folder of the cell.
        hash: the hash of everything in the config that affects results.
    """

    name: str
    values: Mapping[str, str]
    seed: int
    config: Config
    hash: str

    @property
    def folder(self) -> Path:
        """Return the path of the folder of this run's training and state file."""
        return Path(self.config.work_dir)

    @property
    def row(self) -> str:
        """Return the run's name without its seed, such as "losses=full"."""
        return ",".join(f"{axis}={value}" for axis, value in self.values.items())


@dataclass(frozen=True)
class Grid:
    """All cells of a grid file.

    Attributes:
        path: the grid file.
        root: the folder of the cells.
        cells: the cells in the order of the axes, then of the seeds.
        shared_stages: the number of first stages that cells with equal configs share.
    """

    path: Path
    root: Path
    cells: list[Cell]
    shared_stages: int

    def cell(self, name: str) -> Cell:
        """Return the run of the grid with the name `name`, such as "losses=full,seed=0".

        Raises:
            UserError: there is no such run; the message names the near match.
        """
        for cell in self.cells:
            if cell.name == name:
                return cell
        names = [cell.name for cell in self.cells]
        raise UserError(f"{self.path} has no cell {name!r}.{near_match(name, names)}")


def load_grid(path: Path, overrides: Mapping[str, Any] | None = None) -> Grid:
    """Load a grid file and the configs of all its training runs (cells).

    The variables "axes" and a base config are required. Without `seeds` each combination of the
    axes is trained with seed 0. Without `work_dir` the runs go to `work_dirs/<name of the file>`.

    Args:
        path: a Python file that assigns the variables in KEYS, or the name of one in the package.
            The file is run.
        overrides: changes of every run's config by dotted key, such as {"data_root": "/data"}. The
            changes of the axes come after them.

    Raises:
        UserError: the file or the config of a run is missing or wrong.
    """
    path = find_config(path, "grid")
    content = read_assignments(path, "grid")
    _check(content, path)
    root = Path(content.get("work_dir") or Path("work_dirs") / path.stem)
    cells = [
        _cell(path, root, content, values, seed, overrides or {})
        for values in _combinations(content, path)
        for seed in content.get("seeds", [0])
    ]
    return Grid(path, root, cells, content.get("shared_stages", 0))


def _check(content: Mapping[str, Any], path: Path) -> None:
    for key in content:
        if key not in KEYS:
            raise UserError(
                f"{path}: a grid has no key {key!r}.{near_match(key, KEYS)} Known: "
                f"{', '.join(KEYS)}."
            )
    axes = content.get("axes")
    if not isinstance(axes, Mapping) or not all(
        isinstance(v, Mapping) and v for v in axes.values()
    ):
        raise UserError(f"{path}: 'axes' is {KEYS['axes']}, not {axes!r}.")
    seeds = content.get("seeds", [0])
    if not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{path}: 'seeds' is a list of integers, not {seeds!r}.")


def _combinations(content: Mapping[str, Any], path: Path) -> Iterator[dict[str, str]]:
    """Yield every combination of the axes' values by name that is not excluded."""
    axes = content["axes"]
    excluded = content.get("exclude", [])
    for rule in excluded:
        for axis, value in rule.items():
            if value not in axes.get(axis, {}):
                raise UserError(f"{path}: 'exclude' names {axis}={value}, which no axis has.")
    for chosen in product(*axes.values()):
        values = dict(zip(axes, chosen, strict=True))
        if not any(rule.items() <= values.items() for rule in excluded):
            yield values


def _cell(
    path: Path, root: Path, content: Mapping[str, Any], values: dict[str, str], seed: int,
    overrides: Mapping[str, Any],
) -> Cell:  # fmt: skip
    files, changes = _files_and_changes(path, content["axes"], values)
    if len(files) > 1:
        raise UserError(f"{path}: two axes name config files: {', '.join(files)}.")
    base = files[0] if files else content.get("base")
    if base is None:
        raise UserError(f"{path}: a grid needs 'base', or an axis whose values are config files.")
    config = load_config(named_file(base, path.parent), overrides)
    for change in changes:
        config.merge_from_dict(change)
    config.seed = seed
    if "protocol" in content:
        config.protocol = copy.deepcopy(content["protocol"])
    name = ",".join([*(f"{axis}={value}" for axis, value in values.items()), f"seed={seed}"])
    config.work_dir = str(root / safe_name(name, f"{path}: the name of a cell"))
    return Cell(name, values, seed, config, config_hash(config))


def _files_and_changes(
    path: Path, axes: Mapping[str, Mapping[str, Any]], values: Mapping[str, str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the config files and the dicts of changes that one combination of the axes names.

    The dicts are copies, because mmengine's merging consumes their `_delete_`.
    """
    files, changes = [], []
    for axis, value in values.items():
        change = axes[axis][value]
        if isinstance(change, Mapping):
            change = copy.deepcopy(dict(change))
            changes.append(change)
            change = change.pop("_base_", None)
        elif not isinstance(change, str):
            raise UserError(f"{path}: {axis}={value} is a dict or a config file, not {change!r}.")
        if change is not None:
            files.append(change)
    return files, changes


def config_hash(config: Config) -> str:
    """Return the SHA-256 of what in a config affects the trained weights.

    Left out are the protocol, the work directory, `vis_backends`, `start_from`, and the loaders'
    `num_workers`, `cache` and `prefetch`.
    """
    numbers = config_that_affects_results(json.loads(json.dumps(config.to_dict())))
    return fingerprint({key: value for key, value in numbers.items() if key != "protocol"})
