"""Discovery: loads the plugin packages that are installed."""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from i2ibench.registry import Registry

GROUP = "i2ibench.plugins"


@cache
def load_plugins() -> tuple[str, ...]:
    """The names of all plugin modules, imported so that their parts are registered.

    A package advertises itself through the entry-point group `i2ibench.plugins`; every module in
    it is imported. A module whose third-party dependency is missing is skipped and the reason
    kept in `Registry.skipped`.

    Raises:
        RuntimeError: a plugin fails in any other way; the message names it.
    """
    found = []
    for point in entry_points(group=GROUP):
        found += [module for module in _modules(point) if _load(module)]
    return tuple(found)


def _modules(point: EntryPoint) -> Iterator[str]:
    """The advertised module, then, if it is a package, all modules in it."""
    if not _load(point.value):
        return
    package = import_module(point.value)
    yield point.value
    for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
        yield f"{point.value}.{module.name}"


def _load(module: str) -> bool:
    """True if `module` could be imported; a missing dependency leaves a note."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("i2ibench", module.partition(".")[0]):
            raise RuntimeError(f"Plugin {module!r} failed to load: {error}") from error
        Registry.skipped[module] = f"it needs the package {error.name!r}"
        return False
    except Exception as error:
        raise RuntimeError(f"Plugin {module!r} failed to load: {error}") from error
    return True
