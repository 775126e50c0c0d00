"""Declared conditions: their channels, their order, and the errors for wrong ones."""

import pytest
import torch
from mmengine.config import ConfigDict

from i2ibench.data.scene_search import find_inputs
from i2ibench.errors import UserError
from i2ibench.models.ops.images import colour_labels, sobel_edges, to_signed
from i2ibench.models.ops.labels import instance_boundaries, one_hot
from i2ibench.models.translators.build import build_translator
from i2ibench.registry import PREPROCESSORS
from i2ibench.testing.tiny_datasets import save
from tests.unit.models.translators.test_paired import data

FACTS = {"num_classes": 5, "palette": [[9 * c, 5 * c, c] for c in range(5)]}
PARTS = {
    "labels": lambda d: one_hot(d["label"], 5),
    "colours": lambda d: to_signed(colour_labels(d["label"], FACTS["palette"])),
    "instances": lambda d: instance_boundaries(d["instance"]),
    "image": lambda d: to_signed(d["source"]),
    "edges": lambda d: sobel_edges(d["source"]),
    "features": lambda d: d["source"][:, :0],
}


def build(*condition, kind="ConditionPreprocessor", **options):
    cfg = {"type": kind, "condition": list(condition), **options}
    if kind != "ConditionPreprocessor":
        cfg.pop("condition")
    return PREPROCESSORS.build_for(cfg, FACTS)


def scenes():
    batch = data(batch=2)
    return batch | {"source": torch.randint(0, 256, batch["image"].shape, dtype=torch.uint8)}


@pytest.mark.parametrize(
    "condition",
    [["labels"], ["image"], ["edges"], ["instances"], ["labels", "instances", "image"],
     ["edges", "labels", "features"], ["image", "colours", "instances", "edges", "labels"]],
    ids=" ".join,
)  # fmt: skip
def test_a_condition_is_its_parts_in_order(condition):
    preprocessor, samples = build(*condition), scenes()
    expected = torch.cat([PARTS[kind](samples) for kind in condition], 1)
    assert torch.equal(preprocessor(samples)["condition"], expected)
    assert preprocessor.condition_channels == expected.shape[1]
    first = 5 if condition[0] == "labels" else 0
    assert preprocessor.one_hot_channels == first


@pytest.mark.parametrize(
    ("edges_of", "need", "edges"),
    [("source", "source", lambda d: sobel_edges(d["source"])),
     ("photo", "image", lambda d: sobel_edges(d["image"])),
     ("labels", "label", lambda d: instance_boundaries(d["label"]))],
)  # fmt: skip
def test_edges_of_sources_photos_and_labels(edges_of, need, edges):
    preprocessor, samples = build("edges", edges_of=edges_of), scenes()
    assert preprocessor.needs == (need,)
    assert torch.equal(preprocessor(samples)["condition"], edges(samples))


@pytest.mark.parametrize(
    ("kind", "options", "condition"),
    [("LabelPreprocessor", {}, ["labels", "instances"]),
     ("LabelPreprocessor", {"boundaries": False}, ["labels"]),
     ("ColourPreprocessor", {}, ["colours"]), ("ImagePreprocessor", {}, ["image"])],
)  # fmt: skip
def test_the_short_names_are_conditions(kind, options, condition):
    samples, short, long = scenes(), build(kind=kind, **options), build(*condition)
    assert torch.equal(short(samples)["condition"], long(samples)["condition"])
    facts = ("needs", "num_classes", "condition_channels", "one_hot_channels")
    assert all(getattr(short, fact) == getattr(long, fact) for fact in facts)
    assert short.state_dict() == long.state_dict() == {}


@pytest.mark.parametrize(
    ("condition", "options", "message"),
    [(["lables"], {}, "Did you mean 'labels'"), ([], {}, "at least"), (["features"], {}, "least"),
     (["image", "image"], {}, "each once"), (["features", "image"], {}, "'features' last"),
     (["edges"], {"edges_of": "lines"}, "source, photo, labels")],
)  # fmt: skip
def test_a_wrong_condition_is_refused_with_a_list_of_parts(condition, options, message):
    with pytest.raises(UserError, match=message):
        build(*condition, **options)


def test_labels_without_classes_are_refused():
    with pytest.raises(UserError, match="no classes.*'image'"):
        PREPROCESSORS.build({"type": "ConditionPreprocessor", "condition": ["labels"]})


def test_a_missing_kind_is_named_with_the_way_out():
    samples = scenes()
    samples.pop("source")
    with pytest.raises(UserError, match=r"no sources.*labels \+ image.*source_dir"):
        build("labels", "image")(samples)


def test_features_are_the_encoders():
    config = ConfigDict(
        model=dict(type="PairedTranslator", generator=dict(type="CoarseToFineGenerator")),
        data_preprocessor=dict(type="ConditionPreprocessor", condition=["labels", "features"]),
    )
    with pytest.raises(UserError, match="set model.encoder"):
        build_translator(config, {"classes": ["a"], "palette": [[0, 0, 0]]})


def test_inputs_are_what_the_condition_needs_first(tmp_path):
    pixels = torch.zeros(4, 4, 3, dtype=torch.uint8).numpy()
    for kind in ("label", "source", "image"):
        save(tmp_path / kind / "a.png", pixels)
    found = {}
    for needs in (("label",), ("label", "source"), ("source",), ("image",), ("instance",)):
        scene = find_inputs(tmp_path, needs)[0]
        found[needs] = {k for k in ("label", "source", "image") if k in scene.paths}
    assert found == {
        ("label",): {"label", "image"},
        ("label", "source"): {"label", "source", "image"},
        ("source",): {"source", "image"},
        ("image",): {"source", "image"},
        ("instance",): {"label", "image"},
    }
    assert find_inputs(tmp_path / "image", ("image",))[0].input == tmp_path / "image" / "a.png"
