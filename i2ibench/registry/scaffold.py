"""The scaffold of a new plugin: one module with a config, or a whole package to install.

The files are templates, complete for every kind of part. The name NewPart stands in them for the
name of the new class, in every spelling, and KIND for its kind.
"""

import keyword
import re
from importlib.resources import files
from pathlib import Path

from i2ibench.errors import UserError, near_match
from i2ibench.io.files import write_text
from i2ibench.registry.registries import REGISTRIES

TEMPLATES = files("i2ibench.registry") / "templates"

KINDS = (
    "translator", "generator", "discriminator", "encoder", "loss", "dataset", "reader", "segmenter",
    "metric", "feature", "protocol", "hook",
)  # fmt: skip

LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"


def new_module(kind: str, name: str, folder: Path, configs: Path | None = None) -> Path:
    """Write the file of a new part, `folder/new_part.py`, and return its path.

    Missing folders are made. If one of the files exists already, nothing is written.

    Args:
        kind: the kind of part, one of KINDS.
        name: the name of its class, from which the file's name is derived.
        folder: the folder that gets the file.
        configs: the folder that gets `new_part.py`, a config that uses the part; None for no
            config.

    Raises:
        UserError: the kind is unknown, the name cannot be used, or a file exists already.
    """
    path = folder / f"{snake(check_name(kind, name))}.py"
    contents = {path: LICENCE + _fill(f"{kind}.py.txt", kind, name)}
    if configs is not None:
        contents[configs / path.name] = _fill(f"configs/{kind}.py.txt", kind, name)
    _write(contents)
    return path


def new_package(kind: str, name: str, folder: Path) -> Path:
    """Write an installable package with one new part, and return `folder/i2ibench-new-part`.

    The folder's name has a hyphen, so that Python does not import the folder as the package. It
    holds the module, a contract test, a config, a README and a pyproject.toml.

    Args:
        kind: the kind of part, one of KINDS.
        name: the name of its class.
        folder: the folder in which the package's folder is made.

    Raises:
        UserError: the kind is unknown, the name cannot be used, or the package's folder exists.
    """
    module = snake(check_name(kind, name))
    root = folder / f"i2ibench-{module.replace('_', '-')}"
    if root.exists():
        raise UserError(f"{root} exists already; choose another name, or remove the folder.")
    _write(
        {
            root / module / "__init__.py": f'"""{name}, a {kind} for i2ibench."""\n',
            root / module / f"{kind}.py": LICENCE + _fill(f"{kind}.py.txt", kind, name),
            root / "tests" / "test_contract.py": _fill("test_contract.py.txt", kind, name),
            root / "configs" / f"{module}.py": _fill(f"configs/{kind}.py.txt", kind, name),
            root / "README.md": _fill("README.md.txt", kind, name),
            root / "pyproject.toml": _fill("pyproject.toml.txt", kind, name),
        }
    )
    return root


def check_name(kind: str, name: str) -> str:
    """Return the class name of a new part unchanged, if it can be used.

    Raises:
        UserError: the kind is unknown, the name is no class name, or a part of this kind has it
            already.
    """
    if kind not in KINDS:
        raise UserError(f"No kind {kind!r}.{near_match(kind, KINDS)} Known: {', '.join(KINDS)}.")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) or keyword.iskeyword(snake(name)):
        raise UserError(
            f"{name!r} cannot be the name of a part: it must be a class name of letters and digits "
            "that begins with a capital letter, such as SoftHinge."
        )
    if name in REGISTRIES[kind].names():
        module = REGISTRIES[kind].find(name).__module__
        raise UserError(f"There is a {kind} named {name!r} already, in {module}.")
    return name


def snake(name: str) -> str:
    """Return the module name of a class name: SoftHinge2GAN becomes soft_hinge2_gan."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", parts).lower()


def _fill(template: str, kind: str, name: str) -> str:
    """Return the text of a template with the name and the kind of the new part filled in."""
    text = TEMPLATES.joinpath(template).read_text(encoding="utf-8")
    replacements = {
        "test_KINDs": "test_losses" if kind == "loss" else f"test_{kind}s",
        "KIND": kind,
        "NewPart": name,
        "new_part": snake(name),
        "new-part": snake(name).replace("_", "-"),
    }
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def _write(contents: dict[Path, str]) -> None:
    for path in contents:
        if path.exists():
            raise UserError(f"{path} exists already; choose another name, or remove the file.")
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
