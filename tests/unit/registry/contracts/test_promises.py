"""Parts that break a promise are refused when they are built, with the promise and the fix."""

import pytest
from torch import nn

from i2ibench.errors import UserError
from i2ibench.registry import (
    ENCODERS,
    GENERATORS,
    LOSSES,
    METRICS,
    PROTOCOLS,
    REGISTRIES,
    SEGMENTERS,
    contracts,
)
from i2ibench.registry.contracts import promises
from i2ibench.registry.contracts.promises import NONE, promises_of


class Foreign(nn.Module):
    def forward(self, condition):
        return condition


class Empty(contracts.Generator):
    pass


class Halved(contracts.Generator):
    stride = 0

    def forward(self, condition):
        return condition


class Spoken(Halved):
    stride = 1
    draws_noise = "yes"


class Nameless(contracts.Metric):
    def measure(self, predictions):
        return []


class Ranked(Nameless):
    better = {"gap": 1}


class Sorted(Nameless):
    better = {"gap": "lower"}
    kind = "mean"


class Endless(contracts.Encoder):
    def forward(self, image, instance):
        return image


class Weightless(contracts.Segmenter):
    def __init__(self) -> None:
        super().__init__()
        self.weights_file = "weights.pth"

    def forward(self, images):
        return images[:, 0].long()


def own_protocol():
    return {"metrics": {}}


REFUSED = [
    (GENERATORS, Foreign, "The generator Foreign is no Generator: let its class inherit from "
     "i2ibench.registry.contracts.Generator."),
    (LOSSES, Foreign, "The loss Foreign is no Loss or AdversarialLoss: let its class inherit from "
     "i2ibench.registry.contracts.Loss or i2ibench.registry.contracts.AdversarialLoss."),
    (PROTOCOLS, own_protocol, "The protocol own_protocol is no Protocol: let it return an "
     "i2ibench.evaluation.protocols.protocol.Protocol."),
    (GENERATORS, Empty, "The generator Empty has no forward: define the methods "
     "that i2ibench.registry.contracts.Generator declares."),
    (GENERATORS, Halved, "The generator Halved says stride = 0, which is no int from 1 on: both "
     "sides of an input must be multiples of this number"),
    (GENERATORS, Spoken, "The generator Spoken says draws_noise = 'yes', which is no bool"),
    (METRICS, Nameless, "The metric Nameless does not set better (Mapping[str, str]): by score "
     '"higher" or "lower", whichever is better'),
    (METRICS, Ranked, "The metric Ranked says better = {'gap': 1}, which is no Mapping[str, str]"),
    (METRICS, Sorted, "The metric Sorted says kind = 'mean', which is no Literal"),
    (ENCODERS, Endless, "The encoder Endless does not set out_channels (int from 1 on): "
     "numbers per instance. Set self.out_channels in its constructor."),
    (SEGMENTERS, Weightless, "says weights_file = 'weights.pth', which is no Path | None"),
]  # fmt: skip


@pytest.mark.parametrize(("registry", "part", "sentence"), REFUSED)
def test_a_part_that_breaks_a_promise_is_refused_when_it_is_built(registry, part, sentence):
    with pytest.raises(UserError) as caught:
        registry.build({"type": part})
    assert sentence in str(caught.value)


def test_a_part_that_keeps_its_contract_has_the_defaults():
    class Whole(contracts.Generator):
        def forward(self, condition):
            return condition

    built = GENERATORS.build({"type": Whole})
    stated = {p.name: p.default for p in promises_of(contracts.Generator)}
    assert {name: vars(type(built)).get(name, value) for name, value in stated.items()} == stated
    assert (built.stride, built.draws_noise, built.works_in_tiles) == (1, False, False)


@pytest.mark.parametrize("kind", sorted(REGISTRIES))
def test_every_kind_has_a_contract_whose_promises_are_typed_and_explained(kind):
    for contract in REGISTRIES[kind].base_classes().values():
        for promise in promises_of(contract):
            assert promise.meaning.endswith("."), f"{contract.__name__}.{promise.name}"
            if promise.default is not NONE:
                assert promises.fits(promise.default, promise.type), promise
