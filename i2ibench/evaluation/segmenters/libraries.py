"""Segmenters from other libraries: torchvision, segmentation-models-pytorch and transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import MissingWeightsError, UserError, near_match
from i2ibench.evaluation.segmenters.framed_segmenter import FramedSegmenter, fill, optional
from i2ibench.evaluation.segmenters.framing import Pixels
from i2ibench.io.weights import load_state
from i2ibench.registry import SEGMENTERS

TORCHVISION_HEADS = ("classifier.4.weight", "classifier.low_classifier.weight")
"""Names of the weight whose length is the number of outputs: fcn and deeplabv3, then lraspp."""

SMP_HEAD = "segmentation_head.0.weight"
SAFETENSORS = "model.safetensors"


@SEGMENTERS.register_module()
class TorchvisionSegmenter(FramedSegmenter):
    """A network fcn_*, deeplabv3_* or lraspp_* of torchvision, with ImageNet's pixel statistics.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: a state dict, see `FramedSegmenter`.
        architecture: torchvision's name of the network.
        options: see `FramedSegmenter`.

    Raises:
        MissingWeightsError: the weights file does not exist.
        UserError: torchvision has no such network, or the weights belong to another network or to
            other classes.
    """

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str | None = None,
        architecture: str = "deeplabv3_mobilenet_v3_large",
        **options: Any,
    ) -> None:
        super().__init__(scored_classes, weights, **options)
        self.attach(*_torchvision_network(architecture, self.weights_file, self.num_described))

    def class_scores(self, prepared: Tensor) -> Tensor:
        """Return the class scores BCHW of the network's main head for prepared images B3HW."""
        return self.network(prepared)["out"]


def _torchvision_network(
    architecture: str, path: Path | None, num_outputs: int
) -> tuple[nn.Module, int]:
    """Build a segmentation network of torchvision; return it with its number of outputs."""
    models = optional("torchvision", "TorchvisionSegmenter").models
    known = models.list_models(module=models.segmentation)
    if architecture not in known:
        raise UserError(
            f"torchvision has no segmentation network {architecture!r}."
            f"{near_match(architecture, known)} Known: {', '.join(known)}."
        )
    state = load_state(path) if path is not None else {}
    num_outputs = next((len(state[h]) for h in TORCHVISION_HEADS if h in state), num_outputs)
    auxiliary = {"aux_loss": True} if any(n.startswith("aux_classifier") for n in state) else {}
    network = models.get_model(
        architecture, weights=None, weights_backbone=None, num_classes=num_outputs, **auxiliary
    )
    if path is not None:
        fill(network, state, path)
    return network, num_outputs


@SEGMENTERS.register_module()
class SMPSegmenter(FramedSegmenter):
    """A network of segmentation-models-pytorch, such as PSPNet, Unet or FPN.

    Pixels have ImageNet's statistics. `i2ibench train_segmenter` trains a PSPNet of this kind.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: a state dict, see `FramedSegmenter`.
        architecture, encoder: the library's names.
        options: see `FramedSegmenter`.

    Raises:
        MissingWeightsError: the weights file does not exist.
        UserError: the library is not installed or has no such network, or the weights belong to
            another network or to other classes.
    """

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str | None = None,
        architecture: str = "PSPNet",
        encoder: str = "resnet18",
        **options: Any,
    ) -> None:
        super().__init__(scored_classes, weights, **options)
        network, num_outputs = _smp_network(
            (architecture, encoder), self.weights_file, self.num_described
        )
        self.attach(network, num_outputs, stride=int(network.encoder.output_stride))


def _smp_network(names: tuple[str, str], path: Path | None, num_outputs: int) -> tuple[Any, int]:
    """Build a network of segmentation-models-pytorch; return it with its number of outputs."""
    library = optional("segmentation_models_pytorch", "SMPSegmenter")
    state = load_state(path) if path is not None else {}
    num_outputs = len(state[SMP_HEAD]) if SMP_HEAD in state else num_outputs
    architecture, encoder = names
    try:
        network = library.create_model(
            architecture, encoder, encoder_weights=None, classes=num_outputs
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"segmentation-models-pytorch has no {architecture} on {encoder}: {str(error)[:400]}"
        ) from None
    if path is not None:
        fill(network, state, path)
    return network, num_outputs


