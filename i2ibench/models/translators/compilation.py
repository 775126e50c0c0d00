"""Compilation of a translator's networks and losses by torch.compile, in place."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match

CUDA_GRAPH_MODES = ("reduce-overhead", "max-autotune")
"""The modes of torch.compile that record a CUDA graph for each image size."""

MODES = ("default", *CUDA_GRAPH_MODES)
"""The modes of torch.compile that inference offers."""


def compile_parts(parts: Mapping[str, nn.Module], cfg: Mapping[str, Mapping[str, Any]]) -> None:
    """Set up the compilation of some of a translator's parts in place; the first call compiles.

    A part may override `compile` to compile only some of its layers. Weights keep their names.
    Parts that `cfg` does not name stay as they are.

    Args:
        parts: networks and losses by name.
        cfg: the options of torch.compile by the name of the part; {} for its defaults.

    Raises:
        UserError: a part or an option is unknown, or torch rejects a value.
    """
    for name, options in cfg.items():
        if name not in parts:
            raise UserError(
                f"There is no part {name!r} to compile.{near_match(name, parts)} "
                f"Parts: {', '.join(parts)}."
            )
        if not isinstance(options, Mapping):
            raise UserError(
                f"compiled.{name} must be a dict of torch.compile's options, not {options!r}."
            )
        _compile(parts[name], name, options)


def require_compiler(cfg: Mapping[str, Mapping[str, Any]], device_type: str) -> None:
    """Check that torch.compile works on this machine: compile and run a small function.

    Each set of options is tried once.

    Args:
        cfg: the options of torch.compile by the name of the part.
        device_type: the device to compile for, such as "cuda".

    Raises:
        UserError: compilation fails; the message says which software is needed.
    """
    from torch._dynamo import reset_code  # slow to import

    tried: list[Mapping[str, Any]] = []
    for name, options in cfg.items():
        if options in tried:
            continue
        tried.append(options)
        reset_code(_probe.__code__)
        try:
            torch.compile(_probe, **options)(torch.ones(8, device=device_type))
        except Exception as error:  # torch raises many kinds for a missing or broken compiler
            reason = " ".join(line for line in str(error).splitlines()[:2] if line.strip())
            raise UserError(
                f"torch.compile does not work here on the {device_type}, for which {name} is to be "
                f"compiled: {reason} It needs a C++ compiler (g++) and, on a GPU, Triton. "
                "Without them, leave --compile and model.compiled out."
            ) from error


def is_compiled(network: nn.Module) -> bool:
    """Return whether `compile` was called on a network itself, not only on its layers."""
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
    from torch._functorch import config as derived  # slow to import

    # The updates of D and of G both take gradients from the graph of D's outputs for the fakes, so
    # the first backward pass may not reuse the memory of its buffers.
    derived.donated_buffer = False
    try:
        part.compile(**options)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"compiled.{name}: torch.compile rejects its options: {reason}") from error
