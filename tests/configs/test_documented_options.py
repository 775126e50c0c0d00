"""Every option of a config that documents name, such as `train_dataloader.cache=True`, works."""

import ast
import re

import pytest
import torch

from i2ibench.data.loaders import check_loader
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.models.translators.build import build_translator
from i2ibench.registry.configuration import load_config
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.stage import build_hooks
from tests.configs.test_configs import metainfo, without_vgg
from tests.integration.advice_lines import BLOCK, INLINE, ROOT, documents

KEYS = r"(?:model|train_dataloader|val_dataloader|hooks|data_preprocessor|optimizers|protocol)"
TUTORIAL = "add-a-generator.md"
"""Its part is written in the tutorial, which a test of its own follows."""


def documented():
    """Every option with its value as it is written, in the documents' sentences."""
    found = {}
    for page in documents():
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for code in INLINE.findall(text):
            option = re.fullmatch(rf"({KEYS}[\w.]*)\s*=\s*(.+)", " ".join(code.split()))
            if option and page.name != TUTORIAL:
                found[option[0]] = pytest.param(
                    option[1], option[2], id=f"{page.name}: {option[0]}"
                )
    return found.values()


def value_of(text):
    """The value of a Python expression in which N is a number and dict() a config."""
    text = "2" if text == "N" else text
    return eval(compile(ast.parse(text, mode="eval"), text, "eval"), {"dict": dict})


@pytest.mark.parametrize(("key", "value"), documented())
def test_a_documented_option_is_one_that_the_parts_take(key, value, tmp_path):
    base = "[" + repr(str(ROOT / "configs/pix2pixhd_toystreet.py")) + "]"
    first, *rest = key.split(".")
    text = f"{value_of(value)!r}"
    for name in reversed(rest):
        text = f"{{{name!r}: {text}}}"
    (tmp_path / "own.py").write_text(f"_base_ = {base}\n{first} = {text}\n")
    config = without_vgg(load_config(tmp_path / "own.py"))
    with torch.device("meta"):
        translator = build_translator(config, metainfo(config))
        build_optimizers(translator.networks(), config.optimizers)
    build_hooks(config.hooks)
    check_loader(config.train_dataloader)
    if first == "protocol":
        build_protocol(config.protocol.to_dict())
