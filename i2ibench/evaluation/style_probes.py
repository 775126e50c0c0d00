"""The styles of a checkpoint on scenes: encoded features, and images in other modes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from i2ibench.data.loaders import build_dataset
from i2ibench.data.scenes import SceneFiles
from i2ibench.data.tar_members import scene_sha256
from i2ibench.errors import UserError
from i2ibench.evaluation.metrics.diversity import mean_colours
from i2ibench.inference.checkpoints import OpenedCheckpoint, building_from
from i2ibench.inference.styles.instance_features import evenly_spread, without_random
from i2ibench.io.provenance import code_hash, fingerprint
from i2ibench.models.ops.images import as_rgb
from i2ibench.models.ops.instance_regions import Instances, instances_of, paint
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Batch, Sample

TRAINING_SCENES = 100
"""The number of evenly spaced training scenes from which the colours of modes are computed."""

LEAST_AREA = 1 / 512
"""The least area of an instance of these scenes, as a share of the image."""


class StyleProbe:
    """The styles of one translator with an encoder.

    Args:
        opened: the checkpoint.
        root: the folder of the training data; None for the folder in the checkpoint's config.

    Attributes:
        missing: the reason why the training images cannot be opened, or None.
    """

    def __init__(self, opened: OpenedCheckpoint, root: str | None = None) -> None:
        self.inference = opened.inference
        self.missing: str | None = None
        self._training: Dataset | None = None
        try:
            with building_from(opened.path):
                self._training = _training_scenes(opened.config, root)
        except UserError as error:
            self.missing = (
                "The intended colours are those of the training photos, which cannot be opened: "
                f"{error}"
            )

    @property
    def dependencies(self) -> list[str]:
        """Return hashes of the code and of the training images behind the modes' intended colours.

        There is no hash of images if they cannot be opened. The files are read at each access.
        """
        if self._training is None:
            return [code_hash("evaluation")]
        files = [self._training.scenes.files[i] for i in self._chosen(self._training)]
        photos = fingerprint([[scene_sha256(path) for path in _paths(f)] for f in files])
        return [code_hash("evaluation"), photos]

    @cached_property
    def colours(self) -> Tensor:
        """Return the intended colour of every mode, float64 [N,K,3] in 0..255; nan if unknown.

        N is the number of classes, K the largest number of modes of a class. The colour is the mean
        colour, in TRAINING_SCENES real training images, of the instances of at least LEAST_AREA
        whose encoded features are nearest to the centre of the mode. The first use encodes these
        images. It fails if `missing` is not None.
        """
        assert self._training is not None
        bank = self.inference.bank
        assert bank is not None
        sums = torch.zeros(*bank.centres.shape[:2], 4, dtype=torch.float64)
        for index in self._chosen(self._training):
            scene = SceneProbe(self, self._training[index])
            large = scene.instances.sizes >= LEAST_AREA * scene.instances.members.numel()
            keep = large & (scene.modes >= 0)
            seen = scene.photo_colours[keep]
            numbers = torch.cat([seen, torch.ones_like(seen[:, :1])], 1).cpu().double()
            places = (scene.instances.labels[keep].cpu(), scene.modes[keep].cpu())
            sums.index_put_(places, numbers, accumulate=True)
        return sums[..., :3] / sums[..., 3:]

    def on(self, sample: Sample) -> "SceneProbe":
        """Return the probe of one scene, which runs the encoder and the translator on demand."""
        return SceneProbe(self, sample)

    def _chosen(self, dataset: Dataset) -> range:
        return evenly_spread(len(dataset), TRAINING_SCENES)


@dataclass(frozen=True)
class SceneProbe:
    """The styles of one scene; see `SceneStyles`.

    Attributes:
        probe: the styles of the translator.
        sample: the scene, with a label map and an instance map.
    """

    probe: StyleProbe
    sample: Sample

    def encoded(self) -> Mapping[int, tuple[Sequence[float], int]]:
        """Return by instance id the encoder's features in the real image and the nearest mode.

        The mode is the number of the style in the translator's style bank whose centre is nearest
        to the features. It is -1 if the class of the instance has no modes.
        """
        styles = zip(self.features.tolist(), self.modes.tolist(), strict=True)
        return dict(zip(self.instances.ids.tolist(), styles, strict=True))

    def intended(self, label: int) -> Tensor:
        """Return the intended colours of the style modes of a class, float64 [K,3] in 0..255.

        The class is given by its label. A colour is nan if it is unknown. See `StyleProbe.colours`.
        """
        return self.probe.colours[label]

    @torch.inference_mode()
    def repaint(self, instance: int, modes: Sequence[int]) -> Tensor:
        """Translate the scene with sampled styles, and then once with each mode on one instance.

        Args:
            instance: the id of the instance. All other instances keep their sampled styles.
            modes: the n modes of the style bank for this instance.

        Returns:
            RGB images, uint8 [1+n,3,H,W]; the first has only sampled styles.
        """
        inference, instances = self.probe.inference, self.instances
        bank = inference.bank
        assert bank is not None
        chosen = bank.choose(self.sample["name"], instances.ids, instances.labels)
        frames = []
        for mode in (None, *modes):
            own = chosen if mode is None else torch.where(instances.ids == instance, mode, chosen)
            features = paint(bank.vectors(instances.labels, own), instances.members)
            frames.append(inference.paint(self.batch, features[None]))
        return as_rgb(torch.cat(frames), "Scores of styles")

    @cached_property
    def batch(self) -> Batch:
        """Return the scene, prepared as a batch of one on the translator's device."""
        batch: Batch = self.probe.inference.translator.data_preprocessor(
            default_collate([self.sample])
        )
        return batch

    @cached_property
    def instances(self) -> Instances:
        """Return the ids, labels, sizes and pixels of the instances in the scene's maps."""
        return instances_of(self.batch["label"][0], self.batch["instance"][0])

    @cached_property
    def features(self) -> Tensor:
        """Return the encoder's features of each instance in the scene's real image, float [n,C].

        The instances are in the order of their ids. The first access runs the encoder.
        """
        with torch.inference_mode():
            features = self.probe.inference.encode(self.batch)[0]
        # All pixels of an instance have the same features, so any pixel may be written last.
        rows = features.new_zeros(len(self.instances.ids), len(features))
        rows[self.instances.members.flatten()] = features.flatten(1).T
        return rows

    @cached_property
    def modes(self) -> Tensor:
        """Return the style mode whose centre is nearest to each instance's features, int64 [n].

        The modes of a class are the typical styles in the translator's style bank. The number is -1
        if the class of the instance has no modes.
        """
        bank = self.probe.inference.bank
        assert bank is not None
        centres, counts = bank.centres[self.instances.labels], bank.counts[self.instances.labels]
        far = (centres - self.features[:, None]).square().sum(2)
        numbers = torch.arange(far.shape[1], device=far.device)
        far = far.masked_fill(numbers >= counts[:, None], torch.inf)
        return torch.where(counts > 0, far.argmin(1), -1)

    @property
    def photo_colours(self) -> Tensor:
        """Return the mean RGB of each instance in the scene's real image, float64 [n,3] in 0..255.

        The instances are in the order of their ids.
        """
        photo = as_rgb(self.sample["image"][None], "The mean colour of an instance")
        photo = photo.to(self.instances.members.device)
        return mean_colours(photo, self.instances.members, self.instances.sizes)[0]


def _training_scenes(config: Mapping[str, Any], root: str | None) -> Dataset:
    """Open the training set of a checkpoint's config without random transforms."""
    if not config.get("train_dataloader"):
        raise UserError("the checkpoint does not name them, as official files do not.")
    options = {"dataset": config["train_dataloader"]["dataset"]}
    dataset = build_dataset(options, root or config.get("data_root"), config.get("seed", 0))
    dataset = without_random(dataset)
    first = dataset.scenes.files[0]
    if not {"label", "instance", "image"} <= first.paths.keys():
        raise UserError("it has no photos, label maps or instance maps.")
    return dataset


def _paths(files: SceneFiles) -> list[Any]:
    return list(files.paths.values())
