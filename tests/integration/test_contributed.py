"""SPADE and OASIS through the user's commands: their noise and their singular vectors survive."""

import pytest

from i2ibench.data.image_reading import read_rgb
from tests.integration.runs import SHORT, command, goes_on_bit_for_bit, run
from tests.unit.plugins.test_systems import SYSTEMS

every_system = pytest.mark.parametrize("name", SYSTEMS)


@pytest.fixture
def config(name, tiny_config):
    path = tiny_config.with_name(f"{name}.py")
    model = {"_delete_": True, "type": "PairedTranslator", **SYSTEMS[name]}
    base = f"_base_ = {tiny_config.name!r}"
    path.write_text(f"{base}\nmodel = {model!r}\nhooks = dict(styles=None)\n")
    return path


@every_system
def test_a_run_goes_on_bit_for_bit(config, tmp_path):
    goes_on_bit_for_bit(config, tmp_path, SHORT)


@every_system
def test_a_run_is_translated_and_scored(name, config, paired_root, tmp_path):
    checkpoint = run(config, tmp_path / "run", **SHORT) / "epoch_0002.pth"
    samples = 2 if name == "oasis" else 1
    images = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        command("translate", checkpoint, paired_root / "val", folder, "--samples", samples)
        images.append({p.name: read_rgb(p) for p in folder.glob("*.png")})
    first, again = images
    assert first.keys() == again.keys() and len(first) == 6 * samples
    assert all((first[n] == again[n]).all() for n in first)
    command("eval", config, checkpoint, "--work-dir", tmp_path / "run")
    assert (tmp_path / "run" / "evaluation" / "report.html").is_file()
