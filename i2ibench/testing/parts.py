"""Select the parts that are tested, and build each small enough for a test."""

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from i2ibench.data.loaders import prepare_dataset
from i2ibench.errors import UserError
from i2ibench.registry import REGISTRIES, Registry
from i2ibench.registry.plugin_folders import package_of
from i2ibench.testing.core_parts import CORE

IN_CHANNELS = 6
"""Channels of the condition, or of condition and image, in the tests of networks."""

NUM_CLASSES = 3
"""Classes of the data in the tests of discriminators and of losses that read label maps."""


@cache
def parts_of(plugin: str) -> list[str]:
    """Return the names of all parts of a plugin, of every kind; the result is cached.

    Args:
        plugin: a package, a module, or the path of a .py file. It is imported.

    Raises:
        UserError: the plugin cannot be imported, or registers nothing.
    """
    found = [name for kind in REGISTRIES for name in parts_of_kind(kind, plugin)]
    if not found:
        why = "".join(f" {m} was skipped: {r}." for m, r in Registry.skipped.items())
        raise UserError(f"{plugin} registers no part of any kind.{why}")
    return found


def parts_of_kind(kind: str, plugin: str | None = None, of: type | None = None) -> list[str]:
    """Return the names of all parts of a kind, or of a plugin's parts of this kind.

    Args:
        kind: the kind of part, a key of REGISTRIES.
        plugin: see `parts_of`; None for all registered parts.
        of: return only classes that inherit from this base class; None for no such choice.

    Raises:
        UserError: the plugin cannot be imported.
    """
    registry = REGISTRIES[kind]
    names = registry.names()
    if plugin is not None:
        module = import_plugin(plugin)
        names = [n for n in registry.names() if f"{_module(kind, n)}.".startswith(f"{module}.")]
    return names if of is None else [n for n in names if _is_of(registry.find(n), of)]


def _is_of(part: Callable[..., Any], contract: type) -> bool:
    return isinstance(part, type) and issubclass(part, contract)


def _module(kind: str, name: str) -> str:
    return REGISTRIES[kind].find(name).__module__


@cache
def import_plugin(plugin: str) -> str:
    """Import a package, a module or a .py file, and return the dotted name of the module.

    Installed plugins are imported first. A file that is imported already is not imported again.

    Raises:
        UserError: the module or file does not exist.
    """
    for registry in REGISTRIES.values():
        registry.names()  # imports installed plugins first, so that none is imported twice
    if plugin.endswith(".py"):
        return _import_file(Path(plugin))
    try:
        importlib.import_module(plugin)
    except ModuleNotFoundError as error:
        raise UserError(
            f"The plugin {plugin!r} cannot be imported: {error}. Install it (pip install -e .) or "
            "give the path of its .py file."
        ) from error
    return plugin


def _import_file(path: Path) -> str:
    for name, module in sys.modules.items():
        if getattr(module, "__file__", None) and Path(str(module.__file__)).resolve() == (
            path.resolve()
        ):
            return name  # a file of an installed package
    if not path.is_file():
        raise UserError(f"There is no plugin file {path}.")
    name = f"{package_of(path.parent)}.{path.stem}"
    importlib.import_module(name)
    return name


class Workshop:
    """A builder of parts at test size.

    Args:
        new_folder: makes an empty folder and returns its path, given a name.
    """

    def __init__(self, new_folder: Callable[[str], Path]) -> None:
        self.new_folder = new_folder
        self.known: dict[tuple[str, str], Mapping[str, Any]] = {}

    def __call__(self, kind: str, name: str, **derived: Any) -> Any:
        """Return a part at test size with seeded weights.

        The files of a data set that makes its own are written first.

        Args:
            kind: the kind of part, such as "generator".
            name: the registered name of the part.
            derived: channel and class counts, of which the part gets those that it takes.
        """
        torch.manual_seed(0)
        if kind == "dataset":
            prepare_dataset({"dataset": {"type": name, **self.options(kind, name)}}, None)
        return REGISTRIES[kind].build_for({"type": name, **self.options(kind, name)}, derived)

    def options(self, kind: str, name: str) -> Mapping[str, Any]:
        """Return the options with which a part is tested; see `contract_options`.

        They are determined once for each part, so that its files are written once.
        """
        if (kind, name) not in self.known:
            part = REGISTRIES[kind].find(name)
            self.known[kind, name] = contract_options(name, part, self.new_folder)
        return self.known[kind, name]


def contract_options(
    name: str, part: Callable[..., Any], new_folder: Callable[[str], Path]
) -> Mapping[str, Any]:
    """Return the options with which a part is tested.

    They come from the part's attribute `contract_options`, else from CORE, else they are empty. If
    they are a function, it gets a new folder and returns the options. A function may skip the test
    if a package is missing, by `pytest.importorskip`. The test fails if the result is no dict.

    Args:
        name: the registered name of the part.
        part: the class or function.
        new_folder: makes an empty folder and returns its path, given a name.
    """
    given = getattr(part, "contract_options", CORE.get(name, {}))
    if callable(given):
        given = given(new_folder(name))
    if not isinstance(given, Mapping):
        pytest.fail(f"{name}.contract_options is to be a dict of options, not {given!r}.")
    return given
