"""Configs of older checkpoints get the present names of parts."""

import json
from pathlib import Path

import pytest

from i2ibench.errors import UnknownPartError, UserError
from i2ibench.inference import checkpoints
from i2ibench.inference.checkpoint_checks import EARLIER_NAMES, read_config
from i2ibench.registry import REGISTRIES


def test_a_config_with_earlier_names_is_read_with_todays():
    config = {
        "model": {
            "type": "PairedTranslator",
            "generator": {"type": "RefinementGenerator", "height": 16},
            "losses": {"refinement": {"type": "RefinementLoss"}},
        },
        "hooks": {"pictures": {"type": "ValidationPictures"}, "ema": {"type": "Other"}},
    }
    read = read_config({"config": json.dumps(config)}, Path("old.pth"))
    assert read["model"]["generator"] == {"type": "CRNGenerator", "height": 16}
    assert read["model"]["losses"]["refinement"]["type"] == "CRNLoss"
    assert read["hooks"] == {"images": {"type": "ValidationImages"}, "ema": {"type": "Other"}}


def test_every_new_name_is_a_registered_part():
    registered = {name for registry in REGISTRIES.values() for name in registry.names()}
    assert set(EARLIER_NAMES.values()) <= registered and not set(EARLIER_NAMES) & registered


def test_a_deeply_nested_config_is_read_or_refused_and_never_a_traceback():
    for depth in (400, 900, 100_000):
        text = '{"x": ' * depth + "0" + "}" * depth
        try:
            read_config({"config": text}, Path("deep.pth"))
        except UserError as error:
            assert "its config is not JSON" in str(error)


@pytest.mark.parametrize(
    ("written", "newer"),
    [("0.1.0", False), ("0.0.9", False), ("", False), ("0.1.1", True), ("0.10.0", True),
     ("1.0.0rc1", True)],
)  # fmt: skip
def test_a_newer_version_is_named(monkeypatch, written, newer):
    monkeypatch.setattr(checkpoints, "__version__", "0.1.0")
    said = checkpoints.newer_version({"i2ibench": written})
    assert said == "" if not newer else f"by i2ibench {written}, and this is 0.1.0" in said


def test_a_part_of_a_newer_version_is_told_from_a_missing_plugin(tmp_path, monkeypatch):
    path = tmp_path / "new.pth"
    path.write_bytes(b"")
    monkeypatch.setattr(
        checkpoints, "read_checkpoint", lambda path: {"meta": {}, "i2ibench": "99.0"}
    )
    with (
        pytest.raises(UserError, match=r"no .*Nova.*written by i2ibench 99.0"),
        checkpoints.building_from(path),
    ):
        raise UnknownPartError("There is no generator 'Nova'.", "generator", "Nova")
