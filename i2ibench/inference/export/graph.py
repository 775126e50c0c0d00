"""A translation as one graph: integer maps in, an image of 8 bits out."""

from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.inference import Inference
from i2ibench.models.ops.images import to_levels
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators.scene_noise import given_noise

KINDS = ("label", "instance")
"""The kinds of data that an exported system may need."""


class ExportedTranslation(nn.Module):
    """A system that makes its own condition, for scenes of any size.

    The inputs of `forward` are those in `inputs`, in that order: `label`, the class numbers, uint8
    [H,W]; `instance`, the instance ids, int32 [H,W]; `modes`, for each pixel the number of its
    instance's mode, uint8 [H,W], for systems with styles; `noise`, normal numbers float32 [H,W,C],
    for systems that begin with noise. A mode that a class lacks gives the middle of the styles.

    Args:
        opened: the checkpoint. Its translator is changed: the condition is always computed.
        half: compute in 16-bit floats.

    Attributes:
        inputs: the names of the inputs.

    Raises:
        UserError: the system needs other data than label and instance maps, makes images of other
            than 8 bits, or draws random numbers that cannot be an input.
    """

    centres: Tensor

    def __init__(self, opened: OpenedCheckpoint, half: bool = False) -> None:
        super().__init__()
        translator = opened.translator
        self.translator = translator
        self.inference = Inference(translator, opened.inference.options)
        self.preprocessor: Any = translator.data_preprocessor
        check_exportable(opened)
        bank = opened.inference.bank
        self.inputs: tuple[str, ...] = tuple(
            name
            for name, used in {
                "label": True,
                "instance": "instance" in self.preprocessor.needs,
                "modes": bank is not None,
                "noise": translator.varies,
            }.items()
            if used
        )
        if bank is not None:
            self.register_buffer("centres", _padded_centres(bank))
        self.half_precision = half
        self.preprocessor.one_hot_channels = 0  # no lookup replaces the first layer

    def forward(self, *values: Tensor) -> Tensor:
        """Return the image of one scene, uint8 [H,W,C].

        Args:
            values: the inputs in the order of `inputs`.
        """
        given = dict(zip(self.inputs, values, strict=True))
        label = given["label"].long()
        height, width = label.shape
        maps = {k: given[k].long()[None, None] for k in KINDS if k in given}
        planes = {"condition": self.preprocessor.condition_of(maps)}
        if "modes" in given:
            planes["features"] = _chosen(self.centres, label, given["modes"])
        if "noise" in given:
            planes["noise"] = given["noise"].permute(2, 0, 1)[None]
        method = self.translator
        rows = _padding(height, method.stride, method.smallest_side)
        columns = _padding(width, method.stride, method.smallest_side)
        batch: Any = {
            name: plane.index_select(-2, rows).index_select(-1, columns)
            for name, plane in planes.items()
        }
        if self.half_precision:
            batch = {name: plane.half() for name, plane in batch.items()}
        batch |= {"names": ["scene"], "label": maps["label"]}
        with given_noise(batch.pop("noise", None)):
            images = method.synthesise(batch, self.inference.settings)
        # Slices would make the graph depend on whether the size of the trace was padded.
        kept = images.index_select(-2, torch.arange(height))
        kept = kept.index_select(-1, torch.arange(width))
        return to_levels(kept, 8, method.truncate_output)[0].permute(1, 2, 0)


def check_exportable(opened: OpenedCheckpoint) -> None:
    """Check that a system can be exported.

    Raises:
        UserError: see `ExportedTranslation`.
    """
    translator = opened.translator
    needs = {*translator.data_preprocessor.needs}
    if needs - {*KINDS} or "label" not in needs:
        raise UserError(
            f"{opened.path} needs {', '.join(sorted(needs))}; systems that translate label "
            "maps are exported, with instance maps or without."
        )
    if translator.image_depth != 8:
        raise UserError(f"{opened.path} makes images of 16 bits; images of 8 are exported.")
    if not translator.batched:
        raise UserError(
            f"{opened.path} stays in training mode or draws random numbers inside its layers "
            "(dropout), which no export can repeat."
        )


def styles_of(bank: StyleBank, label: Tensor, modes: Tensor) -> Tensor:
    """Return the styles 1CHW of a scene whose pixels have the given modes.

    Args:
        bank: the style bank.
        label: the class numbers, integer [H,W].
        modes: the mode of each pixel, integer [H,W]; one that a class lacks gives zeros.
    """
    return _chosen(_padded_centres(bank), label.long(), modes)


def _padded_centres(bank: StyleBank) -> Tensor:
    """Return the modes [N,K+1,C]; zeros, the middle of the styles, where a class has no mode."""
    known = torch.arange(bank.centres.shape[1], device=bank.centres.device) < bank.counts[:, None]
    kept = torch.where(known[..., None], bank.centres, torch.zeros_like(bank.centres))
    return torch.cat([kept, torch.zeros_like(kept[:, :1])], 1)


def _chosen(centres: Tensor, label: Tensor, modes: Tensor) -> Tensor:
    last = centres.shape[1] - 1
    return centres[label, modes.long().clamp(max=last)].permute(2, 0, 1)[None]


def _padding(side: int, stride: int, smallest: int) -> Tensor:
    """Return the index of the row or column that each one of the padded image repeats."""
    least = torch.sym_max(side, smallest) if smallest > 1 else side
    return torch.arange((least + stride - 1) // stride * stride).clamp(max=side - 1)


def example_inputs(size: tuple[int, int], classes: int, channels: int) -> dict[str, Tensor]:
    """Return all inputs of a made-up scene, a stack of rectangles, always the same for a size.

    Args:
        size: (height, width) in pixels.
        classes: the number of classes.
        channels: the number of channels of the noise.
    """
    height, width = size
    generator = torch.Generator().manual_seed(height * 10_000 + width)
    label = torch.zeros(height, width, dtype=torch.uint8)
    instance = torch.zeros(height, width, dtype=torch.int32)
    modes = torch.zeros(height, width, dtype=torch.uint8)
    for number in range(1, 25):
        top, left, tall, wide = torch.rand(4, generator=generator).tolist()
        rows = slice(int(top * height), int(top * height + 1 + tall * height / 2))
        columns = slice(int(left * width), int(left * width + 1 + wide * width / 2))
        label[rows, columns] = int(torch.randint(classes, (1,), generator=generator))
        instance[rows, columns] = number
        modes[rows, columns] = number % 4
    noise = torch.randn(height, width, channels, generator=generator)
    return {"label": label, "instance": instance, "modes": modes, "noise": noise}
