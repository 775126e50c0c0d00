import json
import os

import numpy as np
import pytest
from PIL import Image

from i2ibench.apps.study.define.creation import create_study
from i2ibench.apps.study.define.definition import DEGRADED, REFERENCE, read_definition
from i2ibench.apps.study.define.study import open_study
from i2ibench.errors import UserError
from i2ibench.io.files import write_image
from i2ibench.testing.tiny_datasets import write_paired_scenes


@pytest.fixture
def folders(tmp_path):
    """Write two methods' images of the scenes in `paired/val`: all black, and all white."""
    paired = write_paired_scenes(tmp_path / "paired", count=5)
    for method, level in (("ours", 0), ("theirs", 255)):
        for number in range(5):
            path = tmp_path / method / f"s{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((32, 64, 3), level, np.uint8)).save(path)
    (paired / "val" / "classes.json").write_text((paired / "classes.json").read_text())
    return tmp_path


def define(folders, **changes):
    content = dict(
        title="Streets", per_pair=2, catch=1, repeats=1, practice=1,
        methods=dict(
            ours=dict(images=str(folders / "ours")),
            theirs=dict(images=str(folders / "theirs")),
            photos=dict(photos=True),
        ),
        scenes=dict(folder=str(folders / "paired/val")),
    )  # fmt: skip
    return read_definition({**content, **changes}, "study.py")


def pixels(study, method, scene):
    return np.array(Image.open(study.image_path(method, scene)))


def test_every_method_has_an_image_of_every_scene_as_it_was(folders):
    study = create_study(define(folders), folders / "study")
    assert study == open_study(folders / "study")
    assert study.scenes == [f"s{i}" for i in range(5)]
    for scene in study.scenes:
        assert pixels(study, "ours", scene).max() == 0
        photo = np.array(Image.open(folders / f"paired/val/image/{scene}.png"))
        np.testing.assert_array_equal(pixels(study, "photos", scene), photo)
        assert np.abs(pixels(study, DEGRADED, scene).astype(int) - photo).mean() > 30
    assert len(list((folders / "study/pictures").iterdir())) == 5 * 4
    assert len({origin["pictures"] for origin in study.origins.values()}) == 3


def test_the_names_of_images_tell_nothing_and_differ_between_studies(folders):
    one = create_study(define(folders), folders / "one")
    other = create_study(define(folders), folders / "other")
    names = {p.name for p in (one.folder / "pictures").iterdir()}
    assert not names & {p.name for p in (other.folder / "pictures").iterdir()}
    assert not any("ours" in name or "s1" in name for name in names)
    assert one.plan(3) == other.plan(3)


def test_the_files_of_images_tell_no_method(folders, monkeypatch):
    orders = set()
    for name in ("one", "other", "third"):
        written = []

        def watched(path, *arguments, written=written, **options):
            written.append(path)
            write_image(path, *arguments, **options)

        monkeypatch.setattr("i2ibench.apps.study.define.creation.write_image", watched)
        study = create_study(define(folders), folders / name)
        shown = {study.image_path(*key): key for key in study.image_keys}
        orders.add(tuple(shown[path] for path in written))
        assert sorted(written) == sorted(shown)
        stats = [path.stat() for path in shown]
        assert len({s.st_mtime_ns for s in stats}) == len({s.st_mode for s in stats}) == 1
        heads = {path.read_bytes()[:33] for path in shown}  # size, depth, colour type
        kinds = {tuple(_chunks(path)) for path in shown}
        assert len(heads) == 1 and kinds == {(b"IHDR", b"IDAT", b"IEND")}
    assert len(orders) == 3  # that two are equal is a chance of 1 in 5! (4!)^5


def _chunks(path):
    data, at, seen = path.read_bytes(), 8, []
    while at < len(data):
        seen.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return seen


