"""Evaluation: one protocol for checkpoints and images of any code, on disk and in parts."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.data.image_reading import read_rgb
from i2ibench.data.loaders import build_dataset
from i2ibench.errors import UserError
from i2ibench.evaluation import measurements as rows_module
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.image_sources import FLOOR, MISMATCH, ORACLE, pair_images
from i2ibench.evaluation.metric_building import build_metrics
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.configuration import load_config
from i2ibench.registry.contracts import Segmenter
from i2ibench.testing.tiny_datasets import save, write_paired_scenes
from i2ibench.training.run import train
from tests.conftest import write_tiny_config

ROOT = Path(__file__).parents[2]


@SEGMENTERS.register_module(force=True)
class ByColour(Segmenter):
    """The class whose colour in the tiny scenes is nearest: nearly perfect on the photos."""

    needs_weights = False

    COLOURS = torch.tensor([[120, 170, 220], [90, 90, 95], [180, 40, 40]])

    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, images):
        pixels = images.permute(0, 2, 3, 1).flatten(0, 2).float()
        nearest = torch.cdist(pixels, self.COLOURS.to(images.device).float()).argmin(1)
        return nearest.view(len(images), *images.shape[-2:])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    config = write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=6))
    train(load_config(config, {}, folder / "run"))
    return folder


def config_of(folder):
    return load_config(folder / "tiny.py", {}, folder / "run")


def protocol(**options):
    return build_protocol({"type": "own", "segmenter": {"type": "ByColour"}, **options})


def scores(folder, output, checkpoints=(), folders=(), **options):
    subjects = parse_systems(map(str, checkpoints), map(str, folders))
    return evaluate(protocol(**options), subjects, output, config_of(folder))


def value(results, system, name="seg/pixel_acc"):
    return results["systems"][system][name]["value"]


@pytest.fixture
def photos(trained, tmp_path):
    """The validation photos as if another code had made them."""
    shutil.copytree(trained / "paired" / "val" / "image", tmp_path / "theirs")
    return tmp_path / "theirs"


def test_a_checkpoint_stands_between_its_controls_in_one_table(trained, tmp_path):
    results = scores(trained, tmp_path, [trained / "run" / "epoch_0002.pth"])
    assert list(results["systems"]) == [
        "run, styles sampled", "run, styles from the photo", ORACLE, FLOOR, MISMATCH,
    ]  # fmt: skip
    assert value(results, ORACLE) > 0.99 and value(results, FLOOR) > 0.99
    assert value(results, MISMATCH) < value(results, ORACLE)
    low, high = (results["systems"][MISMATCH]["seg/pixel_acc"][k] for k in ("low", "high"))
    assert low < value(results, MISMATCH) < high
    assert "psnr" not in results["systems"][ORACLE]
    assert len(results["shown"]) == 6


def test_scores_of_the_store_equal_scores_of_the_network(trained, tmp_path):
    """Translate in memory, score without any file, and compare with the results."""
    from i2ibench.inference.checkpoints import open_checkpoint

    results = scores(trained, tmp_path, [trained / "run" / "epoch_0002.pth"])
    config = config_of(trained)
    dataset = build_dataset(config.val_dataloader, config.data_root)
    metric = build_metrics(protocol().metrics, dataset.metainfo)["segmentation"]
    translator = open_checkpoint(trained / "run" / "epoch_0002.pth").translator
    data = torch.utils.data.default_collate([dataset[i] for i in range(len(dataset))])
    expected = metric.scores(np.sum(metric.measure(Inference(translator).predict(data)), axis=0))
    for name, score in expected.items():
        stored = value(results, "run, styles sampled", name)
        assert stored == pytest.approx(float(score)) or np.isnan(score), name


def test_images_of_another_code_score_as_what_they_are(trained, photos, tmp_path):
    results = scores(trained, tmp_path / "e", folders=[f"theirs={photos}"])
    for name in ("seg/pixel_acc", "seg/miou", "edge/bf1", "inst/iiou"):
        assert value(results, "theirs", name) == value(results, ORACLE, name)
    assert results["systems"]["theirs"]["psnr_identical"]["value"] == 6


def test_names_as_the_released_pix2pixhd_writes_them_are_paired(trained, photos, tmp_path):
    for path in photos.glob("*.png"):
        path.rename(path.with_name(f"{path.stem}_synthesized_image.png"))
    assert value(scores(trained, tmp_path / "e", folders=[photos]), "theirs") > 0.99
    save(photos / "s0_input_label.png", np.zeros((32, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r"several images for scene 's0': .*Leave one"):
        scores(trained, tmp_path / "e", folders=[photos])


def test_images_of_no_scene_are_counted(trained, photos, tmp_path, capsys):
    save(photos / "another.png", np.zeros((32, 64, 3), np.uint8))
    (photos / "notes.npz").touch()
    scores(trained, tmp_path / "e", folders=[photos])
    said = capsys.readouterr().err
    assert "1 of 7 images in" in said and "another.png" in said and "1 .npz" in said


def test_shuffled_images_are_noticed(trained, photos, tmp_path):
    names = sorted(photos.glob("*.png"))
    for index, path in enumerate(names):
        path.rename(photos / f"{index}.tmp")
    for index in range(len(names)):
        (photos / f"{index}.tmp").rename(names[(index + 3) % len(names)])
    results = scores(trained, tmp_path / "e", folders=[photos])
    assert any(
        note.startswith("theirs") and "does not fit the label maps better" in note
        for note in results["notes"]
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "s1.png").unlink(), "no image for scene 's1'"),
        (lambda p: save(p / "s1.png", np.zeros((8, 8, 3), np.uint8)), "s1.png is 8x8, but the pro"),
        (lambda p: save(p / "s1.png", np.zeros((32, 64), np.uint16)), "more than 8 bits"),
        (lambda p: cv2.imwrite(str(p / "s1.png"), np.zeros((32, 64, 3), np.uint16)), "than 8 bit"),
        (lambda p: (p / "s1.png").write_bytes((p / "s1.png").read_bytes()[:99]), "s1.png is brok"),
    ],
)
def test_unusable_images_are_named_before_anything_is_scored(
    trained, photos, tmp_path, spoil, message
):
    spoil(photos)
    with pytest.raises(UserError, match=message):
        scores(trained, tmp_path / "e", folders=[photos])
    assert not (tmp_path / "e" / "results.json").exists()


def test_another_size_is_resized_only_by_a_rule_of_the_protocol(trained, photos, tmp_path):
    for path in photos.glob("*.png"):
        with Image.open(path) as image:
            large = image.resize((128, 64), Image.Resampling.NEAREST)
        large.save(path)
    results = scores(trained, tmp_path / "e", folders=[photos], resize="nearest")
    assert value(results, "theirs") > 0.99
    plain = scores(trained, tmp_path / "f", [trained / "run" / "epoch_0002.pth"])
    assert plain["protocol"]["sha256"] != results["protocol"]["sha256"]


def test_jpeg_images_are_taken_and_said_so(trained, photos, tmp_path):
    for path in photos.glob("*.png"):
        Image.fromarray(read_rgb(path)).save(path.with_suffix(".jpg"))
        path.unlink()
    results = scores(trained, tmp_path / "e", folders=[photos])
    assert (
        "theirs: some images are stored with loss, such as JPEG: compression counts"
        in results["notes"]
    )


def test_what_was_measured_is_not_measured_again(trained, tmp_path, monkeypatch):
    first = scores(trained, tmp_path, [trained / "run" / "epoch_0002.pth"])
    monkeypatch.setattr(rows_module, "measured", lambda *_: pytest.fail("measured again"))
    again = scores(trained, tmp_path, [trained / "run" / "epoch_0002.pth"])
    assert again["systems"] == first["systems"]


def test_a_killed_evaluation_goes_on_and_ends_equal(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "CHUNK", 2)
    expected = scores(trained, tmp_path / "whole", [trained / "run" / "epoch_0002.pth"])
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "empty"))
    honest, calls = rows_module.measured, []

    def dies(metric, predictions):
        calls.append(metric)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return honest(metric, predictions)

    monkeypatch.setattr(rows_module, "measured", dies)
    with pytest.raises(KeyboardInterrupt):
        scores(trained, tmp_path / "cut", [trained / "run" / "epoch_0002.pth"])
    torn = next((tmp_path / "cut" / "rows").rglob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:100])
    calls.clear()
    monkeypatch.setattr(rows_module, "measured", honest)
    results = scores(trained, tmp_path / "cut", [trained / "run" / "epoch_0002.pth"])
    assert results["systems"] == expected["systems"]


def test_new_weights_make_new_images_and_scores(trained, tmp_path):
    checkpoint = tmp_path / "run2" / "epoch_0002.pth"
    checkpoint.parent.mkdir()
    shutil.copy(trained / "run" / "epoch_0001.pth", checkpoint)
    before = scores(trained, tmp_path / "e", [checkpoint])
    shutil.copy(trained / "run" / "epoch_0002.pth", checkpoint)
    after = scores(trained, tmp_path / "e", [checkpoint])
    assert value(before, "run2, styles sampled", "ssim") != value(
        after, "run2, styles sampled", "ssim"
    )
    fresh = scores(trained, tmp_path / "f", [checkpoint])
    assert after["systems"] == fresh["systems"]


def test_two_systems_are_compared_on_the_same_draws_of_scenes(trained, photos, tmp_path):
    run = trained / "run"
    results = scores(
        trained, tmp_path / "e", [f"one={run}/epoch_0001.pth", f"two={run}/epoch_0002.pth"],
        [photos],
    )  # fmt: skip
    pairs = {tuple(d["systems"]) for d in results["differences"] if d["score"] == "seg/pixel_acc"}
    assert ("one, styles sampled", "theirs") in pairs and ("one, styles sampled", "two, styles sam"
                                                           "pled") in pairs  # fmt: skip
    assert results["unranked"][:2] == ["one, styles from the photo", "two, styles from the photo"]


def test_two_subjects_of_one_name_are_refused(trained, photos):
    path = trained / "run" / "epoch_0002.pth"
    with pytest.raises(UserError, match="Two systems are called 'run'"):
        parse_systems([str(path), str(path)], [])


def test_another_filter_is_measured_anew(trained, photos, tmp_path):
    for path in photos.glob("*.png"):
        with Image.open(path) as image:
            large = image.resize((96, 48), Image.Resampling.NEAREST)
        large.save(path)
    for rule in ("nearest", "bicubic"):
        again = scores(trained, tmp_path / "e", folders=[photos], resize=rule)
        fresh = scores(trained, tmp_path / rule, folders=[photos], resize=rule)
        assert again["systems"] == fresh["systems"]


def test_another_class_table_is_measured_anew_and_has_another_hash(tmp_path):
    root = write_paired_scenes(tmp_path / "paired", count=3)
    config = write_tiny_config(tmp_path / "tiny.py", root)
    subjects = parse_systems([], [f"photos={root / 'val' / 'image'}"])

    def score(output):
        return evaluate(protocol(), subjects, tmp_path / output, load_config(config))

    before = score("e")
    table = json.loads((root / "classes.json").read_text())
    table[2]["scored"] = False
    (root / "classes.json").write_text(json.dumps(table))
    after, fresh = score("e"), score("f")
    assert after["systems"] == fresh["systems"]
    assert after["protocol"]["sha256"] != before["protocol"]["sha256"]


def test_systems_with_names_that_look_alike_keep_their_own_images(trained, tmp_path):
    run = trained / "run"
    pair = [f"a_b={run}/epoch_0001.pth", f"a-b={run}/epoch_0002.pth"]
    together = scores(trained, tmp_path / "e", pair)
    for index, name in enumerate(("a_b", "a-b")):
        alone = scores(trained, tmp_path / str(index), pair[index : index + 1])
        row = f"{name}, styles sampled"
        assert together["systems"][row] == alone["systems"][row]


@pytest.mark.parametrize("name", ["", " ", ORACLE])
def test_a_name_that_is_none_or_a_controls_is_refused(trained, name):
    with pytest.raises(UserError, match="is no name for"):
        parse_systems([f"{name}={trained}/run/epoch_0002.pth"], [])


def test_an_image_belongs_to_one_scene_only():
    names = ["s1", "s1_2", "a/1", "b/1", "city/x_0"]
    files = {key: Path(key) for key in ("s1_2", "a/1_fake", "x_0", "city/s1_leftImg8bit")}
    found = {name: [str(p) for p in paths] for name, paths in pair_images(names, files).items()}
    assert found == {
        "s1_2": ["s1_2"], "a/1": ["a/1_fake"], "city/x_0": ["x_0"], "s1": ["city/s1_leftImg8bit"],
    }  # fmt: skip


def test_images_in_bf16_are_made_anew_and_say_so(trained, tmp_path):
    (subject,) = parse_systems([str(trained / "run" / "epoch_0002.pth")], [])
    for amp in (None, "bf16"):
        chosen = dataclasses.replace(subject, options=InferenceOptions(amp))
        results = evaluate(protocol(), [chosen], tmp_path, config_of(trained))
        row = results["systems"]["run, styles sampled"]
        assert ("its images are computed in bf16" in str(results)) == (amp == "bf16"), row


def test_a_score_that_cannot_be_had_is_refused_before_any_work(trained, tmp_path):
    subjects = parse_systems([str(trained / "run" / "epoch_0002.pth")], [])

    def ask(name):
        evaluate(protocol(), subjects, tmp_path, config_of(trained), require=[name])

    with pytest.raises(UserError, match="no metric of the protocol gives it. Did you mean 'seg/m"):
        ask("seg/miuo")
    with pytest.raises(UserError, match="--require fid: FID needs"):
        ask("fid")
    assert not list(tmp_path.rglob("*.png"))


def test_a_change_to_one_metric_keeps_the_rest_of_it():
    changed = build_protocol({"type": "cityscapes", "metrics": {"lpips": {"net": "vgg"}}})
    assert changed.metrics["lpips"] == {"type": "PerceptualDistance", "net": "vgg"}
    for wrong in (3, {"new": {"net": "vgg"}}, {"lpips": 3}):
        with pytest.raises(UserError, match="metric"):
            build_protocol({"type": "cityscapes", "metrics": wrong})
    assert build_protocol({"type": "toystreet", "resize": "bicubic"}).resize == "bicubic"
    with pytest.raises(UserError, match="width and height are pixels"):
        build_protocol({"type": "camvid", "width": "abc"})


def test_two_processes_score_every_image_once(trained, tmp_path):
    """torchrun with two processes gives the numbers of one."""
    arguments = [str(ROOT / "tools" / "eval.py"), "tiny.py", "--work-dir", "run",
                 str(trained / "run" / "epoch_0002.pth")]  # fmt: skip
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for extra, name in (([], "one"), (launch, "two")):
        command = [sys.executable, *extra, *arguments, "--output", str(tmp_path / name)]
        command += ["--launcher", "pytorch"] if extra else []
        answer = subprocess.run(command, cwd=trained, capture_output=True, text=True,
                                env=environment, check=False)  # fmt: skip
        assert answer.returncode == 0, answer.stderr
    one, two = (json.loads((tmp_path / n / "results.json").read_text()) for n in ("one", "two"))
    assert one["systems"] == two["systems"]
    assert one["protocol"] == two["protocol"]
