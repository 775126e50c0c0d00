"""The plugins that a checkpoint names: compared and shown as texts, whoever wrote them."""

from pathlib import Path

import pytest

from i2ibench.errors import UnknownPartError
from i2ibench.registry.plugin_records import changed_plugins, missing_plugin, plugin_records

PATH = Path("epoch_0001.pth")
ERROR = UnknownPartError("No loss named 'Own'.", "loss", "Own")
CONFIG = {"model": {"adversarial": {"type": "HingeGAN"}}}


def record(part="loss Own", **more):
    return {"module": "mine/own.py", "sha256": "0123456789abcdef", "parts": [part], **more}


def test_a_missing_part_is_told_with_the_plugin_that_had_it():
    said = missing_plugin({"plugins": [record("loss Other"), record()]}, ERROR)
    assert "had it from 'mine/own.py' (SHA-256 '0123456789ab')" in said
    packaged = record(distribution="own-package", version="1.2")
    assert "from 'own-package 1.2' (" in missing_plugin({"plugins": [packaged]}, ERROR)
    assert missing_plugin({"plugins": [record("loss Other")]}, ERROR) == ""
    assert missing_plugin({}, ERROR) == ""


def test_a_plugin_with_another_hash_is_told_if_the_config_names_its_part():
    now = {"plugins": plugin_records()}
    assert changed_plugins(PATH, now, CONFIG) == ""
    old = {"plugins": [{**record, "sha256": "f" * 64} for record in now["plugins"]]}
    said = changed_plugins(PATH, old, CONFIG)
    assert said.startswith(f"{PATH} was written with other plugins") and "\n" not in said
    assert "hinge_gan.py ('ffffffffffff' then, '" in said and "spade.py" not in said
    assert changed_plugins(PATH, old, {"model": {"type": "PairedTranslator"}}) == ""


@pytest.mark.parametrize(
    "records",
    ["text", 3, None, {"a": 1}, [3], [{}], [{"parts": 3}], [{"parts": [3, "Own", "a b c", ""]}],
     [record("loss Own", sha256=None, module="x\x1b" * 10_000)]],
)  # fmt: skip
def test_records_that_no_run_wrote_do_no_harm(records):
    said = missing_plugin({"plugins": records}, ERROR) + changed_plugins(
        PATH, {"plugins": records}, CONFIG
    )
    assert len(said) < 1000 and said.isprintable()
