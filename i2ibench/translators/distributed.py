"""Training in several processes: torch's DistributedDataParallel averages the gradients."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


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
    if not dist.is_initialized() or dist.get_world_size() == 1:
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
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    for value in (*network.parameters(), *network.buffers()):
        first = value.contiguous()
        dist.broadcast(first, src=0)
        value.copy_(first)
