"""Discovery: loads the plugin packages that are installed, and tells which they are."""

import pkgutil
import traceback
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

from i2ibench.errors import UserError
from i2ibench.origins import advertised, origin_of, plugin_modules
from i2ibench.provenance import sha256
from i2ibench.registry import REGISTRIES, Registry


@cache
def load_plugins() -> tuple[str, ...]:
    """The names of all plugin modules, imported so that their parts are registered.

    A package advertises itself through the entry-point group `i2ibench.plugins`; every module in
    it is imported. A module that cannot be imported is skipped and the reason kept in
    `Registry.skipped`: `parts`, `doctor` and every error about an unknown name tell it. It is not
    fatal, because a plugin that a run does not name must not stop it, nor the commands that help
    to mend it; and it is never silent, because what it would have registered is then missing.
    """
    found = []
    for point in advertised():
        found += [module for module in _modules(point) if _load(module)]
    return tuple(found)


def plugin_records() -> list[dict[str, Any]]:
    """Which plugins were there, for the record of a run: module, distribution, version, SHA-256.

    These are the imported modules of all plugins, and modules outside them that register parts
    (`custom_imports`), sorted by name.
    """
    load_plugins()
    parts: dict[str, list[str]] = {module: [] for module in plugin_modules()}
    for kind, registry in REGISTRIES.items():
        for name in registry.names():
            module = registry.module_dict[name].__module__
            if not origin_of(module).is_core:
                parts.setdefault(module, []).append(f"{kind} {name}")
    return [
        {
            "module": module,
            "distribution": (origin := origin_of(module)).distribution,
            "version": origin.version,
            "sha256": sha256(origin.file) if origin.file and origin.file.is_file() else None,
            "parts": names,
        }
        for module, names in sorted(parts.items())
    ]


def _modules(point: EntryPoint) -> Iterator[str]:
    """The advertised module, then, if it is a package, all modules in it."""
    if not _load(point.module):
        return
    package = import_module(point.module)
    yield point.module
    for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
        yield f"{point.module}.{module.name}"


def _load(module: str) -> bool:
    """True if `module` could be imported; otherwise it leaves a note and no half of its parts."""
    before = {kind: dict(registry.module_dict) for kind, registry in REGISTRIES.items()}
    try:
        import_module(module)
    except Exception as error:
        for kind, registry in REGISTRIES.items():
            registry.module_dict.clear()
            registry.module_dict.update(before[kind])
        Registry.skipped[module] = _reason(module, error)
        return False
    return True


def _reason(module: str, error: Exception) -> str:
    """Why a module could not be imported; a missing package is no defect of the plugin."""
    if isinstance(error, UserError):
        return str(error).rstrip(".")
    own = ("", "i2ibench", module.partition(".")[0])
    missing = (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
    if missing.partition(".")[0] not in own:
        return f"it needs the package {missing!r}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error).strip().partition("\n")[0]
    return (
        f"{type(error).__name__}: {message} ({frame.filename}, line {frame.lineno}; "
        f"`python -c 'import {module}'` shows the traceback)"
    )
