"""Optimisers: one per network, each stepping its own parameters only."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from i2ibench.training.clipping import Clipping, clipping_of
from i2ibench.training.distributed import averaging

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class NetworkOptimizer(OptimWrapper):
    """An optimiser that computes gradients for its own parameters alone.

    mmengine's AmpOptimWrapper refuses the CPU and its `update_params` leaves gradients in
    networks that a loss merely passes through; neither happens here.

    `dormant` holds the state of parameters, by name, that an earlier stage trained and this one
    does not, for a later stage that does.

    With `skips` set, an update whose gradient is not finite is left out and counted in `skipped`;
    `longest_skipped` is the longest run of consecutive skipped updates.

    Args:
        optimizer: holds the parameters.
        names: of the parameters, in the optimizer's order.
        precision: None for float32, or bf16 or fp16 for autocast (fp16 with a loss scaler).
        device_type: where the networks are, "cpu" or "cuda".
        clipping: of the gradients' norm, after the mean over processes; None for none.
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
        """Return the context in which the networks run at the chosen precision."""
        enabled = self.dtype is not None
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=enabled)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Return the trained parameters."""
        return [p for g in self.param_groups for p in g["params"] if p.requires_grad]

    @cached_property
    def synced(self) -> DistributedDataParallel | None:
        """DDP for the gradients; None with one process.

        Constructed with the first gradient: optimisers are also built to check a config, where
        networks are not on the device of the process group.
        """
        return averaging(self.parameters)

    def update(self, loss: Tensor) -> None:
        """Take one step down the gradient of `loss`, averaged over all processes."""
        self.zero_grad()
        self.add_gradient(loss)
        self.apply()

    def add_gradient(self, loss: Tensor, retain_graph: bool = False, last: bool = True) -> None:
        """Add the gradient of `loss` to what `apply` will use.

        Args:
            loss: a scalar.
            retain_graph: keep the graph for another backward pass.
            last: whether no other gradient follows before `apply`: this one's backward pass
                averages the sum of the added gradients over all processes.
        """
        if self.synced is None:
            self._backward(loss, self.parameters, retain_graph)
            return
        with nullcontext() if last else self.synced.no_sync():
            self._backward(self.synced(loss), list(self.synced.parameters()), retain_graph)

    def _backward(self, loss: Tensor, inputs: list[nn.Parameter], retain_graph: bool) -> None:
        self.scaler.scale(loss).backward(inputs=inputs, retain_graph=retain_graph)

    def apply(self) -> None:
        """Take one step down the added gradients, averaged over all processes; none without any."""
        if all(p.grad is None for p in self.parameters):
            return
        if self.skips and not self.scaler.is_enabled():  # the scaler leaves them out itself
            self._step_if_finite()
        else:
            self.step()

    def step(self, **kwargs: Any) -> None:
        """Apply the gradients, clipped; mmengine's schedulers count the calls of this method."""
        if self.clipping is not None:
            self.scaler.unscale_(self.optimizer)
            self.clipping.apply(self.parameters)
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _step_if_finite(self) -> None:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        bad = ~torch.stack([g.isfinite().all() for g in gradients]).all()
        self._count(bad)
        if self.optimizer.defaults.get("fused"):  # decides on the device, as for a GradScaler
            self.optimizer.grad_scale, self.optimizer.found_inf = None, bad.float()
            self.step()
            del self.optimizer.grad_scale, self.optimizer.found_inf
        elif not bad.item():
            self.step()

    def _count(self, bad: Tensor) -> None:
        """Count an update that is left out if `bad`, without asking for its value."""
        self.skipped, self.in_a_row, self.longest_skipped = (
            torch.as_tensor(count, device=bad.device)
            for count in (self.skipped, self.in_a_row, self.longest_skipped)
        )
        self.skipped = self.skipped + bad
        self.in_a_row = (self.in_a_row + 1) * bad
        self.longest_skipped = torch.maximum(self.longest_skipped, self.in_a_row)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimiser and of the loss scaler."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "names": self.names,
            "dormant": self.dormant,
            "kind": self.kind(),
            "skipped": [int(n) for n in (self.skipped, self.in_a_row, self.longest_skipped)],
        }

    def kind(self) -> str:
        """Return the optimizer's type with the options that decide what state it keeps."""
        options = ("amsgrad", "centered", "momentum", "nesterov")
        kept = {k: v for k, v in self.optimizer.defaults.items() if k in options}
        return f"{type(self.optimizer).__name__} {kept}"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.scaler.load_state_dict(state_dict["scaler"])
        self.dormant = state_dict["dormant"]
        self._global_step = 0  # mmengine's schedules warn if no step has been before their own
        counts = state_dict.get("skipped", [0, 0, 0])
        self.skipped, self.in_a_row, self.longest_skipped = counts


