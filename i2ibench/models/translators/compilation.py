"""Compilation of a translator's networks and losses by torch.compile, in place."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match

CUDA_GRAPH_MODES = ("reduce-overhead", "max-autotune")
"""The modes of torch.compile that record CUDA graphs: one for each size of image."""

MODES = ("default", *CUDA_GRAPH_MODES)
"""The modes that translations can be compiled in."""


def compile_parts(parts: Mapping[str, nn.Module], cfg: Mapping[str, Mapping[str, Any]]) -> None:
    """Compile some of a translator's parts in place, each when it is first called.

    A part may say by a `compile` of its own what of it is compiled. Weights keep their names.

    Args:
        parts: networks and losses by name.
        cfg: by name of the part the options of torch.compile.

    Raises:
        UserError: there is no such part or option, or torch refuses a value.
    """
    for name, options in cfg.items():
        if name not in parts:
            raise UserError(
                f"There is no part {name!r} to compile.{near_match(name, parts)} "
                f"Parts: {', '.join(parts)}."
            )
        if not isinstance(options, Mapping):
            raise UserError(
                f"compiled.{name} is a dict of torch.compile's options, not {options!r}."
            )
        _compile(parts[name], name, options)


def require_compiler(cfg: Mapping[str, Mapping[str, Any]], device_type: str) -> None:
    """See whether torch.compile works on this machine with the options of every part.

    Raises:
        UserError: it does not; the message says what is missing.
    """
    from torch._dynamo import reset_code  # heavy, and needed here alone

    tried: list[Mapping[str, Any]] = []
    for name, options in cfg.items():
        if options in tried:
            continue
        tried.append(options)
        reset_code(_probe.__code__)
        try:
            torch.compile(_probe, **options)(torch.ones(8, device=device_type))
        except Exception as error:  # whatever a missing or broken compiler makes torch raise
            reason = " ".join(line for line in str(error).splitlines()[:2] if line.strip())
            raise UserError(
                f"torch.compile does not work here on the {device_type}, which the {name} is to be "
                f"compiled for: {reason} It needs a C++ compiler (g++) and, on a GPU, Triton; "
                "without them leave --compile and model.compiled out."
            ) from error


def is_compiled(network: nn.Module) -> bool:
    """Return whether calls of a network go to compiled code."""
    return network._compiled_call_impl is not None


def _probe(x: Tensor) -> Tensor:
    return (2 * x).relu()


def _compile(part: nn.Module, name: str, options: Mapping[str, Any]) -> None:
    known = [option for option in inspect.signature(torch.compile).parameters if option != "model"]
    for option in options:
        if option not in known:
            raise UserError(
                f"torch.compile has no option {option!r} for compiled.{name}."
                f"{near_match(option, known)} Options: {', '.join(known)}."
            )
    from torch._functorch import config as derived  # heavy, and needed here alone

    # D's update and G's each take gradients from the graph that D's judgement of the fakes has
    # left, so compiled code may not use the memory of the first pass for something else.
    derived.donated_buffer = False
    try:
        part.compile(**options)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"compiled.{name}: torch.compile refuses its options: {reason}") from error
