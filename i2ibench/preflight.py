"""Checks before training: files, sizes and what the networks need of the data."""

from collections.abc import Mapping

import torch

from i2ibench.datasets.scenes import SceneDataset
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.ops.images import require_multiple
from i2ibench.progress import Progress
from i2ibench.translators.paired import PairedTranslator


def check_files(datasets: Mapping[str, SceneDataset]) -> None:
    """Check every file of the data sets.

    Raises:
        UserError: some are broken or hold wrong ids; they are named.
    """
    for name, dataset in datasets.items():
        with Progress(f"checking {name} files", len(dataset)) as progress:
            require_faultless(dataset.scenes, progress.advance)


def check_scenes(dataset: SceneDataset, translator: PairedTranslator) -> None:
    """See whether the translator can train on the data set's scenes.

    Raises:
        UserError: the size does not suit the networks, or photos or instance maps are missing.
    """
    sample = dataset[0]
    if "image" not in sample:
        raise UserError("The training data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError("The encoder needs instance maps, and the training data has none.")
    batch = translator.data_preprocessor(torch.utils.data.default_collate([sample]))
    dry_run(translator, *batch["condition"].shape[-2:])


def dry_run(translator: PairedTranslator, height: int, width: int) -> None:
    """One pass of a scene of the given size through the networks, as shapes without numbers.

    Raises:
        UserError: a network refuses the size.
    """
    channels = translator.data_preprocessor.condition_channels
    features = translator.encoder.out_channels if translator.encoder is not None else 0
    try:
        _on_meta(translator.generator, (1, channels + features, height, width))
        if translator.encoder is not None:
            require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
        if translator.discriminator is not None:
            _on_meta(translator.discriminator, (1, channels + 3, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Set it in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:
        raise UserError(f"The networks refuse scenes of {width}x{height}: {error}") from error


def _on_meta(network: torch.nn.Module, shape: tuple[int, ...]) -> None:
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    stand_ins = {name: tensor.to("meta") for name, tensor in tensors.items()}
    torch.func.functional_call(network, stand_ins, (torch.empty(shape, device="meta"),))