def test_scenes_are_drawn_by_the_seed_from_those_that_all_methods_have(folders):
    (folders / "ours" / "s0.png").unlink()
    few = define(folders, scenes=dict(folder=str(folders / "paired/val"), number=3))
    study = create_study(few, folders / "study")
    assert len(study.scenes) == 3 and "s0" not in study.scenes
    assert create_study(few, folders / "again").scenes == study.scenes
    with pytest.raises(UserError, match="wants 5 scenes, and 4 have a picture"):
        five = dict(folder=str(folders / "paired/val"), number=5)
        create_study(define(folders, scenes=five), folders / "third")


def test_folders_alone_make_a_study(folders):
    methods = {m: dict(images=str(folders / m)) for m in ("ours", "theirs")}
    study = create_study(define(folders, methods=methods, scenes={}), folders / "study")
    assert study.reference == "ours"
    assert len(study.scenes) == 5


def test_photos_that_are_no_method_still_serve_for_catch_trials(folders):
    methods = {m: dict(images=str(folders / m)) for m in ("ours", "theirs")}
    study = create_study(define(folders, methods=methods), folders / "study")
    assert study.reference == REFERENCE
    assert {t.left for t in study.plan(0)} | {t.right for t in study.plan(0)} == {
        "ours", "theirs", REFERENCE, DEGRADED,
    }  # fmt: skip
    assert study.image_path(REFERENCE, "s1").is_file()


def test_objects_are_highlighted_and_scenes_without_any_left_out(folders):
    label = folders / "paired/val/label/s2.png"
    Image.fromarray(np.ones((32, 64), np.uint8)).save(label)
    regions = dict(classes=["car"], min_pixels=20, dim=0.5)
    study = create_study(define(folders, regions=regions), folders / "study")
    assert "s2" not in study.scenes
    car = np.array(Image.open(folders / "paired/val/label/s1.png")) == 2
    shown = pixels(study, "theirs", "s1")
    assert (shown[car] == 255).all()
    outside = shown[~car]
    assert set(np.unique(outside)) == {127, 255}
    assert (outside == 127).mean() > 0.8
    with pytest.raises(UserError, match="has no class 'cra' to highlight. Did you mean 'car'"):
        create_study(define(folders, regions=dict(classes=["cra"])), folders / "other")


def test_images_are_brought_to_one_size(folders):
    for path in (folders / "ours").iterdir():
        Image.open(path).resize((128, 64)).save(path)
    with pytest.raises(UserError, match="differ in size: ours 128x64, theirs 64x32.*size="):
        create_study(define(folders), folders / "study")
    study = create_study(define(folders, size=[40, 20]), folders / "study")
    assert study.size == (40, 20)
    assert pixels(study, "photos", "s0").shape == (20, 40, 3)


def test_what_is_missing_is_named_before_anything_is_written(folders):
    mistakes = {
        "Method .a.: .*none.pth": dict(methods=dict(a=dict(checkpoint="none.pth"),
                                                    b=dict(photos=True))),
        "nowhere does not exist": dict(methods=dict(a=dict(images="nowhere"),
                                                    b=dict(photos=True))),
        "needs the scenes' folder": dict(scenes={}),
        "there are 5 scenes; add scenes or lower per_pair": dict(per_pair=6),
    }  # fmt: skip
    for message, changes in mistakes.items():
        with pytest.raises(UserError, match=message):
            create_study(define(folders, **changes), folders / "study")
        assert not (folders / "study").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_holds_the_secret_is_its_owners_alone(folders):
    study = create_study(define(folders), folders / "study")
    assert (study.folder / "study.json").stat().st_mode & 0o777 == 0o600


def test_a_study_is_never_written_over(folders):
    create_study(define(folders), folders / "study")
    with pytest.raises(UserError, match="holds a study already"):
        create_study(define(folders), folders / "study")
    with pytest.raises(UserError, match="holds no study"):
        open_study(folders / "ours")
    note = folders / "study/study.json"
    note.write_text(json.dumps({"definition": {}}))
    with pytest.raises(UserError, match="study.json"):
        open_study(folders / "study")
