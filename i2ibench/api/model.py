"""A trained system as an object: label map in, image out."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from i2ibench.api.arguments import require_settings, scene_name
from i2ibench.api.editing import Editing
from i2ibench.api.inputs import ImageLike, read_instance, read_label, read_photo
from i2ibench.api.styles import Styles, chosen_styles, require_styles
from i2ibench.data.classes import SemanticClass, stored_table
from i2ibench.data.kinds import KINDS, in_order
from i2ibench.data.pixel_formats import PixelFormat, format_in
from i2ibench.data.scene_search import find_inputs
from i2ibench.data.scenes import SceneFiles, to_sample
from i2ibench.errors import UserError
from i2ibench.inference.batch_splitting import equal_neighbours
from i2ibench.inference.checkpoint_names import example_scenes, find_checkpoint
from i2ibench.inference.checkpoints import OpenedCheckpoint, Weights, open_checkpoint
from i2ibench.inference.inference import Inference, InferenceOptions
from i2ibench.inference.stored_results import stored_results
from i2ibench.inference.translation import translate
from i2ibench.io.devices import best_device, checked_device
from i2ibench.models.ops.images import pixels_of
from i2ibench.structures import Sample, size_of

Output = Literal["pil", "numpy", "tensor"]

Picture: TypeAlias = Image.Image | NDArray[Any] | Tensor

ARGUMENTS = {"label": "label", "source": "source", "instance": "instance", "image": "photo"}
"""The argument of `Model` for each kind of data; kinds of plugins are given by `more`."""


def load(
    name: str | Path,
    device: str | None = None,
    *,
    weights: Weights | None = None,
    precision: Literal["bf16"] | None = None,
    tile: tuple[int, int] | None = None,
    **settings: Any,
) -> "Model":
    """Open a trained system.

    Args:
        name: a checkpoint file; the folder of a run, for its newest complete epoch; the name of a
            system in the package, such as "toystreet"; or the name of a system on the Hugging Face
            hub, such as "lab/streets".
        device: the device of the networks, such as "cuda:1"; None for a GPU if there is one.
        weights: "average" for the average over training, "last" for the weights after the last
            step; None for the average if there is one.
        precision: "bf16" computes faster on hardware that supports it, and less exactly.
        tile: the (width, height) of the tiles to work in, for images too large for the memory.
        settings: settings of the method, such as steps=8 of a flow.

    Raises:
        UserError: there is no such checkpoint, it cannot be opened, or an option does not suit it.
    """
    path = find_checkpoint(name)
    options = InferenceOptions(precision, None, tile)
    chosen = best_device() if device is None else checked_device(device, "device")
    opened = open_checkpoint(path, chosen, weights, options)
    if settings:
        require_settings(opened.translator, settings, ("device", "weights", "precision", "tile"))
        inference = Inference(opened.translator, replace(options, settings=settings))
        opened = replace(opened, inference=inference)
    return Model(opened, str(name))


class Model:
    """A trained system: `model(label)` returns an image.

    The same inputs, styles, seed and settings always give the same image.

    Attributes:
        name: the name under which the system was loaded.
        opened: the opened checkpoint, with the translator, the config and the metainfo of its data.
        classes: the classes by channel, with `name`, `id` (the value in label maps) and `colour`.
    """

    def __init__(self, opened: OpenedCheckpoint, name: str) -> None:
        self.opened, self.name = opened, name
        self._table = stored_table(opened.metainfo)
        self.classes: tuple[SemanticClass, ...] = self._table.classes

    @property
    def method(self) -> str:
        """Return the name of the method's class, such as "PairedTranslator"."""
        return type(self.opened.translator).__name__

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the kinds of data that a translation needs, such as ("label", "instance")."""
        translator = self.opened.translator
        extra = ("instance",) if translator.encoder is not None else ()
        return tuple(k.name for k in in_order([*translator.data_preprocessor.needs, *extra]))

    @property
    def styles(self) -> dict[str, int]:
        """Return the number of modes (typical appearances) by class name; {} without an encoder.

        Classes without modes are left out.
        """
        bank = self.opened.inference.bank
        if bank is None:
            return {}
        counts = zip(self.classes, bank.counts.tolist(), strict=True)
        return {c.name: int(count) for c, count in counts if count}

    @property
    def scenes(self) -> list[SceneFiles]:
        """Return the example scenes of a system in the package; [] for other systems.

        A scene has the paths `label`, `instance` and `image` (the photo).
        """
        folder = example_scenes(self.opened.path)
        return [] if folder is None else list(find_inputs(folder))

    @cached_property
    def scores(self) -> dict[str, float]:
        """Return the main scores of an evaluation of this very file by name; {} without one.

        See `stored_results`. Of several systems of the file, that with sampled styles counts.
        """
        table, _ = stored_results(self.opened.path)
        return next(iter(table.values()), {})

    @overload
    def __call__(
        self, scene: ImageLike, instance: ImageLike | None = ..., *, photo: ImageLike | None = ...,
        more: Mapping[str, ImageLike] | None = ..., styles: Styles = ..., seed: int = ...,
        output: Literal["pil"] = ..., **settings: Any,
    ) -> Image.Image: ...  # fmt: skip

    @overload
    def __call__(
        self, scene: ImageLike, instance: ImageLike | None = ..., *, photo: ImageLike | None = ...,
        more: Mapping[str, ImageLike] | None = ..., styles: Styles = ..., seed: int = ...,
        output: Literal["numpy"], **settings: Any,
    ) -> NDArray[Any]: ...  # fmt: skip

    @overload
    def __call__(
        self, scene: ImageLike, instance: ImageLike | None = ..., *, photo: ImageLike | None = ...,
        more: Mapping[str, ImageLike] | None = ..., styles: Styles = ..., seed: int = ...,
        output: Literal["tensor"], **settings: Any,
    ) -> Tensor: ...  # fmt: skip

    def __call__(
        self,
        scene: ImageLike,
        instance: ImageLike | None = None,
        *,
        photo: ImageLike | None = None,
        more: Mapping[str, ImageLike] | None = None,
        styles: Styles = "random",
        seed: int = 0,
        output: Output = "pil",
        **settings: Any,
    ) -> Picture:
        """Translate one scene of any size.

        Args:
            scene: a label map: class ids (grey or palette image, integer array or tensor), the
                classes' colours (RGB), or the path of such a file. For a system that translates
                images, the image.
            instance: the instance map, integer ids of one channel, if the system needs one.
            photo: the real image, for styles="photo".
            more: further kinds of data that a plugin's condition needs, by kind.
            styles: "random" for modes of the style bank, "photo" to encode the photo, or the style
                of some instances by id: the number of a mode, or the encoder's vector. The others
                stay random.
            seed: the seed of random styles and noise.
            output: "pil" for a PIL image; "numpy" for uint8 [H,W,C], or uint16 for 16 bits;
                "tensor" for uint8 [C,H,W], or int32 for 16 bits, on the device.
            settings: settings of the method for this call, such as steps=4.

        Raises:
            UserError: an input is missing, has the wrong size, values or type; or styles, settings
                or output do not suit the system.
        """
        sample = self._sample(scene, instance, photo, more, seed)
        (image,) = self._translate([sample], [styles], settings)
        return self._as_output(image, output)

    def batch(
        self,
        scenes: Sequence[ImageLike],
        instances: Sequence[ImageLike] | None = None,
        *,
        photos: Sequence[ImageLike] | None = None,
        styles: Styles = "random",
        seed: int | Sequence[int] = 0,
        batch_size: int = 4,
        output: Output = "pil",
        **settings: Any,
    ) -> list[Any]:
        """Translate several scenes; neighbours of equal size go through the networks together.

        The images are those of single calls, up to rounding in the networks.

        Args:
            scenes: the label maps, or the images to translate.
            instances, photos: one for each scene; see `__call__`.
            styles: as in `__call__`, for every scene.
            seed: one seed for all scenes, or one for each.
            batch_size: the most scenes that are translated together.
            output: as in `__call__`, for each item of the result.
            settings: settings of the method.

        Raises:
            UserError: the numbers of scenes, instance maps, photos and seeds differ, `batch_size`
                is not positive, or see `__call__`.
        """
        if batch_size < 1:
            raise UserError(f"batch_size is at least 1, not {batch_size}.")
        seeds = [seed] * len(scenes) if isinstance(seed, int) else list(seed)
        nothing: list[None] = [None] * len(scenes)
        columns = [scenes, instances or nothing, photos or nothing, seeds]
        counts = [len(column) for column in columns]
        if len(set(counts)) > 1:
            raise UserError(
                "Give one instance map, photo and seed for each scene: there are "
                f"{', '.join(map(str, counts))} scenes, instance maps, photos and seeds."
            )
        samples = [self._sample(s, i, p, None, n) for s, i, p, n in zip(*columns, strict=True)]
        images = []
        kinds = [(size_of(sample), *sample) for sample in samples]  # its size and its kinds of data
        for numbers in equal_neighbours(kinds, batch_size):
            chunk = [samples[number] for number in numbers]
            images += self._translate(chunk, [styles] * len(chunk), settings)
        return [self._as_output(image, output) for image in images]

    def translate(
        self, input_dir: str | Path, output_dir: str | Path, **options: Any
    ) -> list[Path]:
        """Translate a folder of label maps as the command `translate` does; return the images.

        Args:
            input_dir, output_dir: the folders.
            options: `size`, `styles`, `samples` and `only` of
                `i2ibench.inference.translation.translate`.

        Raises:
            UserError: see there.
        """
        return translate(self.opened, Path(input_dir), Path(output_dir), **options)

    def edit(
        self,
        scene: ImageLike,
        instance: ImageLike | None = None,
        photo: ImageLike | None = None,
        seed: int = 0,
    ) -> Editing:
        """Return a scene to edit step by step, with the tools of the interactive editor.

        Its first image is that of a call with the same maps and seed, if every instance has one
        class.

        Args:
            scene: the label map.
            instance: the instance map; None makes every connected region of a thing an instance.
            photo: the real image, from which styles can be taken.
            seed: the seed of the random styles.

        Raises:
            UserError: the system translates no label maps, an input cannot be used, or the extra
                `web` is not installed.
        """
        ids = None if instance is None else read_instance(instance)
        pixels = None if photo is None else read_photo(photo, PixelFormat(), "the photo")
        label = read_label(scene, self._table)
        return Editing(self.opened, label, ids, pixels, scene_name(seed))

    def __repr__(self) -> str:
        return "\n".join(f"{title}: {text}" if text else title for title, text in self._facts())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(title)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for title, text in self._facts()
        )
        squares = "".join(
            f"<span style='white-space:nowrap;margin-right:1em'><span style='display:inline-block;"
            f"width:1em;height:1em;background:rgb{c.colour}'></span> {c.id} {html.escape(c.name)}"
            "</span> "
            for c in self.classes
        )
        return f"<table>{rows}</table><p>{squares}</p>"

    def _facts(self) -> list[tuple[str, str]]:
        parameters = sum(p.numel() for p in self.opened.translator.parameters())
        facts = {
            "method": f"{self.method}, {parameters / 1e6:.1f} million parameters",
            "data": f"{self.opened.metainfo['dataset']}, {len(self.classes)} classes",
            "needs": ", ".join(ARGUMENTS.get(kind, kind) for kind in self.needs),
            "classes": ", ".join(f"{c.id} {c.name}" for c in self.classes),
            "modes of styles": ", ".join(f"{count} {name}" for name, count in self.styles.items()),
            "scores": ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items()),
        }
        return [(f"i2ibench model {self.name}", ""), *((k, v) for k, v in facts.items() if v)]

    def _sample(
        self, scene: ImageLike, instance: ImageLike | None, photo: ImageLike | None,
        more: Mapping[str, ImageLike] | None, seed: int,
    ) -> Sample:  # fmt: skip
        """Return the sample of one scene, after checking that every kind of data is there."""
        needs = self.needs
        main = next((k for k in needs if k not in ("instance", "image")), "image")
        given = {**(more or {}), "instance": instance, "image": photo, main: scene}
        arrays = {}
        for kind in in_order(k for k, value in given.items() if value is not None):
            arrays[kind.name] = self._read(kind.name, given[kind.name])
        for name in needs:
            if name not in arrays:
                raise UserError(
                    f"{self.name} needs {KINDS[name].one} for every scene: pass "
                    f"{ARGUMENTS.get(name, f'more={{{name!r}: ...}}')}."
                )
        sizes = {ARGUMENTS.get(k, k): a.shape[1::-1] for k, a in arrays.items()}
        if len(set(sizes.values())) > 1:
            listing = ", ".join(f"{kind} {w}x{h}" for kind, (w, h) in sizes.items())
            raise UserError(f"The inputs of a scene have one size: {listing}.")
        return to_sample(scene_name(seed), arrays)

    def _read(self, kind: str, value: Any) -> NDArray[Any]:
        if kind == "label":
            return read_label(value, self._table)
        if KINDS[kind].is_map:
            return read_instance(value)
        pixels = format_in(self.opened.metainfo, kind)
        return read_photo(value, pixels, f"the {ARGUMENTS.get(kind, kind)}")

    @torch.inference_mode()
    def _translate(
        self, samples: Sequence[Sample], styles: Sequence[Styles], settings: Mapping[str, Any]
    ) -> list[Tensor]:
        """Return the integer images [C,H,W] of scenes of one size."""
        inference = self._inference(settings)
        for sample, one in zip(samples, styles, strict=True):
            require_styles(inference, sample, one, self.name)
        batch = inference.prepared(default_collate(list(samples)))
        if styles[0] == "photo":
            features: Tensor | None = inference.encode(batch)
        elif styles[0] == "random":
            features = inference.sample_styles(batch)
        else:
            features = chosen_styles(inference, batch, styles)
        return list(inference.paint(batch, features))

    def _inference(self, settings: Mapping[str, Any]) -> Inference:
        own = self.opened.inference
        if not settings:
            return own
        require_settings(
            own.translator, settings, (*ARGUMENTS.values(), "styles", "seed", "output")
        )
        both = {**own.options.settings, **settings}
        inference = Inference(own.translator, replace(own.options, settings=both))
        inference.bank = own.bank
        return inference

    def _as_output(self, image: Tensor, output: Output) -> Picture:
        if output == "tensor":
            return image
        pixels = pixels_of(image)
        if output == "numpy":
            return pixels if pixels.ndim == 3 else pixels[..., None]
        if output != "pil":
            raise UserError(f"output is 'pil', 'numpy' or 'tensor', not {output!r}.")
        made = PixelFormat(
            self.opened.translator.image_channels, self.opened.translator.image_depth
        )
        if not made.shows_as_rgb:
            raise UserError(f"{self.name} makes images of {made}: pass output='numpy'.")
        return Image.fromarray(pixels)
