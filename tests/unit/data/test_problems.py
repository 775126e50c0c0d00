"""The fixes that validate names mend what they are for: they are followed, and nothing is left."""

import json
import re
import shlex
import subprocess

import numpy as np
import pytest
from PIL import Image

from i2ibench.cli.main import main
from i2ibench.testing.tiny_datasets import save


@pytest.fixture
def validate(tiny_config, capsys):
    """Validate the six tiny scenes; gives the problems' fixes by kind."""

    def run():
        capsys.readouterr()
        try:
            main(arguments=["validate", str(tiny_config)])
        except SystemExit as error:
            assert error.code == 2
        text = capsys.readouterr().out
        found = re.findall(r"^(?:ERROR|look): .+?: (.+?): .*\n  fix: (.*)$", text, re.M)
        assert found or text.endswith("no problems\n"), text
        return dict(found)

    return run


def change(config, old, new):
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def only(fixes, kind):
    assert list(fixes) == [kind], fixes
    return fixes[kind]


def removal(fix):
    """The shell command that a fix ends in."""
    return re.search(r"rm -- .*", fix)[0]


def rewrite(root, snippet, split="train"):
    """Do with the instance maps of a split what a fix says in Python."""
    for path in (root / split / "instance").iterdir():
        label = np.array(Image.open(root / split / "label" / path.name))
        names = {"np": np, "label": label, "instance": np.array(Image.open(path))}
        exec(snippet, names)
        Image.fromarray(names["instance"]).save(path)


def test_the_data_itself_has_no_problem(validate):
    assert validate() == {}


def test_a_file_that_cannot_be_read_is_removed_with_its_scene(validate, paired_root):
    (paired_root / "train/image/s0.png").write_bytes(b"no image")
    fix = only(validate(), "unreadable")
    assert subprocess.run(["sh", "-c", removal(fix)], check=False).returncode == 0
    assert validate() == {} and len(list((paired_root / "train/label").iterdir())) == 5


def test_names_with_spaces_and_quotes_are_removed_too(validate, paired_root):
    for path in paired_root.rglob("train/*/s0.png"):
        path.rename(path.with_name("it's one; two.png"))
    (paired_root / "train/image/it's one; two.png").write_bytes(b"no image")
    subprocess.run(["sh", "-c", removal(only(validate(), "unreadable"))], check=True)
    assert validate() == {}


def test_a_value_of_no_class_becomes_one(validate, paired_root):
    path = paired_root / "train/label/s1.png"
    label = np.array(Image.open(path))
    label[0, 0] = 77
    save(path, label)
    entry = re.search(r"\{.*?\}", validate()["unreadable"])[0]
    classes = paired_root / "classes.json"
    classes.write_text(json.dumps([*json.loads(classes.read_text()), json.loads(entry)]))
    fixes = validate()
    assert set(fixes) == {"instance straddles classes"}, "the pixel belongs to the sky's instance"
    rewrite(paired_root, re.search(r"instance = .*", fixes["instance straddles classes"])[0])
    assert validate() == {}


def test_colour_maps_become_ids_by_the_advised_command(validate, paired_root, tiny_config):
    colours = [[120, 170, 220], [90, 90, 95], [180, 40, 40], [0, 0, 0]]
    classes = paired_root / "classes.json"
    entries = [c if isinstance(c, dict) else {"name": c} for c in json.loads(classes.read_text())]
    entries = [{**e, "colour": colour} for e, colour in zip(entries, colours, strict=True)]
    classes.write_text(json.dumps(entries))
    for path in paired_root.rglob("label/*.png"):
        save(path, np.array(colours, np.uint8)[np.array(Image.open(path))])
    fixes = validate()
    (command,) = re.findall(r"`i2ibench (.*?)`", fixes["unreadable"])
    target = paired_root.with_name("prepared")
    words = {"SOURCE": str(paired_root), "TARGET": str(target)}
    main(arguments=[words.get(word, word) for word in shlex.split(command)])
    change(tiny_config, str(paired_root), str(target))
    assert validate() == {}


