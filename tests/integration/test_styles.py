"""The styles command and diverse translations, as a user runs them."""

import contextlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.cli.main import main
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.styles.fitting import FitOptions, fit_bank, scenes_of
from i2ibench.inference.styles.instance_features import read_batches, without_random
from i2ibench.inference.styles.preview import bank_of
from i2ibench.models.styles.bank_files import read_bank
from i2ibench.registry import DATASETS
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import save, write_paired_scenes
from i2ibench.training.run import train
from tests.conftest import write_tiny_config
from tests.integration.test_commands import assert_user_error
from tests.integration.test_commands import tool as as_process

CHECKPOINT = "work_dirs/tiny/epoch_0002.pth"
SHORT = {"protocol": None, "hooks.images": None}


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def tool(command, *arguments, cwd):
    """A command of the user's, run in this process: starting one takes longer than most of them."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), chdir(cwd):
        try:
            main(command, [str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
    return Answer(code, out.getvalue(), errors.getvalue())


@contextlib.contextmanager
def chdir(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def train_tiny(folder, work_dir="work_dirs/tiny", **overrides):
    with chdir(folder):
        train(load_config(Path("tiny.py"), {**SHORT, **overrides}, Path(work_dir)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained tiny run, and one without an encoder."""
    folder = tmp_path_factory.mktemp("styles")
    write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=6))
    train_tiny(folder)
    train_tiny(folder, "plain", **{"model.encoder": None, "hooks.styles": None})
    return folder


@pytest.fixture(scope="module")
def fitted(run):
    """The answer of `styles fit`, run once and as a user does."""
    answer = as_process("styles", "fit", CHECKPOINT, cwd=run)
    assert answer.returncode == 0, answer.stderr
    return answer


def test_fit_writes_a_bank_beside_the_checkpoint_and_shows_it(run, fitted):
    assert fitted.stdout.splitlines()[-1] == "styles: work_dirs/tiny/epoch_0002_styles.safetensors"
    assert "encoding scenes 6/6  eta 0:00:00" in fitted.stderr
    saved = read_bank(run / "work_dirs/tiny/epoch_0002_styles.safetensors")
    assert saved.classes == ["sky", "road", "car", "void"]
    assert saved.bank.instances.tolist() == [6, 6, 6, 6]
    assert saved.note["scenes"] == 6 and len(saved.note["checkpoint"]) == 64
    assert saved.note["settings"]["min_area"] == 0.0


def test_a_fit_like_the_runs_own_gives_the_checkpoints_own_bank(run, fitted):
    own = bank_of(open_checkpoint(run / CHECKPOINT))
    bank = read_bank(run / "work_dirs/tiny/epoch_0002_styles.safetensors").bank
    torch.testing.assert_close(bank.centres, own.centres, atol=1e-5, rtol=0)
    assert torch.equal(bank.sizes, own.sizes)


def test_a_fit_depends_neither_on_the_batch_nor_on_the_day(run, fitted):
    answer = tool("styles", "fit", CHECKPOINT, "--output", "again.safetensors", cwd=run)
    assert answer.returncode == 0, answer.stderr
    first = run / "work_dirs/tiny/epoch_0002_styles.safetensors"
    assert (run / "again.safetensors").read_bytes() == first.read_bytes()
    assert (run / "again.json").read_bytes() == first.with_suffix(".json").read_bytes()
    opened = open_checkpoint(run / CHECKPOINT)
    dataset = scenes_of(opened, "train_dataloader")
    one = fit_bank(opened, dataset, FitOptions(), batch_size=1)
    torch.testing.assert_close(one.centres, read_bank(first).bank.centres, atol=1e-5, rtol=0)


def test_small_instances_scenes_and_modes_can_be_limited(run):
    limits = ["--min-area", "1/10", "--max-scenes", "3", "--num-styles", "2", "--seed", "4"]
    answer = tool("styles", "fit", CHECKPOINT, *limits, "--output", "few.safetensors", cwd=run)
    assert answer.returncode == 0, answer.stderr
    bank = read_bank(run / "few.safetensors").bank
    assert bank.instances.tolist() == [3, 3, 0, 0]  # a car is 1/16 of an image, void is too
    assert bank.num_styles == 2 and bank.seed == 4


