"""Plugin folders: folders whose Python files are plugins because the user names the folder.

A user names folders by `--plugins DIR`, by the key `plugins` of a config, or by $I2IBENCH_PLUGINS.
The first two are added to the environment variable, so that processes that are started later (data
loader workers, cells of a grid) load the same plugins.

The file `own.py` in a folder is the module `i2ibench.registry.plugin_folders.FOLDER_HASH.own`.
Files of one folder import each other by relative imports. Nothing is added to sys.path. Another
process finds the module by its name alone, which unpickling needs.
"""

import hashlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from i2ibench.errors import UserError
from i2ibench.registry.sources import FOLDERS

VARIABLE = "I2IBENCH_PLUGINS"

__path__: list[str] = []  # Python imports submodules only of a module that has a __path__

_folders: dict[str, Path] = {}


def plugin_folders() -> list[Path]:
    """Return the folders in $I2IBENCH_PLUGINS, absolute and each once; some may not exist."""
    named = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    return list(dict.fromkeys(Path(text).expanduser().resolve() for text in named))


def use_plugin_folders(texts: Sequence[str], base: Path, source: str) -> None:
    """Add folders to $I2IBENCH_PLUGINS, from which this process and its children load plugins.

    They are put before the folders that the variable has already. Nothing is imported yet.

    Args:
        texts: folders, or several in one text with `os.pathsep` between them.
        base: the folder to which relative ones are relative.
        source: the option or key that names them, for error messages.

    Raises:
        UserError: one of them is no text or no folder.
    """
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{source}: expected a list of folders as strings, not {texts!r}.")
    folders = [base / Path(one).expanduser() for text in texts for one in text.split(os.pathsep)]
    for folder in folders:
        if folder.is_file():
            raise UserError(f"{source}: {folder} is a file; name its folder, {folder.parent}.")
        if not folder.is_dir():
            raise UserError(f"{source}: there is no folder {folder}.")
    added = [*(folder.resolve() for folder in folders), *plugin_folders()]
    if added:
        os.environ[VARIABLE] = os.pathsep.join(map(str, dict.fromkeys(added)))


def package_of(folder: Path) -> str:
    """Return the dotted name of the package that a folder is imported as, and make it importable.

    Nothing is imported. The name holds the folder's name and a hash of its absolute path.
    """
    place = folder.resolve()
    digest = hashlib.sha256(str(place).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = f"{FOLDERS}{re.sub(r'[^0-9A-Za-z_]', '_', place.name)}_{digest}"
    _folders[name] = place
    return name


def folder_of(module: str) -> Path | None:
    """Return the plugin folder that a module belongs to; None for other modules.

    Args:
        module: the dotted name of the module.
    """
    return _folders.get(".".join(module.split(".")[:4]))


class _Finder:
    """A finder for `sys.meta_path` of the packages that plugin folders are imported as."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the import spec of a plugin folder's package, or None for any other name.

        The folder may lack an `__init__.py`. Python finds the files in the package without this
        method. `path` and `target` are not used.
        """
        if not name.startswith(FOLDERS):
            return None
        for known in plugin_folders():
            package_of(known)
        folder = _folders.get(name)
        if folder is None:
            return None
        if (folder / "__init__.py").is_file():
            return spec_from_file_location(
                name, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec


sys.meta_path.append(_Finder)
