"""Every kind of official checkpoint goes through every command that takes a checkpoint."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from PIL import Image
from torch.utils.data import default_collate

from i2ibench.apps.editor.editor import open_editor
from i2ibench.cli.main import main
from i2ibench.data.classes import class_table
from i2ibench.data.loaders import build_dataset
from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.models.translators.build import build_translator
from i2ibench.training.initial_weights import read_initial_weights
from tests.conftest import write_tiny_config
from tests.official_files import (
    HD,
    name_classes,
    write_hd,
    write_options,
    write_pix2pix,
    write_scenes,
)


@dataclass(frozen=True)
class Kind:
    """Official files of one kind.

    Attributes:
        options: of convert.
        labels: the labels of road, car and sky in its data; None for images.
        data: the data set that it is scored on, in --protocol-options; none for Cityscapes.
        encoder: whether it has styles.
    """

    options: tuple[str, ...] = ()
    labels: tuple[int, int, int] | None = (7, 26, 23)
    data: tuple[str, ...] = ()
    encoder: bool = False
    files: dict = field(default_factory=dict)


OWN = ("data.type=Pix2PixHDFolder", "data.split=test")
KINDS = {
    **{name: Kind(encoder=bool(files.get("encoder"))) for name, files in HD.items()},
    "five labels": Kind(labels=(1, 2, 3), data=(*OWN, "data.label_nc=5")),
    "pictures": Kind(labels=None, data=(*OWN, "data.label_nc=0")),
    "U-Net": Kind(("--dropout", "no"), None, (*OWN, "data.label_nc=0")),
    "U-Net with dropout": Kind(("--dropout", "yes"), None, (*OWN, "data.label_nc=0")),
    "U-Net of coloured labels": Kind(("--labels", "35", "--dropout", "no", "--eval", "yes")),
    "ResNet": Kind((), None, (*OWN, "data.label_nc=0")),
}


def write_kind(folder, name):
    if name in HD:
        return write_hd(folder, **HD[name])
    return write_pix2pix(folder, "resnet" if name == "ResNet" else "unet")


@pytest.fixture(params=KINDS, scope="module")
def converted(request, tmp_path_factory):
    """A kind, its checkpoint as the command line makes it, and data in the released layout."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("converted")
    kind = KINDS[request.param]
    official = write_kind(folder / "official", request.param)
    run("convert", official, folder / "native.pth", *kind.options)
    write_scenes(folder / "data", labels=kind.labels or (7, 26, 23))
    return kind, folder


def run(*arguments):
    main(str(arguments[0]), [str(argument) for argument in arguments[1:]])


def refused(capsys, *arguments):
    """The message with which a command ends."""
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def shown(folder):
    """The images in a folder by name."""
    return {path.name: np.array(Image.open(path)) for path in sorted(folder.glob("*.png"))}


def test_translate_makes_an_image_of_every_scene(converted, tmp_path):
    kind, folder = converted
    run("translate", folder / "native.pth", folder / "data", tmp_path / "out")
    images = shown(tmp_path / "out")
    assert sorted(images) == ["aachen_000000_000019.png", "bochum_000001_000313.png"]
    assert all(image.shape == (32, 64, 3) for image in images.values())
    assert images["aachen_000000_000019.png"].std() > 0
    again = tmp_path / "again"
    run("translate", folder / "native.pth", folder / "data", again)
    assert all(np.array_equal(image, shown(again)[n]) for n, image in images.items())


def test_several_samples_are_made_only_where_they_differ(converted, tmp_path, capsys):
    kind, folder = converted
    command = ("translate", folder / "native.pth", folder / "data", tmp_path / "out",
               "--samples", "2")  # fmt: skip
    modes = open_checkpoint(folder / "native.pth").translator.style_bank
    if "yes" in kind.options[:2] or (modes is not None and bool((modes.counts > 1).any())):
        run(*command)
        first, second = (shown(tmp_path / "out")[f"aachen_000000_000019_{k}.png"] for k in "01")
        assert (first != second).any()
    else:
        assert "makes the same image each time" in refused(capsys, *command)


def test_translate_takes_styles_from_photos(converted, tmp_path, capsys):
    kind, folder = converted
    command = ("translate", folder / "native.pth", folder / "data", tmp_path / "out",
               "--styles", "encode")  # fmt: skip
    if kind.encoder:
        run(*command)
        assert len(shown(tmp_path / "out")) == 2
    else:
        assert "has no encoder" in refused(capsys, *command)


