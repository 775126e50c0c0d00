"""Origins: which plugin and distribution a module belongs to, and who is to blame for an error."""

import sys
import traceback
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "i2ibench.plugins"

FOLDERS = "i2ibench.registry.plugin_folders."
"""Names of modules from plugin folders begin with this; see `plugin_folders`."""


@dataclass(frozen=True)
class Origin:
    """Where a module comes from.

    Attributes:
        module: its dotted name.
        distribution: what was installed to bring it; None for a module outside any plugin.
        version: of the distribution.
        file: of the module, or None.
    """

    module: str
    distribution: str | None
    version: str | None
    file: Path | None

    def __str__(self) -> str:
        """The name "core", "plugins/", "folder x", "my-package 1.2" or "module my_parts"."""
        package = self.module.partition(".")[0]
        if self.module.startswith(FOLDERS):
            return f"folder {self.file.parent.name if self.file else ''}".rstrip()
        if package in ("i2ibench", "i2ibench_plugins"):
            return "core" if package == "i2ibench" else "plugins/"
        if self.distribution is None:
            return f"module {self.module}"
        return f"{self.distribution} {self.version}"

    def described(self) -> str:
        """The module with what brought it and its file, for error messages."""
        return f"{shown_name(self.module)} ({self}, {self.file})"


def is_core(module: str) -> bool:
    """Return whether a module is one of i2ibench itself."""
    return module.partition(".")[0] == "i2ibench" and not module.startswith(FOLDERS)


def shown_name(module: str) -> str:
    """Return `my_plugins/own.py` for a module of a plugin folder, and other names as they are."""
    if not module.startswith(FOLDERS):
        return module
    package, *rest = module.removeprefix(FOLDERS).split(".")
    return "/".join([package.rpartition("_")[0], *rest]) + (".py" if rest else "")


def origin_of(module: str) -> Origin:
    """The origin of an imported module."""
    file = getattr(sys.modules.get(module), "__file__", None)
    distribution: str | None = None
    version: str | None = None
    for point in plugin_entry_points():
        if f"{module}.".startswith(f"{point.module}.") and point.dist is not None:
            distribution, version = point.dist.name, point.dist.version
    return Origin(module, distribution, version, Path(file) if file else None)


@cache
def plugin_entry_points() -> tuple[EntryPoint, ...]:
    """The entry points under which plugins advertise themselves, in an order of their own."""
    found = entry_points(group=GROUP)  # reads what is installed, which takes its time
    return tuple(sorted(found, key=lambda point: (point.module, point.name)))


def plugin_modules() -> list[str]:
    """Return the imported modules of plugins with an entry point or in a folder, sorted."""
    packages = [f"{point.module}." for point in plugin_entry_points()]
    files = [name for name in sys.modules if getattr(sys.modules[name], "__file__", None)]
    return sorted(
        name
        for name in files
        if name.startswith(FOLDERS) or any(f"{name}.".startswith(p) for p in packages)
    )


def blame(error: BaseException) -> str | None:
    """The plugin in which an error arose, with its distribution, file and line, or None.

    The deepest frame in a plugin's file counts. An error from a data-loader worker brings its
    traceback as text.
    """
    files = {str(origin.file): origin for origin in map(origin_of, plugin_modules()) if origin.file}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return _named(files[frame.filename], frame.lineno)
    for line in reversed(str(error).splitlines()):
        for file, origin in files.items():
            if f'File "{file}", line ' in line:
                number = line.partition('", line ')[2].partition(",")[0]
                return _named(origin, int(number) if number.isdigit() else None)
    return None


def _named(origin: Origin, line: int | None) -> str:
    where = f", line {line}" if line else ""
    return f"plugin {shown_name(origin.module)} ({origin}, {origin.file}{where})"
