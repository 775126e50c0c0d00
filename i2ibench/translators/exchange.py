"""The exchange of gradients between processes, which begins while they are still computed."""

from collections.abc import Iterator, Sequence
from functools import partial
from weakref import ref

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET_BYTES = 25 * 2**20
"""Of gradients in one message, as in DistributedDataParallel: large enough to use the link, small
enough that the first leave long before the backward pass ends."""


class GradientExchange:
    """Replaces gradients by their mean over all processes; nothing with one process.

    The parameters are dealt into buckets, last ones first, as a backward pass reaches them. Once
    `arm` was called, the next backward pass sends each bucket as soon as it and all earlier ones
    are complete, so that every process sends in the same order. Passes that are not armed add to
    the gradients and send nothing. Call `arm`, the pass, `send_rest` and `finish` equally often,
    and in the same order for several exchanges, in every process.

    A process in which a parameter has no gradient counts as zeros. If no process has one it stays
    None, so that the optimiser leaves the parameter alone; otherwise every process gets the mean.

    DistributedDataParallel does not fit: its reducer expects one forward call and one backward
    pass over all parameters. Here a step takes gradients for some parameters only
    (`backward(inputs=...)`), judges fakes and photos by one discriminator, and may compute the
    generator's activations again in its backward pass; and the wrapper would rename every weight
    in the checkpoints.

    Args:
        parameters: with gradients to come; the same in every process.
        bucket_bytes: a bucket is full with this.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], bucket_bytes: int = BUCKET_BYTES
    ) -> None:
        self.world_size = dist.get_world_size() if dist.is_initialized() else 1
        self.buckets: list[_Bucket] = []
        self._armed = False
        self._sent = 0
        if self.world_size > 1:
            self.buckets = [_Bucket(group) for group in _groups(parameters, bucket_bytes)]
            for number, bucket in enumerate(self.buckets):
                for parameter in bucket.parameters:
                    hook = partial(_arrived, ref(self), number)
                    parameter.register_post_accumulate_grad_hook(hook)

    def arm(self) -> None:
        """Let the next backward pass send what it completes."""
        self._armed = True
        for bucket in self.buckets:
            bucket.missing = len(bucket.parameters)

    def send_rest(self) -> None:
        """Send the buckets that the backward pass has left incomplete.

        Without delay: what another exchange sends next must come after it in every process.
        """
        self._armed = False
        for bucket in self.buckets[self._sent :]:
            bucket.send()
        self._sent = len(self.buckets)

    def finish(self) -> None:
        """Wait for the others' gradients and put the means in the place of the own ones."""
        self.send_rest()
        for bucket in self.buckets:
            bucket.receive(self.world_size)
        self._sent = 0

    def count_down(self, number: int) -> None:
        """Send what is complete, now that one more gradient of a bucket is there."""
        if not self._armed:
            return
        self.buckets[number].missing -= 1
        for following in self.buckets[self._sent :]:
            if following.missing:
                break
            following.send()
            self._sent += 1


def _arrived(exchange: "ref[GradientExchange]", number: int, parameter: Tensor) -> None:
    """The hook of the parameters of a bucket: the exchange holds them, and they not the exchange.

    torch's own references hide a circle from the garbage collector; the networks of an earlier
    stage would stay in memory.
    """
    owner = exchange()
    if owner is not None:
        owner.count_down(number)


class _Bucket:
    """Parameters whose gradients travel together, with one flag for each that has one."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.missing = len(parameters)
        self._flat: Tensor | None = None
        self._work: dist.Work | None = None

    def send(self) -> None:
        """Begin to add up the gradients of all processes."""
        pieces = [
            torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in self.parameters
        ]
        flags = pieces[0].new_ones(len(pieces))
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                flags[i] = 0.0
        self._flat = torch.cat([*(piece.flatten() for piece in pieces), flags])
        self._work = dist.all_reduce(self._flat, async_op=True)

    def receive(self, world_size: int) -> None:
        """Put the means in the place of the gradients."""
        assert self._flat is not None and self._work is not None, "nothing was sent"
        self._work.wait()
        self._flat /= world_size
        sizes = [p.numel() for p in self.parameters]
        *means, flags = self._flat.split([*sizes, len(sizes)])
        self._flat = self._work = None
        for parameter, mean, flag in zip(self.parameters, means, flags, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(mean.view_as(parameter))
            elif flag.item():  # read only here: a GPU has to wait for it
                parameter.grad = mean.view_as(parameter).clone()


def _groups(parameters: Sequence[nn.Parameter], size: int) -> Iterator[list[nn.Parameter]]:
    """The parameters, last ones first, in groups of at least `size` bytes of one kind."""
    group: list[nn.Parameter] = []
    filled = 0
    for parameter in reversed(parameters):
        alike = not group or (group[0].dtype, group[0].device) == (
            parameter.dtype,
            parameter.device,
        )
        if filled >= size or not alike:
            yield group
            group, filled = [], 0
        group.append(parameter)
        filled += parameter.numel() * parameter.element_size()
    if group:
        yield group


@torch.no_grad()
def broadcast_weights(network: nn.Module) -> None:
    """Give every process the first one's parameters and buffers; nothing with one process."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    for value in (*network.parameters(), *network.buffers()):
        first = value.contiguous()
        dist.broadcast(first, src=0)
        value.copy_(first)
