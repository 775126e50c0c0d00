"""The source of parts: a hash of all code that images or measurements were computed with.

What is kept for later is used again only while this hash is the same. It covers whole packages of
the core, and of plugins and other code of the user the very files that the parts come from: those
that define them and, as far as they import each other, the rest. Installed libraries are left out.
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
from i2ibench.registry.sources import is_core, plugin_modules, shown_name


def code_of(parts: Iterable[Any], config: Any, packages: Sequence[str]) -> str:
    """Return the SHA-256 of the code of some parts.

    Args:
        parts: objects, classes or functions; of a torch module its submodules count too.
        config: every part that it names as a `type` counts too, such as a function that builds.
        packages: of the core, which are hashed whole, such as "generators".
    """
    modules = {module_of(inner) for part in parts for inner in _with_submodules(part)}
    for name in set(named_types(config)):
        known = (registry.module_dict.get(name) for registry in REGISTRIES.values())
        modules |= {part.__module__ for part in known if part is not None}
    files = _files_of(modules)
    listed = [f"{shown_name(name)} {sha256(files[name])}" for name in sorted(files)]
    return hashlib.sha256("\n".join([code_hash(*packages), *listed]).encode()).hexdigest()


def named_types(config: Any) -> Iterator[str]:
    """Yield every name that stands as a `type` in a config, at any depth."""
    if isinstance(config, Mapping):
        if isinstance(config.get("type"), str):
            yield config["type"]
        for value in config.values():
            yield from named_types(value)
    elif isinstance(config, Sequence) and not isinstance(config, str):
        for value in config:
            yield from named_types(value)


def _with_submodules(part: Any) -> Iterable[Any]:
    return part.modules() if isinstance(part, nn.Module) else [part]


def module_of(part: Any) -> str:
    """Return the name of the module that defines a class, a function, or an object's class."""
    defined = part if isinstance(part, type | FunctionType) else type(part)
    return str(defined.__module__)


def _files_of(modules: set[str]) -> dict[str, Path]:
    """Return by name the files of the user's modules among some, and of those that they import."""
    found: dict[str, Path] = {}
    plugins = set(plugin_modules())
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _file_of(name, plugins)
        if name not in found and file is not None:
            found[name] = file
            waiting += _imports(name, file)
    return found


def _file_of(module: str, plugins: set[str]) -> Path | None:
    """The file of an imported module of a plugin or of the user; None for all others."""
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
    """The names of all that a file imports, modules or not."""
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