def cityscapes(folder, root):
    """The same scenes as Cityscapes' val split."""
    for part, place, ending in (("label", "gtFine", "_gtFine_labelIds"),
                                ("inst", "gtFine", "_gtFine_instanceIds"),
                                ("img", "leftImg8bit", "_leftImg8bit")):  # fmt: skip
        for path in (folder / f"test_{part}").glob("*.png"):
            city = path.name.split("_")[0]
            target = root / place / "val" / city / path.name
            assert path.name.endswith(f"{ending}.png")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return root


def test_eval_scores_it(converted, tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kind, folder = converted
    root = folder / "data" if kind.data else cityscapes(folder / "data", tmp_path / "cityscapes")
    named = ("--protocol", "own") if kind.data else ()
    options = kind.data or ("width=64", "height=32", "samples=2")
    run("eval", f"it={folder / 'native.pth'}", *named, "--data-root", root,
        "--output", tmp_path / "out", "--protocol-options", *options)  # fmt: skip
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = [name for name in results["origins"] if name.startswith("it")]
    assert rows == (["it, styles sampled", "it, styles from the photo"] if kind.encoder else ["it"])


def test_styles_are_listed_fitted_and_shown(converted, tmp_path, capsys):
    kind, folder = converted
    if not kind.encoder:
        for action in ("list", "fit", "preview"):
            said = refused(capsys, "styles", action, folder / "native.pth")
            assert "has no encoder, so it has no styles" in said
        return
    run("styles", "list", folder / "native.pth")
    # Its data is not known: the message says how to name it.
    advice = refused(capsys, "styles", "fit", folder / "native.pth", "--output",
                     tmp_path / "b.safetensors")  # fmt: skip
    assert "does not say what it was trained on; name it with --cfg-options" in advice
    data = ["data_root=" + str(folder / "data")]
    for loader, split in (("train", "train"), ("val", "test")):
        place = f"{loader}_dataloader.dataset"
        data += [f"{place}.type=Pix2PixHDFolder", f"{place}.split={split}"]
    run("styles", "fit", folder / "native.pth", "--into-checkpoint", tmp_path / "fitted.pth",
        "--cfg-options", *data)  # fmt: skip
    bank = open_checkpoint(tmp_path / "fitted.pth").translator.style_bank
    assert bank.counts.nonzero().flatten().tolist() == [7, 23, 26]
    assert int(bank.counts[26]) == 2
    run("styles", "preview", tmp_path / "fitted.pth", "--output", tmp_path / "sheet.png",
        "--cfg-options", *data)  # fmt: skip
    assert (tmp_path / "sheet.png").is_file()


def scene_data(folder):
    """The first test scene, as a data set of the released layout reads it."""
    dataset = {"type": "Pix2PixHDFolder", "split": "test"}
    return build_dataset({"dataset": dataset}, str(folder / "data"))[0]


def test_the_editor_opens_it(converted):
    kind, folder = converted
    opened = open_checkpoint(folder / "native.pth")
    if kind.labels is None:
        with pytest.raises(Exception, match="translates images, not label maps"):
            open_editor(opened, folder / "data")
        return
    editor = open_editor(opened, folder / "data")
    assert editor.library.names == ["aachen_000000_000019", "bochum_000001_000313"]
    assert editor.renderer.has_styles == kind.encoder
    scene = editor.library.open("aachen_000000_000019")
    translated = opened.inference.predict(default_collate([scene_data(folder)]))[0]["fake"]
    drawn = editor.renderer.image(scene.scene)
    assert drawn.shape == (32, 64, 3) and drawn.std() > 0
    if not opened.inference.varies:
        assert np.abs(drawn.astype(int) - translated.permute(1, 2, 0).numpy()).max() <= 1
    if kind.encoder:
        assert editor.renderer.encode(scene.scene, scene.photo)
    assert open_editor(opened).library.names == ["empty canvas"]


def test_a_study_is_made_of_it(converted, tmp_path):
    _, folder = converted
    (tmp_path / "study.py").write_text(
        f"title = 'Streets'\nmethods = dict(it=dict(checkpoint={str(folder / 'native.pth')!r}), "
        f"photos=dict(photos=True))\nscenes = dict(folder={str(folder / 'data')!r}, number=2)\n"
        "per_pair = 2\nrepeats = 0\ncatch = 0\npractice = 0\n"
    )
    run("study", "create", tmp_path / "study.py", "--output", tmp_path / "study")
    assert len(list((tmp_path / "study").rglob("*.png"))) >= 4


def test_train_says_that_no_run_can_go_on_from_it(converted, paired_root, tmp_path, capsys):
    _, folder = converted
    config = write_tiny_config(tmp_path / "tiny.py", paired_root)
    place = ("--work-dir", tmp_path / "work")
    said = refused(capsys, "train", config, "--resume", folder / "native.pth", *place)
    assert "No run can go on from" in said and "translate, eval, edit" in said
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "epoch_0001.pth").write_bytes((folder / "native.pth").read_bytes())
    assert "No run can go on from" in refused(capsys, "train", config, *place)