def skipped(optimizers: OptimWrapperDict) -> dict[str, int]:
    """Return by network how many updates were left out; {} where every update is taken."""
    return {name: int(optimizer.skipped) for name, optimizer in optimizers.items()
            if optimizer.skips}  # fmt: skip


def require_trained(translator: nn.Module, networks: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a translator with parameters that want to be trained and that no optimiser gets.

    Args:
        translator: with all of its parts.
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
            f"parameters of {', '.join(optimizers) or 'nothing'}. Freeze them by "
            "requires_grad_(False) in their part (PairedTranslator has model.frozen for it), or "
            "move them into a network that is trained."
        )


def choose_precision(amp: str | None, device_type: str) -> str | None:
    """Return the precision that `amp` means on a device: None for float32, "bf16" or "fp16".

    "auto" is bf16 on CUDA devices that compute in it, and float32 elsewhere.

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
            f"amp='fp16' needs a GPU: on the {device_type} gradients would be rounded to zero "
            "without a loss scaler. Take 'bf16', or 'auto', which is float32 here."
        )
    return amp


def optimizers_of(config: Mapping[str, Any], translator: Translator) -> OptimWrapperDict:
    """Return the config's optimisers, at the precision of its `amp`, which is "auto" without one.

    Raises:
        UserError: a network has no optimiser, parameters belong to none, or an option or the
            precision is wrong.
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
        networks: for each its trained parameters by name; none if it is frozen or switched off.
        cfg: for each name a dict with the `type` of a torch optimiser and its options; those of
            networks without parameters are left out. Adam and AdamW are fused unless they say
            otherwise. `clip_grad` has the options of Clipping.
        precision: see choose_precision.
        device_type: see NetworkOptimizer.

    Raises:
        UserError: the optimisers are not those of the networks, or a type, option or precision is
            unknown.
    """
    if not any(networks.values()):
        raise UserError("Nothing is trained: every network is frozen.")
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
    """Refuse optimisers for other networks than the method trains.

    Raises:
        UserError: lists the names on both sides, or names an optimiser that is no dict.
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
            f"The config's optimizers ({', '.join(given) or 'none'}) are not those of the networks "
            f"that are trained ({', '.join(trained)}).{''.join(unknown + without)}"
        )
    for name in given:
        if not isinstance(cfg[name], Mapping):
            raise UserError(
                f"optimizers.{name} is a dict with the type of a torch optimizer and its options, "
                f"not {cfg[name]!r}."
            )


def _build_optimizer(
    options: dict[str, Any], parameters: list[nn.Parameter]
) -> torch.optim.Optimizer:
    kind = options.pop("type", "Adam")
    optimizer = getattr(torch.optim, kind, None)
    if (
        kind in ("Adam", "AdamW")
        and not options.get("foreach")
        and not options.get("differentiable")
    ):
        options.setdefault("fused", True)  # one pass over the memory, and no step count to ask for
    usable = isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)
    if optimizer is None or not usable or optimizer is torch.optim.LBFGS:  # it needs a closure
        raise UserError(
            f"{kind!r} is no torch optimizer that can be used here."
            f"{near_match(kind, dir(torch.optim))}"
        )
    check_options(optimizer, {"params": parameters, **options})
    try:
        return optimizer(parameters, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"The optimizer {kind} refuses its options: {error}") from error
