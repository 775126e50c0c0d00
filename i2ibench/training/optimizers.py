"""Optimisers: one per network. Each updates only the parameters of its own network."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from i2ibench.errors import UserError, near_match
from i2ibench.io.devices import best_device
from i2ibench.models.translators.base import Translator
from i2ibench.registry import check_options
from i2ibench.training.gradient_averaging import gradient_averaging

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Clipping:
    """Clipping of the norm of all gradients of one optimiser taken together.

    Args:
        max_norm: gradients with a larger norm are scaled down to this norm.
        norm_type: p of the p-norm; float("inf") for the largest absolute value.

    Raises:
        UserError: max_norm or norm_type is no positive number.
    """

    max_norm: float
    norm_type: float = 2.0

    def __post_init__(self) -> None:
        for name, value in (("max_norm", self.max_norm), ("norm_type", self.norm_type)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not value > 0 or (name == "max_norm" and math.isinf(value)):
                raise UserError(f"clip_grad: {name} must be a positive number, not {value!r}.")

    def apply(self, parameters: Sequence[nn.Parameter]) -> None:
        """Scale the gradients in place if their common norm is larger than `max_norm`.

        The norm is not read, so that the CPU waits for no GPU.
        """
        nn.utils.clip_grad_norm_(parameters, self.max_norm, self.norm_type)


def clipping_of(options: Any, network: str) -> Clipping | None:
    """Return the clipping of an optimiser's option `clip_grad`.

    Args:
        options: the value of the option; None for no clipping.
        network: the name of the optimiser, for error messages.

    Raises:
        UserError: the option is no dict, or has an unknown, missing or wrong entry.
    """
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise UserError(
            f"optimizers.{network}.clip_grad is a dict such as dict(max_norm=1.0), not {options!r}."
        )
    check_options(Clipping, options)
    return Clipping(**options)


class NetworkOptimizer(OptimWrapper):
    """An optimiser of one network that computes gradients for its own parameters only.

    mmengine's AmpOptimWrapper does not run on the CPU. Its `update_params` also leaves gradients in
    other networks that a loss passes through.

    Args:
        optimizer: the torch optimiser of the parameters.
        names: the names of the parameters, in the order of the optimiser.
        precision: None for float32, "bf16" or "fp16" for autocast (fp16 with a loss scaler).
        device_type: the device of the networks, "cpu" or "cuda".
        clipping: the clipping of the gradients, after they were averaged over processes; None for
            no clipping.

    Attributes:
        dormant: by name, the optimiser state of parameters that an earlier stage trained and this
            stage freezes. A later stage may need it.
        skips: whether to skip updates whose gradient is not finite.
        skipped: the number of skipped updates.
        in_a_row: the number of skipped updates since the last update.
        longest_skipped: the longest run of consecutive skipped updates.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        names: Sequence[str],
        precision: str | None = None,
        device_type: str = "cpu",
        clipping: Clipping | None = None,
    ) -> None:
        super().__init__(optimizer)
        self.names = list(names)
        self.dormant: dict[str, dict[str, Tensor]] = {}
        self.dtype = PRECISIONS[precision] if precision else None
        self.device_type = device_type
        scaled = self.dtype == torch.float16 and device_type == "cuda"
        self.scaler = torch.amp.GradScaler(device_type, enabled=scaled)
        self.clipping = clipping
        self.skips = False
        self.skipped: Tensor | int = 0
        self.in_a_row: Tensor | int = 0
        self.longest_skipped: Tensor | int = 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the autocast context of the chosen precision, which is disabled for float32."""
        enabled = self.dtype is not None
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=enabled)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Return the optimiser's parameters that require gradients."""
        return [p for g in self.param_groups for p in g["params"] if p.requires_grad]

    @cached_property
    def ddp(self) -> DistributedDataParallel | None:
        """Return DDP for this optimiser's gradients; None with one process.

        DDP is constructed with the first gradient. Optimisers are also built to check a config,
        when networks are not on the device of the process group.
        """
        return gradient_averaging(self.parameters)

    def update(self, loss: Tensor) -> None:
        """Take one step with the gradient of `loss` alone, averaged over all processes."""
        self.zero_grad()
        self.add_gradient(loss)
        self.apply()

    def add_gradient(self, loss: Tensor, retain_graph: bool = False, last: bool = True) -> None:
        """Add the gradient of `loss` to the gradients that `apply` will use.

        Args:
            loss: a scalar.
            retain_graph: keep the graph for another backward pass.
            last: whether this is the last gradient before `apply`. Its backward pass then averages
                the sum of the added gradients over all processes.
        """
        if self.ddp is None:
            self._backward(loss, self.parameters, retain_graph)
            return
        with nullcontext() if last else self.ddp.no_sync():
            self._backward(self.ddp(loss), list(self.ddp.parameters()), retain_graph)

    def _backward(self, loss: Tensor, inputs: list[nn.Parameter], retain_graph: bool) -> None:
        self.scaler.scale(loss).backward(inputs=inputs, retain_graph=retain_graph)

    def apply(self) -> None:
        """Take one optimiser step with the added gradients; do nothing if there are none.

        With `skips`, a step whose gradients are not finite is counted and left out. An enabled fp16
        scaler leaves such steps out itself, uncounted.
        """
        if all(p.grad is None for p in self.parameters):
            return
        if self.skips and not self.scaler.is_enabled():  # an enabled scaler skips updates itself
            self._step_if_finite()
        else:
            self.step()

    def step(self, **kwargs: Any) -> None:
        """Clip the gradients and update the parameters.

        mmengine's schedulers count the calls of this method. `kwargs` go to the torch optimiser.
        """
        if self.clipping is not None:
            self.scaler.unscale_(self.optimizer)
            self.clipping.apply(self.parameters)
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _step_if_finite(self) -> None:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        bad = ~torch.stack([g.isfinite().all() for g in gradients]).all()
        self._count(bad)
        if self.optimizer.defaults.get("fused"):  # skips the update on the device, without a sync
            self.optimizer.grad_scale, self.optimizer.found_inf = None, bad.float()
            self.step()
            del self.optimizer.grad_scale, self.optimizer.found_inf
        elif not bad.item():
            self.step()

    def _count(self, bad: Tensor) -> None:
        """Update the counts of skipped updates by one update.

        `bad` is a boolean scalar, True for a skipped update. It is not read on the CPU.
        """
        self.skipped, self.in_a_row, self.longest_skipped = (
            torch.as_tensor(count, device=bad.device)
            for count in (self.skipped, self.in_a_row, self.longest_skipped)
        )
        self.skipped = self.skipped + bad
        self.in_a_row = (self.in_a_row + 1) * bad
        self.longest_skipped = torch.maximum(self.longest_skipped, self.in_a_row)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to save: of the optimiser, of the loss scaler, and of the counts.

        The keys are optimizer, scaler, names (of the parameters), dormant, kind and skipped.
        """
        return {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "names": self.names,
            "dormant": self.dormant,
            "kind": self.kind(),
            "skipped": [int(n) for n in (self.skipped, self.in_a_row, self.longest_skipped)],
        }

    def kind(self) -> str:
        """Return the optimiser's type and the options that shape its state, as text."""
        options = ("amsgrad", "centered", "momentum", "nesterov")
        kept = {k: v for k, v in self.optimizer.defaults.items() if k in options}
        return f"{type(self.optimizer).__name__} {kept}"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned, in place."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.scaler.load_state_dict(state_dict["scaler"])
        self.dormant = state_dict["dormant"]
        self._global_step = 0  # without this, mmengine's schedules warn that no step was taken
        counts = state_dict.get("skipped", [0, 0, 0])
        self.skipped, self.in_a_row, self.longest_skipped = counts