@SEGMENTERS.register_module()
class TransformersSegmenter(FramedSegmenter):
    """A semantic-segmentation network of Hugging Face transformers, such as SegFormer.

    Mean and std come from the network's image processor. Images have the size of the options
    `width` and `height`; the size of the image processor is not used. Scores at a fraction of the
    size are resized bilinearly.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: a folder with config.json, preprocessor_config.json and model.safetensors, or the
            name of one in the hub's local cache. Nothing is downloaded.
        options: see `FramedSegmenter`.

    Raises:
        MissingWeightsError: neither the folder nor the cache has the weights.
        UserError: transformers is not installed, the weights are incomplete, or the outputs belong
            to other classes.
    """

    def __init__(self, scored_classes: Sequence[str], weights: str, **options: Any) -> None:
        super().__init__(scored_classes, weights, **options)
        assert self.weights_file is not None
        # The JSON files hold sizes, mean, std and classes, so the labels depend on these files too.
        self.weight_files = sorted(self.weights_file.parent.glob("*.json"))
        network = _transformers_network(weights)
        pixels = _processor_pixels(_load_local("AutoImageProcessor", weights))
        self.attach(network, network.config.num_labels, pixels)

    @staticmethod
    def locate(weights: str) -> Path:
        """Return the path of the weights file in a folder, or of a name in the hub's local cache.

        Nothing is downloaded.

        Raises:
            MissingWeightsError: neither has the file model.safetensors.
            UserError: transformers is not installed.
        """
        library = optional("transformers", "TransformersSegmenter")
        try:
            return Path(library.utils.cached_file(weights, SAFETENSORS, local_files_only=True))
        except OSError as error:
            raise MissingWeightsError(
                f"transformers finds no {SAFETENSORS} for {weights!r} on this machine: "
                f"{str(error).splitlines()[0]} Give the path of a folder that "
                "`model.save_pretrained` and `processor.save_pretrained` wrote."
            ) from None

    def class_scores(self, prepared: Tensor) -> Tensor:
        """Return class scores BCHW, at the size of the network's output, for prepared images."""
        return self.network(pixel_values=prepared).logits


def _transformers_network(weights: str) -> Any:
    network, report = _load_local(
        "AutoModelForSemanticSegmentation", weights,
        use_safetensors=True, output_loading_info=True,
    )  # fmt: skip
    absent = sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])})
    if absent:
        raise UserError(
            f"{weights!r} lacks {len(absent)} weights of {type(network).__name__}, among them "
            f"{absent[0]}; it is no trained segmentation network."
        )
    return network


def _load_local(factory: str, weights: str, **options: bool) -> Any:
    """Load a network or image processor by transformers, without download and progress bar.

    Code in the folder is never run.
    """
    library = optional("transformers", "TransformersSegmenter")
    log = library.utils.logging
    had_progress_bar = log.is_progress_bar_enabled()
    log.disable_progress_bar()
    try:
        # The folder may ask to run its own code. Without trust_remote_code transformers would ask
        # the user for permission.
        return getattr(library, factory).from_pretrained(
            weights, local_files_only=True, trust_remote_code=False, **options
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"transformers cannot load {weights!r}: {reason[:400]}") from None
    finally:
        if had_progress_bar:
            log.enable_progress_bar()


def _processor_pixels(processor: Any) -> Pixels:
    """Return the pixel values that an image processor of transformers makes for its network.

    They contain its rescaling by a factor, and its mean and std, each only if it is switched on.
    """
    factor = processor.rescale_factor if processor.do_rescale else 1.0
    if not processor.do_normalize:
        return Pixels(std=(1 / factor,) * 3)
    mean, std = processor.image_mean, processor.image_std
    return Pixels(tuple(m / factor for m in mean), tuple(s / factor for s in std))
