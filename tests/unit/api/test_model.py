"""Three lines of Python: load a system, translate, look at it."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import i2ibench
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import translate


def pixels(path):
    return np.array(Image.open(path))


def coloured(model, ids):
    image = np.zeros((*ids.shape, 3), np.uint8)
    for c in model.classes:
        image[ids == c.id] = c.colour
    return image


def test_the_package_offers_the_api_without_importing_torch_first():
    code = "import sys, i2ibench; assert 'torch' not in sys.modules; print(i2ibench.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(i2ibench.__all__) <= set(dir(i2ibench))
    assert all(getattr(i2ibench, name) for name in i2ibench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        i2ibench.laod  # noqa: B018


@pytest.mark.parametrize(
    "form",
    [
        "path", "text", "grey image", "palette image", "colours", "array", "wide array",
        "array with channel", "coloured array", "planes", "tensor", "int64 tensor",
    ],
)  # fmt: skip
def test_every_form_of_a_label_map_gives_the_same_image(model, scene, form):
    label, instance, _ = scene
    expected = model(label, instance, output="numpy")
    ids = pixels(label)
    colours = coloured(model, ids)
    palette = Image.fromarray(ids)
    palette.putpalette([level for c in model.classes for level in c.colour])
    value = {
        "path": label,
        "text": str(label),
        "grey image": Image.fromarray(ids),
        "palette image": palette,
        "colours": Image.fromarray(colours),
        "array": ids,
        "wide array": ids.astype(np.uint16),
        "array with channel": ids[..., None],
        "coloured array": colours,
        "planes": colours.transpose(2, 0, 1),
        "tensor": torch.from_numpy(ids),
        "int64 tensor": torch.from_numpy(ids.astype(np.int64))[None],
    }[form]
    numbers = pixels(instance)
    others = {"path": instance, "tensor": torch.from_numpy(numbers.astype(np.int32))}
    assert np.array_equal(model(value, others.get(form, numbers), output="numpy"), expected)


def test_the_image_is_that_of_the_command(run, model, scene, tmp_path):
    """Equal seeds of equal names give equal styles; here the name is the seed's."""
    label, instance, photo = scene
    for path, kind in ((label, "label"), (instance, "instance"), (photo, "image")):
        (tmp_path / "in" / kind).mkdir(parents=True)
        shutil.copy(path, tmp_path / "in" / kind / "seed 3.png")
    opened = open_checkpoint(run / "epoch_0002.pth")
    (written,) = translate(opened, tmp_path / "in", tmp_path / "random")
    assert np.array_equal(model(label, instance, seed=3, output="numpy"), pixels(written))
    (written,) = translate(opened, tmp_path / "in", tmp_path / "encoded", styles="encode")
    ours = model(label, instance, photo=photo, styles="photo", output="numpy")
    assert np.array_equal(ours, pixels(written))


def test_outputs_are_the_same_image(model, scene):
    label, instance, _ = scene
    image = model(label, instance)
    array = model(label, instance, output="numpy")
    tensor = model(label, instance, output="tensor")
    assert isinstance(image, Image.Image) and image.size == array.shape[1::-1]
    assert array.dtype == np.uint8 and np.array_equal(np.array(image), array)
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), array)


def test_a_batch_is_its_scenes_one_by_one_also_of_different_sizes(model, scene):
    ids, numbers = pixels(scene[0]), pixels(scene[1])
    scenes, instances = [ids, ids[:, :40], ids], [numbers, numbers[:, :40], numbers]
    images = model.batch(scenes, instances, seed=[0, 1, 2], output="numpy")
    for image, label, instance, seed in zip(images, scenes, instances, range(3), strict=True):
        single = model(label, instance, seed=seed, output="numpy")
        assert np.abs(image.astype(int) - single).max() <= 1
    assert not np.array_equal(images[0], images[2]), "the seed draws the styles"
    with pytest.raises(i2ibench.UserError, match=r"3, 1, 3 and 3|3, 1, 3, 3"):
        model.batch(scenes, instances[:1])