def skipped(optimizers: OptimWrapperDict) -> dict[str, int]:
    """Return the number of skipped updates by network.

    Optimisers whose `skips` is False are left out.
    """
    return {name: int(optimizer.skipped) for name, optimizer in optimizers.items()
            if optimizer.skips}  # fmt: skip


def require_trained(translator: nn.Module, networks: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a translator with parameters that require gradients but belong to no optimiser.

    Args:
        translator: the translator with all of its parts.
        networks: its trained parameters by optimiser and name.

    Raises:
        UserError: names the first three parameters, and how to freeze or train them.
    """
    optimizers = [name for name, parameters in networks.items() if parameters]
    trained = {name for parameters in networks.values() for name in parameters}
    wanted = [name for name, p in translator.named_parameters() if p.requires_grad]
    forgotten = [name for name in wanted if name not in trained]
    if forgotten:
        more = f" and {len(forgotten) - 3} more" if len(forgotten) > 3 else ""
        raise UserError(
            f"No optimiser would train {', '.join(forgotten[:3])}{more}: the optimisers have the "
            f"parameters of {', '.join(optimizers) or 'nothing'}. Freeze these parameters with "
            "requires_grad_(False) in their part (PairedTranslator has model.frozen for it), or "
            "move them into a network that is trained."
        )


def choose_precision(amp: str | None, device_type: str) -> str | None:
    """Return the precision of a config's `amp` on a device: None for float32, "bf16" or "fp16".

    "auto" is bf16 on CUDA devices that support it, and float32 elsewhere. None stays None.

    Raises:
        UserError: an unknown precision, or one that the device cannot train in.
    """
    if amp == "auto":
        bf16 = device_type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if bf16 else None
    if amp is not None and amp not in PRECISIONS:
        raise UserError(f"amp is one of auto, {', '.join(PRECISIONS)} or None, not {amp!r}.")
    if amp == "fp16" and device_type != "cuda":
        raise UserError(
            f"amp='fp16' needs a GPU: on the {device_type} there is no loss scaler, and small "
            "gradients would become zero. Use 'bf16', or 'auto', which is float32 here."
        )
    return amp


def optimizers_of(config: Mapping[str, Any], translator: Translator) -> OptimWrapperDict:
    """Return the optimisers of a config by network, with the precision of its `amp`.

    The precision is "auto" by default. Frozen networks have no optimiser.

    Raises:
        UserError: a network has no optimiser, parameters belong to no optimiser, or an option or
            the precision is wrong.
    """
    networks = translator.networks()
    require_trained(translator, networks)
    precision = choose_precision(config.get("amp", "auto"), best_device())
    return build_optimizers(networks, config.get("optimizers", {}), precision, best_device())


def build_optimizers(
    networks: Mapping[str, Mapping[str, nn.Parameter]],
    cfg: Mapping[str, Mapping[str, Any]],
    precision: str | None = None,
    device_type: str = "cpu",
) -> OptimWrapperDict:
    """Return one optimiser for each network that is trained, by name.

    Args:
        networks: the trained parameters of each network by name; empty for a network that is frozen
            or switched off.
        cfg: by network a dict with the `type` of a torch optimiser (Adam by default) and its
            options. Entries for networks without trained parameters are ignored. Adam and AdamW use
            `fused=True` unless `foreach`, `differentiable` or `fused` is set. `clip_grad` has the
            options of Clipping.
        precision: see choose_precision.
        device_type: see NetworkOptimizer.

    Raises:
        UserError: every network is frozen, `cfg` has other names than the networks, or a type,
            option or precision is unknown.
    """
    if not any(networks.values()):
        raise UserError("Nothing is trained: every network is frozen. Unfreeze at least one.")
    precision = choose_precision(precision, device_type)
    _check_named(networks, cfg)
    wrappers = {}
    for name, parameters in networks.items():
        if not parameters:
            continue
        options = dict(cfg[name])
        clipping = clipping_of(options.pop("clip_grad", None), name)
        optimizer = _build_optimizer(options, list(parameters.values()))
        wrappers[name] = NetworkOptimizer(
            optimizer, list(parameters), precision, device_type, clipping
        )
    return OptimWrapperDict(**wrappers)


def _check_named(networks: Mapping[str, Any], cfg: Mapping[str, Any]) -> None:
    """Refuse optimisers for unknown networks, and trained networks without an optimiser.

    An entry None counts as no optimiser.
    """
    given = [name for name, options in cfg.items() if options is not None]
    trained = [name for name, parameters in networks.items() if parameters]
    unknown = [
        f" There is no network {name!r}.{near_match(name, networks)}"
        for name in given
        if name not in networks
    ]
    without = [f" The {name} has no optimizer." for name in trained if name not in given]
    if unknown or without:
        raise UserError(
            f"The optimizers of the config ({', '.join(given) or 'none'}) do not match the "
            f"networks that are trained ({', '.join(trained)}).{''.join(unknown + without)}"
        )
    for name in given:
        if not isinstance(cfg[name], Mapping):
            raise UserError(
                f"optimizers.{name} must be a dict with the type of a torch optimizer and its "
                f"options, not {cfg[name]!r}."
            )


def _build_optimizer(
    options: dict[str, Any], parameters: list[nn.Parameter]
) -> torch.optim.Optimizer:
    kind = options.pop("type", "Adam")
    optimizer = getattr(torch.optim, kind, None)
    not_fused = options.get("foreach") or options.get("differentiable")
    if kind in ("Adam", "AdamW") and not not_fused:
        options.setdefault("fused", True)  # one pass over the memory, and no step count to read
    usable = isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)
    if optimizer is None or not usable or optimizer is torch.optim.LBFGS:  # LBFGS needs a closure
        raise UserError(
            f"{kind!r} is no torch optimizer that this project can use."
            f"{near_match(kind, dir(torch.optim))}"
        )
    check_options(optimizer, {"params": parameters, **options})
    try:
        return optimizer(parameters, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"The optimizer {kind} refuses its options: {error}") from error
