"""List all registered parts with their options and their source (core or plugin)."""

import argparse
import inspect
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from i2ibench.registry import REGISTRIES, Registry, options_of
from i2ibench.registry.contracts.reference import reference
from i2ibench.registry.sources import origin_of

WIDTH = 120
"""The width of the table in characters if the output is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `parts` to its parser, in place."""
    parser.add_argument(
        "kind", nargs="?", choices=sorted(REGISTRIES), help="the kind of part (default: all kinds)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--promises", action="store_true", help="print the contract of the kind as Markdown"
    )


def run(options: argparse.Namespace) -> None:
    """Print the list of registered parts as a table or JSON, or their contracts as Markdown.

    The list ends with the plugins that were skipped and the reasons.
    """
    kinds = [kind for kind in REGISTRIES if options.kind in (None, kind)]
    if options.promises:
        print(reference({kind: REGISTRIES[kind].base_classes() for kind in kinds}), end="")
        return
    parts = [
        _describe(kind, name, registry)
        for kind, registry in REGISTRIES.items()
        if kind in kinds
        for name in registry.names()
    ]
    if options.json:
        print(json.dumps({"parts": parts, "skipped": Registry.skipped, "conflicts": _conflicts()}))
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_table(parts))
    for module, reason in Registry.skipped.items():
        print(f"skipped plugin {module}: {reason}")


def _describe(kind: str, name: str, registry: Registry) -> dict[str, Any]:
    """Return an entry of the list of parts: a dict in plain JSON.

    Its keys are kind, name, signature, summary (the first line of the docstring), origin,
    distribution, version, module and file. Distribution, version and file may be None.
    """
    part: Any = registry.module_dict[name]
    origin = origin_of(part.__module__)
    parameters = options_of(part).values()
    return {
        "kind": kind,
        "name": name,
        "signature": "(" + ", ".join(str(p.replace(annotation=p.empty)) for p in parameters) + ")",
        "summary": (inspect.getdoc(part) or "").partition("\n")[0],
        "origin": str(origin),
        "distribution": origin.distribution,
        "version": origin.version,
        "module": origin.module,
        "file": str(origin.file) if origin.file else None,
    }


def _table(parts: list[dict[str, Any]]) -> Table:
    """Return a table of names and origins, with signatures and summaries in a wrapped column."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("kind", "name", "origin"):
        table.add_column(title, no_wrap=True)
    table.add_column("options; description", ratio=1)
    before = None
    for part in parts:
        kind = "" if part["kind"] == before else part["kind"]
        before = part["kind"]
        about = Text(f"{part['signature']}\n{part['summary']}", overflow="fold")
        name = Text(part["name"], style="bold")
        table.add_row(Text(kind), name, Text(part["origin"]), about)
    return table


def _conflicts() -> dict[str, str]:
    return {
        f"{kind} {name}": text
        for kind, registry in REGISTRIES.items()
        for name, text in registry.conflicts.items()
    }
