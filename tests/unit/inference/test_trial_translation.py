"""Trial translations need no memory for weights."""

import torch

from i2ibench.inference.trial_translation import weightless_copy
from i2ibench.registry import PREPROCESSORS, TRANSLATORS


def test_the_weightless_copy_of_a_translator_has_its_shapes_and_copies_no_weight():
    cfg = dict(
        type="PairedTranslator",
        generator=dict(type="CoarseToFineGenerator", base_channels=4, norm_type="batch"),
        encoder=dict(type="InstanceEncoder", base_channels=4),
        frozen=["generator.coarse"],
    )
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    model = TRANSLATORS.build(cfg, data_preprocessor=preprocessor)
    shadow = weightless_copy(model)
    own, copied = model.state_dict(), shadow.state_dict()
    assert {k: (v.shape, v.dtype) for k, v in own.items()} == {
        k: (v.shape, v.dtype) for k, v in copied.items()
    }
    assert {v.device.type for v in copied.values()} == {"meta"}
    assert {v.device.type for v in own.values()} == {"cpu"}
    pairs = zip(model.parameters(), shadow.parameters(), strict=True)
    assert all(a.requires_grad == b.requires_grad for a, b in pairs)
    assert shadow.generator(torch.empty(1, 9, 32, 32, device="meta")).shape == (1, 3, 32, 32)