def test_files_of_another_size_are_removed(validate, paired_root):
    save(paired_root / "train/instance/s2.png", np.zeros((8, 8), np.uint16))
    subprocess.run(["sh", "-c", removal(only(validate(), "sizes differ"))], check=True)
    assert validate() == {}


@pytest.mark.parametrize("way", ["batch_size", "transform"])
def test_several_sizes_are_settled_in_both_ways(validate, paired_root, tiny_config, way):
    for path in paired_root.rglob("train/*/s5.png"):
        Image.open(path).crop((0, 0, 32, 32)).save(path)
    fix = only(validate(), "several sizes")
    if way == "batch_size":
        (option,) = re.findall(r"train_dataloader\.(batch_size=1)", fix)
        change(tiny_config, 'RandomFlip")]),\n    batch_size=2', f'RandomFlip")]),\n    {option}')
    else:
        (transform,) = re.findall(r"add (dict\(.*?\)) to train_dataloader", fix)
        change(tiny_config, "transforms=[", f"transforms=[{transform}, ")
    assert validate() == {}


def test_pixels_without_an_object_get_their_class(validate, paired_root):
    """Objects are numbered 1, 2 ..., and everything else is 0."""
    for path in paired_root.rglob("instance/*.png"):
        ids = np.array(Image.open(path))
        save(path, np.where(ids >= 2000, 1 + ids % 2, 0).astype(np.uint8))
    fixes = validate()
    snippet = re.search(r"instance = .*", only(fixes, "instance straddles classes"))[0]
    for split in ("train", "val"):
        rewrite(paired_root, snippet, split)
    assert validate() == {}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_id_on_several_classes_is_taken_apart(validate, paired_root, kind):
    for path in paired_root.rglob("instance/*.png"):
        ids = np.array(Image.open(path))
        ids[ids == 1] = 7
        ids[ids == 3] = 7
        save(path, np.where(ids >= 2000, 100 + ids % 2, ids).astype(kind))
    fixes = validate()
    snippet = re.search(r"instance = .*", only(fixes, "instance straddles classes"))[0]
    for split in ("train", "val"):
        rewrite(paired_root, snippet, split)
    assert validate() == {}


def test_maps_without_instances_may_be_left_out(validate, paired_root, tiny_config):
    for path in paired_root.rglob("instance/*.png"):
        save(path, np.array(Image.open(path.parents[1] / "label" / path.name)))
    fixes = validate()
    assert only(fixes, "no instances").endswith("data_preprocessor.boundaries=False")
    change(tiny_config, 'type="LabelPreprocessor"', 'type="LabelPreprocessor", boundaries=False')
    text = tiny_config.read_text()
    tiny_config.write_text(re.sub(r"    encoder=.*\n", "", text))  # which would need instances
    assert validate() == {}


def test_classes_that_are_never_seen_are_not_scored(validate, paired_root):
    classes = paired_root / "classes.json"
    entries = [*json.loads(classes.read_text()), {"name": "boat"}]
    classes.write_text(json.dumps(entries))
    fixes = validate()
    (field,) = re.findall(r"set (.*?) for them", only(fixes, "classes never seen"))
    entries[-1].update(json.loads(f"{{{field}}}"))
    classes.write_text(json.dumps(entries))
    assert validate() == {}


def test_duplicates_and_shared_scenes_are_removed(validate, paired_root):
    for kind in ("label", "instance", "image"):
        for copy in ("train/{}/s7.png", "val/{}/s8.png"):
            path = paired_root / copy.format(kind)
            path.write_bytes((paired_root / f"train/{kind}/s0.png").read_bytes())
    fixes = validate()
    assert set(fixes) == {"duplicates", "shared scenes"}
    for kind in ("duplicates", "shared scenes"):
        while kind in (fixes := validate()):
            subprocess.run(["sh", "-c", removal(fixes[kind])], check=True)
    assert validate() == {}
