"""Config files in every text form that editors write."""

import codecs
import os
import subprocess
import sys

import pytest
from mmengine.config import Config

from i2ibench.errors import UserError
from i2ibench.registry.configuration import load_config, read_assignments
from i2ibench.registry.mmengine_workarounds import dump_odd_keys

CHINESE = "# 我的配置：街景\n"


def test_a_mark_at_the_begin_of_a_config_and_of_its_base_is_no_letter(tiny_config):
    base = tiny_config.with_name("base.py")
    base.write_bytes(codecs.BOM_UTF8 + (CHINESE + tiny_config.read_text("utf-8")).encode())
    tiny_config.write_bytes(codecs.BOM_UTF8 + f"_base_ = 'base.py'\n{CHINESE}seed = 7".encode())
    assert load_config(tiny_config).seed == 7
    assert "model" in load_config(tiny_config)


def test_other_encodings_of_a_config_and_of_its_base_are_refused(tiny_config):
    text = tiny_config.read_text("utf-8")
    base = tiny_config.with_name("base.py")
    base.write_bytes((CHINESE + text).encode("gbk"))
    tiny_config.write_text("_base_ = 'base.py'", encoding="utf-8")
    for read in (load_config, lambda path: read_assignments(path, "grid")):
        with pytest.raises(UserError, match=r"base\.py is not UTF-8: byte 2 \(0xce\)"):
            read(tiny_config)
    tiny_config.write_bytes(text.encode("utf-16"))
    with pytest.raises(UserError, match="UTF-16"):
        load_config(tiny_config)


def test_chinese_comments_are_read_where_the_locale_is_ascii(tiny_config):
    tiny_config.write_text(CHINESE + tiny_config.read_text("utf-8"), encoding="utf-8")
    program = (
        "import sys, pathlib; from i2ibench.registry.configuration import load_config as load\n"
    )
    program += "load(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", program, str(tiny_config)], check=True,
        env={"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", **_paths()},
    )  # fmt: skip


def _paths():
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (r'data_root = "C:\Users\me"', "unicodeescape"),
        (r'data_root = "D:\new"', "control character"),
        (r'hooks = dict(x=dict(save_dir="E:\tables"))', "'save_dir' is 'E:"),
    ],
)
def test_windows_paths_without_doubled_backslashes_are_refused_with_the_way_out(
    tiny_config, line, said
):
    with tiny_config.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(UserError) as caught:
        load_config(tiny_config)
    assert said in str(caught.value)
    assert r"r'C:\Users' or 'C:\\Users'" in str(caught.value)


@pytest.mark.parametrize("key", ["it's", 'a"b', "C:\\Users", "C:\\new", "天空"])
def test_a_config_with_any_key_is_dumped_as_what_it_is(tmp_path, key):
    dump_odd_keys()
    dump_odd_keys()  # a second call changes nothing
    content = {"outputs": {key: ["C:\\Users\\me", {key: 1}]}, "data_root": "C:\\Users\\me"}
    Config(content).dump(tmp_path / "dumped.py")
    found = {}
    exec((tmp_path / "dumped.py").read_text("utf-8"), found)
    assert {name: found[name] for name in content} == content
