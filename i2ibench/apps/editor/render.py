"""Images of scenes, made with a checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.apps.editor.history import PixelBox
from i2ibench.apps.editor.scene import Mode, Scene, Style, Vector, class_of, region_of
from i2ibench.data.pixel_formats import PixelFormat
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.models.ops.images import tensor_of, to_displayable
from i2ibench.models.styles.instances import Instances, instances_of, paint
from i2ibench.models.translators.compilation import is_compiled
from i2ibench.structures import Batch

TILE_SIDE = 160
"""The largest side of a mode's thumbnail."""


@dataclass(frozen=True)
class Strip:
    """An instance painted in each mode of its class.

    Attributes:
        tiles: uint8 [K,h,w,3].
        box: what they show.
        approximate: whether a whole image would look different: the tiles are smaller or cut out.
    """

    tiles: NDArray[np.uint8]
    box: PixelBox
    approximate: bool


class Renderer:
    """Makes images of scenes; not for several threads at once.

    Args:
        opened: a checkpoint whose condition is made from label maps.

    Raises:
        UserError: the condition is, or has, another image.
    """

    def __init__(self, opened: OpenedCheckpoint) -> None:
        self.translator, self.inference = opened.translator, opened.inference
        needs = set(self.translator.data_preprocessor.needs)
        if "label" not in needs or needs - {"label", "instance"}:
            reason = "translates pictures, not label maps, so there is nothing to edit"
            if "label" in needs:
                reason = "needs a picture beside the label map, which cannot be edited"
            raise UserError(
                f"{opened.path} {reason}: its data_preprocessor is "
                f"{type(self.translator.data_preprocessor).__name__}. Use translate."
            )
        made = PixelFormat(self.translator.image_channels, self.translator.image_depth)
        if not made.shows_as_rgb:
            raise UserError(
                f"{opened.path} makes pictures of {made}, and the editor shows RGB or grey of 8 "
                "bits. Use translate."
            )
        self.bank = self.inference.bank

    @property
    def has_styles(self) -> bool:
        """Return whether instances have styles."""
        return self.bank is not None

    @property
    def reads_photos(self) -> bool:
        """Return whether styles can come from a photo."""
        return self.translator.encoder is not None

    def num_modes(self, label: int) -> int:
        """Return the number of modes that the style bank has for a class."""
        return 0 if self.bank is None else int(self.bank.counts[label])

    def fits(self, label: int, style: Style) -> bool:
        """Return whether an instance of a class can have a style: the bank knows it."""
        if self.bank is None:
            return False
        if isinstance(style, Mode):
            return style.index < self.num_modes(label)
        return len(style.values) == self.bank.centres.shape[-1]

    def modes(self, scene: Scene, ids: NDArray[Any], labels: NDArray[Any]) -> list[int]:
        """The mode of each instance, chosen or drawn; -1 where there is none or a vector."""
        if self.bank is None:
            return [-1] * len(ids)
        chosen = self._chosen(scene, torch.from_numpy(ids), torch.from_numpy(labels))
        vectors = [isinstance(scene.styles.get(int(i)), Vector) for i in ids]
        return [-1 if v else int(k) for k, v in zip(chosen, vectors, strict=True)]

    def image(
        self, scene: Scene, step: int = 1, on_progress: Callable[[float], None] | None = None
    ) -> NDArray[np.uint8]:
        """The scene's image, uint8 [h,w,3]; with a step > 1 that much smaller.

        Args:
            scene: the scene.
            step: every so many pixels of the maps are used.
            on_progress: called with the share of the generator's layers that are done.

        Raises:
            UserError: the networks give numbers that are not finite.
        """
        batch, vectors, found = self._prepared(scene, slice(None, None, step))
        features = None if found is None else paint(vectors, found.members)[None]
        with _watched(self.inference, on_progress):
            return _pixels(self.inference.paint(batch, features))[0]

    @torch.inference_mode()
    def strip(self, scene: Scene, instance: int) -> Strip:
        """An instance in each mode of its class, the rest as it is, cut out around it.

        Raises:
            UserError: there is no such instance, or its class has no modes.
        """
        label = class_of(scene, instance)
        number = self.num_modes(label)
        if self.bank is None or not number:
            raise UserError(f"Class {label} has no modes in the style bank.")
        box, step = _tile(scene, instance)
        rows, columns = box.slices
        batch, vectors, found = self._prepared(
            scene, slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
        )
        assert found is not None
        own = (found.ids == instance).nonzero()[0, 0]
        pictures = []
        for centre in self.bank.centres[label, :number]:
            vectors[own] = centre
            pictures.append(paint(vectors, found.members))
        many = _repeated(batch, number)
        tiles = _pixels(self.inference.paint(many, torch.stack(pictures)))
        whole = (box.height, box.width) == scene.size and step == 1
        return Strip(tiles, box, approximate=not whole)

    @torch.inference_mode()
    def encode(self, scene: Scene, photo: NDArray[np.uint8]) -> dict[int, tuple[float, ...]]:
        """Every instance's style in a photo uint8 [H,W,3] of the scene's size.

        Raises:
            UserError: the checkpoint has no encoder.
        """
        if self.translator.encoder is None:
            raise UserError("This checkpoint has no encoder, so no style comes from a photo.")
        data = self._data(scene, slice(None), slice(None))
        seen = photo
        if self.translator.image_channels == 1:
            seen = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
        data["image"] = tensor_of(seen)[None]
        features = self.inference.encode(self.translator.data_preprocessor(data))[0]
        ids, first = np.unique(scene.instance, return_index=True)
        values = features.flatten(1)[:, torch.from_numpy(first)].T.float().cpu().tolist()
        return {int(i): tuple(row) for i, row in zip(ids, values, strict=True)}

    def _data(self, scene: Scene, rows: slice, columns: slice) -> dict[str, Any]:
        """Collated data of a part of the scene."""
        label, instance = (
            torch.from_numpy(a[rows, columns].copy())[None, None]
            for a in (scene.label, scene.instance)
        )
        return {"name": [_name(scene)], "label": label, "instance": instance}

    @torch.inference_mode()
    def _prepared(
        self, scene: Scene, rows: slice, columns: slice | None = None
    ) -> tuple[Batch, Tensor, Instances | None]:
        """The batch of a part of the scene, its instances and their vectors [n,C]."""
        batch = self.translator.data_preprocessor(
            self._data(scene, rows, rows if columns is None else columns)
        )
        if self.bank is None:
            return batch, torch.empty(0), None
        found = instances_of(batch["label"][0], batch["instance"][0])
        vectors = self.bank.vectors(found.labels, self._chosen(scene, found.ids, found.labels))
        positions = {i: n for n, i in enumerate(found.ids.tolist())}
        for i, style in scene.styles.items():
            if isinstance(style, Vector) and i in positions:
                vectors[positions[i]] = vectors.new_tensor(style.values)
        return batch, vectors, found

    def _chosen(self, scene: Scene, ids: Tensor, labels: Tensor) -> Tensor:
        """The mode of every instance, int64 [n]: the one chosen, or the one drawn."""
        assert self.bank is not None
        modes = self.bank.choose(_name(scene), ids, labels).cpu()
        known = ids.cpu().numpy()
        for i, style in scene.styles.items():
            at = int(np.searchsorted(known, i))
            if isinstance(style, Mode) and at < len(known) and known[at] == i:
                modes[at] = style.index
        return modes.to(ids.device)


