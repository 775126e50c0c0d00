"""Write a new part that works and keeps its contract, to be changed: a file, or a package.

The file goes into plugins/ in a checkout of i2ibench, else into the current folder.
"""

import argparse
from pathlib import Path

from i2ibench.plugin_files import KINDS, new_module, new_package, snake

CHECKPOINTS = """\
        commands that take a checkpoint alone, such as translate and edit, import nothing
        that it names and find installed packages only: new-plugin --package writes one"""
"""What a module that is no package does not serve."""


FIRST = {
    "dataset": "put scenes into data/{0}/train and data/{0}/val, as its docstring says",
    "segmenter": "save its trained state_dict as weights/{0}.pth",
}
"""What a package's config needs before it trains, by kind."""

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
        print(f"wrote {root}/\n  install: pip install -e {root}\n  test:    pytest {root}")
        config = root / "configs" / f"{snake(name)}.py"
        if kind in FIRST:
            print(f"  first:   {FIRST[kind].format(snake(name))}")
        print(f"  use:     i2ibench train {config}")
        protocol = "" if kind in NAMES_A_PROTOCOL else " --protocol own"
        print(f"  score:   i2ibench eval {config}{protocol}")
        return
    checkout = Path("plugins/__init__.py").is_file() and Path("i2ibench").is_dir()
    path = new_module(kind, name, Path("plugins") if checkout else Path())
    print(f"wrote {path}\n  test: pytest --pyargs i2ibench.testing --plugin {path}")
    if checkout:
        print(f'  use:  dict(type="{name}") in any config')
    else:
        print(f'  use:  dict(type="{name}") and custom_imports=dict(imports=["{path.stem}"]) in a')
        print(f"        config, with PYTHONPATH={path.parent.resolve()}, for train and eval;")
        print(CHECKPOINTS)
