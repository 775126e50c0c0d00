"""The systems and batches that the benchmarks of steps, synthesis and memory run."""

import torch
from torch.utils.data import default_collate
from torchvision.models.vgg import cfgs, make_layers

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.models.layers.imagenet_features import FeatureTaps
from i2ibench.models.losses import perceptual
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.registry.contracts import Preprocessor

ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}
FUSED = {"type": "Adam", "fused": True, **ADAM}
BOTH_FUSED = {"generator": FUSED, "discriminator": FUSED}
FEATURES = {"feature_matching": {"type": "FeatureMatching", "weight": 10.0}}
VGG = {"perceptual": {"type": "PerceptualLoss", "weight": 10.0}}


class Prepared(Preprocessor):
    """A preprocessor for batches that are ready."""

    condition_channels, num_classes = 36, 35

    def forward(self, batch, training=False):
        return batch


def translator(generator, num_scales=3, encoder=False, vgg=False, **options):
    """pix2pixHD with a generator of the given options, seeded."""
    torch.manual_seed(0)
    model = {
        "type": "PairedTranslator",
        "generator": {"type": "CoarseToFineGenerator", **generator},
        "discriminator": {"type": "MultiScaleDiscriminator", "num_scales": num_scales},
        "encoder": {"type": "InstanceEncoder"} if encoder else None,
        "adversarial": {"type": "LeastSquaresGAN"},
        "losses": FEATURES | (VGG if vgg else {}),
        **options,
    }
    own = perceptual.pretrained_features
    perceptual.pretrained_features = random_vgg19
    try:
        return TRANSLATORS.build(model, data_preprocessor=Prepared())
    finally:
        perceptual.pretrained_features = own


def random_vgg19(name, taps, weights=None):
    """VGG19's layers with random weights: only its cost counts here."""
    return FeatureTaps(make_layers(cfgs["E"]), taps)


def batch(root, width, height, size=1):
    """A prepared batch of ToyStreet scenes."""
    scenes = drawn_streets(root, num_scenes=size, width=width, height=height)
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    return preprocessor(default_collate([scenes[i] for i in range(size)]))


def empty_batch(width, height, size=1, device=None):
    """A prepared batch that nobody has filled, for counts at any size."""
    maps = {"device": device, "size": (size, 1, height, width)}
    return {
        "names": ["s"] * size,
        "condition": torch.empty(size, 36, height, width, device=device),
        "label": torch.empty(**maps, dtype=torch.uint8),
        "instance": torch.empty(**maps, dtype=torch.int32),
        "real": torch.empty(size, 3, height, width, device=device),
    }