def test_a_copy_of_the_checkpoint_holds_the_new_bank(run):
    fit = ["styles", "fit", CHECKPOINT, "--min-area", "0.1", "--into-checkpoint"]
    answer = tool(*fit, "copy.pth", cwd=run)
    assert answer.returncode == 0, answer.stderr
    before, after = open_checkpoint(run / CHECKPOINT), open_checkpoint(run / "copy.pth")
    assert bank_of(after).counts.tolist()[2:] == [0, 0]
    assert bank_of(after).instances.tolist() == [6, 6, 0, 0]
    for name, value in before.translator.state_dict().items():
        if not name.startswith("style_bank"):
            assert torch.equal(value, after.translator.state_dict()[name])
    note = torch.load(run / "copy.pth", weights_only=True)["meta"]["style_bank"]
    assert note["settings"]["min_area"] == 0.1 and note["classes"][2] == "car"
    assert_user_error(tool(*fit, CHECKPOINT, cwd=run), "is the checkpoint itself")
    other = tool(*fit, "no.pth", "--num-styles", "3", cwd=run)
    assert_user_error(other, "holds 10 styles per class, so it cannot take 3")
    assert not (run / "no.pth").exists()


def test_list_shows_checkpoints_and_banks_alike(run, fitted):
    lists = [
        tool("styles", "list", file, cwd=run).stdout
        for file in (CHECKPOINT, "work_dirs/tiny/epoch_0002_styles.safetensors")
    ]
    assert all("car" in text and "100.0%" in text for text in lists)
    assert lists[0].split("│")[1].strip() == "sky"


def test_preview_draws_a_sheet_with_photo_and_modes(run, fitted):
    answer = tool("styles", "preview", CHECKPOINT, "--scenes", "1", cwd=run)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "preview: work_dirs/tiny/epoch_0002_styles.png"
    bank = bank_of(open_checkpoint(run / CHECKPOINT))
    with Image.open(run / "work_dirs/tiny/epoch_0002_styles.png") as sheet:
        assert sheet.height > 4 * 32 and sheet.width >= 64 * (1 + int(bank.counts.max()))
    banked = tool(
        "styles", "preview", CHECKPOINT, "--bank", "work_dirs/tiny/epoch_0002_styles.safetensors",
        "--output", "sheet.png", cwd=run,
    )  # fmt: skip
    assert banked.returncode == 0 and (run / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["fit", "plain/epoch_0002.pth"], ["has no encoder"]),
        (["fit", "plain/epoch_0002.pth", "--cfg-options", "data_root=none"], ["has no encoder"]),
        (["fit", CHECKPOINT, "--output", "tiny.py/x.safetensors"], ["x.safetensors cannot be wri"]),
        (["fit", CHECKPOINT, "--into-checkpoint", "tiny.py/x.pth"], ["x.pth cannot be written"]),
        (["fit", CHECKPOINT, "--min-area", "0.99"], ["covers more than 0.99", "--min-area"]),
        (["preview", CHECKPOINT, "--output", "tiny.py/x.png"], ["x.png cannot be written"]),
        (["list", "plain/epoch_0002.pth"], ["has no encoder"]),
        (["fit", "nothing.pth"], ["There is no checkpoint at nothing.pth"]),
        (["fit", CHECKPOINT, "--cfg-options", "data_root=/nowhere"], ["/nowhere"]),
        (["fit", CHECKPOINT, "--output", "x.npy"], ["x.safetensors, not x.npy"]),
        (["list", "nothing.safetensors"], ["no style bank at nothing.safetensors"]),
        (["preview", "plain/epoch_0002.pth", "--bank", "x.safetensors"], ["has no encoder"]),
    ],
)
def test_a_users_mistake_is_one_message(run, arguments, parts):
    assert_user_error(tool("styles", *arguments, cwd=run), *parts)


def test_data_of_other_classes_is_refused(run, tmp_path):
    root = write_paired_scenes(tmp_path / "other", count=2)
    classes = json.loads((root / "classes.json").read_text())
    (root / "classes.json").write_text(json.dumps(["heaven", *classes[1:]]))
    answer = tool("styles", "fit", CHECKPOINT, "--cfg-options", f"data_root={root}", cwd=run)
    assert_user_error(answer, "whose classes differ from those")


def test_samples_differ_and_each_is_made_once(run):
    answer = tool("translate", CHECKPOINT, "paired/val", "three", "--samples", "3", cwd=run)
    assert answer.returncode == 0, answer.stderr
    assert "translated: 18 images" in answer.stdout
    names = sorted(path.name for path in (run / "three").glob("*.png"))
    assert names == [f"s{n}_{k}.png" for n in range(6) for k in range(3)]
    contents = {path.name: path.read_bytes() for path in (run / "three").glob("*.png")}
    assert len(set(contents.values())) > 6
    (run / "three/s1_2.png").unlink()
    kept = (run / "three/s1_1.png").stat().st_mtime_ns
    again = ["translate", CHECKPOINT, "paired/val", "three", "--samples"]
    assert tool(*again, "3", cwd=run).returncode == 0
    assert (run / "three/s1_2.png").read_bytes() == contents["s1_2.png"]
    assert (run / "three/s1_1.png").stat().st_mtime_ns == kept
    assert_user_error(tool(*again, "2", cwd=run), "other settings")
    one = tool("translate", CHECKPOINT, "paired/val", "one", cwd=run)
    assert one.returncode == 0
    assert (run / "one/s4.png").read_bytes() == contents["s4_0.png"]


