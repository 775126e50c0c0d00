"""Render scenes with a checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.apps.editor.rasterise import PixelBox
from i2ibench.apps.editor.scene import Mode, Scene, Style, Vector, class_of, region_of
from i2ibench.data.pixel_formats import PixelFormat
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.models.ops.images import tensor_of, to_displayable
from i2ibench.models.ops.instance_regions import Instances, instances_of, paint
from i2ibench.models.translators.compilation import is_compiled
from i2ibench.structures import Batch

TILE_SIDE = 160
"""The largest side of a thumbnail, in pixels."""


@dataclass(frozen=True)
class Strip:
    """Thumbnails of an instance in each mode of its class.

    Attributes:
        tiles: uint8 [K,h,w,3], one for each of the K modes.
        box: the part of the scene that every tile shows.
        approximate: whether the tiles are cut out or smaller, so that a whole image may differ.
    """

    tiles: NDArray[np.uint8]
    box: PixelBox
    approximate: bool


class Renderer:
    """Renders scenes with a checkpoint. Not safe for several threads at once.

    Args:
        opened: a checkpoint that translates label maps.

    Raises:
        UserError: the checkpoint translates images, or its images cannot be shown on a page.
    """

    def __init__(self, opened: OpenedCheckpoint) -> None:
        self.translator, self.inference = opened.translator, opened.inference
        needs = set(self.translator.data_preprocessor.needs)
        if "label" not in needs or needs - {"label", "instance"}:
            reason = "translates images, not label maps, so there is nothing to edit"
            if "label" in needs:
                reason = "needs an image beside the label map, which cannot be edited"
            raise UserError(
                f"{opened.path} {reason}: its data_preprocessor is "
                f"{type(self.translator.data_preprocessor).__name__}. Use translate."
            )
        pixels = PixelFormat(self.translator.image_channels, self.translator.image_depth)
        if not pixels.shows_as_rgb:
            raise UserError(
                f"{opened.path} makes images of {pixels}, and the editor shows RGB or grey of 8 "
                "bits. Use translate."
            )
        self.bank = self.inference.bank

    @property
    def has_styles(self) -> bool:
        """Return whether instances have styles: the checkpoint has a style bank."""
        return self.bank is not None

    @property
    def reads_photos(self) -> bool:
        """Return whether styles can come from a photo: the checkpoint has an encoder."""
        return self.translator.encoder is not None

    def num_modes(self, label: int) -> int:
        """Return how many modes (typical appearances) the style bank has for a class.

        The number is 0 without a style bank.

        Args:
            label: the number of the class.
        """
        return 0 if self.bank is None else int(self.bank.counts[label])

    def fits(self, label: int, style: Style) -> bool:
        """Return whether the style bank allows a style for instances of a class.

        A mode is allowed if the bank has it for the class, and a vector if it is as long as the
        bank's. Without a bank, no style is allowed.

        Args:
            label: the number of the class.
            style: the style.
        """
        if self.bank is None:
            return False
        if isinstance(style, Mode):
            return style.index < self.num_modes(label)
        return len(style.values) == self.bank.centres.shape[-1]

    def modes(self, scene: Scene, ids: NDArray[Any], labels: NDArray[Any]) -> list[int]:
        """Return the mode of each instance, chosen or random.

        The mode is -1 if the style is a vector, if the class has no modes, or without a style bank.

        Args:
            scene: the scene.
            ids: the instance ids, int64 [n], sorted.
            labels: the class number of each of these instances, int64 [n].
        """
        if self.bank is None:
            return [-1] * len(ids)
        chosen = self._modes_of(scene, torch.from_numpy(ids), torch.from_numpy(labels))
        vectors = [isinstance(scene.styles.get(int(i)), Vector) for i in ids]
        return [-1 if v else int(k) for k, v in zip(chosen, vectors, strict=True)]

    def image(
        self, scene: Scene, step: int = 1, on_progress: Callable[[float], None] | None = None
    ) -> NDArray[np.uint8]:
        """Render the image of a scene, uint8 [h,w,3]; grey images have three equal channels.

        Args:
            scene: the scene.
            step: only every `step`-th row and column of the maps is used, so the image is smaller.
            on_progress: called with the fraction of the network layers that are done, 0..1; for
                compiled networks only at the end. An error that it raises stops the rendering.

        Raises:
            UserError: the networks return numbers that are not finite.
        """
        batch, vectors, instances = self._prepare(scene, slice(None, None, step))
        features = None if instances is None else paint(vectors, instances.members)[None]
        with _reporting_progress(self.inference, on_progress):
            return _pixels(self.inference.paint(batch, features))[0]

    @torch.inference_mode()
    def strip(self, scene: Scene, instance: int) -> Strip:
        """Render thumbnails of an instance and its surroundings, one in each mode of its class.

        The other instances keep their styles.

        Args:
            scene: the scene.
            instance: the id of the instance.

        Raises:
            UserError: there is no such instance, its class has no modes, or the networks return
                numbers that are not finite.
        """
        label = class_of(scene, instance)
        number = self.num_modes(label)
        if self.bank is None or not number:
            raise UserError(f"Class {label} has no modes in the style bank.")
        box, step = _tile(scene, instance)
        rows, columns = box.slices
        batch, vectors, instances = self._prepare(
            scene, slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
        )
        assert instances is not None
        own = (instances.ids == instance).nonzero()[0, 0]
        style_maps = []
        for centre in self.bank.centres[label, :number]:
            vectors[own] = centre
            style_maps.append(paint(vectors, instances.members))
        many = _repeat(batch, number)
        tiles = _pixels(self.inference.paint(many, torch.stack(style_maps)))
        whole = (box.height, box.width) == scene.size and step == 1
        return Strip(tiles, box, approximate=not whole)

    @torch.inference_mode()
    def encode(self, scene: Scene, photo: NDArray[np.uint8]) -> dict[int, tuple[float, ...]]:
        """Encode a photo and return the style vector of every instance, by instance id.

        Args:
            scene: the scene.
            photo: uint8 [H,W,3], of the size of the scene.

        Raises:
            UserError: the checkpoint has no encoder.
        """
        if self.translator.encoder is None:
            raise UserError("This checkpoint has no encoder, so no style comes from a photo.")
        data = self._data(scene, slice(None), slice(None))
        if self.translator.image_channels == 1:
            photo = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
        data["image"] = tensor_of(photo)[None]
        features = self.inference.encode(self.translator.data_preprocessor(data))[0]
        ids, first = np.unique(scene.instance, return_index=True)
        values = features.flatten(1)[:, torch.from_numpy(first)].T.float().cpu().tolist()
        return {int(i): tuple(row) for i, row in zip(ids, values, strict=True)}

    def _data(self, scene: Scene, rows: slice, columns: slice) -> dict[str, Any]:
        """Return the name and the maps [1,1,h,w] of part of a scene, as a collated batch of one."""
        label, instance = (
            torch.from_numpy(a[rows, columns].copy())[None, None]
            for a in (scene.label, scene.instance)
        )
        return {"name": [_name(scene)], "label": label, "instance": instance}

    @torch.inference_mode()
    def _prepare(
        self, scene: Scene, rows: slice, columns: slice | None = None
    ) -> tuple[Batch, Tensor, Instances | None]:
        """Return the batch of a part of a scene, the style vectors [n,C], and the n instances.

        Without a style bank, the vectors are empty and the instances None.
        """
        batch = self.translator.data_preprocessor(
            self._data(scene, rows, rows if columns is None else columns)
        )
        if self.bank is None:
            return batch, torch.empty(0), None
        instances = instances_of(batch["label"][0], batch["instance"][0])
        modes = self._modes_of(scene, instances.ids, instances.labels)
        vectors = self.bank.vectors(instances.labels, modes)
        positions = {i: n for n, i in enumerate(instances.ids.tolist())}
        for i, style in scene.styles.items():
            if isinstance(style, Vector) and i in positions:
                vectors[positions[i]] = vectors.new_tensor(style.values)
        return batch, vectors, instances

    def _modes_of(self, scene: Scene, ids: Tensor, labels: Tensor) -> Tensor:
        """Return the mode of every instance, int64 [n]: the chosen one, else the random one.

        The random one is -1 if the class has no modes. An instance with a vector has a random mode.
        """
        assert self.bank is not None
        modes = self.bank.choose(_name(scene), ids, labels).cpu()
        known = ids.cpu().numpy()
        for i, style in scene.styles.items():
            at = int(np.searchsorted(known, i))
            if isinstance(style, Mode) and at < len(known) and known[at] == i:
                modes[at] = style.index
        return modes.to(ids.device)


def _name(scene: Scene) -> str:
    """Return the name that seeds a scene's random styles, such as "street/2" for draw 2.

    For draw 0, this is the scene's own name. `translate` names its n-th sample in the same way.
    """
    return f"{scene.name}/{scene.draw}" if scene.draw else scene.name


def _tile(scene: Scene, instance: int) -> tuple[PixelBox, int]:
    """Return the box that a thumbnail of an instance shows, and the step between its pixels.

    The box has a margin around the instance and is cut at the canvas. With the step, a thumbnail
    has at most TILE_SIDE pixels along a side.
    """
    region = region_of(scene, instance)
    height, width = region.mask.shape
    margin = 16 + max(height, width) // 4
    left, top = max(region.left - margin, 0), max(region.top - margin, 0)
    right = min(region.left + width + margin, scene.size[1])
    bottom = min(region.top + height + margin, scene.size[0])
    step = -(-max(right - left, bottom - top) // TILE_SIDE)
    return PixelBox(left, top, right - left, bottom - top), step


def _repeat(batch: Batch, number: int) -> Batch:
    many: Any = {"names": batch["names"] * number}
    for key in ("condition", "label", "instance"):
        if key in batch:
            many[key] = batch[key].expand(number, -1, -1, -1)  # type: ignore[literal-required]
    return many


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """Convert images of 8 bits, RGB or grey [B,C,H,W], to RGB uint8 [B,H,W,3] on the CPU."""
    return to_displayable(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


@contextmanager
def _reporting_progress(
    inference: Inference, report: Callable[[float], None] | None
) -> Iterator[None]:
    """Report, while the block renders, which fraction of the network layers is done."""
    named = inference.translator.parts().items()
    parts = [part for name, part in named if name != "encoder"]  # the encoder makes no image
    if report is None or any(is_compiled(part) for part in parts):
        yield
        if report is not None:
            report(1.0)
        return
    layers = [layer for part in parts for layer in part.modules() if not list(layer.children())]
    expected = len(layers) * inference.translator.evaluations(inference.settings) + 1
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        report(min(done / expected, 1.0))

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield
        report(1.0)  # layers that a lookup replaces are not counted
    finally:
        for handle in handles:
            handle.remove()
