"""Promises: the typed attributes of a contract, and checks that a part keeps them."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from i2ibench.errors import UserError

Positive = Annotated[int, "from 1 on"]
"""An integer from 1 on."""

NONE = object()
"""A mark for a missing default or value."""


@dataclass(frozen=True)
class Promise:
    """One attribute by which a part declares a property.

    Attributes:
        name: the name of the attribute.
        type: its annotation; a string if only type checkers resolve it.
        default: its value if a part does not set it; `NONE` if a part must set it.
        meaning: its description in the contract's docstring.
    """

    name: str
    type: Any
    default: Any
    meaning: str

    @property
    def type_name(self) -> str:
        """Return the promise's annotation as text, without module names.

        `Positive` is "int from 1 on".
        """
        if self.type is Positive:
            return "int from 1 on"
        if isinstance(self.type, type) and get_origin(self.type) is None:
            return self.type.__name__
        words = str(self.type).removeprefix("typing.ClassVar[")
        if words != str(self.type):
            words = words.removesuffix("]")
        return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", words)


def promises_of(contract: type) -> list[Promise]:
    """Return the promises of a contract, those of its base classes first.

    Classes of other libraries, such as nn.Module, have no promises.
    """
    promises: dict[str, Promise] = {}
    for base in reversed(contract.__mro__):
        if base.__module__.startswith("i2ibench."):
            meanings = _meanings(inspect.getdoc(base) or "")
            for name, kind in inspect.get_annotations(base).items():
                default = vars(base).get(name, NONE)
                promises[name] = Promise(name, kind, default, meanings.get(name, ""))
    return list(promises.values())


def check_class(kind: str, part: Any, contracts: Mapping[str, type]) -> None:
    """Refuse a class that lacks a method of its contract; accept a function.

    Args:
        kind: the kind of part, for error messages.
        part: the class or function that is registered.
        contracts: the base classes of the kind by their dotted names.

    Raises:
        UserError: names the part and the methods.
    """
    if inspect.isabstract(part):
        missing = sorted(part.__abstractmethods__)
        base = next((name for name, one in contracts.items() if issubclass(part, one)), "its base")
        raise UserError(
            f"The {kind} {part.__name__} has no {' and no '.join(missing)}: define the methods "
            f"that {base} declares."
        )


def check_part(
    kind: str, part: Callable[..., Any], built: Any, contracts: Mapping[str, type]
) -> None:
    """Refuse an object without a base class of its kind, or with a promise of a wrong value.

    Args:
        kind: the kind of part, for error messages.
        part: the class or function that is registered.
        built: the object that `part` returned.
        contracts: see `check_class`. The object must be an instance of one of them.

    Raises:
        UserError: names the part, the promise and the fix.
    """
    kept = [contract for contract in contracts.values() if isinstance(built, contract)]
    if not kept:
        known = " or ".join(contract.__name__ for contract in contracts.values())
        fix = "let its class inherit from" if isinstance(part, type) else "let it return an"
        raise UserError(
            f"The {kind} {part.__name__} is no {known}: {fix} {' or '.join(contracts)}."
        )
    for promise in (promise for contract in kept for promise in promises_of(contract)):
        _check_promise(f"The {kind} {part.__name__}", promise, built)


def _check_promise(part: str, promise: Promise, built: Any) -> None:
    value = getattr(built, promise.name, NONE)
    if value is NONE:
        raise UserError(
            f"{part} does not set {promise.name} ({promise.type_name}): {promise.meaning} "
            f"Set self.{promise.name} in its constructor."
        )
    if not fits(value, promise.type):
        raise UserError(
            f"{part} says {promise.name} = {value!r}, which is no {promise.type_name}: "
            f"{promise.meaning}"
        )


def fits(value: Any, kind: Any) -> bool:
    """Return whether a value has the type of an annotation; True for annotations in strings.

    Entries of containers are checked too, of a mapping the values only. An integer with the
    annotation `Positive` must be at least 1.

    Args:
        value: the value of a promise.
        kind: the annotation, such as `int`, `str | None` or `tuple[str, ...]`.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, str) or kind is Any:
        return True
    if origin is None:
        return _is_a(value, kind)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is ClassVar:
        return fits(value, inner[0])
    if origin is Annotated:
        return fits(value, inner[0]) and value >= 1
    return value in inner if origin is Literal else _holds(value, origin, inner)


def _is_a(value: Any, kind: Any) -> bool:
    """Return whether a value is an instance of the class `kind`.

    True and False are no integers here. The class None stands for the value None.
    """
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if kind is None else isinstance(value, kind)


def _holds(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    """Return whether a container and its entries fit an annotation such as dict[str, int].

    The keys of a mapping are not checked. A string fits no container.
    """
    if origin is type:
        return isinstance(value, type)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    of_values = issubclass(origin, Mapping)
    entries = value.values() if of_values else value
    return all(fits(entry, inner[1 if of_values else 0]) for entry in entries)


def _meanings(text: str) -> dict[str, str]:
    """Return the descriptions in the section "Attributes:" of a docstring, by name."""
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
