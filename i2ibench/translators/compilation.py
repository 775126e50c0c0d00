"""Compilation of a translator's networks and losses by torch.compile, in place."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match

if TYPE_CHECKING:
    from i2ibench.translators.paired import PairedTranslator

CUDA_GRAPH_MODES = ("reduce-overhead", "max-autotune")
"""The modes of torch.compile that record CUDA graphs: one for each size of picture."""

MODES = ("default", *CUDA_GRAPH_MODES)
"""The modes that translations can be compiled in."""


def compile_parts(translator: nn.Module, cfg: Mapping[str, Mapping[str, Any]]) -> None:
    """Compile the named parts of a translator, each when it is first called.

    A part may say by a `compile` of its own what of it is compiled. Weights keep their names.

    Args:
        translator: with its networks and losses.
        cfg: by name of the part the options of torch.compile.

    Raises:
        UserError: there is no such part or option, or torch refuses a value.
    """
    parts = _parts(translator)
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


def prepare_translation(
    translator: "PairedTranslator", precision: str | None, compile_mode: str | None
) -> None:
    """Make a translator translate at a precision and, if asked for, in compiled code.

    Args:
        translator: as it was opened.
        precision: "bf16", or None for float32.
        compile_mode: one of `MODES`, or None for the networks as they are.

    Raises:
        UserError: nothing can be compiled on this machine.
    """
    translator.precision = precision
    if compile_mode is not None:
        compile_for_translation(translator, compile_mode)


def compile_for_translation(translator: "PairedTranslator", mode: str) -> None:
    """Compile what translates, the generator and the encoder, in one of `MODES`.

    Nothing but speed and rounding changes. The first picture waits until its size is compiled, the
    first of a second size until all sizes are; with CUDA graphs every further size is recorded.

    Raises:
        UserError: nothing can be compiled on this machine.
    """
    options = {"mode": mode}
    require_compiler({"generator": options}, next(translator.parameters()).device.type)
    parts = [name for name in ("generator", "encoder") if getattr(translator, name) is not None]
    compile_parts(translator, dict.fromkeys(parts, options))
    translator.compile_mode = mode


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
    """Whether calls of a network go to compiled code."""
    return network._compiled_call_impl is not None


def _probe(x: Tensor) -> Tensor:
    return (2 * x).relu()


def _parts(translator: nn.Module) -> dict[str, nn.Module]:
    """What can be compiled, by name."""
    names = ("generator", "encoder", "discriminator")
    parts = {name: getattr(translator, name, None) for name in names}
    losses = translator.losses.items() if isinstance(translator.losses, nn.ModuleDict) else ()
    parts |= {f"losses.{name}": loss for name, loss in losses}
    return {name: part for name, part in parts.items() if part is not None}


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
