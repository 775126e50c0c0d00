"""Segmentation networks of Hugging Face transformers as segmenters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.evaluation.segmenters.framing import Frame, Framing, Pixels, Resizing, settled
from i2ibench.evaluation.segmenters.loading import optional
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

WEIGHTS = "model.safetensors"


@SEGMENTERS.register_module()
class TransformersSegmenter(Segmenter):
    """Class ids for images from a semantic-segmentation network of transformers: SegFormer, ...

    Mean and std are those of its image processor. Scores at a fraction of the size are brought
    back bilinearly.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: a folder with config.json, preprocessor_config.json and model.safetensors, or the
            name of one in the hub's local cache; nothing is downloaded.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network, bilinearly; None for their own
            size. The image processor's size is not used.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.

    Raises:
        MissingWeightsError: the folder is not there and the cache has nothing of that name.
        UserError: transformers is not installed, the weights are incomplete, or the outputs belong
            to other classes.
    """

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str,
        outputs: Sequence[str | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        resize: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__()
        library = optional("transformers", "TransformersSegmenter")
        self.weights_file = _file(library, weights)
        # What the folder says of sizes, means and classes decides the labels as well.
        self.weight_files = sorted(self.weights_file.parent.glob("*.json")) if weights else []
        self.network = _loaded(library, weights)
        rows = rows_of(self.network.config.num_labels, scored_classes, outputs)
        frame = Frame(width, height, settled(Resizing(antialias=True), resize))
        processor = _from_local(library, "AutoImageProcessor", weights)
        self.framing = Framing(frame, _pixels(processor), rows)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self._scores, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self._scores, images)

    def _scores(self, prepared: Tensor) -> Tensor:
        return self.network(pixel_values=prepared).logits


def _file(library: Any, weights: str) -> Path:
    try:
        found = library.utils.cached_file(weights, WEIGHTS, local_files_only=True)
    except OSError as error:
        raise MissingWeightsError(
            f"transformers finds no {WEIGHTS} for {weights!r} on this machine: "
            f"{str(error).splitlines()[0]} Give the path of a folder that "
            "`model.save_pretrained` and `processor.save_pretrained` wrote."
        ) from None
    return Path(found)


def _loaded(library: Any, weights: str) -> Any:
    network, report = _from_local(
        library, "AutoModelForSemanticSegmentation", weights,
        use_safetensors=True, output_loading_info=True,
    )  # fmt: skip
    absent = sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])})
    if absent:
        raise UserError(
            f"{weights!r} lacks {len(absent)} weights of {type(network).__name__}, among them "
            f"{absent[0]}; it is no trained segmentation network."
        )
    return network


def _from_local(library: Any, factory: str, weights: str, **options: bool) -> Any:
    """What the library's factory makes of the folder or cached name, without a progress bar."""
    log = library.utils.logging
    shown = log.is_progress_bar_enabled()
    log.disable_progress_bar()
    try:
        made = getattr(library, factory)
        # The folder may ask to run code of its own; without the option transformers asks the user.
        return made.from_pretrained(
            weights, local_files_only=True, trust_remote_code=False, **options
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"transformers cannot load {weights!r}: {reason[:400]}") from None
    finally:
        if shown:
            log.enable_progress_bar()


def _pixels(processor: Any) -> Pixels:
    """The processor's arithmetic: levels times a factor, then mean and std."""
    factor = processor.rescale_factor if processor.do_rescale else 1.0
    if not processor.do_normalize:
        return Pixels(std=(1 / factor,) * 3)
    mean, std = processor.image_mean, processor.image_std
    return Pixels(tuple(m / factor for m in mean), tuple(s / factor for s in std))
