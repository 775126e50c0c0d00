"""Sources of parts: the plugin and distribution of a module, and the plugin behind an error."""

import sys
import traceback
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "i2ibench.plugins"
"""The entry-point group in which installed packages name their plugins."""

FOLDERS = "i2ibench.registry.plugin_folders."
"""The beginning of the module name of every file in a plugin folder; see `plugin_folders`."""


@dataclass(frozen=True)
class Origin:
    """The source of a module.

    Attributes:
        module: its dotted name.
        distribution: the installed distribution that holds it; None for a module outside any
            installed plugin.
        version: the version of the distribution.
        file: the file of the module, or None.
    """

    module: str
    distribution: str | None
    version: str | None
    file: Path | None

    def __str__(self) -> str:
        """Return "core", "plugins/", "folder x", "my-package 1.2" or, for another module, its name.

        The name has the word "module" before it.
        """
        package = self.module.partition(".")[0]
        if self.module.startswith(FOLDERS):
            return f"folder {self.file.parent.name if self.file else ''}".rstrip()
        if package in ("i2ibench", "i2ibench_plugins"):
            return "core" if package == "i2ibench" else "plugins/"
        if self.distribution is None:
            return f"module {self.module}"
        return f"{self.distribution} {self.version}"

    def described(self) -> str:
        """Return the module's name with its source and its file, for error messages."""
        return f"{display_name(self.module)} ({self}, {self.file})"


def is_core(module: str) -> bool:
    """Return whether a module belongs to i2ibench itself, judged by its dotted name.

    Files of plugin folders do not, although their names begin with "i2ibench." too.
    """
    return module.partition(".")[0] == "i2ibench" and not module.startswith(FOLDERS)


def display_name(module: str) -> str:
    """Return the module's name for messages: `my_plugins/own.py` for a file in a plugin folder.

    The package of a plugin folder is named like the folder. Other names are returned unchanged.
    """
    if not module.startswith(FOLDERS):
        return module
    package, *rest = module.removeprefix(FOLDERS).split(".")
    return "/".join([package.rpartition("_")[0], *rest]) + (".py" if rest else "")


def origin_of(module: str) -> Origin:
    """Return the origin of a module, given its dotted name.

    The file is None for a module that is not imported or has none.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    distribution: str | None = None
    version: str | None = None
    for point in plugin_entry_points():
        if f"{module}.".startswith(f"{point.module}.") and point.dist is not None:
            distribution, version = point.dist.name, point.dist.version
    return Origin(module, distribution, version, Path(file) if file else None)


@cache
def plugin_entry_points() -> tuple[EntryPoint, ...]:
    """Return the entry points of all installed plugins, sorted by module and name.

    The result is cached, because reading the installed distributions is slow.
    """
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.module, point.name)))


def plugin_modules() -> list[str]:
    """Return the dotted names of the plugin modules that are imported already, sorted.

    These are modules of packages with an entry point and of plugin folders. Modules without a file
    are left out.
    """
    packages = [f"{point.module}." for point in plugin_entry_points()]
    with_file = [name for name in sys.modules if getattr(sys.modules[name], "__file__", None)]
    return sorted(
        name
        for name in with_file
        if name.startswith(FOLDERS) or any(f"{name}.".startswith(p) for p in packages)
    )


def blame(error: BaseException) -> str | None:
    """Return a text that names the plugin in which an error was raised, or None.

    The plugin is that of the deepest stack frame in a plugin's file. An error from a data-loader
    worker holds its traceback as text, which is searched next. None means that no plugin is
    involved.

    Returns:
        A text such as "plugin own (folder my_plugins, /path/own.py, line 7)".
    """
    files = {str(origin.file): origin for origin in map(origin_of, plugin_modules()) if origin.file}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return _with_line(files[frame.filename], frame.lineno)
    for text in reversed(str(error).splitlines()):
        for file, origin in files.items():
            if f'File "{file}", line ' in text:
                number = text.partition('", line ')[2].partition(",")[0]
                return _with_line(origin, int(number) if number.isdigit() else None)
    return None


def _with_line(origin: Origin, line: int | None) -> str:
    where = f", line {line}" if line else ""
    return f"plugin {display_name(origin.module)} ({origin}, {origin.file}{where})"
