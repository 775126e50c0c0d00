"""List every registered part with its options and where it comes from."""

import argparse
import inspect
from typing import Any

from i2ibench.registry import REGISTRIES, Registry, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("kind", nargs="?", choices=sorted(REGISTRIES), help="default: all kinds")


def run(options: argparse.Namespace) -> None:
    """Print the list."""
    for kind, registry in REGISTRIES.items():
        if options.kind in (None, kind):
            print(f"{kind}")
            for name in registry.names():
                part = registry.find(name)
                summary = (inspect.getdoc(part) or "").partition("\n")[0]
                print(f"  {name}{_signature(part)}  [{_origin(part)}]\n      {summary}")
    for module, reason in Registry.skipped.items():
        print(f"skipped plugin {module}: {reason}")


def _signature(part: Any) -> str:
    parameters = options_of(part).values()
    return "(" + ", ".join(str(p.replace(annotation=p.empty)) for p in parameters) + ")"


def _origin(part: Any) -> str:
    package = part.__module__.partition(".")[0]
    return "core" if package == "i2ibench" else f"plugin {part.__module__}"