def test_instances_get_the_chosen_mode_and_the_others_stay(model, scene):
    label, instance, _ = scene
    name = next(iter(model.styles))
    channel = [c.name for c in model.classes].index(name)
    numbers = pixels(instance)
    ids = pixels(label)
    one = int(numbers[ids == model.classes[channel].id][0])
    images = [
        model(label, instance, styles={one: mode}, output="numpy").astype(int)
        for mode in range(model.styles[name])
    ]
    random = model(label, instance, output="numpy").astype(int)
    assert any(np.array_equal(image, random) for image in images), "a random style is a mode"
    centre = model.opened.inference.bank.centres[channel, 0].tolist()
    vector = model(label, instance, styles={one: centre}, output="numpy")
    assert np.array_equal(vector, images[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scene": 3.5}, "the label map is a float; give a PIL image"),
        ({"scene": np.zeros((4, 4))}, "holds float64 values; it must hold integers.*astype"),
        ({"scene": np.zeros((2, 3, 4, 4), int)}, r"has the shape \(2, 3, 4, 4\)"),
        ({"scene": np.full((4, 4), 200)}, "has the value 200 at 16 of 16 pixels"),
        ({"scene": np.full((4, 4, 3), 7, np.uint8)}, r"has the colour \[7, 7, 7\]"),
        ({"scene": "nothing.png"}, "nothing.png does not exist"),
        ({"instance": None}, "needs an instance map for every scene: pass instance"),
        ({"instance": np.zeros((4, 4), int)}, "have one size: label 64x32, instance 4x4"),
        ({"instance": np.full((32, 64), -1)}, "the instance map has the instance id -1"),
        ({"styles": "photo"}, "pass photo"),
        ({"styles": "pohto"}, "'random', 'photo' or a dict"),
        ({"styles": {-5: 0}}, "has no instance -5. Its instances: "),
        ({"styles": {"car": 1}}, "the id of an instance, an integer.*not 'car' to 1"),
        ({"styles": {2: "red"}}, "not 2 to 'red'"),
        ({"seed": 1.5}, "seed is an integer, not 1.5"),
        ({"sead": 1}, "no argument 'sead'. Did you mean 'seed'"),
        ({"scene": np.zeros((0, 4), np.uint8)}, "is empty"),
        ({"output": "PIL"}, "'pil', 'numpy' or 'tensor', not 'PIL'"),
        ({"steps": 3}, "no argument 'steps'"),
    ],
)
def test_wrong_inputs_are_named_with_the_way_out(model, scene, change, message):
    given = {"scene": scene[0], "instance": scene[1], **change}
    with pytest.raises(i2ibench.UserError, match=message):
        model(given.pop("scene"), given.pop("instance"), **given)


def test_a_system_shows_what_it_is(model):
    shown = repr(model)
    assert "PairedTranslator" in shown and "million parameters" in shown
    assert all(c.name in shown for c in model.classes)
    assert "background:rgb" in model._repr_html_()
    assert model.needs == ("label", "instance") and sum(model.styles.values()) > 0


def test_what_cannot_be_loaded_is_refused_as_by_the_commands(run):
    with pytest.raises(i2ibench.UserError, match="There is no checkpoint at toystret"):
        i2ibench.load("toystret")
    for wrong, message in (
        ({"precision": "half"}, "precision is 'bf16' or None for float32, not 'half'"),
        ({"weights": "best"}, "weights is 'average' or 'last', not 'best'"),
        ({"tile": 64}, r"A tile is a pair \(width, height\) in pixels, not 64"),
        ({"devise": "cpu"}, "no argument 'devise'. Did you mean 'device'"),
    ):
        with pytest.raises(i2ibench.UserError, match=message):
            i2ibench.load(run, **wrong)
    with pytest.raises(i2ibench.UserError, match="device cuda:99 cannot be used"):
        i2ibench.load(run, device="cuda:99")
