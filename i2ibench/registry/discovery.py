"""Discovery: imports all plugins, those of installed packages and those in the user's folders."""

import os
import pkgutil
import shlex
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.registry.plugin_folders import VARIABLE, folder_of, package_of, plugin_folders
from i2ibench.registry.registries import REGISTRIES, Registry
from i2ibench.registry.sources import display_name, is_core, plugin_entry_points, plugin_modules


def load_plugins() -> tuple[str, ...]:
    """Import all plugin modules, so that their parts are registered, and return their names.

    A package is found by its entry point in the group `i2ibench.plugins`, a folder because the user
    names it (see `plugin_folders`). Every module directly in the package or folder is imported.
    This happens once for each value of $I2IBENCH_PLUGINS.

    A module that cannot be imported is skipped, and `Registry.skipped` keeps the reason. A broken
    plugin that a run does not use must not stop the run. The commands `parts` and `doctor` and
    every error about an unknown part print the reason.

    Returns:
        The dotted names of the modules that could be imported.
    """
    return _load_all(os.environ.get(VARIABLE, ""))


@cache
def _load_all(folders: str) -> tuple[str, ...]:
    """Import all plugins, once for each value of the environment variable."""
    loaded = [m for point in plugin_entry_points() for m in _modules(point.module) if _load(m)]
    for folder in plugin_folders():
        if not folder.is_dir():
            Registry.skipped[str(folder)] = f"${VARIABLE} names it, and there is no such folder"
        elif not _is_installed(folder):
            loaded += [m for m in _modules(package_of(folder)) if _load(m)]
    return tuple(loaded)


def _modules(package: str) -> Iterator[str]:
    """Yield the dotted names of a module and, if it is a package, of the modules directly in it.

    The module is imported first. Nothing is yielded if that fails. A package without `__init__.py`
    is not yielded itself.
    """
    if not _load(package):
        return
    module = import_module(package)
    if getattr(module, "__file__", None) is not None:
        yield package
    for inner in pkgutil.iter_modules(getattr(module, "__path__", [])):
        yield f"{package}.{inner.name}"


def _is_installed(folder: Path) -> bool:
    """Return whether the folder has been imported already as the package of an entry point.

    An example is the folder `plugins/` of a source checkout.
    """
    files = (getattr(sys.modules[name], "__file__", None) for name in plugin_modules())
    return folder / "__init__.py" in (Path(file).resolve() for file in files if file)


def _load(module: str) -> bool:
    """Import a module and return whether it succeeded.

    If the import fails, the parts that the module registered are removed again, and
    `Registry.skipped` gets the reason. Parts of other modules that were imported on the way stay if
    these modules are whole.
    """
    before = {kind: set(registry.module_dict) for kind, registry in REGISTRIES.items()}
    try:
        import_module(module)
    except (Exception, SystemExit) as error:
        whole = {name for name in plugin_modules() if not name.startswith(f"{module}.")}
        for kind, registry in REGISTRIES.items():
            for name in registry.module_dict.keys() - before[kind]:
                source = registry.module_dict[name].__module__
                if source not in whole and not is_core(source):
                    del registry.module_dict[name]
        Registry.skipped[display_name(module)] = _reason(module, error)
        return False
    return True


def _reason(module: str, error: BaseException) -> str:
    """Return the reason why a module could not be imported, as part of a sentence.

    It is the message of a UserError, the name of a missing package, or the correction of an import
    of a neighbour without a dot. Any other error is named with its place and a command that shows
    the traceback.
    """
    if isinstance(error, UserError):
        return str(error).rstrip(".")
    own = ("", "i2ibench", module.partition(".")[0])
    missing = (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
    folder = folder_of(module)
    if folder is not None and (folder / f"{missing}.py").is_file():
        return f"it imports its neighbour {missing!r} without a dot: write `from .{missing} import`"
    if missing.partition(".")[0] not in own:
        return f"it needs the package {missing!r}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error).strip().partition("\n")[0]
    variable = f"{VARIABLE}={shlex.quote(str(folder))} " if folder is not None else ""
    return (
        f"{type(error).__name__}: {message} ({frame.filename}, line {frame.lineno}; "
        f"`{variable}python -c 'import {module}'` shows the traceback)"
    )
