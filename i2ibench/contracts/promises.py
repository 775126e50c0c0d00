"""Promises: the typed attributes of a contract, and the refusal of a part that breaks one."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from i2ibench.errors import UserError

Positive = Annotated[int, "from 1 on"]
"""An integer from 1 on."""

PACKAGE = __name__.rpartition(".")[0]

NONE = object()
"""Stands for a default or a value that is not there."""


@dataclass(frozen=True)
class Promise:
    """One attribute by which a part says what it does.

    Attributes:
        name: of the attribute.
        type: its annotation; a string where only type checkers resolve it.
        default: its value where a part says nothing; `NONE` where a part has to say it.
        meaning: the sentence of the contract's docstring.
    """

    name: str
    type: Any
    default: Any
    meaning: str

    @property
    def type_name(self) -> str:
        """The annotation in words."""
        if self.type is Positive:
            return "int from 1 on"
        if isinstance(self.type, type) and get_origin(self.type) is None:
            return self.type.__name__
        words = str(self.type).replace("typing.", "").replace("collections.abc.", "")
        return words.replace("pathlib.", "")


def promises_of(contract: type) -> list[Promise]:
    """Return the promises of a contract, those of its bases first."""
    found: dict[str, Promise] = {}
    for base in reversed(contract.__mro__):
        if base.__module__.startswith(PACKAGE):
            meanings = _meanings(inspect.getdoc(base) or "")
            for name, kind in inspect.get_annotations(base).items():
                default = vars(base).get(name, NONE)
                found[name] = Promise(name, kind, default, meanings.get(name, ""))
    return list(found.values())


def check_class(kind: str, part: Any) -> None:
    """Refuse a class that lacks a method of its contract.

    Raises:
        UserError: names the part and the methods.
    """
    if inspect.isabstract(part):
        missing = sorted(part.__abstractmethods__)
        contract = next(b for b in part.__mro__ if b.__module__.startswith(PACKAGE))
        raise UserError(
            f"The {kind} {part.__name__} has no {' and no '.join(missing)}: define what "
            f"{dotted(contract)} asks for."
        )


def check_part(kind: str, part: Callable[..., Any], built: Any, contracts: Sequence[type]) -> None:
    """Refuse a part that is of no contract of its kind, or whose promise has a wrong value.

    Args:
        kind: of the registry.
        part: the class or function that is registered.
        built: the object that it made.
        contracts: the base classes of the kind; one of them is needed.

    Raises:
        UserError: names the part, the promise and the fix.
    """
    name = part.__name__
    if not isinstance(built, tuple(contracts)):
        known = " or ".join(contract.__name__ for contract in contracts)
        bases = " or ".join(dotted(contract) for contract in contracts)
        fix = "let its class inherit from" if isinstance(part, type) else "let it return an"
        raise UserError(f"The {kind} {name} is no {known}: {fix} {bases}.")
    for promise in (p for c in contracts if isinstance(built, c) for p in promises_of(c)):
        value = getattr(built, promise.name, NONE)
        if value is NONE:
            raise UserError(
                f"The {kind} {name} does not say its {promise.name} ({promise.type_name}): "
                f"{promise.meaning} Set self.{promise.name} in its constructor."
            )
        if not _fits(value, promise.type):
            raise UserError(
                f"The {kind} {name} says {promise.name} = {value!r}, which is no "
                f"{promise.type_name}: {promise.meaning}"
            )


def dotted(contract: type) -> str:
    """Return the name by which a contract is imported."""
    module = PACKAGE if contract.__module__.startswith(PACKAGE) else contract.__module__
    return f"{module}.{contract.__name__}"


def _fits(value: Any, kind: Any) -> bool:
    """Return whether a value is of an annotation; annotations in strings are not looked at."""
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, str) or kind is Any:
        return True
    if origin is Annotated:
        return _fits(value, inner[0]) and value >= 1
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is None:
        return value is None if kind in (None, type(None)) else isinstance(value, kind)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    entries = value.values() if issubclass(origin, Mapping) else value
    return all(_fits(entry, inner[origin in (dict, Mapping)]) for entry in entries)


def _meanings(text: str) -> dict[str, str]:
    """Return the sentences of the section "Attributes:" of a docstring by name."""
    return {name: " ".join(words) for name, *words in _entries(text)}


def _entries(text: str) -> Iterator[list[str]]:
    section = text.partition("Attributes:\n")[2]
    entry: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if line.startswith("    ") and not line.startswith("     "):
            if entry:
                yield entry
            name, _, rest = line.strip().partition(": ")
            entry = [name, rest]
        elif entry and line.strip():
            entry.append(line.strip())
    if entry:
        yield entry