def _name(scene: Scene) -> str:
    """What the draws depend on; the n-th draw is what translate calls the n-th sample."""
    return f"{scene.name}/{scene.draw}" if scene.draw else scene.name


def _tile(scene: Scene, instance: int) -> tuple[PixelBox, int]:
    """The box around an instance that a thumbnail shows, and its step."""
    region = region_of(scene, instance)
    height, width = region.mask.shape
    margin = 16 + max(height, width) // 4
    left, top = max(region.left - margin, 0), max(region.top - margin, 0)
    right = min(region.left + width + margin, scene.size[1])
    bottom = min(region.top + height + margin, scene.size[0])
    step = -(-max(right - left, bottom - top) // TILE_SIDE)
    return PixelBox(left, top, right - left, bottom - top), step


def _repeated(batch: Batch, number: int) -> Batch:
    many: Any = {"names": batch["names"] * number}
    for key in ("condition", "label", "instance"):
        if key in batch:
            many[key] = batch[key].expand(number, -1, -1, -1)  # type: ignore[literal-required]
    return many


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """uint8 [B,H,W,3] on the CPU from images of 8 bits, RGB or grey."""
    return to_displayable(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


@contextmanager
def _watched(inference: Inference, report: Callable[[float], None] | None) -> Iterator[None]:
    """Report the share of the networks' layers that are done; of compiled ones only the end."""
    named = inference.translator.parts().items()
    parts = [part for name, part in named if name != "encoder"]  # which makes no image
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
        report(1.0)  # a layer that is looked up instead of computed was not counted
    finally:
        for handle in handles:
            handle.remove()
