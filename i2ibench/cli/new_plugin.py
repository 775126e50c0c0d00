"""Write the file or package of a new part, which works and keeps its contract, for you to change.

The file is written to plugins/, and a config that uses it to configs/, both in the current folder.
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
"""By kind of part, the step that is needed before its config trains."""

LABELS = {"dataset": "LABELS", "reader": "data/{0}/val/label"}
"""By kind of part whose config has scenes of its own, the folder of label maps to translate."""

NAMES_A_PROTOCOL = ("segmenter", "metric", "feature", "protocol")
"""Kinds of parts whose config names a protocol."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `new_plugin` to its parser, in place."""
    parser.add_argument("kind", metavar="KIND", help=f"the kind of part: {', '.join(KINDS)}")
    parser.add_argument("name", metavar="NAME", help="the name of its class, such as SoftHinge")
    parser.add_argument(
        "--package",
        action="store_true",
        help="write an installable package with entry point, config and test to a new folder",
    )


def run(options: argparse.Namespace) -> None:
    """Write the file or package of a new part into the current folder, and print the next steps.

    Raises:
        UserError: the kind is unknown, the name cannot be used, or a file exists already.
    """
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
    """Return whether the folder is `plugins/` of this i2ibench's source checkout.

    Plugins in that folder are found without --plugins.
    """
    package = find_spec("i2ibench_plugins")
    places = package.submodule_search_locations if package is not None else None
    return any(Path(place).resolve() == folder.resolve() for place in places or ())


def _print_commands(kind: str, config: Path, plugins: str) -> None:
    """Print the commands that use a new part, in the order in which to run them."""
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
