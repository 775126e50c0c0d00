"""What is measured on photos and other controls is measured once, for every evaluation."""

import os
from collections import Counter
from pathlib import Path

import pytest

from i2ibench.evaluation import measurement_cache as shared_module
from i2ibench.evaluation import measurements as rows_module
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """Scores the photos as images of another code; gives the results and who was measured."""
    root = write_paired_scenes(tmp_path / "paired", count=6)
    config = load_config(write_tiny_config(tmp_path / "tiny.py", root), {}, tmp_path / "run")
    segmenter = config.protocol.segmenter
    honest = rows_module._measure_chunk
    counts = Counter()

    def counted(start, systems, stores, *rest):
        for system in systems:
            counts[system.name] += sum(not s.has(start) for s in stores[system.name].values())
        honest(start, systems, stores, *rest)

    monkeypatch.setattr(rows_module, "_measure_chunk", counted)

    def run(output, **options):
        counts.clear()
        protocol = build_protocol({"type": "own", "segmenter": segmenter, **options})
        subjects = parse_systems([], [f"theirs={root / 'val' / 'image'}"])
        results = evaluate(protocol, subjects, tmp_path / output, config)
        return results["systems"], {name: count for name, count in counts.items() if count}

    return run


def shared_files():
    return sorted(Path(os.environ["I2IBENCH_CACHE"], "rows").glob("*"))


def test_another_output_folder_measures_the_systems_alone(evaluated, capsys):
    first, measured = evaluated("a")
    assert len(measured) == 4 and len(shared_files()) > 3
    capsys.readouterr()
    again, measured = evaluated("b")
    assert set(measured) == {"theirs"}
    assert again == first
    assert "6 scenes, class colours (floor)" in capsys.readouterr().err


def test_the_photos_of_a_reference_are_described_once(evaluated):
    reference = {"type": "PairedFolder", "split": "train"}
    kernel = {"type": "DistributionDistance", "features": {"type": "TorchvisionFeatures"}}
    metrics = {"distribution": kernel}
    first, _ = evaluated("a", reference=reference, metrics=metrics)
    again, measured = evaluated("b", reference=reference, metrics=metrics)
    assert set(measured) == {"theirs"} and again == first


def test_a_change_of_what_they_depend_on_shares_nothing(evaluated, monkeypatch):
    evaluated("a")
    monkeypatch.setattr(shared_module, "versions", lambda: {"torch": "another"})
    _, measured = evaluated("b")
    assert len(measured) == 4


def test_damaged_files_are_made_anew_and_small_room_keeps_the_newest(
    evaluated, monkeypatch, capsys
):
    first, _ = evaluated("a")
    for path in shared_files():
        path.write_bytes(path.read_bytes()[:200])
    again, measured = evaluated("b")
    assert len(measured) == 4 and again == first
    assert "is damaged and is made anew" in capsys.readouterr().err
    assert evaluated("c")[1].keys() == {"theirs"}
    monkeypatch.setattr(shared_module, "MAX_BYTES", 3000)
    monkeypatch.setattr(shared_module, "versions", lambda: {"torch": "another"})
    evaluated("d")
    assert sum(path.stat().st_size for path in shared_files()) <= 3000


def test_a_folder_that_cannot_be_written_is_said_and_costs_nothing_else(
    evaluated, monkeypatch, tmp_path, capsys
):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("I2IBENCH_CACHE", str(blocked))
    results, measured = evaluated("a")
    assert len(measured) == 4 and "theirs" in results
    assert "cannot be written" in capsys.readouterr().err


def test_parts_of_others_are_not_shared(evaluated):
    """Their code is in no hash."""

    class TheirMetric:
        pass

    assert not shared_module._is_own([TheirMetric()])
    assert shared_module._is_own([1, "a", None, Path("x"), {}])
