"""The traps that compat.py and its neighbours work around are still there.

A failure here is good news: remove the work-around.
"""

import inspect
import logging
import multiprocessing
import sys
from pathlib import Path

import mmengine.utils
import pytest
import torch
from mmengine.dist import utils
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

import i2ibench
from i2ibench.errors import UserError
from i2ibench.registry.mmengine_workarounds import (
    installed_path,
    is_installed,
    log_in_utf_8,
    process_group,
    read_config,
    start_method,
)


def test_mmengines_amp_wrapper_refuses_the_cpu():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    if not torch.cuda.is_available():
        with pytest.raises(AssertionError):
            AmpOptimWrapper(optimizer=optimizer)


def test_mmengines_launcher_needs_cuda():
    assert "torch.cuda.set_device" in inspect.getsource(utils._init_dist_pytorch)


def test_mmengines_resume_does_not_restore_random_numbers():
    assert "set_rng_state" not in inspect.getsource(Runner.resume)


def test_a_launcher_that_is_none_or_has_no_environment_is_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match="one of none, pytorch"), process_group("torch"):
        pass
    with pytest.raises(UserError, match="torchrun"), process_group("pytorch"):
        pass


@pytest.fixture
def _no_pkg_resources(monkeypatch):
    """As with setuptools 82 and later."""
    monkeypatch.setitem(sys.modules, "pkg_resources", None)


@pytest.mark.usefixtures("_no_pkg_resources")
def test_mmengine_looks_for_packages_with_pkg_resources():
    with pytest.raises(ImportError):
        mmengine.utils.is_installed("i2ibench")
    with pytest.raises(ImportError):
        mmengine.utils.get_installed_path("i2ibench")


@pytest.mark.usefixtures("_no_pkg_resources")
def test_packages_are_found_without_pkg_resources():
    assert installed_path("i2ibench") == str(Path(i2ibench.__file__).parent)
    assert installed_path("mmcv-lite") == installed_path("mmcv")
    assert is_installed("mmengine") and not is_installed("nobodys-package")
    with pytest.raises(ModuleNotFoundError, match="nobodys-package"):
        installed_path("nobodys-package")


@pytest.mark.usefixtures("_no_pkg_resources")
def test_a_base_in_a_package_is_found_without_pkg_resources(tmp_path, monkeypatch):
    mim = tmp_path / "mmdet" / ".mim"
    (mim / "configs" / "x").mkdir(parents=True)
    (mim.parent / "__init__.py").touch()
    (mim / "model-index.yml").write_text("Import: []\n", encoding="utf-8")
    (mim / "configs" / "x" / "base.py").write_text("seed = 5\n", encoding="utf-8")
    (tmp_path / "own.py").write_text("_base_ = 'mmdet::x/base.py'\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert read_config(tmp_path / "own.py", import_custom_modules=False).seed == 5


def test_mmengine_opens_its_log_in_the_encoding_of_the_locale(tmp_path):
    assert "FileHandler(log_file, file_mode)" in inspect.getsource(MMLogger)
    logger = logging.Logger("own")
    logger.addHandler(logging.FileHandler(tmp_path / "a.log", encoding="cp1252"))
    log_in_utf_8(logger)
    logger.warning("天空 \udce9")
    assert (tmp_path / "a.log").read_bytes() == "天空 \\udce9\n".encode()
    logger.handlers[0].close()


def test_workers_are_forked_on_linux_alone_unless_the_process_chose(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: None)
    assert (start_method() == "fork") == (sys.platform == "linux")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert start_method() == "spawn"
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: "forkserver")
    assert start_method() == "forkserver"
