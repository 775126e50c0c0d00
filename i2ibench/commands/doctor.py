"""Print versions, devices, plugins and which optional weights are present."""

import argparse

from i2ibench.discovery import load_plugins
from i2ibench.origins import origin_of
from i2ibench.provenance import commit, devices, versions
from i2ibench.registry import Registry
from i2ibench.weights import ALL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(options: argparse.Namespace) -> None:
    """Print the findings."""
    print("versions")
    for package, number in {**versions(), "commit": commit()}.items():
        print(f"  {package:16} {number}")
    print("devices")
    for device in devices():
        print(f"  {device}")
    print("plugins")
    for module in load_plugins():
        print(f"  {module} ({origin_of(module)})")
    for module, reason in Registry.skipped.items():
        print(f"  {module}: skipped, {reason}")
    print("weights")
    for weights in ALL:
        path = weights.find()
        print(
            f"  {weights.purpose}: {path or f'missing. Get {weights.name} with: {weights.obtain}'}"
        )
