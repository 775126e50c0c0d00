"""Discovery: loads the plugins, installed ones and those in named folders, and lists them."""

import os
import pkgutil
import shlex
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.provenance import sha256
from i2ibench.registry.plugin_folders import VARIABLE, folder_of, package_of, plugin_folders
from i2ibench.registry.registries import REGISTRIES, Registry
from i2ibench.registry.sources import (
    is_core,
    origin_of,
    plugin_entry_points,
    plugin_modules,
    shown_name,
)


def load_plugins() -> tuple[str, ...]:
    """The names of all plugin modules, imported so that their parts are registered.

    A package advertises itself through the entry-point group `i2ibench.plugins`, and a folder is
    named by the user (see `plugin_folders`); every module in them is imported. A module that cannot
    be imported is skipped and the reason kept in `Registry.skipped`: `parts`, `doctor` and every
    error about an unknown name tell it. It is not fatal, because a plugin that a run does not name
    must not stop it, nor the commands that help to mend it; and it is never silent, because what it
    would have registered is then missing.
    """
    return _load_all(os.environ.get(VARIABLE, ""))


@cache
def _load_all(folders: str) -> tuple[str, ...]:
    """Load the plugins of a value of the environment variable; what is loaded stays as it is."""
    found = [m for point in plugin_entry_points() for m in _modules(point.module) if _load(m)]
    for folder in plugin_folders():
        if folder.is_dir() and not _is_installed(folder):
            found += [m for m in _modules(package_of(folder)) if _load(m)]
        elif not folder.is_dir():
            Registry.skipped[str(folder)] = f"${VARIABLE} names it, and there is no such folder"
    return tuple(found)


def plugin_records() -> list[dict[str, Any]]:
    """Return the plugins that were there, for the record of a run, sorted by module.

    Each has its module (`my_plugins/own.py` for the file of a plugin folder), distribution,
    version, SHA-256 of its file, and parts. They are the imported modules of all plugins, and
    modules outside them that register parts (`custom_imports`).
    """
    load_plugins()
    parts: dict[str, list[str]] = {module: [] for module in plugin_modules()}
    for kind, registry in REGISTRIES.items():
        for name in registry.names():
            module = registry.module_dict[name].__module__
            if not is_core(module):
                parts.setdefault(module, []).append(f"{kind} {name}")
    return [
        {
            "module": shown_name(module),
            "distribution": (origin := origin_of(module)).distribution,
            "version": origin.version,
            "sha256": sha256(origin.file) if origin.file and origin.file.is_file() else None,
            "parts": names,
        }
        for module, names in sorted(parts.items())
    ]


def _modules(package: str) -> Iterator[str]:
    """The named module, then, if it is a package, all modules in it."""
    if not _load(package):
        return
    found = import_module(package)
    if getattr(found, "__file__", None) is not None:
        yield package
    for module in pkgutil.iter_modules(getattr(found, "__path__", [])):
        yield f"{package}.{module.name}"


def _is_installed(folder: Path) -> bool:
    """Return whether a folder is that of a plugin package already, as `plugins/` is."""
    files = (getattr(sys.modules[name], "__file__", None) for name in plugin_modules())
    return folder / "__init__.py" in (Path(file).resolve() for file in files if file)


def _load(module: str) -> bool:
    """True if `module` could be imported; otherwise it leaves a note and no half of its parts."""
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
        Registry.skipped[shown_name(module)] = _reason(module, error)
        return False
    return True


def _reason(module: str, error: BaseException) -> str:
    """Why a module could not be imported; a missing package is no defect of the plugin."""
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
