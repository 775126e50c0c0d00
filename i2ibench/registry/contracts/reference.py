"""The reference of all contracts as Markdown, the content of docs/parts.md."""

import inspect
from collections.abc import Iterator, Mapping

from i2ibench.registry.contracts.promises import NONE, Promise, promises_of

HEAD = """\
# What each kind of part promises

Each part inherits from the base class of its kind. A promise is a typed attribute of that class by
which a part declares a property. Set it as a class attribute (`draws_noise = True`), or in the
constructor if it depends on options (`self.stride = 2**num_levels`). A promise with a default may
be left out. A part is refused when it is built if it lacks a method or a promise without a default,
or if a value has another type. The contract tests check the behaviour of the part:
`pytest --pyargs i2ibench.testing --plugin PACKAGE`.

`contract_options`, a class attribute of any part, has the options with which the contract tests
build a small version of it.

`i2ibench parts --promises` prints this page.
"""

SELF = ("self", "cls")


def reference(kinds: Mapping[str, Mapping[str, type]]) -> str:
    """Return the Markdown page on the contracts of some kinds of parts.

    Args:
        kinds: by kind of part, its base classes by dotted name.
    """
    sections = [
        _section(kind, name, contract)
        for kind, contracts in kinds.items()
        for name, contract in contracts.items()
    ]
    return "\n".join([HEAD, *sections])


def _section(kind: str, name: str, contract: type) -> str:
    lines = [f"## {kind}: `{name}`", ""]
    if not contract.__module__.startswith("i2ibench."):
        return "\n".join([*lines, "See the documentation of that library.", ""])
    words = (inspect.getdoc(contract) or "").partition("\nAttributes:")[0].partition("\nArgs:")[0]
    lines += [words.strip(), ""]
    promises, methods = promises_of(contract), list(_methods(contract))
    if promises:
        lines += ["| promise | type | default | meaning |", "|---|---|---|---|"]
        lines += [_row(promise) for promise in promises] + [""]
    if methods:
        lines += ["| method | what it does |", "|---|---|", *methods, ""]
    return "\n".join(lines)


def _row(promise: Promise) -> str:
    default = "must be set" if promise.default is NONE else f"`{_shown(promise.default)}`"
    kind = promise.type_name.replace("|", "\\|")
    return f"| `{promise.name}` | {kind} | {default} | {promise.meaning} |"


def _shown(default: object) -> str:
    if isinstance(default, type):
        return default.__name__
    return repr(dict(default)) if isinstance(default, Mapping) else repr(default)


def _methods(contract: type) -> Iterator[str]:
    """Yield a table row in Markdown for each public method that a contract defines.

    The rows have the order of definition, methods of base classes first. Methods of other libraries
    are left out. The last column is the first paragraph of the method's docstring.
    """
    methods = {
        name: value
        for base in reversed(contract.__mro__)
        if base.__module__.startswith("i2ibench.")
        for name, value in vars(base).items()
        if not name.startswith("_") and callable(value) or isinstance(value, classmethod)
    }
    for name, value in methods.items():
        if not isinstance(value, type):
            function = inspect.unwrap(getattr(contract, name))
            options = (p for p in inspect.signature(function).parameters if p not in SELF)
            about = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
            yield f"| `{name}({', '.join(options)})`{_needed(contract, name)} | {about} |"


def _needed(contract: type, name: str) -> str:
    return " (needed)" if name in vars(contract).get("__abstractmethods__", ()) else ""