def test_a_new_run_can_begin_with_it(converted):
    """The same system takes every weight, and one with other classes takes them by name."""
    _, folder = converted
    saved = read_checkpoint(folder / "native.pth")
    config, info = ConfigDict(json.loads(saved["config"])), saved["meta"]["dataset_meta"]
    classes = info["classes"]
    same = build_translator(config, info)
    initial = read_initial_weights(same, classes, folder / "native.pth", (256, 256))
    assert not initial.fresh and not initial.unused and not initial.matched
    if "labels" not in same.data_preprocessor.kinds:
        return
    more = class_table([*classes, "one more"]).metainfo("own")
    larger = build_translator(config, more)
    initial = read_initial_weights(larger, more["classes"], folder / "native.pth", (256, 256))
    assert not initial.fresh and not initial.unused and initial.matched
    assert initial.new_classes == ["one more"]


def test_eval_finds_no_averaged_weights_and_convert_gives_the_files_back(converted, tmp_path):
    _, folder = converted
    with pytest.raises(Exception, match="has no averaged weights"):
        open_checkpoint(folder / "native.pth", weights="average")
    run("convert", folder / "native.pth", tmp_path / "back")
    for path in (folder / "official").glob("*.pth"):
        before = torch.load(path, weights_only=True)
        after = torch.load(tmp_path / "back" / path.name, weights_only=True)
        assert before.keys() == after.keys()
        assert all(torch.equal(value, after[name]) for name, value in before.items())
    run("convert", tmp_path / "back", tmp_path / "again.pth")  # opt.txt answers every question
    first, again = (
        json.loads(read_checkpoint(path)["config"])
        for path in (folder / "native.pth", tmp_path / "again.pth")
    )
    assert again == first


def test_the_checkpoint_records_what_was_read_from_where(converted):
    _, folder = converted
    rows = read_checkpoint(folder / "native.pth")["meta"]["official"]
    assert {"generator", "discriminator", "norm", "dropout", "condition"} <= {
        row["what"] for row in rows
    }
    assert all(row["source"] and row["value"] for row in rows)


def test_a_source_that_cannot_be_converted_leaves_nothing_behind(tmp_path, capsys):
    folder = write_hd(tmp_path / "official", **HD["global"])
    target = tmp_path / "out"
    said = refused(capsys, "convert", folder / "latest_net_G.pth", target)
    assert f"pass the folder that holds it, {folder}" in said
    (tmp_path / "other.pth").write_bytes(b"no checkpoint")
    assert "cannot be read" in refused(capsys, "convert", tmp_path / "other.pth", target)
    assert "no file or folder" in refused(capsys, "convert", tmp_path / "nothing", target)
    said = refused(capsys, "convert", write_pix2pix(tmp_path / "unet"), tmp_path / "unet.pth")
    assert "Pass --dropout yes" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["official", "other.pth", "unet"]


def test_the_table_shows_what_files_say_as_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    five = write_hd(tmp_path / "five", **{**HD["five labels"], "options": None})
    classes = name_classes(tmp_path / "[/red]", 5)
    write_options(five / "opt.txt", label_nc=5)
    run("convert", five, tmp_path / "native.pth", "--classes", classes)
    shown = "".join(capsys.readouterr().out.split())
    assert "[/red]" in shown and "opt.txt:label_nc:5" in shown


def test_a_config_trains_on_the_released_layout(tmp_path, paired_root):
    root = write_scenes(tmp_path / "data")
    config = write_tiny_config(tmp_path / "tiny.py", paired_root)
    kind = [f"{n}_dataloader.dataset.type=Pix2PixHDFolder" for n in ("train", "val")]
    options = ("--cfg-options", f"data_root={root}", "val_dataloader.dataset.split=test", *kind,
               "train_cfg.max_epochs=1", "protocol=own", "hooks.images=None")  # fmt: skip
    run("validate", config, *options)
    run("train", config, "--work-dir", tmp_path / "work", *options)
    meta = read_checkpoint(tmp_path / "work" / "epoch_0001.pth")["meta"]["dataset_meta"]
    assert meta["dataset"] == "Pix2PixHDFolder" and meta["classes"][26] == "car"
