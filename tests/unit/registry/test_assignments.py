"""KEY=VALUE on the command line: text stays as it was written, the rest are Python literals."""

import inspect

import pytest

from i2ibench.registry.assignments import Written, read_value, resolve, resolve_options

FOLDERS = (
    "2023", "a,b", "[x]", "k=v", "with space", "./2023", r"C:\data", "~", "1e5", "True", "None",
    "(1,2)", "{a}", "'quoted'", " x ", "天空", "1_000", "nan", "", "[a",
)  # fmt: skip
CONFIG = {
    "data_root": "data",
    "split": "train",
    "train_dataloader": {"dataset": {"type": "T", "instance_dir": None}, "cache": "folder"},
    "model": {"frozen": ["a"], "depth": 3, "encoder": {"type": "E"}},
    "schedules": [{"type": "LinearLR", "end": 3}],
}


def one(key, text):
    return resolve({key: Written(text)}, CONFIG)[key]


@pytest.mark.parametrize("key", ["data_root", "work_dir", "val_dataloader.dataset.root"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_place_arrives_as_it_was_written(key, folder):
    assert one(key, folder) == folder
    assert type(one(key, folder)) is str


@pytest.mark.parametrize("key", ["split", "protocol.weights", "train_dataloader.dataset.label_dir"])
@pytest.mark.parametrize("text", [text for text in FOLDERS if text != "None"])
def test_paths_and_what_is_a_string_now_arrive_as_they_were_written(key, text):
    assert one(key, text) == text


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("split", "None", None),
        ("train_dataloader.dataset.instance_dir", "None", None),
        ("train_dataloader.cache", "True", True),
        ("train_dataloader.cache", "False", False),
        ("train_dataloader.cache", "2023", "2023"),
        ("model.frozen", "generator,encoder", ["generator", "encoder"]),
        ("model.depth", "4", 4),
        ("model.encoder", "None", None),
        ("model.encoder", "{'type': 'a b'}", {"type": "a b"}),
        ("schedules.0.type", "1", "1"),
        ("schedules.0.end", "7", 7),
        ("seed", "1e-4", 1e-4),
        ("new", "word", "word"),
        ("new", "two words", "two words"),
    ],
)
def test_a_value_means_what_its_key_holds(key, text, value):
    assert one(key, text) == value
    assert type(one(key, text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-0.5", -0.5), ("true", True), ("False", False), ("None", None),
        ("1,2,3", [1, 2, 3]), ("[a,b]", ["a", "b"]), ("(0.5,0.999)", (0.5, 0.999)),
        ("[(1,2),(3,4)]", [(1, 2), (3, 4)]), ("['a b', 'c']", ["a b", "c"]), ("[a", "[a"),
        ("'3'", "3"), ("{'a': [1]}", {"a": [1]}), ("[" * 5000, "[" * 5000),
    ],
)  # fmt: skip
def test_literals_are_read_as_python_has_them(text, value):
    assert read_value(text) == value


def test_values_that_are_no_texts_are_passed_on():
    assert resolve({"split": 3}, CONFIG) == {"split": 3}


def test_a_parts_string_options_stay_text():
    def part(name: str, place: str | None = None, count: int = 1): ...

    given = {key: Written("2023") for key in ("name", "place", "count", "other")}
    parameters = inspect.signature(part).parameters
    assert resolve_options(given, parameters) == {
        "name": "2023", "place": "2023", "count": 2023, "other": 2023,
    }  # fmt: skip
    assert resolve_options({"place": Written("None")}, parameters) == {"place": None}
