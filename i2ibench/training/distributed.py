"""Training in several processes: torch's DistributedDataParallel averages the gradients."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from i2ibench.errors import UserError
from i2ibench.io.processes import is_distributed


class Announced(nn.Module):
    """Hold one optimiser's parameters, and announce the backward pass of a total to DDP.

    DDP watches the accumulation of gradients in `.grad`, wherever the forward pass ran. It needs
    only to be told which total the next backward pass begins at. The networks themselves are
    therefore not wrapped: names in checkpoints stay, and compiled parts stay in one graph.

    Args:
        parameters: what the optimiser trains, the same in every process.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)
        first = parameters[0]
        self.anchor = nn.Parameter(torch.zeros((), dtype=first.dtype, device=first.device))

    def forward(self, total: Tensor) -> Tensor:
        """Return the total, a scalar, unchanged.

        The anchor gives every total a parameter: DDP would wait for ever for a process in which
        the total reaches none.
        """
        return total + 0 * self.anchor


def averaging(parameters: Sequence[nn.Parameter]) -> DistributedDataParallel | None:
    """Return DDP for the gradients of one optimiser's parameters; None with one process.

    A parameter that has no gradient in one process counts as zeros there. A parameter that has
    none in any process keeps `.grad` None, so that the optimiser leaves it alone. DDP holds no
    buffers and broadcasts none. Every process must call this function in the same order.

    Args:
        parameters: trained ones, on their device, the same in every process.
    """
    if not is_distributed():
        return None
    return DistributedDataParallel(
        Announced(parameters),
        init_sync=False,  # broadcast_weights has seen to frozen weights and buffers too
        gradient_as_bucket_view=True,
        find_unused_parameters=True,
    )


@torch.no_grad()
def broadcast_weights(network: nn.Module) -> None:
    """Give every process the first one's parameters and buffers; nothing with one process."""
    if not is_distributed():
        return
    for value in (*network.parameters(), *network.buffers()):
        first = value.contiguous()
        dist.broadcast(first, src=0)
        value.copy_(first)


def synchronises_batch_norms(choice: object, device_type: str) -> bool:
    """Return whether batch norms are to take their statistics over all processes.

    Args:
        choice: the config's `sync_batch_norm`; with one process nothing is synchronised.
        device_type: where the networks train, "cpu" or "cuda".

    Raises:
        UserError: the choice is neither True nor False, or several processes train on the CPU.
    """
    if not isinstance(choice, bool):
        raise UserError(f"sync_batch_norm is True or False, not {choice!r}.")
    if not (choice and is_distributed()):
        return False
    if device_type == "cpu":
        raise UserError(
            "sync_batch_norm=True needs GPUs: torch's SyncBatchNorm does not run on the CPU. Leave "
            "it out, or train in one process with a larger batch_size."
        )
    return True


def synchronise_batch_norms(translator: nn.Module) -> None:
    """Replace batch norms by torch's SyncBatchNorm, in place; parameters and names stay."""
    nn.SyncBatchNorm.convert_sync_batchnorm(translator)
