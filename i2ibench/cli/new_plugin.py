"""Write a new part that works and keeps its contract, to be changed: a file, or a package.

The file goes into plugins/ and a config that uses it into configs/, both in the current folder.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from i2ibench.registry.scaffold import KINDS, new_module, new_package, snake

FIRST = {
    "dataset": "put scenes into data/{0}/train and data/{0}/val, as its docstring says",
    "reader": "put NAME.{0} into data/{0}/train/image and data/{0}/val/image, label maps beside "
    "them into data/{0}/train/label and data/{0}/val/label",
    "segmenter": "save its trained state_dict as weights/{0}.pth",
}
"""A package's config needs this before it trains, by kind."""

LABELS = {"dataset": "LABELS", "reader": "data/{0}/val/label"}
"""The label maps to translate where a part brings scenes of its own, by kind."""

NAMES_A_PROTOCOL = ("segmenter", "metric", "feature", "protocol")
"""Kinds whose package's config says what is scored."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="the class's name, such as SoftHinge")
    parser.add_argument(
        "--package",
        action="store_true",
        help="a package that can be installed, with entry point, config and test, in a new folder",
    )


def run(options: argparse.Namespace) -> None:
    """Write the files and say what to do next."""
    kind, name = options.kind, options.name
    if options.package:
        root = new_package(kind, name, Path())
        print(f"wrote {root}/\n  install:   pip install -e {root}\n  test:      pytest {root}")
        _print_commands(kind, root / "configs" / f"{snake(name)}.py", "")
        return
    folder = Path("plugins")
    path = new_module(kind, name, folder, Path("configs"))
    print(f"wrote {path} and {Path('configs') / path.name}")
    print(f"  test:      pytest --pyargs i2ibench.testing --plugin {path}")
    is_found = _is_checkout(folder)
    _print_commands(kind, Path("configs") / path.name, "" if is_found else f" --plugins {folder}")


def _is_checkout(folder: Path) -> bool:
    """Return whether the folder is the plugin package of the i2ibench that runs."""
    package = find_spec("i2ibench_plugins")
    places = package.submodule_search_locations if package is not None else None
    return any(Path(place).resolve() == folder.resolve() for place in places or ())


def _print_commands(kind: str, config: Path, plugins: str) -> None:
    """Print the commands that use a new part, in their order."""
    if kind in FIRST:
        print(f"  first:     {FIRST[kind].format(config.stem)}")
    protocol = "" if kind in NAMES_A_PROTOCOL else " --protocol own"
    checkpoint = f"work_dirs/{config.stem}/epoch_0002.pth"
    labels = LABELS.get(kind, "data/toystreet/gtFine/val").format(config.stem)
    images = f"translations/{config.stem}"
    print(f"  train:     i2ibench train {config}{plugins}")
    print(f"  eval:      i2ibench eval {config}{protocol}{plugins}")
    print(f"  translate: i2ibench translate {checkpoint} {labels} {images}{plugins}")
    print(f"  edit:      i2ibench edit {checkpoint}{plugins}")
