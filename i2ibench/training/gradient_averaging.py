"""Training in several processes, with torch's DistributedDataParallel (DDP) for the gradients."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from i2ibench.errors import UserError
from i2ibench.io.process_group import is_distributed


class GradientAnchor(nn.Module):
    """A module of one optimiser's parameters that DDP wraps in place of the networks.

    DDP watches the accumulation of gradients in `.grad`, wherever the forward pass ran. Its forward
    pass only has to return the total loss at which the next backward pass begins. The networks
    themselves are not wrapped, so that names in checkpoints do not change and compiled parts stay
    in one graph.

    Args:
        parameters: the parameters of the optimiser, the same in every process.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)
        first = parameters[0]
        self.anchor = nn.Parameter(torch.zeros((), dtype=first.dtype, device=first.device))

    def forward(self, total: Tensor) -> Tensor:
        """Return the total, a scalar, unchanged.

        Every total depends on the anchor, a parameter that is added with the factor 0. Otherwise
        DDP would wait forever if the total of one process depended on no parameter.
        """
        return total + 0 * self.anchor


def gradient_averaging(parameters: Sequence[nn.Parameter]) -> DistributedDataParallel | None:
    """Return DDP for the gradients of one optimiser's parameters; None with one process.

    If a parameter has no gradient in one process, zeros are averaged for that process. A parameter
    without a gradient in any process keeps `.grad` None, so that the optimiser does not change it.
    DDP holds no buffers and broadcasts none. Every process must call this function in the same
    order.

    Args:
        parameters: the trained parameters, on their device, the same in every process.
    """
    if not is_distributed():
        return None
    return DistributedDataParallel(
        GradientAnchor(parameters),
        init_sync=False,  # broadcast_weights has broadcast all weights and buffers already
        gradient_as_bucket_view=True,
        find_unused_parameters=True,
    )


@torch.no_grad()
def broadcast_weights(network: nn.Module) -> None:
    """Overwrite a network's parameters and buffers in every process by those of process 0.

    Do nothing with one process. Every process must call this function.
    """
    if not is_distributed():
        return
    for value in (*network.parameters(), *network.buffers()):
        first = value.contiguous()
        dist.broadcast(first, src=0)
        value.copy_(first)


def synchronises_batch_norms(choice: object, device_type: str) -> bool:
    """Return whether batch norms should compute their statistics over all processes.

    Args:
        choice: the config's `sync_batch_norm`. With one process the result is always False.
        device_type: the device of the networks, "cpu" or "cuda".

    Raises:
        UserError: the choice is neither True nor False, or several processes train on the CPU.
    """
    if not isinstance(choice, bool):
        raise UserError(f"sync_batch_norm must be True or False, not {choice!r}.")
    if not (choice and is_distributed()):
        return False
    if device_type == "cpu":
        raise UserError(
            "sync_batch_norm=True needs GPUs: torch's SyncBatchNorm does not run on the CPU. Set "
            "it to False, or train in one process with a larger batch_size."
        )
    return True


def synchronise_batch_norms(translator: nn.Module) -> None:
    """Replace a translator's batch norms by torch's SyncBatchNorm in place.

    Parameters keep their names and values.
    """
    nn.SyncBatchNorm.convert_sync_batchnorm(translator)
