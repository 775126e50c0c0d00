"""Files in the package's configs by name: systems, ablation grids and studies."""

import ast
from pathlib import Path
from typing import Literal

from i2ibench.errors import UserError, near_match
from i2ibench.io.files import read_text

PREFIX = "i2ibench::"
"""The beginning of the name of a package's config, such as "i2ibench::spade_toystreet.py"."""

Kind = Literal["config", "grid", "study"]

_FOLDERS: dict[Kind, str] = {"config": ".", "grid": "grids", "study": "studies"}


def configs_folder() -> Path:
    """Return the folder of the package's configs: i2ibench_configs/, or configs/ in a checkout.

    Both lie beside the package's folder.
    """
    beside = Path(__file__).parents[2]
    installed = beside / "i2ibench_configs"
    return installed if installed.is_dir() else beside / "configs"


def shipped_configs(kind: Kind = "config") -> dict[str, Path]:
    """Return the package's files of a kind by name, such as "pix2pixhd_cityscapes", sorted."""
    files = sorted((configs_folder() / _FOLDERS[kind]).glob("[!_]*.py"))
    return {path.stem: path for path in files}


def find_config(name: str | Path, kind: Kind = "config") -> Path:
    """Return the file that a user names.

    Args:
        name: an existing file; or the name of a file of the package, with or without .py. A file in
            the current folder is taken before one of the package.
        kind: which folder of the package's configs is searched.

    Raises:
        UserError: there is no such file. The message names the nearest one.
    """
    path, shipped = Path(name), shipped_configs(kind)
    if path.is_file():
        return path
    stem = path.name.removesuffix(".py")
    if path.name == str(path) and stem in shipped:
        return shipped[stem]
    if stem in shipped:
        raise UserError(f"There is no {kind} {path}; the package's own is called {stem}.")
    here = [candidate.stem for candidate in path.parent.glob("*.py")]
    option = "" if kind == "config" else f", with --kind {kind}"
    raise UserError(
        f"There is no {kind} {path}.{near_match(stem, [*here, *shipped])} "
        f"`i2ibench configs list` names those of the package{option}."
    )


def named_file(text: str, folder: Path) -> Path:
    """Return the file that a config or grid names, which may not exist.

    Args:
        text: a path relative to `folder`, or PREFIX and a path relative to the package's configs.
        folder: the folder of the file that names it.
    """
    if text.startswith(PREFIX):
        return configs_folder() / text.removeprefix(PREFIX)
    return folder / text


def independent_text(config: Path) -> str:
    """Return the text of a file in the package's configs, for a copy in any other folder.

    The paths of other configs become, for example, "i2ibench::_base_/runtime.py".
    """
    text = read_text(config)
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    root = configs_folder().resolve()
    for string in reversed(_strings(ast.parse(text))):
        file = (config.parent / str(string.value)).resolve()
        if file.suffix == ".py" and file.is_relative_to(root) and file.is_file():
            line, begin, end = string.lineno - 1, string.col_offset, string.end_col_offset
            named = f'"{PREFIX}{file.relative_to(root).as_posix()}"'.encode()
            lines[line] = lines[line][:begin] + named + lines[line][end:]
    return b"".join(lines).decode()


def _strings(tree: ast.Module) -> list[ast.Constant]:
    """Return the strings of one line in a file, in the order of their places."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.lineno == node.end_lineno
    ]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))
