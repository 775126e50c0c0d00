"""Hashes of source code: one SHA-256 of all code that computed some images or measurements.

Cached images and measurements are used again only while the hash stays the same. It covers whole
packages of i2ibench. Of plugins and other code of the user it covers the files that define the
parts, and the files that those import. Installed libraries are left out.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

from torch import nn

from i2ibench.io.provenance import code_hash, sha256
from i2ibench.registry.registries import REGISTRIES
from i2ibench.registry.sources import display_name, is_core, plugin_modules


def hash_code_of(parts: Iterable[Any], config: Any, packages: Sequence[str]) -> str:
    """Return the SHA-256 of the code of some parts, in hexadecimal.

    The files are read now. Those of plugins and the user's own code are hashed with the files that
    they import; see the module.

    Args:
        parts: objects, classes or functions. The submodules of a torch module are included.
        config: a config; the code of every part that it names as a `type` is included. Names that
            no registry has are ignored.
        packages: packages of i2ibench that are hashed as a whole, such as "models".
    """
    objects = [inner for p in parts for inner in (p.modules() if isinstance(p, nn.Module) else [p])]
    modules = set(map(module_of, objects))
    for name in set(named_types(config)):
        known = (registry.module_dict.get(name) for registry in REGISTRIES.values())
        modules |= {part.__module__ for part in known if part is not None}
    files = _user_files(modules)
    listed = [f"{display_name(name)} {sha256(files[name])}" for name in sorted(files)]
    return hashlib.sha256("\n".join([code_hash(*packages), *listed]).encode()).hexdigest()


def named_types(config: Any) -> Iterator[str]:
    """Yield every name that stands as a `type` in a config, at any depth; a name may come twice."""
    if isinstance(config, Mapping):
        if isinstance(config.get("type"), str):
            yield config["type"]
        for value in config.values():
            yield from named_types(value)
    elif isinstance(config, Sequence) and not isinstance(config, str):
        for value in config:
            yield from named_types(value)


def module_of(part: Any) -> str:
    """Return the name of the module that defines a class, a function, or an object's class."""
    definition = part if isinstance(part, type | FunctionType) else type(part)
    return str(definition.__module__)


def _user_files(modules: set[str]) -> dict[str, Path]:
    """Return the files of plugins and of the user's code, by the dotted name of their module.

    These are the given modules and, recursively, the modules that they import. Modules of i2ibench
    and installed libraries are left out.
    """
    files: dict[str, Path] = {}
    plugins = set(plugin_modules())
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _user_file(name, plugins)
        if name not in files and file is not None:
            files[name] = file
            waiting += _imports(name, file)
    return files


def _user_file(module: str, plugins: set[str]) -> Path | None:
    """Return the file of an imported module of a plugin or the user; None for other modules.

    None stands also for a module that is not imported or has no file.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file or is_core(module):
        return None
    path = Path(file)
    is_library = (
        module.partition(".")[0] in sys.stdlib_module_names
        or {"site-packages", "dist-packages"} & set(path.parts)
        or path.is_relative_to(sysconfig.get_paths()["stdlib"])
    )
    return path if path.is_file() and (module in plugins or not is_library) else None


def _imports(module: str, file: Path) -> list[str]:
    """Return the dotted names of everything that a file imports, modules and other objects.

    The list is empty for a file that does not end in .py. The file is read, not executed.
    """
    if file.suffix != ".py":
        return []
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            dotted = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(dotted, package) if node.level else dotted
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names