def test_a_scene_that_changed_is_made_again_in_all_its_samples(run, tmp_path):
    source = write_paired_scenes(tmp_path / "changing", count=2) / "val"
    command = ["translate", CHECKPOINT, source, tmp_path / "out", "--samples", "2"]
    assert tool(*command, cwd=run).returncode == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    with Image.open(source / "label/s0.png") as file:
        label = np.array(file)
    label[:4] = 1
    save(source / "label/s0.png", label)
    assert tool(*command, cwd=run).returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert {name for name in after if after[name] != before[name]} == {"s0_0.png", "s0_1.png"}


def test_styles_come_from_photos_or_from_a_bank(run, fitted):
    bank = "bank:work_dirs/tiny/epoch_0002_styles.safetensors"
    images = []
    for styles, folder in (("random", "r"), ("encode", "e"), (bank, "b")):
        answer = tool("translate", CHECKPOINT, "paired/val", folder, "--styles", styles, cwd=run)
        assert answer.returncode == 0, answer.stderr
        with Image.open(run / folder / "s0.png") as image:
            images.append(np.array(image).astype(int))
    random, encoded, banked = images
    assert np.abs(random - banked).max() <= 1  # the bank is the checkpoint's own
    assert np.abs(random - encoded).any()
    other = tool("translate", CHECKPOINT, "paired/val", "b", "--styles", "random", cwd=run)
    assert_user_error(other, "other settings")


@pytest.mark.parametrize(
    ("checkpoint", "arguments", "parts"),
    [
        (CHECKPOINT, ["--styles", "photo"], ["random, encode or bank:FILE, not 'photo'"]),
        (CHECKPOINT, ["--styles", "bank:"], ["random, encode or bank:FILE"]),
        (CHECKPOINT, ["--styles", "bank:none.safetensors"], ["no style bank at none.safetensors"]),
        (CHECKPOINT, ["--styles", "encode", "--samples", "2"], ["2 samples would be equal"]),
        ("plain/epoch_0002.pth", ["--styles", "encode"], ["has no encoder"]),
        ("plain/epoch_0002.pth", ["--samples", "2"], ["2 samples would be equal"]),
    ],
)
def test_styles_that_do_not_suit_are_refused_before_anything_is_written(
    run, checkpoint, arguments, parts
):
    answer = tool("translate", checkpoint, "paired/val", "refused", *arguments, cwd=run)
    assert_user_error(answer, *parts)
    assert not (run / "refused").exists()


def test_a_bank_of_other_classes_is_refused_by_translate(run, tmp_path):
    root = write_paired_scenes(tmp_path / "other", count=3)
    classes = json.loads((root / "classes.json").read_text())
    (root / "classes.json").write_text(json.dumps(["heaven", *classes[1:]]))
    write_tiny_config(tmp_path / "tiny.py", root)
    train_tiny(tmp_path, **{"train_cfg.max_epochs": 1})
    foreign = "work_dirs/tiny/epoch_0001"
    assert tool("styles", "fit", f"{foreign}.pth", cwd=tmp_path).returncode == 0
    bank = f"bank:{tmp_path / foreign}_styles.safetensors"
    answer = tool("translate", CHECKPOINT, "paired/val", "x", "--styles", bank, cwd=run)
    assert_user_error(answer, "class 0 is 'heaven' there and 'sky' here")


def test_random_flips_and_crops_are_left_out_and_sizes_are_kept_apart(tmp_path):
    root = write_paired_scenes(tmp_path / "data", count=3)
    for kind in ("label", "instance", "image"):
        path = root / "train" / kind / "s1.png"
        with Image.open(path) as file:
            pixels = np.array(file)
        save(path, pixels[:, :40])
    transforms = [
        dict(type="RandomFlip", probability=1.0),
        dict(type="RandomCrop", width=8, height=8),
    ]
    cfg = dict(type="PairedFolder", root=str(root), split="train", transforms=transforms)
    dataset = without_random(DATASETS.build(cfg))
    batches = list(read_batches(dataset, range(3), batch_size=3))
    assert [b["name"] for b in batches] == [["s0"], ["s1"], ["s2"]]
    plain = DATASETS.build({**cfg, "transforms": []})
    assert all(torch.equal(b["image"][0], plain[i]["image"]) for i, b in enumerate(batches))
